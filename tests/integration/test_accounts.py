"""Accounts, access keys and policies of the control role; see control_rig.py."""
import json

import pytest

from control_rig import ACCOUNT, ALONE, BUILD, KEY, REGION, Control, Objects, wait_for
from signed import Api, Refused, quoted

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

TENANT = "222222222222"
CONNECTORS = "/2026-04-04/network-connectors"
CONNECTOR = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
DEFAULTS = [CONNECTOR + "HTTP_INGRESS", CONNECTOR + "INTERNET_EGRESS"]


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    yield
    assert control.process.poll() is None, "control is gone"


ROLES = """[build]
at_once = 16
[network]
subnets = subnet-a
security_groups = sg-1
[role CI]
policy = {policy}
trust = runner, chained, arn:aws:iam::222222222222:user/visitor
max_session_s = 7200
[role Tenant]
arn = arn:aws:iam::222222222222:role/Tenant
trust = *
[role Broken]
policy = {broken}
trust = *
"""


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    place = tmp_path_factory.mktemp("roles")
    (place / "ci.json").write_text(policy({"Action": "lambda:List*"}, {"Action": "lambda:Get*"}))
    (place / "broken.json").write_text('{"Statement": {"Effect": "Allow",\n "Action": "*"}}')
    rig = Control(settings=ROLES.format(policy=place / "ci.json", broken=place / "broken.json"))
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


