"""What happened, as lines that are kept, at the control role; see control_rig.py."""
import errno
import json
import pathlib
import re

import pytest

from control_rig import ACCOUNT, ALONE, BUILD, KEY, SECRET, Control, wait_for
from signed import V, Api, Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

TENANT = "222222222222"
EVENTS = "/doze/v1/events"
# What AWS documents for a record of CloudTrail.
ALWAYS = {"eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventID", "eventType", "recipientAccountId", "readOnly"}
OF_CALLS = ALWAYS | {"userIdentity", "sourceIPAddress", "userAgent", "requestParameters", "responseElements", "requestID"}


@pytest.fixture
def control():
    rig = Control(machines=True, settings="[events]\nfile_mib=1\nfiles=3\n")
    yield rig
    rig.close()


def files(control):
    return sorted(pathlib.Path(f"{control.dir}/log/events").iterdir())


def lines(control):
    return [json.loads(line) for file in files(control) for line in file.read_text().splitlines()]


def follow(api, **query):
    """All pages of what is asked for."""
    found, after = [], None
    while True:
        words = {**query, **({"after": after} if after else {})}
        page = api.call("GET", EVENTS + "?" + "&".join(f"{k}={v}" for k, v in sorted(words.items())))
        found += page["items"]
        if page["next"] == after or not page["items"]:
            return found, page["next"]
        after = page["next"]


def named(events, name):
    return [event for event in events if event["eventName"] == name]


def seen(control, name, n=1):
    return wait_for(f"{name} is written", lambda: len(named(lines(control), name)) >= n and named(lines(control), name))


def test_a_call_says_who_asked_for_what_and_how_it_ended(control):
    vm = control.run(control.make_image("hello"))
    call = seen(control, "RunMicrovm")[0]
    assert set(call) == OF_CALLS
    assert call["eventSource"] == "lambda.amazonaws.com" and call["eventType"] == "AwsApiCall" and call["readOnly"] is False
    assert call["userIdentity"]["type"] == "Root" and call["userIdentity"]["accessKeyId"] == KEY and call["recipientAccountId"] == ACCOUNT
    assert call["sourceIPAddress"] == "127.0.0.1" and call["requestParameters"]["imageIdentifier"].endswith(":hello")
    assert call["responseElements"]["microvmId"] == vm and re.fullmatch(r"[0-9a-f-]{36}", call["requestID"])
    with pytest.raises(Refused):
        control.api.get("microvm-00000000-0000-0000-0000-000000000000")
    refused = wait_for("it is written", lambda: [e for e in named(lines(control), "GetMicrovm") if "errorCode" in e])[0]
    assert refused["errorCode"] == "ResourceNotFoundException" and refused["readOnly"] is True
    status, headers, _ = control.api.raw("GET", f"{V}/microvms/{vm}")
    assert status == 200
    wait_for("its id is that of the answer", lambda: any(e.get("requestID") == headers["x-amzn-requestid"] for e in lines(control)))


def test_every_change_of_a_state_is_told_once(control):
    image = control.make_image("hello")
    vm = control.run(image)
    control.api.suspend(vm)
    control.api.terminate(vm)
    wait_for("it has ended", lambda: control.api.state(vm) == "TERMINATED")
    control.api.delete_image(image)
    wait_for("the image goes", lambda: any(e["serviceEventDetails"]["to"] == "DELETING" for e in named(lines(control), "MicroVMImageStateChange")))
    states = [(e["serviceEventDetails"]["from"], e["serviceEventDetails"]["to"]) for e in named(lines(control), "MicroVMStateChange")]
    assert states[:2] == [(None, "PENDING"), ("PENDING", "RUNNING")] and states[-1] == ("TERMINATING", "TERMINATED")
    assert ("RUNNING", "SUSPENDING") in states and ("SUSPENDING", "SUSPENDED") in states and len(states) == len(set(states))
    images = [(e["serviceEventDetails"]["from"], e["serviceEventDetails"]["to"]) for e in named(lines(control), "MicroVMImageStateChange")]
    assert images[:2] == [(None, "CREATING"), ("CREATING", "CREATED")]
    builds = [e["serviceEventDetails"]["to"] for e in named(lines(control), "MicroVMImageBuildStateChange")]
    assert builds[-1] == "SUCCESSFUL" and all(set(e) == ALWAYS | {"serviceEventDetails"} for e in lines(control) if e["eventType"] == "AwsServiceEvent")


def test_no_secret_is_written(control):
    mark = "MARKEDSECRET"
    control.api.create_image("sealed", **BUILD, environmentVariables={"TOKEN": f"{mark}1"}, tags={f"{mark}2": f"{mark}3"})
    control.image.finish_next(0)
    image = f"arn:aws:lambda:us-east-1:{ACCOUNT}:microvm-image:sealed"
    wait_for("it is built", lambda: control.api.image(image)["state"] == "CREATED")
    with pytest.raises(Refused):
        control.api.run(image, runHookPayload=f"{mark}4")
    with pytest.raises(Refused):
        control.api.create_image("signed", **{**BUILD, "codeArtifact": {"uri": f"https://bucket/key?X-Amz-Signature={mark}7"}})
    vm = control.run(image, clientToken=f"{mark}5" + "x" * 20)
    token = control.api.call("POST", f"{V}/microvms/{vm}/auth-token", {"expirationInMinutes": 5, "allowedPorts": [{"port": 8080}]})
    key = control.api.call("POST", "/doze/v1/keys", {"name": "someone", "policy": json.dumps({"Statement": {
        "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": f"{mark}6"}}}})})
    session = control.client("sts").get_session_token()["Credentials"]
    seen(control, "GetSessionToken")
    text = "".join(file.read_text() for file in files(control))
    for secret in (mark, SECRET, token["authToken"]["X-aws-proxy-auth"], key["secretAccessKey"], session["SecretAccessKey"], session["SessionToken"]):
        assert secret not in text
    assert key["accessKeyId"] in text, "a key is named by its id"


