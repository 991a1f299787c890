"""The life of a microVM as service.md 3, 4, 5, 13 and 23 have it."""
import concurrent.futures
import pathlib
import time

import pytest
from botocore.exceptions import ClientError
from checker import rows
from rig import wait_for

POLICY = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 300, "autoResumeEnabled": True}


def error_of(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def machines_of(doze):
    """A clean stop takes the directory itself away."""
    return sorted(p.name for p in (doze.run_dir / "m").glob("*"))


def test_run_answers_at_once_with_everything_resolved(doze, images, microvms):
    vm = microvms(images["counter"])
    assert vm["state"] == "PENDING" and vm["microvmId"].startswith("microvm-")
    assert vm["endpoint"].split(":")[0].endswith(".lambda-microvm.us-east-1.localhost")
    newest = doze.api.get_microvm_image(imageIdentifier=images["counter"])["latestActiveImageVersion"]
    assert vm["maximumDurationInSeconds"] == 28800 and vm["imageVersion"] == newest
    assert vm["ingressNetworkConnectors"][0].endswith(":HTTP_INGRESS")
    assert vm["egressNetworkConnectors"][0].endswith(":INTERNET_EGRESS")


def test_a_request_right_after_run_is_held_until_the_microvm_is_ready(doze, images, microvms):
    vm = microvms(images["counter"])
    assert doze.call(vm)["n"] == 1
    assert doze.state(vm["microvmId"]) == "RUNNING"


def test_a_suspended_microvm_uses_nothing_and_outlives_a_restart_of_doze(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy=POLICY)
    doze.call(vm)
    bound = [rows(doze)[vm["microvmId"]][1]]
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    wait_for("the machine's directory is gone", lambda: bound[0] not in machines_of(doze))
    assert not list(pathlib.Path("/sys/fs/cgroup").glob(f"*/**/{bound[0]}"))
    doze.down()
    assert machines_of(doze) == []
    doze.up()
    assert doze.state(vm["microvmId"]) == "SUSPENDED"
    assert doze.call(vm)["n"] == 2


def test_an_idle_microvm_falls_asleep_and_many_waiters_wake_it_once(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy=POLICY)
    token = doze.token(vm["microvmId"])
    doze.call(vm, token=token)
    begin = time.monotonic()
    doze.wait_state(vm["microvmId"], "SUSPENDED", 90)
    assert 55 <= time.monotonic() - begin <= 75
    with concurrent.futures.ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: doze.call(vm, token=token), range(20)))
    assert sorted(a["n"] for a in answers) == list(range(2, 22))
    assert {a["resumed"] for a in answers} == {1}


def test_without_auto_resume_a_request_gets_an_empty_502_and_resume_wakes(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy={**POLICY, "autoResumeEnabled": False})
    token = doze.token(vm["microvmId"])
    doze.call(vm, token=token)
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    assert doze.request(vm["endpoint"], "/", token)[::2] == (502, b"")
    doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "RUNNING")
    assert doze.call(vm, token=token)["n"] == 2


def test_suspend_and_resume_are_idempotent_and_refused_after_the_end(doze, images, microvms):
    vm = microvms(images["counter"])
    microvm = vm["microvmId"]
    doze.call(vm)
    doze.api.resume_microvm(microvmIdentifier=microvm)
    doze.api.suspend_microvm(microvmIdentifier=microvm)
    doze.wait_state(microvm, "SUSPENDED")
    doze.api.suspend_microvm(microvmIdentifier=microvm)
    doze.api.terminate_microvm(microvmIdentifier=microvm)
    doze.wait_state(microvm, "TERMINATED")
    doze.api.terminate_microvm(microvmIdentifier=microvm)
    for call in (doze.api.suspend_microvm, doze.api.resume_microvm):
        status, code, text = error_of(call, microvmIdentifier=microvm)
        assert (status, code) == (400, "ValidationException")
        assert text == f"The MicroVM {microvm} has been terminated and its state cannot be changed."
    assert error_of(doze.api.create_microvm_auth_token, microvmIdentifier=microvm, expirationInMinutes=5,
                    allowedPorts=[{"port": 80}])[:2] == (409, "ConflictException")


def test_a_lifetime_ends_with_its_reason(doze, images, microvms):
    vm = microvms(images["counter"], maximumDurationInSeconds=3)
    doze.wait_state(vm["microvmId"], "TERMINATED", 30)
    got = doze.api.get_microvm(microvmIdentifier=vm["microvmId"])
    assert got["stateReason"] == "MicroVM exceeded maximum lifetime." and got["terminatedAt"]


def test_a_suspended_duration_ends_with_its_reason(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy={**POLICY, "suspendedDurationSeconds": 2})
    doze.call(vm)
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "TERMINATED", 30)
    got = doze.api.get_microvm(microvmIdentifier=vm["microvmId"])
    assert got["stateReason"] == "MicroVM exceeded maximum suspended duration."
    assert doze.request(vm["endpoint"], "/", "x")[0] in (403, 502)


def test_no_ingress_denies_every_port(doze, images, microvms):
    connector = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:NO_INGRESS"
    vm = microvms(images["counter"], ingressNetworkConnectors=[connector])
    doze.wait_state(vm["microvmId"], "RUNNING")
    assert doze.request(vm["endpoint"], "/", doze.token(vm["microvmId"]))[::2] == (403, b"Access to port denied")


def test_the_same_client_token_makes_one_microvm_and_another_request_a_conflict(doze, images, microvms):
    arn = images["counter"]
    one = microvms(arn, clientToken="token-1")
    two = microvms(arn, clientToken="token-1")
    assert one["microvmId"] == two["microvmId"]
    assert error_of(doze.api.run_microvm, imageIdentifier=arn, clientToken="token-1",
                    maximumDurationInSeconds=77)[:2] == (409, "ConflictException")


def test_what_the_application_writes_is_in_its_log(doze, images, microvms):
    vm = microvms(images["counter"])
    doze.call(vm)
    wait_for("the line of the request", lambda: '"GET / HTTP/1.1" 200' in doze.cli("logs", vm["microvmId"]).stdout, 20)
