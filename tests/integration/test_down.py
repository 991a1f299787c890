"""`doze down` against a daemon that only stops (down_daemon.py): what it shows, and what it says of what went wrong."""
import contextlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys

import pytest

from rig import NAME, free_ports

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", "build"))
DOZE = BUILD / "src/cli/doze"
HERE = pathlib.Path(__file__).parent
INSTANCE = f"{NAME}{os.getpid()}d"
MIB = 1 << 20
ID = "microvm-a99f1c2d-0000-4000-8000-000000000000"

if not DOZE.exists():
    pytest.skip(f"{DOZE} is not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: there is none here."""


@pytest.fixture
def places(tmp_path):
    port = free_ports(1)[0]
    etc, data, run = (pathlib.Path(f"{p}/doze-{INSTANCE}") for p in ("/etc", "/var/lib", "/run"))
    for path in (etc, data, run):
        path.mkdir()
    (etc / "doze.ini").write_text(f"[service]\napi_port = {port}\n")
    (data / "client-credentials").write_text("[doze]\naws_access_key_id = AKIATEST\naws_secret_access_key = secret\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    tmp_path / "key", "-out", data / "ca.crt", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    (tmp_path / "both.pem").write_bytes((tmp_path / "key").read_bytes() + (data / "ca.crt").read_bytes())
    yield tmp_path, run / "dozed.pid", port
    for path in (etc, data, run):
        shutil.rmtree(path)


@pytest.fixture
def daemon(places):
    home, pid_file, port = places
    started = []

    def start(answers, last_word=""):
        (home / "answers.json").write_text(json.dumps(answers))
        process = subprocess.Popen([sys.executable, HERE / "down_daemon.py", home, pid_file, str(port), last_word],
                                   stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def answer(suspended, remaining, *items, failed=0):
    return {"draining": True, "suspended": suspended, "failed": failed, "remaining": remaining, "items": list(items)}


def saving(mib, **more):
    return {"microvmId": ID, "state": "SUSPENDING", "phase": "saving", "bytesWritten": mib * MIB, "bytesTotal": 512 * MIB, **more}


def down():
    return subprocess.run([DOZE, "--instance", INSTANCE, "down"], text=True, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_machines_that_run_on_without_their_daemon_are_no_success(places):
    run = places[1].parent
    assert (down().returncode, down().stdout) == (0, f"instance {INSTANCE} is not up\n")
    with subprocess.Popen(["sleep", "60"]) as machine:
        started = pathlib.Path(f"/proc/{machine.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        folder = run / "m/m-a99f1c2d-0000-4000-8000-000000000000"
        folder.mkdir(parents=True)
        (folder / "owner").write_text("control")
        (folder / "pid").write_text(f"{machine.pid} {started}\n")
        done = down()
        machine.kill()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"instance {INSTANCE} is not up, but 1 machine runs on without it" in done.stderr
    assert f"'doze --instance {INSTANCE} up', then 'doze --instance {INSTANCE} down'" in done.stderr
    assert down().returncode == 0


def test_a_start_during_a_stop_is_refused(places, daemon):
    daemon([answer(1, 0)])
    up = [DOZE, "--instance", INSTANCE, "up"]
    done = subprocess.run(up, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"instance {INSTANCE} is up already\n")
    with places[1].open("a", encoding="ascii") as pid_file:
        pid_file.write("stopping\n")
    done = subprocess.run(up, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"instance {INSTANCE} is being stopped: 'doze --instance {INSTANCE} down'" in done.stderr


def test_each_change_is_a_line_where_there_is_no_terminal(daemon):
    daemon([answer(0, 1, saving(0)), answer(0, 1, saving(1)), answer(0, 1, saving(256)), answer(1, 0)])
    done = down()
    assert (done.returncode, done.stdout) == (0, f"instance {INSTANCE} is down; its microVMs are suspended\n")
    assert done.stderr == f"{ID}: saving, 0 of 512 MiB\n{ID}: saving, 256 of 512 MiB\n{ID}: suspended\n"


def test_a_terminal_sees_one_line_that_is_rewritten(daemon):
    daemon([answer(0, 1, saving(128)), answer(1, 0)])
    ours, its = pty.openpty()
    done = subprocess.run([DOZE, "--instance", INSTANCE, "down"], text=True, check=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=its)
    os.close(its)
    seen = ""
    with contextlib.suppress(OSError):  # its end
        while piece := os.read(ours, 4096):
            seen += piece.decode()
    os.close(ours)
    assert done.stdout == f"instance {INSTANCE} is down; its microVMs are suspended\n"
    assert seen.startswith("\rsuspended 0 of 1; a99f1c2d saving, 128 of 512 MiB\rsuspended 1 of 1"), seen
    assert seen.count("\n") == 1


def test_a_daemon_without_the_operation_is_waited_for(daemon):
    process = daemon([])
    with subprocess.Popen([DOZE, "--instance", INSTANCE, "down"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asks:
        out, err = asks.communicate(timeout=60)
    assert (asks.returncode, out, err) == (0, f"instance {INSTANCE} is down; its microVMs are suspended\n", "")
    assert process.wait(10) == 0


def test_what_could_not_be_suspended_is_named_with_the_reason(daemon):
    daemon([answer(0, 1, saving(0)), answer(0, 0, saving(0, state="RUNNING", error="the disk is full"), failed=1)])
    done = down()
    assert (done.returncode, done.stdout) == (1, f"instance {INSTANCE} is down; not all of its microVMs are suspended\n")
    assert f"{ID} is not suspended: the disk is full" in done.stderr
    assert f"'doze --instance {INSTANCE} suspend {ID}'" in done.stderr


def test_a_daemon_that_breaks_off_is_no_success(daemon):
    daemon([answer(0, 1, saving(128))], last_word="failed\n")
    done = down()
    assert done.returncode == 1
    assert f"{ID} is not suspended: the daemon ended while it was saving, 128 of 512 MiB" in done.stderr
