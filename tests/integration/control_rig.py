#!/usr/bin/env python3
"""The control role in a process of its own, with its API and its store, and nothing behind it.

Python plays the supervisor, priv (which has no machines) and the image role (whose builds end as
the test says).  Needs no root and no QEMU.
"""
import array
import ctypes as c
import json
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALONE = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build")) / "tests/unit/control/control_alone"
SUPER_SECRET, SUPER_LISTENER, SUPER_PEER, SUPER_START, SUPER_STOP, SUPER_READY = range(1, 7)
SECRET_TLS_API, SECRET_TOKEN_KEYS, SECRET_CREDENTIALS, SECRET_CA_CERT = 0, 3, 4, 5
LISTENER_API = 0
ROLE_PRIV, ROLE_IMAGE, ROLE_PROXY = 0, 2, 4
(BUILD_START, BUILD_CANCEL, BUILD_REMOVE, BUILD_BASE_IMPORT, BUILD_BASE_LIST, BUILD_STEP, BUILD_DONE,
 BUILD_REMOVED, BUILD_BASE_ITEM, BUILD_BASE_DONE) = range(1, 11)
PRIV_START, PRIV_DONE, PRIV_FAULT = 1, 10, 11
KEY, SECRET = "AKIDRIG", "secret/of+the=rig"
REGION, ACCOUNT = "us-east-1", "000000000000"


class BuildDone(c.Structure):
    _fields_ = [("build", c.c_char * 37), ("pad", c.c_char * 3), ("ok", c.c_uint32),
                ("code", c.c_char * 48), ("reason", c.c_char * 512),
                ("memory_bytes", c.c_uint64), ("code_bytes", c.c_uint64), ("disk_bytes", c.c_uint64),
                ("vcpus", c.c_uint32), ("memory_mib", c.c_uint32), ("n_ports", c.c_uint32),
                ("ports", c.c_uint16 * 32), ("n_listening", c.c_uint32),
                ("listening", c.c_uint16 * 32)]


class BuildStep(c.Structure):
    _fields_ = [("build", c.c_char * 37), ("pad", c.c_char * 3), ("step", c.c_char * 64),
                ("n", c.c_uint32), ("of", c.c_uint32)]


class BuildBase(c.Structure):
    _fields_ = [("name", c.c_char * 128), ("digest", c.c_char * 80), ("bytes", c.c_uint64),
                ("created_ms", c.c_int64)]


class BuildResult(c.Structure):
    _fields_ = [("ok", c.c_uint32), ("kind", c.c_uint32), ("text", c.c_char * 512)]


