"""Accounts, access keys and policies of the control role; see control_rig.py."""
import json

import pytest

from control_rig import ACCOUNT, ALONE, BUILD, KEY, REGION, Control, wait_for
from signed import Api, Refused, quoted

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

TENANT = "222222222222"
CONNECTOR = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
DEFAULTS = [CONNECTOR + "HTTP_INGRESS", CONNECTOR + "INTERNET_EGRESS"]


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(scope="module")
def control():
    rig = Control(settings="[build]\nat_once=16\n")
    rig.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
    yield rig
    rig.close()


def image_arn(name, account=ACCOUNT):
    return f"arn:aws:lambda:{REGION}:{account}:microvm-image:{name}"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Resource": "*", "Effect": "Allow", **each} for each in statements]})


def make_key(control, name, *statements, account=None, **more):
    if statements:
        more["policy"] = policy(*statements)
    query = f"?account={account}" if account else ""
    return control.api.call("POST", f"/doze/v1/keys{query}", {"name": name, **more})


def api_of(control, key):
    return Api(control, key["accessKeyId"], key["secretAccessKey"], REGION)


def denied(call, action, resource, why, key, account=ACCOUNT):
    with pytest.raises(Refused) as refused:
        call()
    said = refused.value
    tail = {"none": f" because no identity-based policy allows the {action} action",
            "deny": " with an explicit deny in an identity-based policy",
            "foreign": f" because no resource-based policy allows the {action} action"}[why]
    assert (said.status, said.code) == (403, "AccessDeniedException")
    assert said.message == (f"User: arn:aws:iam::{account}:user/{key} is not authorized to perform: {action} on "
                            f"resource: {resource}{tail}")


def test_a_key_may_do_what_its_policy_says_and_no_more(control):
    image, other = control.make_image("ci-app"), control.make_image("prod-app")
    ci = api_of(control, make_key(
        control, "ci", {"Action": ["lambda:RunMicrovm", "lambda:*Microvm"], "Resource": image_arn("ci-*")},
        {"Action": "lambda:PassNetworkConnector", "Resource": DEFAULTS},
        {"Action": "lambda:ListMicrovms"},
        {"Sid": "Never", "Effect": "Deny", "Action": "lambda:SuspendMicrovm"}))
    vm = ci.run(image)
    assert ci.get(vm)["imageArn"] == image
    denied(lambda: ci.run(other), "lambda:RunMicrovm", other, "none", "ci")
    denied(lambda: ci.call("GET", f"/2025-09-09/microvm-images/{quoted(image)}"), "lambda:GetMicrovmImage", image, "none", "ci")
    denied(lambda: ci.call("POST", f"/2025-09-09/microvms/{vm}/suspend"), "lambda:SuspendMicrovm", image, "deny", "ci")
    denied(lambda: ci.call("POST", "/doze/v1/keys", {"name": "more"}), "doze:CreateKey",
           f"arn:aws:iam::{ACCOUNT}:user/more", "none", "ci")
    token = {"expirationInMinutes": 5, "allowedPorts": [{"port": 1}]}
    denied(lambda: ci.call("POST", f"/2025-09-09/microvms/{vm}/auth-token", token), "lambda:CreateMicrovmAuthToken", image,
           "none", "ci")
    ci.call("DELETE", f"/2025-09-09/microvms/{vm}")
    wait_for("it is gone", lambda: control.api.state(vm) == "TERMINATED")


