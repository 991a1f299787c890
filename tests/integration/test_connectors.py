"""Network connectors through botocore, against the control role; see control_rig.py."""
import concurrent.futures
import re

import pytest

pytest.importorskip("boto3")
from botocore.exceptions import ClientError  # noqa: E402

import lies  # noqa: E402
from control_rig import ACCOUNT, ALONE, BUILD, REGION, Control, wait_for  # noqa: E402
from signed import quoted  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/operator"
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:network-connector:"
NETWORKS = "[network]\nsubnets={}\nsecurity_groups=sg-1\n[limits]\nmax_connector_versions=4\n"
FORBIDDEN = {"LatestVersionArn", "LatestVersion"}


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(name="control", scope="module")
def _control():
    rig = Control(settings=NETWORKS.format("subnet-a, subnet-b"), machines=True)
    yield rig
    rig.close()


@pytest.fixture(name="core")
def _core(control):
    return control.client("lambda-core")


def vpc(*subnets, groups=("sg-1",), kind="MicroVm"):
    return {"VpcEgressConfiguration": {"SubnetIds": list(subnets), "SecurityGroupIds": list(groups),
                                       "NetworkProtocol": "IPv4", "AssociatedComputeResourceTypes": [kind]}}


def create(core, name, *subnets, state="ACTIVE", **more):
    made = core.create_network_connector(Name=name, Configuration=vpc(*(subnets or ["subnet-a"]), **more), OperatorRole=ROLE)
    assert made["State"] == "PENDING" and made["Version"] == 1 and made["VersionArn"] == made["Arn"] + ":1"
    wait_for(f"{name} is {state}", lambda: core.get_network_connector(Identifier=name)["State"] == state)
    return made


def refused(code, status, text, call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), answer["Error"]
    assert text in answer["Error"]["Message"]


def test_it_goes_from_pending_to_active_and_away(core):
    made = create(core, "life")
    got = core.get_network_connector(Identifier=made["Arn"])
    assert got["StateReason"] == "Initial creation" and got["LatestVersionArn"] == made["VersionArn"]
    assert got["Configuration"] == vpc("subnet-a") and got["OperatorRole"] == ROLE and "VersionArn" not in got
    assert core.get_network_connector(Identifier="life")["Id"] == core.get_network_connector(Identifier=made["Id"])["Id"]
    assert core.delete_network_connector(Identifier="life")["State"] == "DELETING"
    wait_for("it is gone", lambda: all(c["Name"] != "life" for c in core.list_network_connectors()["NetworkConnectors"]))
    refused("ResourceNotFoundException", 404, f"Network connector not found for: {made['Arn']}",
            core.get_network_connector, Identifier=made["Arn"])


@pytest.mark.parametrize("subnets, groups, code", [(["subnet-z"], ["sg-1"], "InvalidSubnet"),
                                                   (["subnet-a"], ["sg-1", "sg-2"], "InvalidSecurityGroup")])
def test_networks_that_nobody_configured_make_it_fail(core, control, subnets, groups, code):
    name = f"bad-{code}"
    create(core, name, *subnets, groups=groups, state="FAILED")
    got = core.get_network_connector(Identifier=name)
    assert got["StateReasonCode"] == code and "does not exist" in got["StateReason"]
    refused("ResourceConflictException", 409, "cannot be updated in its current state: FAILED",
            core.update_network_connector, Identifier=name, Configuration=vpc("subnet-a"))
    control.api.tag(got["Arn"], some="tag")
    core.delete_network_connector(Identifier=name)


