"""A build that ends while its command runs and its microVM boots beside it: nothing of it is left, and the next one builds."""
import os
import pathlib
import signal
import subprocess

import pytest

from rig import PREFIX, booting, wait_for

DOCKERFILE = "FROM public.ecr.aws/lambda/microvms:al2023-minimal\nRUN echo {0} && (sleep {0} & exec sleep {0})\n"


def sleepers(seconds):
    """The processes of the build that sleep so many seconds."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(place.parent.name)
        except OSError:  # it has ended meanwhile
            pass
    return found


def start(doze, place, seconds):
    (place / "Dockerfile").write_text(DOCKERFILE.format(seconds))
    before = set((doze.data / "build").iterdir()) if (doze.data / "build").exists() else set()
    process = subprocess.Popen([PREFIX / "bin/doze", "--instance", doze.name, "image", "build", place, "--name", f"c{seconds}"],
                               text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for("its command runs", lambda: len(sleepers(seconds)) == 2, 300)
    return process, before


def gone(doze, seconds, before):
    wait_for("its processes are gone", lambda: not sleepers(seconds), 20)
    wait_for("its directory is gone", lambda: set((doze.data / "build").iterdir()) <= before | {doze.data / "build/layers"}
             | {doze.data / "build/layers.img"}, 30)
    wait_for("its draft is gone", lambda: not list((doze.data / "images").glob("*/.*")), 30)
    wait_for("its microVM is gone", lambda: not booting(doze), 20)


def test_a_build_that_is_cancelled_leaves_nothing_and_the_next_one_builds(doze, tmp_path):
    process, before = start(doze, tmp_path, 86397)
    assert "cancelled" in doze.cli("image", "cancel", "c86397").stdout
    version = doze.api.get_microvm_image_version(imageIdentifier=doze.image_arn("c86397"), imageVersion="1.0")
    assert (version["state"], version["stateReason"]) == ("FAILED", "The build was cancelled.")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and "The build was cancelled." in errors
    gone(doze, 86397, before)
    # The layer store is free: the next build takes its lock and gets as far.
    process, before = start(doze, tmp_path, 86398)
    doze.cli("image", "cancel", "c86398")
    process.communicate(timeout=20)
    gone(doze, 86398, before)
    doze.cli("image", "rm", "c86397", "c86398")


def test_a_microvm_that_dies_while_its_container_is_built_ends_the_build(doze, tmp_path):
    process, before = start(doze, tmp_path, 86396)
    machine = wait_for("its microVM runs", lambda: booting(doze), 20)
    os.kill(machine[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and "The build's microVM failed: " in errors, errors
    gone(doze, 86396, before)
    doze.cli("image", "rm", "c86396")


@pytest.mark.skipif(not os.environ.get("DOZE_LONG"), reason="a long one")
def test_a_silent_build_is_ended_with_its_processes_in_the_reason(doze, tmp_path):
    process, _ = start(doze, tmp_path, 86399)
    out, errors = process.communicate(timeout=900)
    assert "doze: warning: nothing has been printed for 12" in out
    assert "Step 2/2" in errors and "[build] silence_timeout_ms" in errors and "sleep 86399 (pid " in errors
