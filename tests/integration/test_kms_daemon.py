"""Keys at rest as their people use them: the command line, boto3, and an endpoint whose microVM a disabled key keeps asleep."""
import json
import pathlib
import stat

import pytest
from botocore.exceptions import ClientError

from rig import wait_for

PAYLOAD = "payload-secret-77ab19"
POLICY = {"maxIdleDurationSeconds": 3600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}


def refused(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]


def test_a_key_keeps_a_payload_out_of_the_store_and_wakes_nobody_while_it_is_disabled(doze, images, microvms):
    doze.cli("kms", "create", "daemon")
    (key,) = [key for key in json.loads(doze.cli("kms", "ls", "--json").stdout) if key["alias"] == "alias/daemon"]
    master = pathlib.Path(doze.data / "secrets/kms-master")
    assert master.stat().st_size == 32 and stat.S_IMODE(master.stat().st_mode) == 0o600
    vm = microvms(images["counter"], kmsKeyIdentifier=key["arn"], runHookPayload=PAYLOAD, idlePolicy=POLICY)
    assert doze.api.get_microvm(microvmIdentifier=vm["microvmId"])["kmsKeyIdentifier"] == key["arn"]
    token = doze.token(vm["microvmId"])
    assert doze.call(vm, token=token)["payload"] == PAYLOAD
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    for file in (doze.data / "control").glob("doze.db*"):
        assert PAYLOAD.encode() not in file.read_bytes(), file

    assert doze.cli("kms", "disable", "alias/daemon").stdout == "alias/daemon  disabled\n"
    status, headers, _ = doze.request(vm["endpoint"], "/", token)
    assert (status, doze.state(vm["microvmId"])) == (502, "SUSPENDED"), headers.items()
    error = refused(doze.api.resume_microvm, microvmIdentifier=vm["microvmId"])
    assert error["Code"] == "ValidationException" and "alias/daemon is disabled" in error["Message"]
    busy = doze.cli("kms", "rm", "daemon", check=False)
    assert busy.returncode == 1 and "still seals 1" in busy.stderr
    doze.cli("kms", "rotate", "daemon")
    doze.cli("kms", "enable", "daemon")
    assert doze.call(vm, token=token)["payload"] == PAYLOAD
    doze.api.terminate_microvm(microvmIdentifier=vm["microvmId"])
    wait_for("the key is free", lambda: doze.cli("kms", "rm", "daemon", check=False).returncode == 0)
    error = refused(doze.create_image, name="keyed", uri="s3://apps/app.zip", kmsKeyIdentifier=key["arn"])
    assert "There is no key" in error["Message"]