def test_each_change_makes_a_version_and_no_change_makes_none(core):
    arn = create(core, "versions")["Arn"]
    same = core.update_network_connector(Identifier=arn, Configuration=vpc("subnet-a"))
    assert (same["Version"], same["LastUpdateStatus"]) == (1, "Successful")
    assert same["LastUpdateStatusReason"] == "No configuration changes detected"
    second = core.update_network_connector(Identifier=arn, Configuration=vpc("subnet-b"))
    assert (second["Version"], second["LastUpdateStatus"], second["State"]) == (2, "InProgress", "ACTIVE")
    got = wait_for("it is updated", lambda: (r := core.get_network_connector(Identifier=arn))["LastUpdateStatus"] == "Successful"
                   and r)
    assert got["Configuration"] == vpc("subnet-b") and got["Version"] == 2
    core.update_network_connector(Identifier=arn, OperatorRole=ROLE + "2", Configuration=vpc("subnet-gone"))
    got = wait_for("it is not", lambda: (r := core.get_network_connector(Identifier=arn))["LastUpdateStatus"] == "Failed" and r)
    assert got["LastUpdateStatusReasonCode"] == "InvalidSubnet" and got["Version"] == 2 and got["OperatorRole"] == ROLE
    listed = core.list_network_connector_versions(Identifier="versions")["NetworkConnectorVersions"]
    assert [(v["Version"], v["State"]) for v in listed] == [(3, "FAILED"), (2, "ACTIVE"), (1, "ACTIVE")]
    failed = core.list_network_connector_versions(Identifier="versions", State="FAILED")["NetworkConnectorVersions"]
    assert [v["StateReasonCode"] for v in failed] == ["InvalidSubnet"]
    first = core.get_network_connector(Identifier=arn + ":1")
    assert first["Configuration"] == vpc("subnet-a") and first["VersionArn"] == arn + ":1" and not FORBIDDEN & set(first)
    core.update_network_connector(Identifier=arn, Configuration=vpc("subnet-a", "subnet-b"))
    wait_for("it is updated", lambda: core.get_network_connector(Identifier=arn)["Version"] == 4)
    refused("NetworkConnectorLimitExceededException", 400, "maximum number of versions",
            core.update_network_connector, Identifier=arn, Configuration=vpc("subnet-a"))
    refused("InvalidParameterValueException", 400, "latest version", core.delete_network_connector, Identifier=arn + ":4")
    core.delete_network_connector(Identifier=arn + ":1")
    listed = core.list_network_connector_versions(Identifier="versions")["NetworkConnectorVersions"]
    assert [v["Version"] for v in listed] == [4, 3, 2]
    refused("ResourceNotFoundException", 404, arn + ":1", core.get_network_connector, Identifier=arn + ":1")


def test_what_uses_it_keeps_it(core, control):
    create(core, "used")
    arn = core.get_network_connector(Identifier="used")["Arn"]
    image = control.make_image("with-connector", egressNetworkConnectors=[arn])
    vm = control.run(image)
    assert control.api.get(vm)["egressNetworkConnectors"] == [arn]
    refused("ResourceConflictException", 409, "used by MicroVMs", core.delete_network_connector, Identifier=arn)
    control.api.terminate(vm)
    control.wait_state(vm, "TERMINATED")
    refused("ResourceConflictException", 409, "used by the MicroVM image with-connector",
            core.delete_network_connector, Identifier=arn)
    control.api.delete_image(image)
    wait_for("the image is gone", lambda: not control.rows("image WHERE name = 'with-connector'"))
    core.delete_network_connector(Identifier=arn)


def updated(core, name, version, *subnets):
    core.update_network_connector(Identifier=name, Configuration=vpc(*subnets))
    wait_for(f"version {version} is in effect", lambda: core.get_network_connector(Identifier=name)["Version"] == version)


def test_a_version_is_kept_by_those_who_name_it_alone(core, control):
    arn = create(core, "kept")["Arn"]
    image = control.make_image("of-versions")
    vm, pinned = (control.run(image, egressNetworkConnectors=[each]) for each in (arn, arn + ":1"))
    updated(core, "kept", 2, "subnet-b")
    refused("ResourceConflictException", 409, "used by MicroVMs", core.delete_network_connector, Identifier=arn + ":1")
    for each in (vm, pinned):
        control.api.terminate(each)
        control.wait_state(each, "TERMINATED")
    updated(core, "kept", 3, "subnet-a", "subnet-b")
    for version in ("1", "2"):
        core.delete_network_connector(Identifier=f"{arn}:{version}")
    core.delete_network_connector(Identifier=arn)
    control.api.delete_image(image)
    wait_for("the image is gone", lambda: not control.rows("image WHERE name = 'of-versions'"))


@pytest.mark.parametrize("how, code, status, text", [
    (dict(egressNetworkConnectors=[PREFIX + "nc-nobody"]), "ResourceNotFoundException", 404, "Network connector not found for: "),
    (dict(egressNetworkConnectors=["used"]), "ValidationException", 400, "Malformed network connector ARN: used"),
    (dict(egressNetworkConnectors=[PREFIX + "in-failed"]), "ValidationException", 400, "in its current state: FAILED"),
    (dict(egressNetworkConnectors=[PREFIX + "in-web"]), "ValidationException", 400, "cannot be used as egress of a MicroVM"),
    (dict(ingressNetworkConnectors=[PREFIX + "in-active"]), "ValidationException", 400, "cannot be used as ingress of a MicroVM"),
    (dict(egressNetworkConnectors=[PREFIX + "in-active:7"]), "ResourceNotFoundException", 404, "not found"),
])
def test_what_cannot_be_used_is_refused(core, control, how, code, status, text):
    for name, state, more in (("in-failed", "FAILED", dict(subnet="subnet-z")), ("in-web", "ACTIVE", dict(kind="WebFunction")),
                              ("in-active", "ACTIVE", {})):
        if name not in [c["Name"] for c in core.list_network_connectors()["NetworkConnectors"]]:
            create(core, name, more.pop("subnet", "subnet-a"), state=state, **more)
    if not control.rows("image WHERE name = 'plain'"):
        control.make_image("plain")
    image = f"arn:aws:lambda:{REGION}:{ACCOUNT}:microvm-image:plain"
    ids = {c["Name"]: c["Id"] for c in core.list_network_connectors()["NetworkConnectors"]}
    how = {member: [re.sub("in-[a-z]+", lambda m: ids[m[0]], arn) for arn in arns] for member, arns in how.items()}
    refused(code, status, text, control.client().run_microvm, imageIdentifier=image, **how)
    if "egressNetworkConnectors" in how:
        refused(code, status, text, control.client().create_microvm_image, name="never", **BUILD, **how)


