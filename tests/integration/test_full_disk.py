"""A disk that is full: what cannot be done says so, what runs runs on, and nothing is left behind."""
import pytest
from botocore.exceptions import ClientError
from checker import faults
from rig import BASE_ARN, ROLE_ARN

MIB = 1 << 20


def counted(doze, vm, token):
    return doze.call(vm, token=token)["n"]


def test_a_build_on_a_full_disk_fails_by_name_and_the_next_one_succeeds(doze, images):
    assert images["flask-hello"]  # its layers are there
    name = "full-disk"
    arn = doze.image_arn(name)
    uri = doze.upload(doze.example_zip("flask-hello"), f"{name}.zip")
    with doze.full_disk(leaving=48 * MIB):
        doze.create_image(name, uri)
        version = doze.wait_version(arn, "1.0")
        assert version["state"] == "FAILED"
        assert "DISK_STORAGE_FULL" in version["stateReason"], version["stateReason"]
    doze.api.update_microvm_image(imageIdentifier=arn, codeArtifact={"uri": uri}, baseImageArn=BASE_ARN,
                                  buildRoleArn=ROLE_ARN, resources=[{"minimumMemoryInMiB": 512}])
    assert doze.wait_version(arn, "2.0")["state"] == "SUCCESSFUL", doze.build_log(name)
    doze.api.delete_microvm_image(imageIdentifier=arn)


def test_a_microvm_that_cannot_be_saved_runs_on_and_sleeps_when_there_is_room(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy={"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 600,
                                                 "autoResumeEnabled": True})
    token = doze.token(vm["microvmId"])
    first = counted(doze, vm, token)
    with doze.full_disk(leaving=2 * MIB):
        with pytest.raises(ClientError, match="space|full"):
            doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
        assert doze.state(vm["microvmId"]) == "RUNNING"
        assert counted(doze, vm, token) == first + 1
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    assert counted(doze, vm, token) == first + 2
    assert faults(doze) == []


def test_a_microvm_that_cannot_be_saved_survives_doze_down_and_up(doze, images, microvms):
    vm = microvms(images["counter"], idlePolicy={"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 600,
                                                 "autoResumeEnabled": True})
    token = doze.token(vm["microvmId"])
    first = counted(doze, vm, token)
    with doze.full_disk(leaving=2 * MIB):
        down = doze.cli("down", check=False)
        assert down.returncode != 0 and vm["microvmId"] in down.stdout + down.stderr
    doze.up()
    assert doze.state(vm["microvmId"]) == "RUNNING", down.stdout + down.stderr + (doze.log / "dozed.log").read_text()[-6000:]
    assert counted(doze, vm, token) == first + 1
    assert faults(doze) == []