def wait_for(what, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Channel:
    """A SEQPACKET channel of ipc/chan.h; `answer(kind, tag, body, fds)` is called for each message."""

    def __init__(self, answer=None):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.got, self.answer = [], answer
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                data, fds, _, _ = socket.recv_fds(self.ours, 65536, 12)
                if not data:
                    return
                kind, _, tag = struct.unpack("=IIQ", data[:16])
                self.got.append(kind)
                if self.answer:
                    self.answer(kind, tag, data[16:], fds)
                for fd in fds:
                    os.close(fd)
        except OSError:
            return

    def send(self, kind, body=b"\0" * 8, fds=(), tag=0):
        head = struct.pack("=IIQ", kind, len(body), tag)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.ours.sendmsg([head + bytes(body)], rights)

    def close(self):
        self.ours.close()


class ImageRole:
    """Keeps what it was asked; `finish` ends a build."""

    def __init__(self):
        self.specs, self.started, self.removed, self.cancelled = {}, [], [], []
        self.bases, self.hold_removes = {}, False
        self.channel = Channel(self._answer)

    def _answer(self, kind, tag, body, fds):
        if kind == BUILD_START:
            build = body[:36].decode()
            self.specs[build] = json.loads(os.pread(fds[0], 1 << 20, 0))
            self.started.append(build)
        elif kind == BUILD_CANCEL:
            self.cancelled.append(body[:36].decode())
        elif kind == BUILD_REMOVE:
            self.removed.append((body[:36].decode(), struct.unpack("=I", body[40:44])[0]))
            if not self.hold_removes:
                self.channel.send(BUILD_REMOVED, body)
        elif kind == BUILD_BASE_IMPORT:
            name = BuildBase.from_buffer_copy(body).name
            self.bases[name] = os.fstat(fds[0]).st_size, os.pread(fds[0], 1 << 20, 0)
            self.channel.send(BUILD_BASE_DONE, bytes(BuildResult(ok=1)), tag=tag)
        elif kind == BUILD_BASE_LIST:
            for name, (size, _) in self.bases.items():
                self.channel.send(BUILD_BASE_ITEM, bytes(BuildBase(
                    name=name, digest=b"sha256:00", bytes=size, created_ms=1500)), tag=tag)
            self.channel.send(BUILD_BASE_DONE, bytes(BuildResult(ok=1)), tag=tag)

    def step(self, build, name, n, of):
        self.channel.send(BUILD_STEP, bytes(BuildStep(build=build.encode(), step=name.encode(), n=n, of=of)))

    def finish(self, build, **how):
        done = dict(ok=1, memory_bytes=300 << 20, code_bytes=200 << 20, disk_bytes=25 << 20, vcpus=2,
                    memory_mib=2048, n_ports=1, n_listening=1)
        done.update(how)
        message = BuildDone(build=build.encode(), **done)
        message.ports[0] = message.listening[0] = 8080
        self.channel.send(BUILD_DONE, bytes(message))

    def finish_next(self, seen, **how):
        """The next build that begins after `seen` ones ends."""
        build = wait_for("a build begins", lambda: self.started[seen:] and self.started[seen])
        self.finish(build, **how)
        return build


class Control:
    def __init__(self, data=None, settings="", tls=False):
        self.dir = data or tempfile.mkdtemp(prefix="doze-control-")
        for name in ("data/control", "run/m", "log/builds", "log/microvms"):
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
        self.settings, self.tls = settings, tls
        self.start()

    def start(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.supervisor = Channel()
        self.image = ImageRole()
        self.priv = Channel(self._priv)
        self.proxy = Channel()
        config = tempfile.TemporaryFile()
        config.write(f"[paths]\ndata={self.dir}/data\nrun={self.dir}/run\nlog={self.dir}/log\n"
                     f"{self.settings}".encode())
        config.seek(0)
        theirs, conf = self.supervisor.theirs.fileno(), config.fileno()

        def place():
            a, b = os.dup(theirs), os.dup(conf)
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen([ALONE], preexec_fn=place, close_fds=False)
        self.supervisor.theirs.close()
        keys = {"current": "0f8fad5b-d9cb-469f-a165-70867728950e",
                "keys": {"0f8fad5b-d9cb-469f-a165-70867728950e": "A" * 43}}
        self._secret(SECRET_TOKEN_KEYS, json.dumps(keys))
        self._secret(SECRET_CREDENTIALS,
                     f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
        self._secret(SECRET_CA_CERT, "-----BEGIN CERTIFICATE-----\n")
        if self.tls:
            self._secret(SECRET_TLS_API, self._certificate())
        self._hand(SUPER_LISTENER, LISTENER_API, listener.fileno(), self.port)
        listener.close()
        for role, channel in ((ROLE_PRIV, self.priv), (ROLE_PROXY, self.proxy),
                              (ROLE_IMAGE, self.image.channel)):
            self._hand(SUPER_PEER, role, channel.theirs.fileno())
            channel.theirs.close()
        self.supervisor.send(SUPER_START, struct.pack("=II", 8443, 0))
        wait_for("control is ready", lambda: SUPER_READY in self.supervisor.got)

    def _hand(self, kind, which, fd, more=0):
        self.supervisor.send(kind, struct.pack("=II", which, more), [fd])

    def _secret(self, which, text):
        fd = os.memfd_create("secret")
        os.write(fd, text.encode())
        os.lseek(fd, 0, os.SEEK_SET)
        self._hand(SUPER_SECRET, which, fd)
        os.close(fd)

    def _certificate(self):
        """Key and self-signed leaf; the leaf also goes to `ca`, for clients."""
        self.ca = f"{self.dir}/ca.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{self.dir}/key", "-out", self.ca, "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return pathlib.Path(f"{self.dir}/key").read_text() + pathlib.Path(self.ca).read_text()

    def _priv(self, kind, tag, body, fds):
        """No machine can be made here; there is none."""
        if kind == PRIV_START:
            self.priv.send(PRIV_FAULT, struct.pack("=I", 0) + b"the rig has no machines".ljust(512, b"\0"), tag=tag)
        else:
            self.priv.send(PRIV_DONE, b"\0" * 4, tag=tag)

    def new_image_role(self):
        self.image.channel.close()
        self.image = ImageRole()
        self._hand(SUPER_PEER, ROLE_IMAGE, self.image.channel.theirs.fileno())
        self.image.channel.theirs.close()

    def stop(self, kill=False):
        if kill:
            self.process.kill()
        elif self.process.poll() is None:
            self.supervisor.send(SUPER_STOP, struct.pack("=II", 1, 0))
        return self.process.wait(20)

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def client(self, service="lambda-microvms", key=KEY, secret=SECRET, **more):
        import boto3
        from botocore.config import Config
        return boto3.client(service, endpoint_url=self.url, region_name=REGION,
                            aws_access_key_id=key, aws_secret_access_key=secret,
                            config=Config(retries={"max_attempts": 0}, **more))