@pytest.mark.parametrize("members, text", [
    (dict(OperatorRole=None), "NetworkConnectorOperatorRole is required for VPC_EGRESS connector type"),
    (dict(without="NetworkProtocol"), "NetworkProtocol cannot be null or empty"),
    (dict(without="AssociatedComputeResourceTypes"), "AssociatedComputeResourceTypes cannot be null or empty"),
    (dict(without="SubnetIds"), "SubnetIds cannot be null or empty"),
    (dict(Name=PREFIX + "nc-1"), "cannot be an ARN"),
])
def test_what_the_model_leaves_optional_and_the_service_does_not(core, members, text):
    configuration = vpc("subnet-a")
    configuration["VpcEgressConfiguration"].pop(members.pop("without", ""), None)
    request = {"Name": "incomplete", "OperatorRole": ROLE, "Configuration": configuration, **members}
    refused("InvalidParameterValueException", 400, text, core.create_network_connector,
            **{k: v for k, v in request.items() if v is not None})


def test_a_token_is_required_and_all_that_is_wrong_comes_first(control):
    body = {"Name": "x y", "Configuration": vpc(*["subnet-a"] * 17), "OperatorRole": ROLE}
    status, headers, data = control.api.raw("POST", "/2026-04-04/network-connectors", body)
    assert status == 400 and headers["x-amzn-errortype"] == "ValidationException"
    assert data.startswith(b'{"message":"2 validation errors detected: Value \'x y\' at \'name\' failed')
    assert b"at 'configuration.vpcEgressConfiguration.subnetIds' failed to satisfy constraint: Member must have length less" in data
    status, headers, data = control.api.raw("POST", "/2026-04-04/network-connectors", {**body, "Name": "x", "Configuration": vpc("subnet-a")})
    assert (status, data) == (400, b'{"message":"ClientToken is a required field"}')


def test_an_answer_has_iso_times_no_nulls_and_capital_members(core, control):
    made = create(core, "wire")
    status, headers, data = control.api.raw("GET", f"/2026-04-04/network-connectors/{quoted(made['Arn'])}")
    assert status == 200 and b"null" not in data and b'"LastModified":"20' in data and b'Z"' in data
    status, headers, data = control.api.raw("GET", "/2026-04-04/network-connectors/nobody")
    assert (status, data) == (404, b'{"Message":"Network connector not found for: ' + PREFIX.encode() + b'nobody"}')


def test_many_who_retry_one_creation_get_one_connector(core, control):
    def ask(_):
        return core.create_network_connector(Name="raced", Configuration=vpc("subnet-a"), OperatorRole=ROLE, ClientToken="race")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [{k: v for k, v in a.items() if k != "ResponseMetadata"} for a in pool.map(ask, range(16))]
    assert all(a == answers[0] for a in answers)
    control.restart()
    again = control.client("lambda-core").create_network_connector(Name="raced", Configuration=vpc("subnet-a"), OperatorRole=ROLE,
                                                                   ClientToken="race")
    assert again["Id"] == answers[0]["Id"] and again["State"] == "PENDING"
    refused("ResourceConflictException", 409, "clientToken", control.client("lambda-core").create_network_connector, Name="raced",
            Configuration=vpc("subnet-b"), OperatorRole=ROLE, ClientToken="race")
    refused("ResourceConflictException", 409, "already exists", control.client("lambda-core").create_network_connector, Name="raced",
            Configuration=vpc("subnet-b"), OperatorRole=ROLE)


def test_tags_are_a_connectors_too(core, control):
    arn = create(core, "tagged")["Arn"]
    control.api.tag(arn, one="1", two="2")
    control.client().untag_resource(Resource=arn, TagKeys=["one"])
    assert control.api.tags(arn) == {"two": "2"}
    refused("ResourceNotFoundException", 404, "nobody", control.client().list_tags, Resource=PREFIX + "nobody")


