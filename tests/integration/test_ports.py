"""Ports of a real microVM by clients that know no HTTP: published, of TCP and of UDP, and forwarded by the command line."""
import contextlib
import io
import re
import select
import socket
import subprocess
import zipfile

import pytest
from rig import PREFIX, wait_for

APP = '''
import socket, threading

def serve(kind, port, handle):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    threading.Thread(target=handle, args=(s,)).start()

def whole(s):
    """Speaks first; then answers with all that came, once nothing more comes."""
    while True:
        c, _ = s.accept()
        threading.Thread(target=one, args=(c,)).start()

def one(c):
    with c:
        c.sendall(b"hello\\n")
        data = b""
        while more := c.recv(65536):
            data += more
        c.sendall(data[::-1])

def resp(s):
    """As much of Redis as its command line asks for."""
    store = {}
    while True:
        c, _ = s.accept()
        threading.Thread(target=redis, args=(c, store)).start()

def redis(c, store):
    f = c.makefile("rb")
    while line := f.readline():
        words = [f.read(int(f.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
        verb = words[0].upper()
        if verb == b"SET":
            store[words[1]] = words[2]
            c.sendall(b"+OK\\r\\n")
        elif verb == b"GET":
            c.sendall(b"$%d\\r\\n%s\\r\\n" % (len(store[words[1]]), store[words[1]]))
        else:
            c.sendall(b"*0\\r\\n")

def datagrams(s):
    while True:
        data, where = s.recvfrom(65536)
        s.sendto(b"%d:" % where[1] + data, where)

serve(socket.SOCK_STREAM, 7000, whole)
serve(socket.SOCK_STREAM, 6379, resp)
serve(socket.SOCK_DGRAM, 5140, datagrams)
'''
DOCKERFILE = """FROM public.ecr.aws/lambda/microvms:al2023-minimal
RUN dnf install -y python3 && dnf clean all
COPY ports.py .
EXPOSE 7000 6379 5140/udp
ENTRYPOINT ["python3", "-u", "ports.py"]
"""
AWAKE = {"maxIdleDurationSeconds": 3600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}


@pytest.fixture(scope="module", name="image")
def _image(doze):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("ports.py", APP)
    path = doze.scratch / "ports.zip"
    path.write_bytes(out.getvalue())
    arn = doze.create_image("ports", doze.upload(path, "ports.zip"))["imageArn"]
    version = doze.wait_version(arn, "1.0")
    assert version["state"] == "SUCCESSFUL", f"{version.get('stateReason')}\n{doze.build_log('ports')}"
    return arn


@pytest.fixture(name="vm")
def _vm(doze, image, microvms):
    vm = microvms(image, idlePolicy=AWAKE)["microvmId"]
    doze.wait_state(vm, "RUNNING")
    return vm


def publish(doze, vm, port, *words):
    said = doze.cli("publish", vm, port, *words).stdout
    return int(re.match(r"127\.0\.0\.1:(\d+)  ->", said)[1])


def talk_whole(port, data=b"abc"):
    with socket.create_connection(("127.0.0.1", port), timeout=90) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        with s.makefile("rb") as f:
            return f.read()


def ask(s, data):
    """By UDP, which may lose what it carries."""
    for _ in range(60):
        s.send(data)
        if select.select([s], [], [], 1)[0]:
            return s.recv(65536)
    raise AssertionError("no answer")


def suspend(doze, vm):
    doze.api.suspend_microvm(microvmIdentifier=vm)
    doze.wait_state(vm, "SUSPENDED")


@contextlib.contextmanager
def forward(doze, vm, *words):
    with subprocess.Popen([PREFIX / "bin/doze", "--instance", doze.name, "forward", vm, *words], text=True, stdout=subprocess.PIPE) as process:
        try:
            yield int(re.match(r"127\.0\.0\.1:(\d+)  ->", process.stdout.readline())[1])
        finally:
            process.terminate()


def test_published_and_forwarded_ports_wake_a_microvm_and_outlive_a_restart_of_the_daemon(doze, vm):
    tcp, redis, udp = publish(doze, vm, "7000"), publish(doze, vm, "6379/tcp"), publish(doze, vm, "5140/udp")
    assert talk_whole(tcp, b"x" * 3000000) == b"hello\n" + b"x" * 3000000
    suspend(doze, vm)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.connect(("127.0.0.1", udp))
        b.connect(("127.0.0.1", udp))
        first, other = ask(a, b"wake"), ask(b, b"wake")
        assert first.endswith(b":wake") and first != other  # each has a port of its own
        large = b"y" * 60000
        assert ask(a, large).endswith(large)
    command = ["redis-cli", "-p", str(redis)]
    assert subprocess.run([*command, "set", "key", "value"], capture_output=True, text=True, timeout=90,
                          check=True).stdout == "OK\n"
    assert doze.api.get_microvm(microvmIdentifier=vm)["state"] == "RUNNING"
    doze.down()
    latest = (doze.data / "FORMAT").read_text()
    (doze.data / "FORMAT").write_text("1\n")  # as an earlier doze left it
    doze.up()
    assert (doze.data / "FORMAT").read_text() == latest
    assert subprocess.run([*command, "get", "key"], capture_output=True, text=True, timeout=90,
                          check=True).stdout == "value\n"
    assert doze.cli("publish", "ls").stdout.count(vm) == 3
    doze.cli("unpublish", str(redis), str(udp))
    suspend(doze, vm)
    with forward(doze, vm, "7000:0") as local, forward(doze, vm, "5140:0", "--udp") as flows:
        assert talk_whole(local) == b"hello\ncba"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", flows))
            assert ask(s, b"one").endswith(b":one")
    doze.api.terminate_microvm(microvmIdentifier=vm)
    doze.wait_state(vm, "TERMINATED")
    wait_for("the port is closed", lambda: refuses(tcp))


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False
