"""Speaks the machine protocol (src/ipc/machine.h) with a doze-qemu that it starts, as priv and control do."""
import array
import ctypes
import fcntl
import functools
import os
import re
import select
import socket
import struct
import subprocess
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000
UID = 465535  # the last one of uid_range
libc = ctypes.CDLL(None, use_errno=True)


def enum(path, name):
    """The enumerators of a C header, counted as the compiler does (no explicit values in these)."""
    text = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
    body = re.search(r"enum %s\s*{([^}]*)}" % name, text).group(1)
    return {word.strip(): i for i, word in enumerate(x for x in body.split(",") if x.strip())}


SRC = os.path.join(os.path.dirname(__file__), "../../src/ipc")
TYPE = enum(f"{SRC}/machine.h", "machine_type")
TYPE_NAME = {v: k.removeprefix("MACHINE_") for k, v in TYPE.items()}
AGENT = enum(f"{SRC}/agent.h", "agent_type")
FIELD = enum(f"{SRC}/agent.h", "agent_field")
HEAD = struct.Struct("<IIQ")


class Fault(Exception):
    """A FAULT answer."""


class Ended(Exception):
    """The machine ended: EXITED."""


def frame(kind, *fields):
    body = b""
    for tag, value in fields:
        if isinstance(value, int):
            value = struct.pack("<Q", value)
        elif isinstance(value, str):
            value = value.encode()
        body += struct.pack("<HI", FIELD["FIELD_" + tag], len(value)) + value
    return struct.pack("<BxxxI", AGENT["AGENT_" + kind], len(body)) + body


def parse_fields(body):
    fields, at = [], 0
    while at < len(body):
        tag, size = struct.unpack_from("<HI", body, at)
        fields.append((tag, body[at + 6:at + 6 + size]))
        at += 6 + size
    return fields


@functools.cache
def may_hurry():
    """Whether this host allows real-time priority."""
    return not subprocess.run(["chrt", "-r", "1", "true"], check=False, stderr=subprocess.DEVNULL).returncode


class Slot:
    """A network namespace with a tap.  This process moves into it, and what it starts then stays."""

    def __init__(self):
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare the network")
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        for words in ("link set lo up", "link set tap0 address 02:d0:2e:00:00:02",
                      "address add 10.0.2.2/24 dev tap0", "link set tap0 up"):
            subprocess.run(["ip", *words.split()], check=True)


