"""CloudWatch Logs' operations through botocore and the AWS CLI, against the control role; see control_rig.py."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

pytest.importorskip("boto3")
import botocore.loaders  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

from test_model import compare_shape  # noqa: E402
from control_rig import ACCOUNT, ALONE, BUILD as BUILD_MEMBERS, KEY, REGION, SECRET, Control, wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", pathlib.Path(__file__).parents[2] / "build"))
ANY = {"kind": "string", "sensitive": False, "union": False, "min": 0}  # refused, or passed over, whatever it is

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

TENANT = "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/x"
DAY = 86400
CLI = pathlib.Path(sys.executable).parent / "aws"


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(name="control", scope="module")
def _control():
    rig = Control(machines=True, settings="[logs]\nfile_mib = 1\n")
    yield rig
    rig.close()


@pytest.fixture(name="logs")
def _logs(control):
    return control.client("logs")


def group_of(name):
    return f"/aws/lambda-microvms/{name}"


def say(control, vm, *lines):
    for line in lines:
        control.machine(vm).say_log(line if isinstance(line, bytes) else f"{line}\n".encode())


def messages(answer):
    return [event["message"] for event in answer["events"]]


def stream_of(logs, group, vm):
    names = [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    return next(name for name in names if name.endswith(vm))


def wait_messages(call, want):
    wait_for(f"{want}", lambda: messages(call()) == want)


def refused(code, text, call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400), answer["Error"]
    assert text in answer["Error"]["Message"], answer["Error"]


def test_a_microvms_lines_are_events_of_its_stream(control, logs):
    vm = control.run(control.make_image("lines"))
    group = group_of("lines")
    say(control, vm, "one", b"tw", b"o\r\n", b"\xff\x00\x1b[1m\n", "", b"no end")
    stream = stream_of(logs, group, vm)
    assert stream == time.strftime("%Y/%m/%d", time.gmtime()) + f"[1.0]{vm}"
    want = ["one", "two", "\ufffd\x00\x1b[1m", ""]
    wait_messages(lambda: logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True), want)
    wait_messages(lambda: logs.get_log_events(logGroupIdentifier=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*",
                                              logStreamName=stream), want)
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert [event["message"] for event in events] == want
    assert {event["logStreamName"] for event in events} == {stream}
    assert len({event["eventId"] for event in events}) == len(want)
    assert all(abs(event["timestamp"] / 1000 - time.time()) < 30 for event in events)
    control.api.terminate(vm)
    control.wait_state(vm, "TERMINATED")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group), want + ["no end"])


def test_tokens_go_both_ways_and_stay_at_the_ends(control, logs):
    vm = control.run(control.make_image("tokens"))
    say(control, vm, *[f"line {n}" for n in range(10)])
    group = group_of("tokens")
    at = {"logGroupName": group, "logStreamName": stream_of(logs, group, vm), "limit": 4}
    wait_messages(lambda: logs.get_log_events(**at), [f"line {n}" for n in (6, 7, 8, 9)])
    last = logs.get_log_events(**at)
    before = logs.get_log_events(**at, nextToken=last["nextBackwardToken"])
    assert messages(before) == [f"line {n}" for n in (2, 3, 4, 5)]
    first = logs.get_log_events(**at, nextToken=before["nextBackwardToken"])
    assert messages(first) == ["line 0", "line 1"]
    end = logs.get_log_events(**at, nextToken=first["nextBackwardToken"])
    assert messages(end) == [] and end["nextBackwardToken"] == first["nextBackwardToken"]
    assert messages(logs.get_log_events(**at, nextToken=first["nextForwardToken"])) == [f"line {n}" for n in (2, 3, 4, 5)]
    ahead = logs.get_log_events(**at, nextToken=last["nextForwardToken"])
    assert messages(ahead) == [] and ahead["nextForwardToken"] == last["nextForwardToken"]
    say(control, vm, "line 10")
    wait_messages(lambda: logs.get_log_events(**at, nextToken=last["nextForwardToken"]), ["line 10"])
    for token in ("x/1", "f/", "f/-1", "f/1x", "f/99999999999999999999999"):
        refused("InvalidParameterException", "The specified nextToken is invalid.", logs.get_log_events, **at, nextToken=token)


def test_a_search_merges_streams_page_by_page(control, logs):
    image = control.make_image("merge")
    vms = [control.run(image) for _ in range(3)]
    for n in range(6):
        for vm in vms:
            say(control, vm, f"{vm[-4:]} {n} {'even' if n % 2 == 0 else 'odd'}")
        time.sleep(0.02)
    find = {"logGroupName": group_of("merge")}
    wait_for("all lines", lambda: len(logs.filter_log_events(**find)["events"]) == 18)
    whole = messages(logs.filter_log_events(**find))
    assert [line.split()[1] for line in whole] == [str(n) for n in range(6) for _ in vms]
    pages = [messages(page) for page in logs.get_paginator("filter_log_events").paginate(**find, PaginationConfig={"PageSize": 4})]
    assert [line for page in pages for line in page] == whole and len(pages) > 4
    assert len(messages(logs.filter_log_events(**find, filterPattern="even"))) == 9
    assert len(messages(logs.filter_log_events(**find, filterPattern="even -2"))) < 9
    stream = stream_of(logs, find["logGroupName"], vms[0])
    assert len(messages(logs.filter_log_events(**find, logStreamNames=[stream]))) == 6
    assert len(messages(logs.filter_log_events(**find, logStreamNamePrefix=stream[:10]))) == 18
    middle = logs.filter_log_events(**find)["events"][9]["timestamp"]
    assert len(messages(logs.filter_log_events(**find, startTime=middle))) <= 9
    token = logs.filter_log_events(**find, limit=1)["nextToken"]
    for wrong in ({"nextToken": token[:-4] + "AAAA"}, {"nextToken": token, "filterPattern": "x"}):
        refused("InvalidParameterException", "nextToken is not valid", logs.filter_log_events, **find, **wrong)
    refused("InvalidParameterException", "mutually exclusive", logs.filter_log_events, **find, logStreamNames=[stream],
            logStreamNamePrefix="x")
    refused("InvalidParameterException", "Invalid filter pattern", logs.filter_log_events, **find, filterPattern="{ $.a }")


def test_logging_goes_where_the_request_says_or_nowhere(control, logs):
    image = control.make_image("placed")
    named = {"executionRoleArn": ROLE, "logging": {"cloudWatch": {"logGroup": "mine/x", "logStream": "app"}}}
    first, second = control.run(image, **named), control.run(image, **named)
    off = control.run(image, logging={"disabled": {}})
    for vm in (first, second, off):
        say(control, vm, f"of {vm}")
    wait_messages(lambda: logs.filter_log_events(logGroupName="mine/x", logStreamNames=["app"]), [f"of {first}"])
    wait_messages(lambda: logs.filter_log_events(logGroupName="mine/x", logStreamNames=[f"app/{second}"]), [f"of {second}"])
    streams = logs.describe_log_streams(logGroupName=group_of("placed"))["logStreams"]
    assert not [s for s in streams if s["logStreamName"].endswith(off)]
    assert not list(pathlib.Path(f"{control.dir}/log/microvms").glob(f"{off}*"))


def test_a_builds_lines_come_when_it_has_ended(control, logs):
    build = None

    def write(name):
        nonlocal build
        build = name
        pathlib.Path(f"{control.dir}/log/builds/{name}.log").write_text("step 1\nstep 2\n", encoding="ascii")

    image = control.api.create_image("built", **BUILD_MEMBERS)
    wait_for("the build", lambda: control.image.started)
    version = control.api.call("GET", f"/2025-09-09/microvm-images/{image.replace(':', '%3A')}/versions/1.0/builds")["items"][0]
    write(version["buildId"])
    refused("ResourceNotFoundException", "log group does not exist", logs.filter_log_events, logGroupName=group_of("built"))
    control.image.finish_next(len(control.image.started) - 1)
    wait_for("its end", lambda: control.api.image(image)["state"] == "CREATED")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group_of("built")), ["step 1", "step 2"])
    found = logs.filter_log_events(logGroupName=group_of("built"))["events"]
    assert len({event["timestamp"] for event in found}) == 1 and found[0]["logStreamName"].endswith(build)


def test_groups_and_streams_are_listed_in_pages(control, logs):
    for n in range(5):
        logs.create_log_group(logGroupName=f"pages/{n}")
    refused("ResourceAlreadyExistsException", "already exists", logs.create_log_group, logGroupName="pages/0")
    pager = logs.get_paginator("describe_log_groups")
    pages = [[g["logGroupName"] for g in page["logGroups"]]
             for page in pager.paginate(logGroupNamePrefix="pages/", PaginationConfig={"PageSize": 2})]
    assert pages == [["pages/0", "pages/1"], ["pages/2", "pages/3"], ["pages/4"]]
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern="AGES/3")["logGroups"]] == ["pages/3"]
    group = logs.describe_log_groups(logGroupNamePrefix="pages/0")["logGroups"][0]
    assert group["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:pages/0:*"

    image = control.make_image("streams")
    vms = [control.run(image) for _ in range(3)]
    at = {"logGroupName": group_of("streams")}
    names = sorted(stream_of(logs, at["logGroupName"], vm) for vm in vms)

    def listed(**more):
        pager = logs.get_paginator("describe_log_streams").paginate(**at, **more, PaginationConfig={"PageSize": 2})
        return [s["logStreamName"] for page in pager for s in page["logStreams"] if "microvm-" in s["logStreamName"]]
    assert listed() == names and listed(descending=True) == names[::-1]
    assert listed(logStreamNamePrefix=names[1]) == listed(logStreamNamePrefix=names[1], descending=True) == [names[1]]
    assert listed(orderBy="LastEventTime", descending=True) == [stream_of(logs, at["logGroupName"], vm) for vm in vms[::-1]]
    refused("InvalidParameterException", "LastEventTime", logs.describe_log_streams, **at, orderBy="LastEventTime",
            logStreamNamePrefix="x")


def test_retention_hides_what_is_too_old(control, logs):
    vm = control.run(control.make_image("kept"))
    group = group_of("kept")
    say(control, vm, "old")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group), ["old"])
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 1
    refused("InvalidParameterException", "retentionInDays", logs.put_retention_policy, logGroupName=group, retentionInDays=2)
    log = pathlib.Path(f"{control.dir}/log/microvms/{vm}.times")
    data = bytearray(log.read_bytes())
    for at in range(8, len(data), 16):
        data[at:at + 8] = (int.from_bytes(data[at:at + 8], "little") - 2 * DAY * 1000).to_bytes(8, "little")
    log.write_bytes(data)
    assert messages(logs.filter_log_events(logGroupName=group)) == []
    logs.delete_retention_policy(logGroupName=group)
    assert messages(logs.filter_log_events(logGroupName=group)) == ["old"]
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]


def test_a_group_that_is_deleted_takes_its_lines_along_and_comes_back_empty(control, logs):
    image = control.make_image("gone")
    vm = control.run(image)
    group = group_of("gone")
    say(control, vm, "old")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group), ["old"])
    logs.delete_log_group(logGroupName=group)
    refused("ResourceNotFoundException", "does not exist", logs.filter_log_events, logGroupName=group)
    refused("ResourceNotFoundException", "does not exist", logs.delete_log_group, logGroupName=group)
    assert not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    control.restart()
    logs = control.client("logs")
    refused("ResourceNotFoundException", "does not exist", logs.filter_log_events, logGroupName=group)
    say(control, control.run(image), "new")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group), ["new"])


def test_lines_outlive_their_microvm_and_its_image(logs):
    del logs
    rig = Control(machines=True, settings="[limits]\nterminated_keep_ms = 100\n[logs]\nkeep_days = 30\n")
    try:
        image = rig.make_image("past")
        vm = rig.run(image)
        say(rig, vm, "left behind")
        rig.api.terminate(vm)
        wait_for("it is forgotten", lambda: not rig.row(vm), 15)
        for _ in range(2):
            logs = rig.client("logs")
            stream = stream_of(logs, group_of("past"), vm)
            wait_messages(lambda: logs.filter_log_events(logGroupName=group_of("past"), logStreamNames=[stream]),
                          ["left behind"])
            rig.restart()
        assert [row["id"] for row in rig.rows("log_stream")] == [vm]
        logs = rig.client("logs")
        logs.delete_log_group(logGroupName=group_of("past"))
        wait_for("its files are gone", lambda: not list(pathlib.Path(f"{rig.dir}/log/microvms").glob(f"{vm}*")))
        wait_for("its row is gone", lambda: not rig.rows("log_stream"))
    finally:
        rig.close()


def test_accounts_and_policies_keep_lines_apart(control, logs):
    vm = control.run(control.make_image("apart"))
    group = group_of("apart")
    say(control, vm, "secret of the first")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group), ["secret of the first"])
    control.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
    theirs = control.api.call("POST", f"/doze/v1/keys?account={TENANT}", {"name": "all"})
    other = control.client("logs", theirs["accessKeyId"], theirs["secretAccessKey"])
    refused("ResourceNotFoundException", "does not exist", other.filter_log_events, logGroupName=group)
    refused("InvalidParameterException", "", other.filter_log_events, logGroupName=group, logGroupIdentifier=group)
    assert other.describe_log_groups()["logGroups"] == []
    allow = {"Effect": "Allow", "Action": "logs:FilterLogEvents", "Resource": f"arn:aws:logs:*:*:log-group:{group}:*"}
    ours = control.api.call("POST", "/doze/v1/keys", {"name": "reads", "policy": json.dumps(
        {"Version": "2012-10-17", "Statement": [allow]})})
    reader = control.client("logs", ours["accessKeyId"], ours["secretAccessKey"])
    assert messages(reader.filter_log_events(logGroupName=group)) == ["secret of the first"]
    for call, members in ((reader.describe_log_groups, {}), (reader.delete_log_group, {"logGroupName": group}),
                          (reader.filter_log_events, {"logGroupName": group_of("lines")})):
        with pytest.raises(ClientError) as caught:
            call(**members)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException", caught.value


def test_bad_input_is_answered_as_the_service_does(control, logs):
    from botocore.config import Config
    import boto3
    raw = boto3.client("logs", endpoint_url=control.url, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                       config=Config(retries={"max_attempts": 0}, parameter_validation=False))
    refused("InvalidParameterException", "2 validation errors detected", raw.get_log_events, logGroupName="a b", limit=0,
            logStreamName="x")
    refused("InvalidParameterException", "Member must not be null", raw.put_retention_policy, logGroupName="a")
    refused("SerializationException", "", raw.filter_log_events, logGroupName=5)
    refused("InvalidParameterException", "Exactly one of", raw.describe_log_streams)
    refused("ResourceNotFoundException", "log stream does not exist", logs.get_log_events, logGroupName=group_of("lines"),
            logStreamName="none")
    with pytest.raises(ClientError) as caught:
        logs.put_log_events(logGroupName="a", logStreamName="b", logEvents=[{"timestamp": 1, "message": "x"}])
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_rotation_while_it_is_read_loses_nothing_that_is_kept(control, logs):
    vm = control.run(control.make_image("turns"))
    at = {"logGroupName": group_of("turns"), "logStreamName": stream_of(logs, group_of("turns"), vm)}
    for n in range(0, 1600, 200):
        say(control, vm, *[f"{i} {'x' * 1000}" for i in range(n, n + 200)])
        wait_for("the last line", lambda last=f"{n + 199} ": last in str(messages(logs.get_log_events(**at, limit=1))))
        control.pass_time(1)  # so much is taken in a second
    assert pathlib.Path(f"{control.dir}/log/microvms/{vm}.log.1").exists()
    found = [int(event["message"].split()[0]) for page in
             logs.get_paginator("filter_log_events").paginate(logGroupName=at["logGroupName"]) for event in page["events"]]
    assert found == list(range(found[0], 1600)) and len(found) > 1000


def test_members_are_those_of_the_official_model():
    model = botocore.loaders.Loader().load_service_model("logs", "service-2")
    table = json.loads(subprocess.run([BUILD / "tests/unit/control/api/dump_ops", "logs"], check=True, capture_output=True).stdout)
    assert table
    for name, op in table.items():
        theirs = model["shapes"][model["operations"][name]["input"]["shape"]]
        assert {m for m in theirs.get("required", [])} <= set(op["members"]), name
        for member, ours in op["members"].items():
            if ours["shape"] == ANY:
                continue
            assert ours["required"] == (member in theirs.get("required", [])), f"{name}.{member}"
            compare_shape(model, theirs["members"][member]["shape"], ours["shape"], f"{name}.{member}")


def test_answers_are_of_the_official_shapes(logs):
    """botocore drops what it does not know, so the model is asked what it would have dropped."""
    model = botocore.loaders.Loader().load_service_model("logs", "service-2")
    for name, shape in (("LogGroup", logs.describe_log_groups()["logGroups"][0]),
                        ("LogStream", logs.describe_log_streams(logGroupName=group_of("lines"))["logStreams"][0]),
                        ("FilteredLogEvent", logs.filter_log_events(logGroupName=group_of("lines"))["events"][0])):
        assert set(shape) <= set(model["shapes"][name]["members"]), name


@pytest.mark.skipif(not CLI.exists(), reason="the AWS CLI is not there")
def test_the_aws_command_finds_the_lines_by_the_environment_that_doze_prints(control, logs):
    vm = control.run(control.make_image("command"))
    say(control, vm, "first", "second")
    wait_messages(lambda: logs.filter_log_events(logGroupName=group_of("command")), ["first", "second"])
    env = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "PATH": "/usr/bin:/bin", "HOME": control.dir,
           "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": control.url}
    for words in (["filter-log-events", "--filter-pattern", "second"], ["get-log-events", "--log-stream-name",
                  stream_of(logs, group_of("command"), vm), "--limit", "1"]):
        found = subprocess.run([CLI, "logs", *words, "--log-group-name", group_of("command"), "--output", "json"], env=env,
                               check=True, capture_output=True, text=True).stdout
        assert messages(json.loads(found)) == ["second"]