def test_an_account_sees_its_own_events_alone(control):
    control.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
    key = control.api.call("POST", f"/doze/v1/keys?account={TENANT}", {"name": "someone"})
    tenant = Api(control, key["accessKeyId"], key["secretAccessKey"], control.api.region)
    tenant.create_image("theirs", **BUILD)
    wait_for("they see it", lambda: named(follow(tenant)[0], "CreateMicrovmImage"))
    assert {e["recipientAccountId"] for e in follow(tenant)[0]} == {TENANT}
    assert {e["recipientAccountId"] for e in follow(control.api, since=1)[0]} == {ACCOUNT}


def test_a_reader_goes_on_where_it_was_and_hears_of_what_is_kept_no_longer(control):
    image = control.make_image("hello")
    vm = control.run(image)
    wait_for("it is told that it runs", lambda: any(e["serviceEventDetails"]["to"] == "RUNNING" for e in named(lines(control), "MicroVMStateChange")))
    _, place = follow(control.api, since=1)
    control.api.terminate(vm)
    wait_for("the end is told", lambda: named(control.api.call("GET", f"{EVENTS}?after={place}")["items"], "TerminateMicrovm"))
    assert not named(control.api.call("GET", f"{EVENTS}?after={place}")["items"], "RunMicrovm")
    assert {e["eventName"] for e in follow(control.api, since=1, microvm=vm)[0]} >= {"MicroVMStateChange", "RunMicrovm", "TerminateMicrovm"}
    for n in range(7000):  # more than three files have room for
        control.api.raw("GET", f"{V}/microvms/{vm}")
        if n % 500 == 0 and files(control)[0].name > "000000000001.jsonl":
            break
    assert len(files(control)) <= 3 and all(file.stat().st_size < 5 * 2**20 for file in files(control))
    assert control.api.call("GET", f"{EVENTS}?after={place}")["gap"] is True
    for wrong in ("x", "1", "1.x", "-1.0", "1.-1", "99999999999999999999.0"):
        with pytest.raises(Refused) as caught:
            control.api.call("GET", f"{EVENTS}?after={wrong}")
        assert caught.value.status == 400


def test_what_was_written_is_there_after_a_kill_and_half_a_line_goes(control):
    control.api.create_image("hello", **BUILD)
    seen(control, "CreateMicrovmImage")
    control.stop(kill=True)
    with files(control)[-1].open("a") as file:
        file.write('{"eventName": "Half')
    control.start()
    control.api.create_image("again", **BUILD)
    assert len(seen(control, "CreateMicrovmImage", 2)) == 2
    assert all(line.endswith("}") for file in files(control) for line in file.read_text().splitlines())


def test_a_disk_that_has_no_room_for_events_holds_nothing_up(control):
    control.stop(kill=True)
    control.lies.tell("CREATE", errno.ENOSPC)
    control.start()
    image = control.make_image("hello")
    assert control.api.image(image)["name"] == "hello"
    assert not named(lines(control), "CreateMicrovmImage")
    control.lies.truth()
    assert seen(control, "CreateMicrovmImage")


def test_what_waits_is_written_when_control_ends(control):
    image = control.make_image("hello")
    for _ in range(200):
        control.api.image(image)
    control.stop()
    assert len([e for e in lines(control) if e["eventType"] == "AwsApiCall"]) >= 200


@pytest.mark.parametrize("key, code", [("AKIANOBODY0000000000", "UnrecognizedClientException"), (KEY, "InvalidSignatureException")])
def test_strangers_do_not_fill_the_journal(control, key, code):
    stranger = Api(control, key, "x", control.api.region)
    for _ in range(200):
        assert stranger.raw("GET", f"{V}/microvms")[0] == 403
    control.api.create_image("hello", **BUILD)
    seen(control, "CreateMicrovmImage")
    told = [e for e in lines(control) if e.get("userIdentity", {}).get("type") == "Unknown"]
    assert 10 <= len(told) < 150 and told[0]["userIdentity"]["accessKeyId"] == key
    assert told[0]["errorCode"] == code and "arn" not in told[0]["userIdentity"]
    wait_for("the others are counted", lambda: sum(e["serviceEventDetails"]["count"] for e in named(lines(control), "EventsLost")) + len(told) == 200)


@pytest.mark.parametrize("calls, reads, writes", [("writes", False, True), ("none", False, False)])
def test_calls_can_be_left_out(calls, reads, writes):
    rig = Control(settings=f"[events]\ncalls={calls}\n")
    try:
        rig.make_image("hello")
        wait_for("a change is told", lambda: named(lines(rig), "MicroVMImageStateChange"))
        assert bool(named(lines(rig), "GetMicrovmImage")) == reads and bool(named(lines(rig), "CreateMicrovmImage")) == writes
    finally:
        rig.close()