def test_roles_and_connectors_are_passed_by_right(control):
    image, role = control.make_image("passing"), f"arn:aws:iam::{ACCOUNT}:role/app"
    run = {"Action": "lambda:RunMicrovm"}
    bare = api_of(control, make_key(control, "bare", run))
    denied(lambda: bare.run(image), "lambda:PassNetworkConnector", DEFAULTS[0], "none", "bare")
    half = api_of(control, make_key(control, "half", run, {"Action": "lambda:PassNetworkConnector", "Resource": DEFAULTS[0]}))
    denied(lambda: half.run(image), "lambda:PassNetworkConnector", DEFAULTS[1], "none", "half")
    whole = api_of(control, make_key(
        control, "whole", run, {"Action": "lambda:PassNetworkConnector"},
        {"Action": "iam:PassRole", "Resource": role,
         "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"},
                       "ArnLike": {"iam:AssociatedResourceArn": image}}}))
    whole.run(image, executionRoleArn=role)
    denied(lambda: whole.run(image, executionRoleArn=role + "2"), "iam:PassRole", role + "2", "none", "whole")
    maker = api_of(control, make_key(control, "maker", {"Action": "lambda:CreateMicrovmImage"}))
    denied(lambda: maker.create_image("made", **BUILD), "iam:PassRole", BUILD["buildRoleArn"], "none", "maker")


