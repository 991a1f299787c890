"""A build as `doze` shows it, in a terminal and without one, against control with an image role that does what the test says."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import termios
import time

import pytest

from control_rig import ALONE, BUILD, KEY, SECRET, Control, ipc, wait_for
from signed import Refused
from test_down import DOZE, _daemon_lives  # noqa: F401  pylint: disable=unused-import

if not ALONE.exists() or not DOZE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

NAME = f"w{os.getpid()}"


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path), "[build]\nat_once=1\n[pool]\nper_image=0\n", tls=True)
    etc, data = pathlib.Path(f"/etc/doze-{NAME}"), pathlib.Path(f"/var/lib/doze-{NAME}")
    try:
        for path in (etc, data):
            path.mkdir()
        (etc / "doze.ini").write_text(f"[service]\napi_port = {rig.port}\n")
        (data / "client-credentials").write_text(f"[doze]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        shutil.copy(rig.ca, data / "ca.crt")
        yield rig
        assert rig.process.poll() is None, "control is gone"
    finally:
        for path in (etc, data):
            shutil.rmtree(path, ignore_errors=True)
        rig.close()


def arn(name):
    return f"arn:aws:lambda:us-east-1:000000000000:microvm-image:{name}"


def hears_interrupts():
    """As from a shell, also where the tests run in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def has_a_terminal():
    hears_interrupts()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def start(*words, **how):
    return subprocess.Popen([DOZE, "--instance", NAME, *words], text=True, **{
        "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": hears_interrupts, **how})


def doze(*words):
    process = start(*words)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *words):
        self.fd, theirs = pty.openpty()
        self.text = ""
        self.process = start(*words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                             preexec_fn=has_a_terminal)
        os.close(theirs)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the command has ended
                break
            self.text += data.decode()
        return self.text

    def see(self, what, seconds=10):
        wait_for(f"{what!r} in {self.text!r}", lambda: what in self.read(), seconds)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        code = self.process.wait(20)
        self.read()
        os.close(self.fd)
        return code


def begin(rig):
    """An image that was made, of which the next version is being rebuilt: (build, how it is followed)."""
    rig.make_image("app")
    return lambda: wait_for("it builds", lambda: rig.image.started[1:])[0]


def step(rig, build, n, text, **more):
    rig.image.channel.say("STEP", name=ipc.build_name(build=build.encode()), step=b"build", n=n, of=9, text=text.encode(), **more)


def log_of(rig, build):
    return open(f"{rig.dir}/log/builds/{build}.log", "ab", buffering=0)


def test_a_terminal_shows_each_step_move_and_what_it_waits_for(rig):
    building = begin(rig)
    shown = Terminal("image", "rebuild", "app")
    build = building()
    step(rig, build, 4, "RUN make", part=3, parts=7)
    shown.see("STEP 3/7 RUN make")
    step(rig, build, 8, "start the application", log_bytes=10)
    shown.see("s  STEP 3/7 RUN make\r\n")  # it has ended
    step(rig, build, 8, "start the application", detail=b"waits for port 8080", log_bytes=10)
    shown.see("start the application  waits for port 8080")
    rig.image.finish(build)
    assert shown.end() == 0
    assert "version 2.0  made in " in shown.text


def test_a_failure_shows_the_last_lines_of_its_step(rig):
    building = begin(rig)
    process = start("image", "rebuild", "app")
    build = building()
    with log_of(rig, build) as log:
        step(rig, build, 4, "RUN make", part=1, parts=2)
        log.write(b"earlier\n")
        step(rig, build, 4, "RUN false", part=2, parts=2, log_bytes=8)
        log.write(b"STEP 2/2: RUN false\nhere-it-breaks\n")
        step(rig, build, 4, "RUN false", part=2, parts=2, log_bytes=43, ended=1)
        log.write(b"doze: FAILED: it broke\n")
    rig.image.finish(build, ok=0, code=b"CONTAINER_BUILD_FAILED", reason=b"Step 2/2, RUN false: it broke.")
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "s  STEP 1/2 RUN make\n" in out and "The output of 'STEP 2/2 RUN false':\nhere-it-breaks\n" in out
    assert "earlier" not in out and "FAILED" not in out
    assert "version 2.0 failed: Step 2/2, RUN false: it broke.\n" in errors


