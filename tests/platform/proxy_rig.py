#!/usr/bin/env python3
"""The proxy role in a process of its own, between real clients and a machine that is not one.

    proxy_rig.py PROXY_ROLE	stays up and prints how to call it, for load and by hand

Python plays the supervisor, control, the machine (a stream.sock that hands out TCP sockets) and the
applications behind it.  Nothing here needs QEMU, root or a network.
"""
import array
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid



def secrets(*names):
    """The numbers of these members of `enum secret` (src/ipc/super.h), which grows."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/ipc/super.h")
    with open(path, encoding="ascii") as f:
        members = re.search(r"enum secret \{(.*?)\};", re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S), re.S)[1]
    members = [member.strip() for member in members.split(",")]
    return [members.index(name) for name in names]


SECRET_TLS_ENDPOINT, SECRET_TOKEN_KEYS, SECRET_CLIENT_CA = secrets("SECRET_TLS_ENDPOINT", "SECRET_TOKEN_KEYS", "SECRET_CLIENT_CA")
LISTENER_ENDPOINT = 2
ROLE_CONTROL = 3
SUPER_SECRET, SUPER_LISTENER, SUPER_PEER, SUPER_START, SUPER_STOP, SUPER_READY = range(1, 7)
(SET, GONE, SYNCED, HOLD, RELEASE, ACTIVE, HELD, WAKE, NOTE, METER, NOW, PUBLISH, UNPUBLISH, LISTENS, LISTENED, FLOW,
 LEAVES) = range(1, 18)
OPEN, WAITING, SLEEPING, DEAD = range(4)
SUFFIX = ".lambda-microvm.us-east-1.localhost"
MIB = 1 << 20
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
with open(f"{SOURCE}/src/ipc/refusal.c", encoding="ascii") as refusal_c:  # in the order of ipc/refusal.h
    REFUSALS = re.findall(r'\[REFUSAL_\w+\]\s*= \{ "([a-z-]+)"', refusal_c.read())
# Popen hands on 3 and 4, and a thread that accepts reserves a number that is not open yet.
LOW = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]


def wait_for(what, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Channel:
    """A SEQPACKET channel of ipc/chan.h."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.got, self.fds = [], []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                data, fds, _, _ = socket.recv_fds(self.ours, 65536, 4)
                if not data:
                    return
                self.fds += fds
                kind, _, _ = struct.unpack("=IIQ", data[:16])
                self.got.append((kind, data[16:], time.time()))

    def send(self, kind, body=b"\0" * 4, fds=()):
        head = struct.pack("=IIQ", kind, len(body), 0)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.ours.sendmsg([head + body], rights)

    def close(self):
        with contextlib.suppress(OSError):
            self.ours.shutdown(socket.SHUT_RDWR)
        self.ours.close()


class Control(Channel):
    def endpoint(self, kind, endpoint):
        self.send(kind, endpoint.encode().ljust(40, b"\0"))

    def set(self, endpoint, state, machine="m-1", microvm="microvm-1", ingress=1, shell=0, share=1, units=4):
        self.send(SET, endpoint.encode().ljust(40, b"\0") + microvm.encode().ljust(80, b"\0") +
                  machine.encode().ljust(80, b"\0") + struct.pack("=IIIII", state, ingress, shell, share, units))

    def of(self, kind, endpoint):
        name = endpoint.encode()
        return [struct.unpack("=q", body[40:48])[0] if kind != WAKE else at
                for k, body, at in list(self.got) if k == kind and body.startswith(name)]

    def notes(self, endpoint):
        """(how many were missed before, the text) of each line for the microVM's log."""
        return [(missed, body[48:].split(b"\0")[0].decode()) for missed, body in
                ((struct.unpack("=Q", body[40:48])[0], body) for k, body, _ in list(self.got)
                 if k == NOTE and body.startswith(endpoint.encode()))]


class Machine:
    """stream.sock of a machine: CONNECT <port> leads to what `apps` has there; a string is why it does not."""

    def __init__(self, run_dir, name, apps):
        self.apps, self.asked, self.mute, self.busy, self.slow = apps, [], False, 0, 0
        self.too_old = None  # what one says that does not know the newer lines
        self.path = f"{run_dir}/m/{name}/stream.sock"
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(256)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(c,), daemon=True).start()

    def _answer(self, c):
        with c, contextlib.suppress(OSError):
            line = c.recv(64)
            if not line:
                return  # the proxy thought better of it
            self.asked.append(line)
            if self.mute:
                c.recv(1)
                return
            if self.too_old and len(line.split()) > 2:
                c.sendall(f"ERR {self.too_old}\n".encode())
                return
            app = self.apps.get("shell" if line == b"SHELL\n" else int(line.split()[1]))
            if not app or isinstance(app, str):
                c.sendall(f"ERR {app or 'connection refused'}\n".encode())
                return
            try:  # as the agent does: what takes longer finds the backlog full
                tcp = socket.create_connection(app.sock.getsockname(), timeout=0.02)
            except TimeoutError:
                self.busy += 1
                c.sendall(b"ERR busy\n")
                return
            with tcp:
                tcp.settimeout(None)
                tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                time.sleep(self.slow)
                socket.send_fds(c, [b"OK\n"], [tcp.fileno()])

    def close(self):
        self.sock.close()
        os.unlink(self.path)


