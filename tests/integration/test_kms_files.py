"""Files of images that name a key: the file system of the data directory encrypts them, from the build to a checkpoint."""
import fcntl
import json
import os

import pytest
from botocore.exceptions import ClientError

from rig import EXAMPLES, encrypts, wait_for

GET_POLICY_EX = 0xC0096616  # FS_IOC_GET_ENCRYPTION_POLICY_EX
ENV = "env-secret-9b3f71"


def policy_of(path):
    """The policy of version 2 of this file or directory; None: it is plain."""
    fd = os.open(path, os.O_RDONLY)
    try:
        asked = bytearray((24).to_bytes(8, "little") + bytes(24))
        fcntl.ioctl(fd, GET_POLICY_EX, asked)
        return bytes(asked[8:32])
    except OSError:
        return None
    finally:
        os.close(fd)


def opens(path):
    """Without its key a file can be neither found by its name nor opened."""
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def folder_of(doze, name):
    return next(p.parent.parent for p in doze.data.glob("images/*/*/spec.json") if opens(p) and json.loads(p.read_text())["name"] == name)


def test_the_files_of_an_image_and_of_its_microvms_are_encrypted_with_its_key(doze, images, microvms):
    if not encrypts(doze.data):
        pytest.skip("the kernel encrypts no files")
    images["counter"]
    plain = folder_of(doze, "counter")
    doze.cli("kms", "create", "files")
    doze.create_image("sealed", doze.upload(doze.example_zip("counter"), "sealed.zip"), kmsKeyIdentifier="alias/files",
                      environmentVariables={"TOKEN": ENV}, **EXAMPLES["counter"])
    image = doze.image_arn("sealed")
    made = doze.wait_version(image, "1.0")
    assert made["state"] == "SUCCESSFUL", f"{made.get('stateReason')}\n{doze.build_log('sealed')}"
    folder = folder_of(doze, "sealed") / "1"
    assert json.loads((folder / "spec.json").read_text())["sealed"] and ENV not in (folder / "spec.json").read_text()
    assert made["environmentVariables"] == {"TOKEN": ENV}
    assert not any(ENV.encode() in file.read_bytes() for file in (doze.data / "control").glob("doze.db*"))
    vm = microvms(image, idlePolicy={"maxIdleDurationSeconds": 3600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True})
    token = doze.token(vm["microvmId"])
    assert doze.call(vm, token=token)["n"] == 1
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    (save,) = (doze.data / "control/microvms" / vm["microvmId"]).glob("save-*")
    files = [*folder.iterdir(), *save.iterdir()]
    policies = {policy_of(file) for file in (folder, save, *files)}
    assert len(policies) == 1 and None not in policies and {"root", "memory", "disk", "state"} <= {file.name for file in files}
    assert all(policy_of(file) is None for file in plain.rglob("*"))

    doze.cli("kms", "disable", "files")
    wait_for("the clones that the pool has of it have ended", lambda: not any(opens(file) for file in files))
    with pytest.raises(ClientError):
        doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
    doze.down()
    doze.up()
    assert doze.state(vm["microvmId"]) == "SUSPENDED"
    doze.cli("kms", "enable", "files")
    assert doze.call(vm, token=token)["n"] == 2
    doze.cli("image", "rebuild", "sealed", timeout=600)
    assert {policy_of(file) for file in (folder.parent / "2").iterdir()} == policies
    doze.api.terminate_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "TERMINATED")
    doze.cli("kms", "disable", "files")
    doze.api.delete_microvm_image(imageIdentifier=image)
    wait_for("its files are gone", lambda: not folder.exists())
    wait_for("the key is free", lambda: doze.cli("kms", "rm", "files", check=False).returncode == 0)
