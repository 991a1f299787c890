"""Shells of a real microVM: by Python's websockets, and by `doze shell` under a terminal."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from rig import PREFIX, wait_for

INGRESS = [f"arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:{name}"
           for name in ("HTTP_INGRESS", "SHELL_INGRESS")]
IDLE = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}
PROMPT = re.escape("λ $ ").encode()


@pytest.fixture(scope="module")
def vm(doze, images):
    made = doze.api.run_microvm(imageIdentifier=images["flask-hello"], ingressNetworkConnectors=INGRESS, idlePolicy=IDLE)
    doze.wait_state(made["microvmId"], "RUNNING")
    yield made
    doze.api.terminate_microvm(microvmIdentifier=made["microvmId"])


class Terminal:
    """`doze shell` under a terminal of its own."""

    def __init__(self, doze, vm, *words):
        self.ours, self.theirs = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(self.theirs)
        self.out = b""
        self.process = subprocess.Popen([PREFIX / "bin/doze", "--instance", doze.name, "shell", vm["microvmId"], *words],
                                        stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True)

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds):
        if select.select([self.ours], [], [], seconds)[0]:
            self.out += os.read(self.ours, 1 << 16)

    def reads(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.out)):
            assert time.monotonic() < end and self.process.poll() is None, self.out[-500:]
            self.pump(0.2)
        return found

    def type(self, text, pattern=None, seconds=30):
        self.out = b""
        os.write(self.ours, text.encode())
        return self.reads(pattern, seconds) if pattern else None

    def ends(self, seconds=20):
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, self.out[-500:]
            self.pump(0.1)
        assert termios.tcgetattr(self.theirs) == self.before, "the terminal is as it was"
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(doze, vm):
    t = Terminal(doze, vm)
    t.reads(PROMPT)
    yield t
    t.close()


def test_a_terminal_is_joined_to_a_shell(terminal):
    terminal.type("id -u; tty; stty size\n", rb"[\r\n]0\r\n/dev/pts/\d+\r\n30 100\r\n")
    terminal.resize(43, 132)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.type("sleep 0.3; stty size\n", rb"[\r\n]43 132\r\n")
    terminal.type("echo be''gins; sleep 1000\n", rb"[\r\n]begins\r\n")
    time.sleep(0.5)
    terminal.type("\x03", PROMPT, 5)
    terminal.type("ps -ef 2>/dev/null | head -3; ls /proc/1/cmdline\n", rb"/proc/1/cmdline")
    os.write(terminal.ours, b"exit 5\n")
    assert terminal.ends() == 5


def test_ctrl_c_answers_within_a_second_while_yes_floods(terminal):
    os.write(terminal.ours, b"yes\n")
    end = time.monotonic() + 2
    while time.monotonic() < end:
        terminal.out = b""
        terminal.pump(0.1)
    begin = time.monotonic()
    terminal.type("\x03", PROMPT, 5)
    assert time.monotonic() - begin < 1
    os.write(terminal.ours, b"exit\n")
    terminal.ends()


def test_the_terminal_is_restored_when_a_signal_ends_the_command(terminal):
    for number in (signal.SIGTERM,):
        terminal.process.send_signal(number)
        assert terminal.ends() == -number


def test_a_shell_goes_on_over_a_suspend(doze, vm, terminal):
    terminal.type("X=kept; echo d''one\n", rb"[\r\n]done\r\n")
    terminal.type("for i in $(seq 1 40); do echo line $i; sleep 0.1; done\n", rb"line 3\r\n")
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    terminal.reads(rb"the microVM sleeps")
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    time.sleep(3)
    assert doze.state(vm["microvmId"]) == "SUSPENDED", "an attached shell alone wakes nothing"
    os.write(terminal.ours, b"echo still $X\n")
    terminal.reads(rb"[\r\n]still kept\r\n", 60)
    assert [int(n) for n in re.findall(rb"[\r\n]line (\d+)\r", terminal.out)] == list(range(1, 41))
    os.write(terminal.ours, b"exit 3\n")
    assert terminal.ends() == 3


def test_a_pipe_is_read_to_its_end(doze, vm):
    for text, status, want in (("echo $((6*7))\n", 0, "\n42"), ("false", 1, ""), ("cat\nread by cat\n", 0, "read by cat"),
                               ("sleep 2; exit 9", 9, "")):
        done = doze.cli("shell", vm["microvmId"], input=text, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (status, "")
        assert want in done.stdout.replace("\r", "")


def test_a_microvm_without_shells_says_how_to_get_one(doze, microvms, images):
    made = microvms(images["flask-hello"])
    done = doze.cli("shell", made["microvmId"], input="ls\n", check=False)
    assert done.returncode == 1 and "--shell" in done.stderr and len(done.stderr.splitlines()) == 1


def test_pythons_websockets_opens_shells(doze, vm):
    client = pytest.importorskip("websockets.sync.client")
    closed = pytest.importorskip("websockets.exceptions").ConnectionClosed
    token = doze.api.create_microvm_shell_auth_token(microvmIdentifier=vm["microvmId"],
                                                     expirationInMinutes=15)["authToken"]["X-aws-proxy-auth"]

    def connect(query=""):
        host, _, port = vm["endpoint"].partition(":")
        return client.connect(f"wss://{vm['endpoint']}/shell{query}", ssl=doze.tls(), server_hostname=host,
                              sock=socket.create_connection(("127.0.0.1", int(port or 443))), open_timeout=60,
                              subprotocols=["lambda-microvms", f"lambda-microvms.authentication.{token}"])

    def reads(ws, pattern):
        out = b""
        while not re.search(pattern, out):
            message = ws.recv(timeout=30)
            assert isinstance(message, bytes), message
            out += message
        return out

    def open_one(query=""):
        ws = connect(query)
        init = json.loads(ws.recv(timeout=30))
        assert init["type"] == "session_init"
        return ws, init

    shells = [open_one() for _ in range(4)]
    assert len({init["session_id"] for _, init in shells}) == 4
    for i, (ws, _) in enumerate(shells):
        reads(ws, PROMPT)
        ws.send(json.dumps({"type": "resize", "cols": 90 + i, "rows": 20}))
        ws.send(b"stty size; X=%d\n" % i)
    for i, (ws, init) in enumerate(shells):
        have = reads(ws, rb"[\r\n]20 %d\r\n" % (90 + i))
        assert have
        ws.close()
        again, init = open_one(f"?session={init['session_id']}")
        assert init["offset"] == 0
        reads(again, rb"[\r\n]20 %d\r\n" % (90 + i))
        again.send("echo it was $X; exit\n")
        with pytest.raises(closed) as end:
            reads(again, rb"never")
        assert (end.value.rcvd.code, end.value.rcvd.reason) == (1000, "shell exited")


def test_a_shell_that_is_not_read_holds_bounded_memory(doze, vm, terminal):
    os.write(terminal.ours, b"cat /dev/zero\n")
    with contextlib.suppress(OSError), open(f"/proc/{doze.role_pid('proxy')}/status", encoding="ascii") as status:
        before = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
        time.sleep(3)
        status.seek(0)
        assert int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) - before < 4096
    with open(f"/proc/{terminal.process.pid}/status", encoding="ascii") as status:
        assert int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) < 32768
    terminal.type("\x03", PROMPT, 20)
    os.write(terminal.ours, b"exit\n")
    terminal.ends()
    wait_for("the microVM is well", lambda: doze.state(vm["microvmId"]) == "RUNNING")
