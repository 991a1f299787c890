"""What `doze` says of a command that was typed wrongly, before it asks anybody."""
import pathlib
import subprocess

import pytest
from test_down import DOZE, INSTANCE, _daemon_lives, places  # noqa: F401  pylint: disable=unused-import


def doze(*words):
    return subprocess.run([DOZE, "--instance", INSTANCE, *words], text=True, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("words", [["exec"], ["exec", "--help"], ["--help", "exec", "ls"]])
def test_a_command_that_does_not_exist_has_no_help(words):
    done = doze(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"doze: there is no command 'exec'; 'doze --instance {INSTANCE} --help' lists all\n"


@pytest.mark.parametrize("words", [["--help"], ["help"], ["image", "--help"]])
def test_the_help_is_no_error(words):
    done = doze(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: doze ")


def test_a_pid_file_that_was_left_behind_keeps_no_daemon_from_starting(places, tmp_path):  # noqa: F811
    """The command line must have let go of the file when it starts the daemon."""
    dozed = tmp_path / "dozed"
    dozed.write_text(f"#!/bin/sh\nexec flock --exclusive --nonblock {places[1]} echo locked\n")
    dozed.chmod(0o755)
    places[1].write_text("4194305\nstopping\n")
    with pathlib.Path(f"/etc/doze-{INSTANCE}/doze.ini").open("a", encoding="ascii") as conf:
        conf.write(f"[paths]\nlibexec = {tmp_path}\n")
    done = doze("up")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "locked"), done.stderr


@pytest.mark.usefixtures("places")
def test_the_name_of_an_image_is_judged_before_its_folder_is_read():
    done = doze("image", "build", "/nowhere", "--name", "b d!")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("doze: 'b d!' cannot be the name of an image: ")
    done = doze("image", "build", "/nowhere", "--name", "bd")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "doze: there is no folder '/nowhere'\n")