class Machine:
    def __init__(self, program, folder, log=None, wrap=(), qemu="/usr/bin/qemu-system-x86_64"):
        self.path = folder
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        slot = Slot()
        listeners = []
        for name, kind in (("machine.sock", socket.SOCK_SEQPACKET), ("stream.sock", socket.SOCK_STREAM)):
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.bind(f"{folder}/{name}")
            sock.listen(16)
            listeners.append(sock)
        jail = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
                "--bounding-set=-all"]
        self.process = self.spawn([*jail, *wrap, program, "--machine", "m-test", "--qemu", qemu],
                                  [listeners[0].fileno(), listeners[1].fileno(), slot.tap], log)
        os.close(slot.tap)
        self.agent, self.frames, self.tag = b"", [], 0
        self.connect()

    @staticmethod
    def spawn(argv, fds, log):
        """The descriptors become 3, 4, 5 ... of the child."""
        kept = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 32) for fd in fds]
        hurry = may_hurry()
        pid = os.fork()
        if not pid:
            if hurry:  # as priv does with what boots
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            for i, fd in enumerate(kept):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(kept), 1024)
            if log is not None:
                os.dup2(log, 2)
            os.execvp(argv[0], argv)
        for fd in kept:
            os.close(fd)
        return pid

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.connect(f"{self.path}/machine.sock")
        name, body, _ = self.receive(10)
        assert name == "HELLO", name
        self.hello = struct.unpack("<II16s", body)

    def receive(self, timeout):
        """One message.  Agent bytes are collected as frames."""
        if not select.select([self.sock], [], [], timeout)[0]:
            raise TimeoutError(f"nothing came in {timeout} s")
        data = self.sock.recv(65536)
        if not data:
            raise Ended("the connection was closed")
        kind, size, tag = HEAD.unpack_from(data)
        assert size == len(data) - HEAD.size
        name, body = TYPE_NAME[kind], data[HEAD.size:]
        if name == "AGENT":
            self.collect(body)
        if name == "EXITED":
            raise Ended(body.split(b"\0")[0].decode())
        return name, body, tag

    def collect(self, data):
        self.agent += data
        while len(self.agent) >= 8:
            kind, size = struct.unpack_from("<BxxxI", self.agent)
            if len(self.agent) < 8 + size:
                return
            self.frames.append((kind, parse_fields(self.agent[8:8 + size])))
            self.agent = self.agent[8 + size:]

    def send(self, name, body=b"\0" * 4, fds=(), tag=0):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([HEAD.pack(TYPE["MACHINE_" + name], len(body), tag) + body], control)

    def ask(self, name, body=b"\0" * 4, fds=(), timeout=60):
        """A request and its answer."""
        self.tag += 1
        self.send(name, body, fds, self.tag)
        end = time.monotonic() + timeout
        while True:
            answer, body, tag = self.receive(max(0, end - time.monotonic()))
            if tag != self.tag:
                continue
            if answer == "FAULT":
                raise Fault(body[4:].split(b"\0")[0].decode())
            return answer, body

    def say(self, *args):
        data = frame(*args)
        for at in range(0, len(data), 32768):
            self.send("AGENT", data[at:at + 32768])

    def await_frame(self, kind, timeout=60, where=lambda fields: True):
        """The fields of the first such frame, as a dict; frames before it are forgotten."""
        end = time.monotonic() + timeout
        while True:
            while self.frames:
                got, fields = self.frames.pop(0)
                fields = dict(fields)
                if got == AGENT["AGENT_" + kind] and where(fields):
                    return fields
            self.receive(max(0, end - time.monotonic()))

    def stream(self, port, timeout=20):
        """A socket on which the guest's port is spoken."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(f"{self.path}/stream.sock")
        sock.sendall(b"CONNECT %d\n" % port)
        data, fds, _, _ = socket.recv_fds(sock, 256, 1)
        sock.close()
        if data != b"OK\n":
            raise Fault(data.decode())
        got = socket.socket(fileno=fds[0])
        got.settimeout(timeout)
        return got

    def children(self):
        return open(f"/proc/{self.process}/task/{self.process}/children").read().split()

    def qemu(self):
        """The process id of its QEMU."""
        return int(self.children()[0])

    def stats(self):
        _, body = self.ask("GET_STATS")
        return dict(zip(("cpu_ns", "private", "pss", "run", "zero"), struct.unpack("<QQQII", body)))

    def progress(self):
        _, body = self.ask("GET_PROGRESS")
        return dict(zip(("cpu_ns", "waited_ns", "console_bytes", "n_blocked", "zero"), struct.unpack("<QQQII", body)))

    def explain(self):
        """What the machine writes for a person."""
        fd = os.memfd_create("explanation")
        try:
            self.ask("EXPLAIN", fds=[fd], timeout=20)
            return os.pread(fd, 1 << 20, 0).decode()
        finally:
            os.close(fd)

    def policies(self):
        """The scheduling policies of QEMU's threads."""
        qemu = self.qemu()
        return {os.sched_getscheduler(int(tid)) for tid in os.listdir(f"/proc/{qemu}/task")}

    def wait(self, timeout=10):
        """Its exit status."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            pid, status = os.waitpid(self.process, os.WNOHANG)
            if pid:
                self.process = 0
                return status
            time.sleep(0.01)
        raise TimeoutError("doze-qemu does not end")

    def kill(self):
        if self.process:
            os.kill(self.process, 9)
            self.wait()