class App:
    """A server whose `talk(app, connection)` says everything that goes over the wire."""

    def __init__(self, talk, backlog=1024, serial=False):
        """serial: one connection after the other, in one thread, as Python's http.server."""
        self.talk, self.conns, self.requests, self.serial = talk, 0, [], serial
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            self.conns += 1
            if self.serial:
                self._run(c)
            else:
                threading.Thread(target=self._run, args=(c,), daemon=True).start()

    def _run(self, c):
        with c, contextlib.suppress(OSError, EOFError):
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.talk(self, Wire(c))


class Wire:
    """Bytes of a connection, read by lines, heads and bodies."""

    def __init__(self, sock):
        self.sock, self.left = sock, b""

    def more(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self.left += data

    def exactly(self, n):
        while len(self.left) < n:
            self.more()
        data, self.left = self.left[:n], self.left[n:]
        return data

    def line(self):
        while b"\r\n" not in self.left:
            self.more()
        line, self.left = self.left.split(b"\r\n", 1)
        return line.decode("latin1")

    def head(self):
        first, fields = self.line(), []
        while line := self.line():
            name, value = line.split(":", 1)
            fields.append((name.lower(), value.strip()))
        return first, fields

    def chunks(self):
        while True:
            size = int(self.line().split(";")[0], 16)
            data = self.exactly(size + 2)[:-2]
            if not size:
                return
            yield data

    def body(self, fields, answer_to=None):
        fields = dict(fields)
        if answer_to == "HEAD":
            return b""
        if fields.get("transfer-encoding") == "chunked":
            return b"".join(self.chunks())
        if "content-length" in fields:
            return self.exactly(int(fields["content-length"]))
        return b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin1"))

    def closed(self, seconds=5):
        self.sock.settimeout(seconds)
        try:
            return not self.left and self.sock.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False


def request_of(app, w):
    first, fields = w.head()
    app.requests.append((first, fields))
    method, target, _ = first.split(" ")
    return method, target, fields


def talk_hello(app, w):
    """Answers what it was asked, over kept connections."""
    while True:
        method, target, fields = request_of(app, w)
        body = w.body(fields)
        text = json.dumps({"line": app.requests[-1][0], "headers": fields, "body": len(body)}).encode()
        if target == "/204":
            w.send("HTTP/1.1 204 No Content\r\nx-app: 1\r\n\r\n")
        elif target == "/304":
            w.send("HTTP/1.1 304 Not Modified\r\netag: x\r\ncontent-length: 7\r\n\r\n")
        elif target == "/hints":
            w.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                   "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        elif target == "/close":
            w.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil close")
            return
        elif target == "/slow":
            time.sleep(1)
            w.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow")
        elif target == "/die":
            return
        elif target == "/once":
            w.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nonce")
            w.line()  # the next request gets the end of the connection
            return
        else:
            w.send(f"HTTP/1.1 200 OK\r\nserver: rig\r\nx-amzn-requestid: theirs\r\nx-aws-proxy-x: 1\r\n"
                   f"content-length: {len(text)}\r\n\r\n")
            if method != "HEAD":
                w.send(text)


def talk_hasty(app, w):
    """Answers the first request of a connection as if it kept it, takes the second one and ends without a word."""
    for text in ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", ""):
        _, _, fields = request_of(app, w)
        w.body(fields)
        w.send(text)


def talk_forgetful(app, w):
    """Ends a connection that it promised to keep, 20 ms after its last answer."""
    while True:
        _, _, fields = request_of(app, w)
        w.body(fields)
        w.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n")
        w.sock.settimeout(0.02)


def talk_sink(app, w):
    """Counts an upload, as slow as `app.pause` says; sends back its hash."""
    while True:
        _, _, fields = request_of(app, w)
        digest, n, fields = hashlib.sha256(), 0, dict(fields)
        if "content-length" in fields:
            left = int(fields["content-length"])
            while left:
                w.left or w.more()
                data, w.left = w.left[:left], w.left[left:]
                left, n = left - len(data), n + len(data)
                digest.update(data)
                time.sleep(getattr(app, "pause", 0))
        else:
            for data in w.chunks():
                n += len(data)
                digest.update(data)
        text = f"{n} {digest.hexdigest()}"
        w.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n\r\n{text}")


def talk_early(app, w):
    """Refuses an upload without reading it."""
    request_of(app, w)
    text = "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig"
    w.send(text)


def talk_source(app, w):
    """/N: N MiB of one byte, in chunks; remembers how much it could send."""
    while True:
        _, target, _ = request_of(app, w)
        block, app.sent = b"\x5a" * (1 << 16), 0
        w.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(int(target[1:]) * 16):
            w.send(b"10000\r\n" + block + b"\r\n")
            app.sent += len(block)
        w.send("0\r\n\r\n")


def talk_events(app, w):
    request_of(app, w)
    w.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    for i in range(getattr(app, "n", 5)):
        w.send(f"data: {i}\n\n")
        time.sleep(0.2)


def talk_websocket(app, w):
    """Agrees, with early bytes behind the 101, then echoes whatever comes."""
    _, target, fields = request_of(app, w)
    fields = dict(fields)
    if target == "/refuse":
        w.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno")
        return
    key = fields.get("sec-websocket-key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    chosen = f"sec-websocket-protocol: {target[1:]}\r\n" if target != "/" else ""
    w.send(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: {fields['upgrade']}\r\nconnection: Upgrade\r\n"
           f"sec-websocket-accept: {accept}\r\n{chosen}\r\nearly")
    while True:
        w.left or w.more()
        w.send(w.left)
        w.left = b""


def talk_garbage(app, w):
    _, target, _ = request_of(app, w)
    w.send({
        "/not-http": "SSH-2.0-OpenSSH\r\n",
        "/two-lengths": "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "/te-and-cl": "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "/short": "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "/bad-chunk": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        "/bare-lf": "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "/big-head": "HTTP/1.1 200 OK\r\n" + "x: " + "y" * 70000 + "\r\n\r\n",
        "/101": "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        "/more": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    }[target])


def talk_mute(app, w):
    """Says nothing to /mute, breaks off after the head for /half, answers everything else."""
    while True:
        _, target, fields = request_of(app, w)
        w.body(fields)
        if target == "/mute":
            w.more()
        w.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
        if target == "/half":
            w.more()
        w.send("ok\n")


def talk_flood(app, w):
    """A guest that never stops talking, and never reads."""
    request_of(app, w)
    w.send("HTTP/1.1 200 OK\r\n\r\n")
    while True:
        w.send(b"flood" * 13000)
        app.sent = getattr(app, "sent", 0) + 65000


class Rig:
    def __init__(self, program, limits="hold_ms = 3000\n", listener=None, like=None, synced=True, workers=1):
        """like: another one, whose certificate and keys it has too.  listener: several may have the same."""
        self.program, self.limits, self.listener, self.synced, self.workers = program, limits, listener, synced, workers
        self.dir = tempfile.mkdtemp(prefix="proxy-rig-")
        self.key = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        self.keys = json.dumps({"current": "k1", "keys": {"k1": self.key}})
        self.cert = f"{self.dir}/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{self.dir}/key.pem", "-out", self.cert, "-days", "2", "-subj", "/CN=rig",
                        "-addext", f"subjectAltName=DNS:*{SUFFIX},IP:127.0.0.1"], check=True, capture_output=True)
        self.signer, self.client_ca = self.authority("client-ca")
        if like:
            for name in ("key.pem", "cert.pem"):
                shutil.copy(f"{like.dir}/{name}", f"{self.dir}/{name}")
            self.keys = like.keys
        self.tls = ssl.create_default_context(cafile=self.cert)
        self.tokens = {}
        self.start()

    def start(self):
        os.makedirs(f"{self.dir}/run", exist_ok=True)
        with open(f"{self.dir}/doze.ini", "w") as f:
            f.write(f"[paths]\nrun = {self.dir}/run\n[limits]\n{self.limits}")
        listener = self.listener or socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = listener.getsockname()[1]
        self.super, self.control = Channel(), Control()
        theirs, ini = self.super.theirs.fileno(), os.open(f"{self.dir}/doze.ini", os.O_RDONLY)

        def hand_over():
            low, high = os.dup(theirs), os.dup(ini)
            for fd, to in ((low, 60), (high, 61)):
                os.dup2(fd, to)
            os.dup2(60, 3)
            os.dup2(61, 4)

        self.process = subprocess.Popen([self.program], preexec_fn=hand_over, close_fds=True, pass_fds=(3, 4))
        os.close(ini)
        self.super.theirs.close()
        for which, text in ((SECRET_TLS_ENDPOINT, open(f"{self.dir}/key.pem").read() + open(self.cert).read()),
                            (SECRET_TOKEN_KEYS, self.keys), (SECRET_CLIENT_CA, self.client_ca)):
            fd = os.memfd_create("secret")
            os.write(fd, text.encode())
            os.lseek(fd, 0, os.SEEK_SET)
            self.super.send(SUPER_SECRET, struct.pack("=II", which, 0), [fd])
            os.close(fd)
        self.super.send(SUPER_LISTENER, struct.pack("=II", LISTENER_ENDPOINT, self.port), [listener.fileno()])
        self.connect_control(self.control)
        self.super.send(SUPER_START, struct.pack("=II", 0, self.workers))
        if not self.synced:
            return
        self.control.send(SYNCED)
        wait_for("READY", self.is_ready)

    def is_ready(self):
        return any(k == SUPER_READY for k, _, _ in self.super.got)

    def connect_control(self, control):
        self.control = control
        self.super.send(SUPER_PEER, struct.pack("=II", ROLE_CONTROL, 0), [control.theirs.fileno()])
        control.theirs.close()

    def stop(self):
        self.super.send(SUPER_STOP, struct.pack("=II", 0, 0))
        return self.process.wait(10)

    def mint(self, *scope, microvm="microvm-1", minutes=60, keys=None):
        made = (scope, microvm, minutes, keys)
        if made not in self.tokens:
            self.tokens[made] = subprocess.run(
                [self.program, "mint", keys or self.keys, microvm, str(int((time.time() + minutes * 60) * 1000)),
                 *map(str, scope)], check=True, capture_output=True, text=True).stdout.strip()
        return self.tokens[made]

    def authority(self, name):
        """One that signs clients' certificates: its key and certificate, and the certificate alone."""
        key, cert = f"{self.dir}/{name}.key", f"{self.dir}/{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        key, "-out", cert, "-days", "2", "-subj", "/O=doze/CN=doze client CA"], check=True, capture_output=True)
        with open(key, encoding="ascii") as k, open(cert, encoding="ascii") as c:
            text = c.read()
            return k.read() + text, text

    def certificate(self, *scope, microvm="microvm-1", minutes=60, signer=None):
        """The files of a client's certificate and of its key."""
        made = ("certificate", scope, microvm, minutes, signer)
        if made not in self.tokens:
            path = f"{self.dir}/client-{len(self.tokens)}"
            key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                                  f"{path}.key"], check=True, capture_output=True)
            key = subprocess.run(["openssl", "pkey", "-in", f"{path}.key", "-pubout"], check=True, capture_output=True, text=True)
            with open(f"{path}.crt", "w", encoding="ascii") as f:
                subprocess.run([self.program, "sign", signer or self.signer, key.stdout, microvm,
                                str(int((time.time() + minutes * 60) * 1000)), *map(str, scope)], check=True, stdout=f)
            os.chmod(f"{path}.key", 0o600)
            self.tokens[made] = (f"{path}.crt", f"{path}.key")
        return self.tokens[made]

    def connect(self, host, sni=True, source="127.0.0.1"):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = self.tls
        if sni is not True:
            context = ssl.create_default_context(cafile=self.cert)
            context.check_hostname = False
        return Wire(context.wrap_socket(raw, server_hostname=host if sni is True else sni))

    def memory(self, field="VmHWM"):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(rf"{field}:\s+(\d+)", f.read())[1]) * 1024

    def sanitized(self):
        """AddressSanitizer keeps shadows of terabytes and freed memory: its figures say nothing."""
        return self.memory("VmSize") > 1 << 40

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def settled_files(self):
        """As files(), once what an earlier test left is closed."""
        seen = [self.files()]

        def same():
            time.sleep(0.2)
            seen.append(self.files())
            return seen[-1] == seen[-2]

        wait_for("nothing is closed any more", same)
        return seen[-1]


def serve(rig):
    """For load generators: one endpoint with a trivial application in C speed behind it."""
    endpoint = str(uuid.uuid4())
    port = int(os.environ.get("PROXY_RIG_APP", "0"))
    app = App(talk_hello)
    if port:
        app.sock = socket.create_connection(("127.0.0.1", port))
        app.sock = type("At", (), {"getsockname": staticmethod(lambda: ("127.0.0.1", port))})
    machine = Machine(f"{rig.dir}/run", "m-1", {8080: app})
    rig.control.set(endpoint, OPEN)
    print(json.dumps({"port": rig.port, "host": endpoint + SUFFIX, "token": rig.mint("all"), "ca": rig.cert,
                      "pid": rig.process.pid}), flush=True)
    sys.stdin.read()
    machine.close()


if __name__ == "__main__":
    serve(Rig(sys.argv[1]))