def test_conditions_see_tags_of_the_request_and_of_the_resource(control):
    maker = api_of(control, make_key(
        control, "tagger", {"Action": "iam:PassRole"},
        {"Action": ["lambda:CreateMicrovmImage", "lambda:TagResource"],
         "Condition": {"StringEquals": {"aws:RequestTag/team": "blue"},
                       "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "env"]}}},
        {"Action": ["lambda:GetMicrovmImage", "lambda:ListTags"],
         "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}))
    for tags in (None, {"team": "red"}, {"team": "blue", "cost": "1"}):
        denied(lambda tags=tags: maker.create_image("tagged", **BUILD, **({"tags": tags} if tags else {})),
               "lambda:CreateMicrovmImage", image_arn("tagged"), "none", "tagger")
    made = maker.create_image("tagged", **BUILD, tags={"team": "blue", "env": "ci"})
    red = control.api.create_image("red", **BUILD, tags={"team": "red"})
    assert maker.image(made)["name"] == "tagged"
    denied(lambda: maker.image(red), "lambda:GetMicrovmImage", red, "none", "tagger")


def test_conditions_see_who_asks_and_from_where(control):
    control.api.create_image("where", **BUILD)
    arn = image_arn("where")
    for name, condition, may in (
            ("from-here", {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
            ("from-there", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
            ("by-name", {"StringEquals": {"aws:username": "by-name"}}, True),
            ("by-arn", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/by-*"}}, True),
            ("by-account", {"StringEquals": {"aws:PrincipalAccount": TENANT}}, False),
            ("plain", {"Bool": {"aws:SecureTransport": "false"}}, True),
            ("early", {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
            ("here", {"StringEquals": {"aws:RequestedRegion": REGION}}, True)):
        api = api_of(control, make_key(control, name, {"Action": "lambda:*", "Condition": condition}))
        if may:
            assert api.image(arn)["name"] == "where"
        else:
            denied(lambda api=api: api.image(arn), "lambda:GetMicrovmImage", arn, "none", name)


def test_a_policy_that_cannot_be_meant_is_refused_with_its_line(control):
    for text, why in (
            ('{"Version": "2012-10-17",\n "Statement": [{"Effect": "Alow", "Action": "*", "Resource": "*"}]}',
             'line 2: an Effect is "Allow" or "Deny"'),
            ('{"Version": "2012-10-17",\n "Statement": [\n', "line 3: "),
            ('{"Statement": {"Effect": "Allow", "Action": "s3:*",\n "Resource": "bucket"}}',
             'line 2: Resource bucket must be in ARN format or "*"')):
        with pytest.raises(Refused) as refused:
            control.api.call("POST", "/doze/v1/keys", {"name": "bad", "policy": text})
        assert (refused.value.status, refused.value.code) == (400, "ValidationException")
        assert refused.value.message.startswith("The policy is not valid: " + why), refused.value.message
    assert not any(key["name"] == "bad" for key in control.api.call("GET", "/doze/v1/keys")["items"])


def test_a_key_is_rotated_with_an_overlap(control):
    old = make_key(control, "rotating", {"Action": "lambda:ListMicrovms"})
    new = control.api.call("POST", "/doze/v1/keys/rotating/rotate", {"overlapSeconds": 600})
    assert new["arn"] == old["arn"] and new["secretAccessKey"] != old["secretAccessKey"]
    for key in (old, new):
        api_of(control, key).call("GET", "/2025-09-09/microvms")
        denied(lambda key=key: api_of(control, key).call("GET", "/2025-09-09/microvm-images"), "lambda:ListMicrovmImages",
               "*", "none", "rotating")
    control.pass_time(601)
    api_of(control, new).call("GET", "/2025-09-09/microvms")
    with pytest.raises(Refused) as refused:
        api_of(control, old).call("GET", "/2025-09-09/microvms")
    assert (refused.value.status, refused.value.code) == (403, "ExpiredTokenException")
    states = {key["accessKeyId"]: key["state"] for key in control.api.call("GET", "/doze/v1/keys")["items"]}
    assert (states[old["accessKeyId"]], states[new["accessKeyId"]]) == ("EXPIRED", "ACTIVE")


def test_a_key_ends_when_it_expires_or_is_deleted(control):
    short, gone = make_key(control, "short", expiresInSeconds=60), make_key(control, "gone")
    api_of(control, short).call("GET", "/2025-09-09/microvms")
    api_of(control, gone).call("GET", "/2025-09-09/microvms")
    control.api.call("DELETE", f"/doze/v1/keys/{gone['accessKeyId']}")
    control.pass_time(61)
    for key, code in ((short, "ExpiredTokenException"), (gone, "UnrecognizedClientException")):
        with pytest.raises(Refused) as refused:
            api_of(control, key).call("GET", "/2025-09-09/microvms")
        assert (refused.value.status, refused.value.code) == (403, code)
    wrong = dict(make_key(control, "wrong"), secretAccessKey="x" * 40)
    with pytest.raises(Refused) as refused:
        api_of(control, wrong).call("GET", "/2025-09-09/microvms")
    assert refused.value.code == "InvalidSignatureException"
    with pytest.raises(Refused, match="credentials file"):
        control.api.call("DELETE", f"/doze/v1/keys/{KEY}")


def test_a_secret_is_shown_once_and_kept_from_everybody_else(control):
    key = make_key(control, "quiet")
    secret = key["secretAccessKey"]
    assert secret not in json.dumps(control.api.call("GET", "/doze/v1/keys"))
    with pytest.raises(Refused):
        Api(control, key["accessKeyId"], secret + "x", REGION).call("GET", "/2025-09-09/microvms")
    row = control.rows("access_key WHERE id = ?", key["accessKeyId"])[0]
    assert row["secret"] == secret and row["policy"] is None


def test_keys_and_accounts_are_there_after_a_crash(control):
    key = make_key(control, "lasting", {"Action": "lambda:ListMicrovms"}, account=TENANT)
    control.restart()
    api = api_of(control, key)
    assert api.call("GET", "/2025-09-09/microvms")["items"] == []
    denied(lambda: api.call("GET", "/2025-09-09/microvm-images"), "lambda:ListMicrovmImages", "*", "none", "lasting", TENANT)
    names = {each["account"]: each["name"] for each in control.api.call("GET", "/doze/v1/accounts")["items"]}
    assert names[TENANT] == "tenant" and ACCOUNT in names


def test_explain_says_which_statement_decides(control):
    make_key(control, "why", {"Action": "lambda:*"},
             {"Sid": "NoProd", "Effect": "Deny", "Action": "lambda:Run*", "Resource": image_arn("prod-*"),
              "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "ops"}}})

    def explain(action, resource, **context):
        return control.api.call("POST", "/doze/v1/keys/why/explain",
                                {"action": action, "resource": resource, "context": context})
    said = explain("lambda:RunMicrovm", image_arn("prod-1"))
    assert (said["decision"], said["statement"], said["sid"]) == ("explicitDeny", 2, "NoProd")
    assert said["message"].endswith("with an explicit deny in an identity-based policy")
    said = explain("lambda:RunMicrovm", image_arn("prod-1"), **{"aws:ResourceTag/team": "ops"})
    assert (said["decision"], said["statement"], said["sid"]) == ("allowed", 1, None)
    said = explain("s3:GetObject", "arn:aws:s3:::apps/a")
    assert (said["decision"], said["statement"]) == ("implicitDeny", None)


def test_an_account_is_alone_with_what_it_has(control):
    mine = control.make_image("shared-name")
    vm = control.api.run(mine)
    tenant = api_of(control, make_key(control, "tenant", account=TENANT))
    theirs = tenant.create_image("shared-name", **BUILD)
    assert theirs == image_arn("shared-name", TENANT) and tenant.image(theirs)["imageArn"] == theirs
    for call, action in (
            (lambda: tenant.image(mine), "GetMicrovmImage"), (lambda: tenant.run(mine), "RunMicrovm"),
            (lambda: tenant.call("DELETE", f"/2025-09-09/microvm-images/{quoted(mine)}"), "DeleteMicrovmImage"),
            (lambda: tenant.call("GET", f"/2017-03-31/tags/{quoted(mine)}"), "ListTags"),
            (lambda: tenant.call("GET", f"/2025-09-09/microvms?imageIdentifier={quoted(mine)}"), "ListMicrovms")):
        denied(call, f"lambda:{action}", mine, "foreign", "tenant", TENANT)
    for method, path in (("GET", f"/2025-09-09/microvms/{vm}"), ("DELETE", f"/2025-09-09/microvms/{vm}"),
                         ("POST", f"/2025-09-09/microvms/{vm}/suspend"), ("GET", f"/doze/v1/microvms/{vm}/log"),
                         ("GET", f"/doze/v1/microvms/{vm}/awake")):
        with pytest.raises(Refused) as refused:
            tenant.call(method, path)
        assert (refused.value.status, refused.value.code) == (404, "ResourceNotFoundException"), path
    assert tenant.call("GET", "/2025-09-09/microvms")["items"] == []
    assert [each["imageArn"] for each in tenant.call("GET", "/2025-09-09/microvm-images")["items"]] == [theirs]
    for method, path in (("GET", "/doze/v1/accounts"), ("POST", "/doze/v1/drain"), ("GET", "/doze/v1/stats"),
                         ("DELETE", "/doze/v1/bases/x")):
        with pytest.raises(Refused) as refused:
            tenant.call(method, path)
        assert refused.value.status == 403, path
    with pytest.raises(Refused, match="Keys of another account"):
        tenant.call("GET", f"/doze/v1/keys?account={ACCOUNT}")


def test_an_account_goes_with_its_keys_and_not_before_its_images(control):
    control.api.call("POST", "/doze/v1/accounts", {"account": "333333333333", "name": "short"})
    with pytest.raises(Refused, match="already"):
        control.api.call("POST", "/doze/v1/accounts", {"account": "333333333333", "name": "again"})
    key = make_key(control, "their", account="333333333333")
    api = api_of(control, key)
    seen = len(control.image.started)
    image = api.create_image("one", **BUILD)
    with pytest.raises(Refused, match="still has images"):
        control.api.call("DELETE", "/doze/v1/accounts/333333333333")
    control.image.finish_next(seen)
    wait_for("it is CREATED", lambda: api.image(image)["state"] == "CREATED")
    api.call("DELETE", f"/2025-09-09/microvm-images/{quoted(image)}")
    wait_for("it is gone", lambda: not api.call("GET", "/2025-09-09/microvm-images")["items"])
    control.api.call("DELETE", "/doze/v1/accounts/333333333333")
    with pytest.raises(Refused) as refused:
        api.call("GET", "/2025-09-09/microvms")
    assert refused.value.code == "UnrecognizedClientException"
    for path in ("/doze/v1/accounts/333333333333", f"/doze/v1/accounts/{ACCOUNT}"):
        with pytest.raises(Refused):
            control.api.call("DELETE", path)