def test_lists_go_page_by_page(core):
    for i in range(5):
        create(core, f"page-{i}")
    pages = list(core.get_paginator("list_network_connectors").paginate(PaginationConfig={"PageSize": 2}))
    names = [c["Name"] for page in pages for c in page["NetworkConnectors"]]
    assert len(names) == len(set(names)) and [n for n in names if n.startswith("page-")] == [f"page-{i}" for i in (4, 3, 2, 1, 0)]
    assert all(len(page["NetworkConnectors"]) <= 2 for page in pages) and "NextMarker" not in pages[-1]
    refused("InvalidParameterValueException", 400, "The Marker is not valid.", core.list_network_connectors, Marker="x")


@pytest.mark.parametrize("race", ["delete, delete", "update, delete", "update, update", "tag, delete"])
def test_two_at_once_have_one_winner(core, control, race):
    name = "race-" + race.replace(", ", "-")
    arn = create(core, name)["Arn"]
    asks = {"delete": lambda i: core.delete_network_connector(Identifier=arn),
            "update": lambda i: core.update_network_connector(Identifier=arn, Configuration=vpc(("subnet-b", "subnet-c")[i])),
            "tag": lambda i: control.client().tag_resource(Resource=arn, Tags={"a": "b"})}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(asks[what], i) for i, what in enumerate(race.split(", "))]
    errors = [f.exception() for f in futures]
    for error in errors:
        assert error is None or error.response["Error"]["Code"] in ("ResourceConflictException", "ResourceNotFoundException"), error
    assert None in errors
    if "delete" in race:
        wait_for("it is gone", lambda: not control.rows("connector WHERE name = ?", name))
        assert not control.rows("connector_version WHERE connector = ?", arn.rpartition(":")[2])


@pytest.mark.parametrize("answer", [lies.FULL, 1001, 1002], ids=["the store is full", "control dies before it", "control dies after it"])
@pytest.mark.parametrize("skip", range(2))
@pytest.mark.parametrize("change", ["create", "update", "delete"])
def test_rows_and_api_agree_whatever_commit_fails(control, change, skip, answer):
    core, name = control.client("lambda-core"), f"lied-{change}-{skip}-{answer}"
    if change != "create":
        create(core, name)
    control.lies.tell("COMMIT", answer, skip=skip, times=1 if answer > 1000 else 0)
    told = True
    try:
        if change == "create":
            core.create_network_connector(Name=name, Configuration=vpc("subnet-a"), OperatorRole=ROLE)
        elif change == "update":
            core.update_network_connector(Identifier=name, Configuration=vpc("subnet-b"))
        else:
            core.delete_network_connector(Identifier=name)
    except Exception:  # pylint: disable=broad-except
        told = False
    if control.process.poll() is None:
        control.pass_time(1)
    control.lies.truth()
    if control.process.poll() is not None:
        control.restart()
    core = control.client("lambda-core")
    control.pass_time(31, step=5)

    def settled():
        rows = control.rows("connector WHERE name = ?", name)
        shown = [c for c in core.list_network_connectors()["NetworkConnectors"] if c["Name"] == name]
        return [r["state"] for r in rows] == [c["State"] for c in shown] and (not rows or rows[0]["state"] == "ACTIVE") and (rows,)
    rows, = wait_for("rows and API agree", settled)
    if told:
        assert bool(rows) == (change != "delete")
        assert change != "update" or rows[0]["version"] == 2
    if rows:
        core.delete_network_connector(Identifier=name)


def test_networks_that_go_and_come_again_are_noticed_at_a_start(control):
    core = control.client("lambda-core")
    made = create(core, "networks", "subnet-b")
    image = control.make_image("of-networks", egressNetworkConnectors=[made["Arn"]])
    control.settings = NETWORKS.format("subnet-a")
    control.restart()
    core = control.client("lambda-core")
    got = wait_for("it is INACTIVE",
                   lambda: (r := core.get_network_connector(Identifier="networks"))["State"] == "INACTIVE" and r)
    assert got["StateReasonCode"] == "InvalidSubnet"
    refused("ValidationException", 400, "in its current state: INACTIVE", control.client().run_microvm, imageIdentifier=image)
    control.settings = NETWORKS.format("subnet-a,subnet-b")
    control.restart()
    core = control.client("lambda-core")
    wait_for("it is ACTIVE", lambda: core.get_network_connector(Identifier="networks")["State"] == "ACTIVE")
    vm = control.run(image)
    assert control.api.get(vm)["egressNetworkConnectors"] == [made["Arn"]]