def test_json_prints_an_object_in_each_line(rig):
    building = begin(rig)
    process = start("--json", "image", "rebuild", "app", "--verbose")
    build = building()
    with log_of(rig, build) as log:
        step(rig, build, 4, "RUN make", part=1, parts=1)
        log.write(b"doze: warning: old base\nother\n")
    wait_for("the step is told", lambda: rig.api.call("GET", f"/doze/v1/builds/{build}")["stepCount"])
    time.sleep(0.5)  # it is seen under way
    rig.image.finish(build)
    out, errors = process.communicate(timeout=20)
    events = [json.loads(line) for line in out.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "begin" and names[-1] == "end" and events[-1]["state"] == "SUCCESSFUL" and not errors
    assert [e["ended"] for e in events if e["event"] == "step"] == [False, True]
    assert {e["text"] for e in events if e["event"] in ("warning", "log")} == {"doze: warning: old base", "other"}


@pytest.mark.parametrize("answer, code, state", [("y\n", 1, "FAILED"), ("n\n", 0, "SUCCESSFUL"), ("\x03", 130, "SUCCESSFUL")],
                         ids=["yes", "no", "Ctrl-C again"])
def test_ctrl_c_asks_whether_to_cancel(rig, answer, code, state):
    building = begin(rig)
    shown = Terminal("image", "rebuild", "app")
    build = building()
    step(rig, build, 4, "RUN make", part=3, parts=7)
    shown.see("RUN make")
    shown.type("\x03")
    shown.see("Cancel the build? [y/N] ")
    shown.type(answer)
    if answer == "\x03":
        assert shown.end() == code
    if answer != "y\n":
        rig.settle()
        assert not rig.image.cancelled
        rig.image.finish(build)
    if answer != "\x03":
        assert shown.end() == code
    wait_for("it ended", lambda: rig.api.version(arn("app"), "2.0")["state"] == state)
    if answer == "y\n":
        assert rig.image.cancelled == [build]
        assert "version 2.0 failed: The build was cancelled." in shown.text
    if answer == "\x03":
        assert f"doze --instance {NAME} image cancel app 2.0" in shown.text


def test_without_a_terminal_an_interrupt_leaves_the_build_running(rig):
    building = begin(rig)
    process = start("image", "rebuild", "app")
    build = building()
    step(rig, build, 4, "RUN make", part=3, parts=7)
    wait_for("it is followed", lambda: rig.api.call("GET", f"/doze/v1/builds/{build}")["stepCount"])
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and "goes on being built" in errors
    assert not rig.image.cancelled


def test_in_the_background_of_a_script_an_interrupt_is_ignored(rig):
    building = begin(rig)
    process = start("image", "rebuild", "app", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    build = building()
    step(rig, build, 4, "RUN make", part=3, parts=7)
    wait_for("it is followed", lambda: rig.api.call("GET", f"/doze/v1/builds/{build}")["stepCount"])
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    rig.image.finish(build)
    assert process.communicate(timeout=20)[1] == "" and process.returncode == 0


def test_a_build_is_cancelled_by_name_whether_it_runs_or_waits(rig):
    running = rig.api.create_image("running", **BUILD)
    build = wait_for("it builds", lambda: rig.image.started)[0]
    rig.api.create_image("waiting", **BUILD)
    assert doze("image", "cancel", "waiting")[0] == 0
    assert rig.api.image(arn("waiting"))["state"] == "CREATE_FAILED" and not rig.image.cancelled
    code, out, errors = doze("image", "cancel", "running", "1.0")
    assert (code, errors) == (0, "") and "version 1.0  cancelled" in out
    assert wait_for("the role hears it", lambda: rig.image.cancelled) == [build] and len(rig.image.started) == 1
    version = rig.api.version(running, "1.0")
    assert (version["state"], version["stateReason"]) == ("FAILED", "The build was cancelled.")
    code, _, errors = doze("image", "cancel", "running")
    assert code == 1 and "has no version that is being built" in errors
    assert doze("image", "cancel", "running", "1.0")[0] == 0  # it is what was asked for


def test_the_log_is_followed_to_the_end_of_the_build(rig):
    rig.api.create_image("app", **BUILD)
    build = wait_for("it builds", lambda: rig.image.started)[0]
    process = start("image", "log", "app", "-f")
    with log_of(rig, build) as log:
        log.write(b"one\n")
        time.sleep(0.6)
        log.write(b"two\n")
    rig.image.finish(build)
    assert process.communicate(timeout=20)[0] == "one\ntwo\n"


def test_several_images_are_deleted_with_one_command(rig):
    for name in ("one", "two"):
        rig.make_image(name)
    code, out, errors = doze("image", "rm", "one", "nothing", "two")
    assert code == 1 and out.count("DELETING") == 2 and "there is no image 'nothing'" in errors
    for name in ("one", "two"):
        def gone(name=name):
            try:
                return not rig.api.image(arn(name))
            except Refused as error:
                return error.status == 404
        wait_for(f"{name} is gone", gone)
