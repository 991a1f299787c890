"""Keys at rest as their people use them: the command line, boto3, and an endpoint whose microVM a disabled key keeps asleep."""
import json
import pathlib
import stat

import pytest
from botocore.exceptions import ClientError

from rig import EXAMPLES, encrypts, wait_for

ENV, PAYLOAD = "env-secret-5e20cd", "payload-secret-77ab19"
POLICY = {"maxIdleDurationSeconds": 3600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}


def refused(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]


def test_a_key_keeps_a_payload_out_of_the_store_and_wakes_nobody_while_it_is_disabled(doze, images, microvms):
    if not encrypts(doze.data):
        pytest.skip("the kernel encrypts no files")
    doze.cli("kms", "create", "daemon")
    (key,) = [key for key in json.loads(doze.cli("kms", "ls", "--json").stdout) if key["alias"] == "alias/daemon"]
    master = pathlib.Path(doze.data / "secrets/kms-master")
    assert master.stat().st_size == 32 and stat.S_IMODE(master.stat().st_mode) == 0o600
    images["counter"]  # its layers serve the next build too
    doze.create_image("keyed", doze.upload(doze.example_zip("counter"), "keyed.zip"), kmsKeyIdentifier="alias/daemon",
                      environmentVariables={"TOKEN": ENV}, **EXAMPLES["counter"])
    image = doze.image_arn("keyed")
    assert doze.wait_version(image, "1.0")["environmentVariables"] == {"TOKEN": ENV}
    (spec,) = (text for text in (p.read_text() for p in (doze.data / "images").glob("*/*/spec.json")) if json.loads(text)["name"] == "keyed")
    assert ENV not in spec
    vm = microvms(image, kmsKeyIdentifier=key["arn"], runHookPayload=PAYLOAD, idlePolicy=POLICY)
    assert doze.api.get_microvm(microvmIdentifier=vm["microvmId"])["kmsKeyIdentifier"] == key["arn"]
    token = doze.token(vm["microvmId"])
    assert doze.call(vm, token=token)["payload"] == PAYLOAD
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    for file in (doze.data / "control").glob("doze.db*"):
        text = file.read_bytes()
        assert PAYLOAD.encode() not in text and ENV.encode() not in text, file

    assert doze.cli("kms", "disable", "alias/daemon").stdout == "alias/daemon  disabled\n"
    status, headers, _ = doze.request(vm["endpoint"], "/", token)
    assert (status, doze.state(vm["microvmId"])) == (502, "SUSPENDED"), headers.items()
    error = refused(doze.api.resume_microvm, microvmIdentifier=vm["microvmId"])
    assert error["Code"] == "ValidationException" and "alias/daemon is disabled" in error["Message"]
    busy = doze.cli("kms", "rm", "daemon", check=False)
    assert busy.returncode == 1 and "still seals 2" in busy.stderr
    doze.cli("kms", "rotate", "daemon")
    doze.cli("kms", "enable", "daemon")
    assert doze.call(vm, token=token)["payload"] == PAYLOAD
    doze.api.terminate_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "TERMINATED")
    doze.api.delete_microvm_image(imageIdentifier=image)
    wait_for("the key is free", lambda: doze.cli("kms", "rm", "daemon", check=False).returncode == 0)
    error = refused(doze.create_image, name="keyed", uri="s3://apps/app.zip", kmsKeyIdentifier=key["arn"])
    assert "There is no key" in error["Message"]
