"""A guest on QEMU's software CPU for tests of the guest alone: its disk, its slot (a network
namespace with a tap) and the host's side of the agent's frames."""
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import time

(NONE, START, RESUMED, HOOK, WARM, HELLO, LISTEN, HOOK_RESULT, LOG, EXIT, ACK) = range(11)
(_, ID, PROTOCOL, ARG, ENV, USER, WORKDIR, ALL_CAPS, FILE_PATH, FILE_DATA, WALL_NS, RANDOM, IDENTITY, NAME,
 PORT, TIMEOUT_MS, BODY, OUTCOME, STATUS, STREAM, BYTES, DROPPED, CODE, EXERCISE, NO_NEW_PRIVS, REASON) = range(26)
LEASE, METADATA = 14, 15
TIMER_WORDS = "the timer was measured wrong, because the host gave the guest no time"
NUMBERS = {ID, PROTOCOL, ALL_CAPS, WALL_NS, PORT, TIMEOUT_MS, OUTCOME, STATUS, STREAM, DROPPED, CODE, EXERCISE, NO_NEW_PRIVS}


def encode(kind, fields):
    payload = b""
    for tag, value in fields:
        data = struct.pack("<Q", value) if tag in NUMBERS else value if isinstance(value, bytes) else value.encode()
        payload += struct.pack("<HI", tag, len(data)) + data
    return struct.pack("<B3xI", kind, len(payload)) + payload


def decode(payload):
    fields, at = [], 0
    while at < len(payload):
        tag, size = struct.unpack_from("<HI", payload, at)
        data = payload[at + 6:at + 6 + size]
        fields.append((tag, struct.unpack("<Q", data)[0] if tag in NUMBERS else data))
        at += 6 + size
    return fields


class Agent:
    """The host's end of the control stream."""

    def __init__(self, path, deadline=10):
        until = time.monotonic() + deadline
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(path)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
        self.data, self.frames = b"", []

    def send(self, kind, *fields):
        self.sock.sendall(encode(kind, fields))

    def _parse(self):
        while len(self.data) >= 8:
            kind, size = struct.unpack_from("<B3xI", self.data)
            if len(self.data) < 8 + size:
                return
            self.frames.append((kind, decode(self.data[8:8 + size])))
            self.data = self.data[8 + size:]

    def wait(self, kind, test=lambda fields: True, timeout=60):
        """The next frame of this kind that passes the test; others stay for later."""
        until = time.monotonic() + timeout
        while True:
            for i, (found, fields) in enumerate(self.frames):
                if found == kind and test(dict(fields)):
                    del self.frames[i]
                    return fields
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no frame {kind}; there are {self.frames[-5:]}")
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                raise EOFError("the machine closed the control stream")
            self.data += data
            self._parse()


def tsc_khz():
    return int(float(re.search(r"cpu MHz\s*:\s*([\d.]+)", open("/proc/cpuinfo").read()).group(1)) * 1000)


class Slot:
    """A network namespace with a tap, as a slot's; `with slot:` is inside."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._call("unshare", 0x40000000)
        self.inside = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            self.tap = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000))
            for command in ("link set lo up", "addr add 10.0.2.2/24 dev tap0", "link set tap0 up"):
                subprocess.run(["ip", *command.split()], check=True)
        finally:
            self.__exit__()

    def _call(self, name, *args):
        if getattr(self.libc, name)(*args):
            raise OSError(ctypes.get_errno(), name)

    def __enter__(self):
        self._call("setns", self.inside, 0)

    def __exit__(self, *unused):
        self._call("setns", self.outside, 0)

    def close(self):
        for fd in (self.tap, self.inside, self.outside):
            os.close(fd)


class Machine:
    def __init__(self, workdir, kernel, initrd, disk, memory_mib=512, append="", serial="serial.log"):
        self.ctl, self.qmp_path = f"{workdir}/ctl.sock", f"{workdir}/qmp.sock"
        for path in (self.ctl, self.qmp_path):
            if os.path.exists(path):
                os.unlink(path)
        self.slot = Slot()
        self.started = time.monotonic()
        self.process = subprocess.Popen([
            "qemu-system-x86_64", "-accel", "tcg,tb-size=64",
            "-M", "microvm,pit=off,pic=off,memory-backend=mem", "-cpu", "max,erms=off,fsrm=off", "-smp", "1",
            "-m", str(memory_mib), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-global", "virtio-mmio.force-legacy=false",
            "-object", f"memory-backend-ram,id=mem,size={memory_mib}M",
            "-kernel", kernel, "-initrd", initrd,
            "-append", "console=ttyS0 quiet reboot=t panic=-1 cryptomgr.notests mitigations=off nokaslr "
                       f"tsc_early_khz={tsc_khz()} tsc=reliable {append}",
            "-serial", f"file:{workdir}/{serial}",
            "-blockdev", json.dumps({"driver": "raw", "node-name": "d0",
                                     "file": {"driver": "file", "filename": disk, "locking": "off"}}),
            "-device", "virtio-blk-device,drive=d0",
            "-netdev", f"tap,id=n0,fd={self.slot.tap}", "-device", "virtio-net-device,netdev=n0,mac=02:d0:2e:00:00:15",
            "-chardev", f"socket,id=c0,path={self.ctl},server=on,wait=off", "-device", "virtio-serial-device",
            "-device", "virtserialport,chardev=c0,name=doze.agent",
            "-qmp", f"unix:{self.qmp_path},server=on,wait=off"], pass_fds=[self.slot.tap])
        self.agent = Agent(self.ctl)

    @classmethod
    def booted(cls, workdir, *args, **options):
        """One that has said HELLO, and its fields.  On a busy host the kernel may measure its timer wrong: then the
        guest ends, and another one boots, as in a build."""
        for _ in range(8):
            guest = cls(workdir, *args, **options)
            try:
                return guest, dict(guest.agent.wait(HELLO, timeout=120))
            except EOFError:
                guest.close()
                with open(f"{workdir}/{options.get('serial', 'serial.log')}", errors="replace") as log:
                    if TIMER_WORDS not in log.read():
                        raise
        raise TimeoutError("no kernel measured its timer right")

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self, timeout=30, source=None):
        """A connection to the agent's port."""
        with self.slot:
            return socket.create_connection(("10.0.2.15", 1), timeout=timeout, source_address=source)

    def stream(self, port, timeout=30):
        """As the machine process does: one connection to the agent, CONNECT, OK."""
        sock = self.connect(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"CONNECT %d\n" % port)
        line = b""
        while not line.endswith(b"\n"):
            byte = sock.recv(1)
            if not byte:
                raise EOFError(f"stream closed after {line!r}")
            line += byte
        return sock, line

    def get(self, path, port=8080):
        sock, line = self.stream(port)
        with sock:
            if line != b"OK\n":
                raise OSError(line)
            return http_get(sock, path)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.slot.close()


def http_get(sock, path):
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1 << 16)
        if not piece:
            raise EOFError(data)
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    size = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
    while len(body) < size:
        piece = sock.recv(1 << 16)
        if not piece:
            raise EOFError("early end")
        body += piece
    return body.decode(errors="replace")
