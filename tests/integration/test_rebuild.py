"""doze image rebuild: a version from the disk of an earlier one."""
import json
import os
import shutil
import signal
import subprocess

import pytest
from rig import EXAMPLES, PREFIX, wait_for

NAME = "rebuilt"


@pytest.fixture(scope="module")
def image(doze):
    """counter, and its artifact is gone."""
    uri = doze.upload(doze.example_zip("counter"), f"{NAME}.zip")
    doze.create_image(NAME, uri, **EXAMPLES["counter"])
    arn = doze.image_arn(NAME)
    assert doze.wait_version(arn, "1.0")["state"] == "SUCCESSFUL", doze.build_log(NAME)
    doze.s3.delete_object(Bucket="apps", Key=f"{NAME}.zip")
    return arn


def settled(doze, arn):
    def over():
        got = doze.api.get_microvm_image(imageIdentifier=arn)
        return got if got["state"] not in ("UPDATING", "DELETING") else None
    return wait_for(f"{arn} is at rest", over, 400, 0.2)


def version_dir(doze, number):
    return next(p for p in doze.data.glob(f"images/*/{number}") if json.loads((p / "spec.json").read_text())["name"] == NAME)


def works(doze, microvms, arn, version):
    vm = microvms(arn)
    assert vm["imageVersion"] == version
    answer = doze.call(vm)
    assert (answer["n"], answer["file_n"], answer["microvmId"]) == (1, 1, vm["microvmId"])
    assert answer["hooks"] == ["ready", "run"]
    return vm


def test_a_rebuilt_version_runs_without_its_artifact_and_outlives_its_source(doze, image, microvms):
    before = doze.api.get_microvm_image_version(imageIdentifier=image, imageVersion="1.0")
    out = doze.cli("image", "rebuild", NAME[:5]).stdout
    log = doze.build_log(NAME, "2.0")
    assert "doze: from the disk of version 1.0" in log and "version 2.0  made in" in out
    assert "doze: artifact" not in log and "fetch the artifact" not in out
    after = doze.api.get_microvm_image_version(imageIdentifier=image, imageVersion="2.0")
    for member in ("hooks", "resources", "codeArtifact", "environmentVariables"):
        assert after.get(member) == before.get(member), member
    got = doze.api.get_microvm_image(imageIdentifier=image)
    assert (got["state"], got["latestActiveImageVersion"]) == ("UPDATED", "2.0")
    build = doze.api.list_microvm_image_builds(imageIdentifier=image, imageVersion="2.0")["items"][0]["buildId"]
    sizes = doze.api.get_microvm_image_build(imageIdentifier=image, imageVersion="2.0", buildId=build)["snapshotBuild"]
    assert sizes["codeInstallSizeInBytes"] > 0 and sizes["memorySnapshotSizeInBytes"] > 0
    works(doze, microvms, image, "2.0")

    one = version_dir(doze, 1)
    assert (one / "root").stat().st_ino == (one.parent / "2/root").stat().st_ino
    doze.api.delete_microvm_image_version(imageIdentifier=image, imageVersion="1.0")
    wait_for("its files are gone", lambda: not one.exists())
    settled(doze, image)
    doze.down()  # no clone of before
    doze.up()
    vm = works(doze, microvms, image, "2.0")
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "RUNNING")
    assert doze.call(vm)["n"] == 2


def test_a_rebuild_goes_on_after_the_image_role_died(doze, image, microvms):
    with subprocess.Popen([PREFIX / "bin/doze", "--instance", doze.name, "--json", "image", "rebuild", NAME], text=True,
                          stdout=subprocess.PIPE) as command:
        wait_for("its machine boots", lambda: "from the disk" in doze.build_log(NAME), 60)
        pid = doze.role_pid("image")
        os.kill(pid, signal.SIGKILL)
        wait_for("the role is back", lambda: doze.role_pid("image") not in (0, pid), 20)
        events = [json.loads(line) for line in command.communicate(timeout=400)[0].splitlines()]
    version = events[-1]
    assert (events[0]["event"], version["event"]) == ("begin", "end")
    assert (version["state"], version["imageVersion"]) == ("SUCCESSFUL", "3.0"), doze.build_log(NAME)
    works(doze, microvms, image, "3.0")


def test_a_disk_that_cannot_be_taken_fails_the_build_and_leaves_all_else(doze, image, microvms):
    (version_dir(doze, 3) / "app.json").unlink()  # of before
    done = doze.cli("image", "rebuild", NAME, check=False)
    assert done.returncode == 1 and "4.0 failed: Version 3.0 was made by an older doze" in done.stderr
    shutil.rmtree(version_dir(doze, 2))
    done = doze.cli("image", "rebuild", NAME, "--version", "2.0", check=False)
    assert done.returncode == 1 and "Version 2.0, whose disk was to be reused, no longer exists." in done.stderr
    got = settled(doze, image)
    assert (got["state"], got["latestActiveImageVersion"], got["latestFailedImageVersion"]) == (
        "UPDATE_FAILED", "3.0", "5.0")
    works(doze, microvms, image, "3.0")
    done = doze.cli("image", "rebuild", NAME, "--version", "4.0", check=False)
    assert done.returncode == 1 and "SUCCESSFUL" in done.stderr
    assert "no image" in doze.cli("image", "rebuild", "nothing", check=False).stderr
