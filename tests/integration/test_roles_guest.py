"""The execution role's credentials in a real microVM, before and after a suspend.  In the long form boto3 is in the guest and
finds them by its default chain; tests/platform/guest/test_metadata.py shows more SDKs."""
import json
import os

import boto3

from rig import ACCOUNT, REGION, wait_for

CONNECTOR = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
LOOK = '''python3 - <<'END'
import json, ssl, urllib.error, urllib.request
def ask(path, method="GET", **fields):
    fields = {"X-aws-ec2-metadata-" + name.replace("_", "-"): value for name, value in fields.items()}
    try:
        return urllib.request.urlopen(urllib.request.Request("http://169.254.169.254/latest/" + path, method=method,
                                                             headers=fields), timeout=10).read().decode()
    except urllib.error.HTTPError as e:
        return e.code
token = ask("api/token", "PUT", token_ttl_seconds="21600")
try:
    old = open("/tmp/token").read()
except OSError:
    old = token
open("/tmp/token", "w").write(token)
open("/tmp/ca", "w").write(str(ask("doze/ca", token=token)))
role = ask("meta-data/iam/security-credentials/", token=token)
try:
    import boto3
    c = boto3.Session().get_credentials()
    by_boto3 = c and [c.method, c.access_key]
except ImportError:
    by_boto3 = "none"
api, way = ask("doze/api", token=token), None
try:  # nobody has signed this, so an answer of the API is a refusal
    urllib.request.urlopen((api if api != 404 else "https://169.254.53.54:API_PORT") + "/2025-09-09/microvms", timeout=10,
                           context=ssl.create_default_context(cadata=ask("doze/ca", token=token) if api != 404 else None))
except urllib.error.HTTPError as e:
    way = e.code
except OSError as e:
    way = "no way"
try:
    who = boto3.client("sts", endpoint_url=api, verify="/tmp/ca", region_name="us-east-1").get_caller_identity()["Arn"]
except Exception:
    who = None
print("SAID " + json.dumps({"role": role, "credentials": ask("meta-data/iam/security-credentials/" + str(role), token=token),
                            "id": ask("meta-data/instance-id", token=token), "region": ask("meta-data/placement/region", token=token),
                            "v1": ask("meta-data/instance-id"), "old": ask("meta-data/instance-id", token=old), "boto3": by_boto3, "way": way, "who": who}))
END
'''


def test_a_guest_has_the_roles_credentials_before_and_after_a_suspend(doze, microvms, images):
    shells = {"ingressNetworkConnectors": [CONNECTOR + "HTTP_INGRESS", CONNECTOR + "SHELL_INGRESS"]}
    one = json.loads(doze.cli("--json", "run", images["flask-hello"], "--shell", "--role", "guest").stdout)["microvmId"]
    plain = microvms(images["flask-hello"], **shells)["microvmId"]

    def look(vm, before=""):
        out = doze.cli("shell", vm, input=before + LOOK.replace("API_PORT", str(doze.api_port)), timeout=200).stdout
        return json.loads(next(line for line in out.splitlines() if line.startswith("SAID "))[5:])

    def check(said):
        c = json.loads(said["credentials"])
        who = boto3.client("sts", endpoint_url=doze.environment["AWS_ENDPOINT_URL_LAMBDA_MICROVMS"], region_name=REGION,
                           verify=doze.environment["AWS_CA_BUNDLE"], aws_access_key_id=c["AccessKeyId"],
                           aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["Token"]).get_caller_identity()
        assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/guest/{one}"
        assert said["role"] == "execution_role" and said["id"] == one and said["region"] == REGION and said["v1"] == 401
        assert said["way"] == 403
        if "DOZE_LONG" in os.environ:
            assert said["who"] == who["Arn"], "also by the guest's own way to the API"
            assert said["boto3"] == ["iam-role", c["AccessKeyId"]]

    first = look(one, "pip3 install --quiet boto3\n" if "DOZE_LONG" in os.environ else "")
    check(first)
    assert first["old"] == one, "a token serves more than once"
    without = look(plain)
    assert without["role"] == without["credentials"] == 404 and without["id"] == plain
    assert without["way"] == "no way"
    doze.api.suspend_microvm(microvmIdentifier=one)
    wait_for("it sleeps", lambda: doze.state(one) == "SUSPENDED", 60)
    doze.api.resume_microvm(microvmIdentifier=one)
    wait_for("it runs again", lambda: doze.state(one) == "RUNNING", 60)
    again = look(one)
    check(again)
    assert again["old"] == 401, "a token of before the suspend is none"
    doze.api.terminate_microvm(microvmIdentifier=one)