def test_a_connector_is_passed_by_its_own_tags(control):
    def connector(name, team):
        return control.api.call("POST", "/2026-04-04/network-connectors", {
            "Name": name, "OperatorRole": f"arn:aws:iam::{ACCOUNT}:role/operator", "ClientToken": name, "Tags": {"team": team},
            "Configuration": {"VpcEgressConfiguration": {
                "SubnetIds": ["subnet-a"], "SecurityGroupIds": ["sg-1"], "NetworkProtocol": "IPv4",
                "AssociatedComputeResourceTypes": ["MicroVm"]}}})["Arn"]
    image, blue, red = control.make_image("wired", tags={"team": "red"}), connector("blue", "blue"), connector("red", "red")
    wait_for("they are ACTIVE", lambda: {each["State"] for each in control.api.call(
        "GET", "/2026-04-04/network-connectors")["NetworkConnectors"]} == {"ACTIVE"})
    api = api_of(control, make_key(
        control, "wirer", {"Action": "lambda:RunMicrovm"}, {"Action": "lambda:PassNetworkConnector", "Resource": DEFAULTS},
        {"Action": ["lambda:PassNetworkConnector", "lambda:GetNetworkConnector"],
         "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}))
    api.run(image, egressNetworkConnectors=[blue])
    denied(lambda: api.run(image, egressNetworkConnectors=[red]), "lambda:PassNetworkConnector", red, "none", "wirer")
    assert api.call("GET", "/2026-04-04/network-connectors/blue")["Arn"] == blue
    denied(lambda: api.call("GET", "/2026-04-04/network-connectors/red"), "lambda:GetNetworkConnector", red, "none", "wirer")


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
            ('{"Version": "2012-10-17",\n "Statement": [{"Effect": "Permit", "Action": "*", "Resource": "*"}]}',
             'line 2: an Effect is "Allow" or "Deny"'),
            ('{"Version": "2012-10-17",\n "Statement": [\n', "line 3: "),
            ('{"Statement": {"Effect": "Allow", "Action": "s3:*",\n "Resource": "bucket"}}',
             'line 2: Resource bucket must be in ARN format or "*"')):
        with pytest.raises(Refused) as refused:
            control.api.call("POST", "/doze/v1/keys", {"name": "bad", "policy": text})
        assert (refused.value.status, refused.value.code) == (400, "ValidationException")
        assert refused.value.message.startswith("The policy is not valid: " + why), refused.value.message
    assert not any(key["name"] == "bad" for key in control.api.call("GET", "/doze/v1/keys")["items"])


def test_a_list_of_policies_and_one_that_is_too_long_are_no_policies_of_a_key(control):
    one = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*" + "\u20ac" * 6000}}
    for text in (json.dumps([one, one], ensure_ascii=False), json.dumps([]), "[" + policy({"Action": "*"}) + "]"):
        with pytest.raises(Refused) as refused:
            control.api.call("POST", "/doze/v1/keys", {"name": "long", "policy": text})
        assert (refused.value.status, refused.value.code) == (400, "ValidationException")


def test_what_is_denied_stays_denied_however_it_is_named(control):
    image, name = control.make_image("guarded"), "guarded-admin"
    admin = make_key(control, name)
    user = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    key = api_of(control, make_key(
        control, "sly", {"Action": "*"}, {"Effect": "Deny", "Action": "*", "Resource": [image, user, CONNECTOR + "SHELL_INGRESS"]}))
    denied(lambda: key.run(image), "lambda:RunMicrovm", image, "deny", "sly")
    with pytest.raises(Refused):
        key.run(image.replace("arn:aws:", "arn:aws-x:"))
    for named in (admin["accessKeyId"], name):
        denied(lambda named=named: key.call("POST", f"/doze/v1/keys/{named}/rotate", {}), "doze:RotateKey", user, "deny", "sly")
        denied(lambda named=named: key.call("DELETE", f"/doze/v1/keys/{named}"), "doze:DeleteKey", user, "deny", "sly")
    free = control.make_image("free")
    for arn in (CONNECTOR + "SHELL_INGRESS", "arn:aws:lambda:eu-north-1:aws:network-connector:aws-network-connector:SHELL_INGRESS"):
        denied(lambda arn=arn: key.run(free, ingressNetworkConnectors=[arn]), "lambda:PassNetworkConnector",
               CONNECTOR + "SHELL_INGRESS", "deny", "sly")


def test_more_tags_than_a_condition_sees_are_refused(control):
    image = control.make_image("labels")
    key = api_of(control, make_key(control, "labeller", {"Action": "*"}))
    path = f"/2017-03-31/tags/{quoted(image)}"
    for call in (lambda: key.call("POST", path, {"Tags": {f"k{i}": "v" for i in range(65)}}),
                 lambda: key.call("POST", path, {"Tags": {"env": "a", "ENV": "b"}})):
        with pytest.raises(Refused) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (400, "ValidationException")


def test_a_key_that_ends_makes_none_that_outlives_it(control):
    short = make_key(control, "short", expiresInSeconds=600)
    api = api_of(control, short)
    for made in (api.call("POST", "/doze/v1/keys", {"name": "child"}),
                 api.call("POST", "/doze/v1/keys", {"name": "child", "expiresInSeconds": 86400}),
                 api.call("POST", "/doze/v1/keys/short/rotate", {})):
        assert made["expiresAt"] <= short["expiresAt"]


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
    with pytest.raises(Refused, match="Another account is for"):
        tenant.call("GET", f"/doze/v1/keys?account={ACCOUNT}")


def connector_of(name):
    """Its networks are configured nowhere, so it fails; that is enough to have it."""
    vpc = {"SubnetIds": ["subnet-none"], "NetworkProtocol": "IPv4", "AssociatedComputeResourceTypes": ["MicroVm"]}
    return {"Name": name, "ClientToken": name, "OperatorRole": f"arn:aws:iam::{ACCOUNT}:role/o",
            "Configuration": {"VpcEgressConfiguration": vpc}}


def test_an_account_is_alone_with_its_connectors(control):
    tenant = api_of(control, make_key(control, "networker", account=TENANT))
    mine, theirs = (api.call("POST", CONNECTORS, connector_of("shared")) for api in (control.api, tenant))
    assert mine["Id"] != theirs["Id"] and TENANT in theirs["Arn"]
    wait_for("they are judged", lambda: all(api.call("GET", f"{CONNECTORS}/shared")["State"] == "FAILED"
                                            for api in (control.api, tenant)))
    assert tenant.call("GET", f"{CONNECTORS}/shared")["Id"] == theirs["Id"]
    assert [c["Id"] for c in tenant.call("GET", CONNECTORS)["NetworkConnectors"]] == [theirs["Id"]]
    for method, path in (("GET", ""), ("GET", "/versions"), ("PUT", ""), ("DELETE", "")):
        for name, status in ((mine["Id"], 404), (quoted(mine["Arn"]), 403)):
            with pytest.raises(Refused) as refused:
                tenant.call(method, f"{CONNECTORS}/{name}{path}", {} if method == "PUT" else None)
            assert refused.value.status == status, f"{method} {name}{path}: {refused.value}"
    for arn in (mine["Arn"], theirs["Arn"].replace(theirs["Id"], mine["Id"])):
        with pytest.raises(Refused) as refused:
            tenant.tags(arn)
        assert refused.value.status in (403, 404)
        with pytest.raises(Refused) as refused:
            tenant.create_image("with-theirs", egressNetworkConnectors=[arn], **BUILD)
        assert refused.value.status in (403, 404)


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
    connector = api.call("POST", CONNECTORS, connector_of("one"))["Arn"]
    with pytest.raises(Refused, match="still has images, microVMs or network connectors"):
        control.api.call("DELETE", "/doze/v1/accounts/333333333333")
    wait_for("it may be deleted", lambda: api.call("GET", f"{CONNECTORS}/one")["State"] != "PENDING")
    api.call("DELETE", f"{CONNECTORS}/{quoted(connector)}")
    wait_for("it is gone", lambda: not api.call("GET", CONNECTORS)["NetworkConnectors"])
    objects = Objects(control).known()
    objects.buckets["333333333333"] = 2
    with pytest.raises(Refused, match="still has buckets"):
        control.api.call("DELETE", "/doze/v1/accounts/333333333333")
    objects.answers = False
    asked = control.api.later("raw", "DELETE", "/doze/v1/accounts/333333333333")
    wait_for("it is asked", lambda: "COUNT" in objects.channel.got)
    Objects(control).known()  # the one that was asked has died
    status, headers, _ = asked.result(10)
    assert (status, headers["retry-after"]) == (503, "1")
    control.api.call("DELETE", "/doze/v1/accounts/333333333333")
    with pytest.raises(Refused) as refused:
        api.call("GET", "/2025-09-09/microvms")
    assert refused.value.code == "UnrecognizedClientException"
    for path in ("/doze/v1/accounts/333333333333", f"/doze/v1/accounts/{ACCOUNT}"):
        with pytest.raises(Refused):
            control.api.call("DELETE", path)


def test_the_s3_endpoint_is_told_of_every_key_and_of_its_end(control):
    many = [make_key(control, f"many-{i}", {"Action": "s3:*"})["accessKeyId"] for i in range(70)]
    objects = Objects(control).known()
    known = {key["accessKeyId"] for key in control.api.call("GET", "/doze/v1/keys")["items"] if not key["configured"]}
    assert known <= objects.keys.keys() and KEY not in objects.keys and objects.batches >= 1
    assert objects.keys[many[0]][:3:2] == (ACCOUNT, 1)
    new = make_key(control, "told", account=TENANT)
    wait_for("it is told", lambda: new["accessKeyId"] in objects.keys)
    assert objects.keys[new["accessKeyId"]][:3] == (TENANT, new["secretAccessKey"], 0)
    control.api.call("DELETE", f"/doze/v1/keys/{new['accessKeyId']}?account={TENANT}")
    wait_for("it is told of the end", lambda: new["accessKeyId"] not in objects.keys)
    credentials = sts(control, make_key(control, "sessions"))
    session = credentials.get_session_token()["Credentials"]["AccessKeyId"]
    wait_for("it is told of the session", lambda: session in objects.keys)
    again = Objects(control).known()  # it was started anew
    assert again.keys.keys() == objects.keys.keys()
    for name in range(70):
        control.api.call("DELETE", f"/doze/v1/keys/many-{name}")
    wait_for("they are gone", lambda: not set(many) & again.keys.keys())


# Sessions.

def sts(control, key=None):
    return control.client("sts", parameter_validation=False, **({"key": key["accessKeyId"], "secret": key["secretAccessKey"]} if key else {}))


def clients_of(control, credentials, service="lambda-microvms"):
    import boto3
    from botocore.config import Config
    return boto3.client(service, endpoint_url=control.url, region_name=REGION, config=Config(retries={"max_attempts": 0}),
                        aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=credentials["SecretAccessKey"],
                        aws_session_token=credentials["SessionToken"])


def fault(call):
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_role_is_assumed_by_those_whom_it_trusts(control):
    control.api.create_image("seen", **BUILD)
    runner, other = make_key(control, "runner", {"Action": "s3:*"}), make_key(control, "other")
    role = f"arn:aws:iam::{ACCOUNT}:role/CI"
    got = sts(control, runner).assume_role(RoleArn=role, RoleSessionName="job-17", DurationSeconds=900)
    assert got["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/CI/job-17"
    lasts = got["Credentials"]["Expiration"].timestamp() - control.lies.now()
    assert 880 < lasts <= 901
    api = clients_of(control, got["Credentials"])
    assert api.get_microvm_image(imageIdentifier=image_arn("seen"))["name"] == "seen"
    assert fault(lambda: api.delete_microvm_image(imageIdentifier=image_arn("seen"))) == (
        "AccessDeniedException",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/CI/job-17 is not authorized to perform: lambda:DeleteMicrovmImage on "
        f"resource: {image_arn('seen')} because no identity-based policy allows the lambda:DeleteMicrovmImage action")
    assert clients_of(control, got["Credentials"], "sts").get_caller_identity()["Arn"].endswith(":assumed-role/CI/job-17")
    for key, arn in ((other, role), (runner, role + "2"), (runner, f"arn:aws:iam::{ACCOUNT}:role/Broken"),
                     (runner, f"arn:aws:iam::{TENANT}:role/Tenant")):
        code, text = fault(lambda key=key, arn=arn: sts(control, key).assume_role(RoleArn=arn, RoleSessionName="no"))
        assert code == "AccessDenied"
        assert text == f"User: {key['arn']} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    visitor = make_key(control, "visitor", account=TENANT)
    got = sts(control, visitor).assume_role(RoleArn=role, RoleSessionName="visit")
    assert clients_of(control, got["Credentials"], "sts").get_caller_identity()["Account"] == ACCOUNT


def test_a_session_is_bounded_in_time_and_by_its_own_policy(control):
    runner = make_key(control, "runner")
    role, client = f"arn:aws:iam::{ACCOUNT}:role/CI", sts(control, make_key(control, "runner"))
    for seconds, code, text in ((899, "ValidationError", "greater than or equal to 900"),
                                (43201, "ValidationError", "less than or equal to 43200"),
                                (7201, "ValidationError", "exceeds the MaxSessionDuration set for this role.")):
        said = fault(lambda seconds=seconds: client.assume_role(RoleArn=role, RoleSessionName="long", DurationSeconds=seconds))
        assert said[0] == code and said[1].endswith(text), said
    assert fault(lambda: client.assume_role(RoleArn=role, RoleSessionName="bad", Policy="{}")) == (
        "MalformedPolicyDocument", "line 1: the policy has no Statement")
    narrow = client.assume_role(RoleArn=role, RoleSessionName="narrow", Policy=policy({"Action": ["lambda:ListMicrovms", "s3:*"]}))
    api = clients_of(control, narrow["Credentials"])
    assert api.list_microvms()["items"] is not None
    assert fault(api.list_microvm_images)[1].endswith(
        "because no session policy allows the lambda:ListMicrovmImages action")
    chained = clients_of(control, sts(control, runner).get_session_token()["Credentials"], "sts")
    assert chained.assume_role(RoleArn=role, RoleSessionName="again")["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_a_session_of_a_user_may_do_what_the_user_may(control):
    user = make_key(control, "person", {"Action": "lambda:ListMicrovms"})
    credentials = sts(control, user).get_session_token(DurationSeconds=900)["Credentials"]
    api = clients_of(control, credentials)
    assert api.list_microvms()["items"] is not None
    assert fault(api.list_microvm_images)[0] == "AccessDeniedException"
    assert clients_of(control, credentials, "sts").get_caller_identity()["Arn"] == user["arn"]
    assert fault(clients_of(control, credentials, "sts").get_session_token)[0] == "AccessDenied"
    token = credentials["SessionToken"]
    for wrong in ("", ("B" if token[0] == "A" else "A") + token[1:], token + "A", token[:-1], "x" * 4000):
        wrong = {**credentials, "SessionToken": wrong}
        assert fault(clients_of(control, wrong).list_microvms)[0] == "UnrecognizedClientException"
    assert credentials["AccessKeyId"] not in json.dumps(control.api.call("GET", "/doze/v1/keys"))
    root = clients_of(control, sts(control).get_session_token()["Credentials"])
    assert root.list_microvm_images()["items"] is not None
    control.restart()
    assert clients_of(control, credentials).list_microvms()["items"] is not None
    control.api.call("DELETE", f"/doze/v1/keys/{user['accessKeyId']}")
    assert fault(clients_of(control, credentials).list_microvms)[0] == "UnrecognizedClientException"


def test_a_session_makes_no_key_and_no_account(control):
    credentials = sts(control).get_session_token()["Credentials"]
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import http.client
    for method, path, body in (("POST", "/doze/v1/keys", {"name": "more"}), ("POST", "/doze/v1/accounts", {"name": "more"}),
                               ("POST", "/doze/v1/keys/other/rotate", {}), ("DELETE", "/doze/v1/keys/other", None)):
        data = json.dumps(body) if body is not None else ""
        request = botocore.awsrequest.AWSRequest(method, control.url + path, data=data)
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(
            credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]), "lambda", REGION).add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=20)
        connection.request(method, path, data, dict(request.headers.items()))
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("x-amzn-errortype")) == (403, "AccessDeniedException"), path
        connection.close()


