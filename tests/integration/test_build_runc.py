"""doze-build-runc: RUN has the site's variables, unless the image gives them a value, and the rest stays as it was."""
import json
import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
HUGE = 18446744073709551615  # what an unlimited resource is


@pytest.fixture
def runc(tmp_path):
    """Runs it on a configuration with this environment; what the container would get."""
    (tmp_path / "runc").write_text('#!/bin/sh\necho "$0 $*"\nexit 7\n')
    (tmp_path / "runc").chmod(0o755)

    def run(environment, lines, args=("sh", "-c", "true")):
        config = {"ociVersion": "1.0", "process": {"args": list(args), "env": environment, "rlimits": [{"hard": HUGE}]},
                  "hooks": {"prestart": [{"path": "/x", "env": []}]}}
        (tmp_path / "config.json").write_text(json.dumps(config, separators=(",", ":")))
        done = subprocess.run([BUILD / "src/image/doze-build-runc", "create", "--bundle", tmp_path, "--pid-file", "p", "name"],
                              env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DOZE_RUN_ENV": lines}, capture_output=True, text=True)
        assert done.returncode == 7 and done.stdout.endswith(f"create --bundle {tmp_path} --pid-file p name\n"), done
        got = json.loads((tmp_path / "config.json").read_text())
        assert got == {**config, "process": {**config["process"], "env": got["process"]["env"]}}
        return got["process"]["env"]

    return run


def test_a_variable_is_added_before_those_of_the_image(runc):
    assert runc(["PATH=/bin"], "A=1\nB=x y\n") == ["A=1", "B=x y", "PATH=/bin"]


def test_a_value_of_the_image_wins(runc):
    assert runc(["PATH=/bin", "A="], "A=1\nB=2\n") == ["B=2", "PATH=/bin", "A="]


def test_the_end_of_another_name_is_no_value(runc):
    assert runc(["XA=1", 'Q="A=1'], "A=1\n") == ["A=1", "XA=1", 'Q="A=1']


def test_an_empty_environment_gets_them_too(runc):
    assert runc([], "A=1\nB=2\n") == ["A=1", "B=2"]


def test_a_command_that_looks_like_an_environment_stays(runc):
    args = ("sh", "-c", '{"env":["A=1"]}')
    assert runc(["PATH=/bin"], "A=1\n", args) == ["A=1", "PATH=/bin"]


def test_what_would_break_the_text_is_left_out(runc):
    assert runc(["PATH=/bin"], 'A="x\nB=2\nno variable\n') == ["B=2", "PATH=/bin"]
