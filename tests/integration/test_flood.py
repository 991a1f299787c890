"""A guest that says more than anybody reads: the host's memory stays what it is, and others are served."""
import contextlib
import http.client
import pathlib

import pytest
from rig import wait_for
from test_bad_input import dockerfile_image

MIB = 1 << 20

FLOOD = b"""
import http.server, sys, threading
def shout():
    while True:
        sys.stdout.buffer.write(b'y' * 200 + b'\\n')
block = b'x' * 65536
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == '/shout':
            threading.Thread(target=shout, daemon=True).start()
        while self.path == '/flood':
            self.wfile.write(block)
class S(http.server.ThreadingHTTPServer):
    daemon_threads = True
S(('', 8080), H).serve_forever()
"""


@pytest.fixture(name="flood", scope="module")
def _flood(doze, tmp_path_factory):
    version = dockerfile_image(
        doze, tmp_path_factory.mktemp("flood"), "flood",
        "FROM public.ecr.aws/lambda/microvms:al2023-minimal\nRUN dnf install -y python3\n"
        'COPY flood.py /\nCMD ["python3", "/flood.py"]\n', [("flood.py", FLOOD, 0o100644)])
    assert version["state"] == "SUCCESSFUL", doze.build_log("flood")
    return doze.image_arn("flood")


def memory(doze):
    """Resident bytes of all roles and of doze-qemu (QEMU's is the guest's)."""
    total = 0
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (proc / "cmdline").read_bytes().split(b"\0")
            if doze.name.encode() in words or words[0].endswith(b"doze-qemu"):
                total += int((proc / "statm").read_text().split()[1]) * 4096
    return total


def test_a_body_without_an_end_waits_for_its_reader(doze, images, microvms, flood):
    vm, other = microvms(flood), microvms(images["counter"])
    assert doze.call(other)["n"] == 1
    before = memory(doze)
    sock, host = doze.open_endpoint(vm["endpoint"])
    with contextlib.closing(sock):
        connection = http.client.HTTPConnection(host)
        connection.sock = sock
        connection.request("GET", "/flood", headers={"X-aws-proxy-auth": doze.token(vm["microvmId"])})
        answer = connection.getresponse()
        assert len(answer.read(MIB)) == MIB
        # Now nobody reads.  The others do not notice, and nothing piles up.
        for n in range(2, 12):
            assert doze.call(other)["n"] == n
        assert memory(doze) - before < 32 * MIB
        assert len(answer.read(MIB)) == MIB
    assert doze.request(vm["endpoint"], "/", doze.token(vm["microvmId"]))[0] == 200


def test_a_log_without_an_end_is_cut_and_says_so(doze, images, microvms, flood):
    vm, other = microvms(flood), microvms(images["counter"])
    before = memory(doze)
    assert doze.request(vm["endpoint"], "/shout", doze.token(vm["microvmId"]))[0] == 200
    log = doze.log / "microvms"
    wait_for("lines were dropped", lambda: "dropped" in doze.cli("logs", vm["microvmId"]).stdout, 60, 1)
    assert doze.call(other)["n"] == 1
    assert memory(doze) - before < 32 * MIB
    assert sum(f.stat().st_size for f in log.rglob("*") if f.is_file()) < 256 * MIB