def test_a_session_of_any_key_is_listed_and_ended_by_its_id(control):
    mine = sts(control).get_session_token()["Credentials"]
    listed = {key["accessKeyId"]: key for key in control.api.call("GET", "/doze/v1/keys?sessions=true")["items"]}
    assert listed[mine["AccessKeyId"]]["session"] and not listed[mine["AccessKeyId"]]["configured"]
    assert mine["AccessKeyId"] not in {key["accessKeyId"] for key in control.api.call("GET", "/doze/v1/keys")["items"]}
    clients_of(control, mine).list_microvms()
    control.api.call("DELETE", f"/doze/v1/keys/{mine['AccessKeyId']}")
    with pytest.raises(Exception, match="UnrecognizedClient|InvalidClientTokenId"):
        clients_of(control, mine).list_microvms()
    assert control.api.call("GET", "/doze/v1/keys"), "the pair that made it goes on"


def test_what_a_session_may_not_carry_is_refused(control):
    role = f"arn:aws:iam::{ACCOUNT}:role/CI"
    for more in ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, {"Tags": [{"Key": "a", "Value": "b"}]},
                 {"SourceIdentity": "someone"}):
        assert fault(lambda more=more: sts(control).assume_role(RoleArn=role, RoleSessionName="ci", **more))[0] == "ValidationError"
