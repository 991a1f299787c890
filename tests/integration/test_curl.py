"""`doze curl` against a stand-in for the API and the endpoint: what it says where the endpoint answers for the application."""
import http.server
import json
import ssl
import subprocess
import threading

import pytest
from test_down import DOZE, ID, INSTANCE, _daemon_lives, places  # noqa: F401  pylint: disable=unused-import


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        vm = {"microvmId": ID, "imageArn": "arn:x", "endpoint": f"127.0.0.1:{self.server.server_port}", **self.server.vm}
        if self.path == "/refused":
            self.answer(502, b"", [("cache-control", "private, no-store")])
        elif self.path == "/of-the-application":
            self.answer(502, b"")
        elif self.path.startswith("/2025-09-09/microvms?"):
            self.answer(200, json.dumps({"items": [vm]}).encode())
        else:
            self.answer(200, json.dumps(vm).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, json.dumps({"authToken": {"X-aws-proxy-auth": "token"}}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server(places):  # noqa: F811  pylint: disable=redefined-outer-name
    home, _, port = places
    it = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "both.pem")
    it.socket = context.wrap_socket(it.socket, server_side=True)
    threading.Thread(target=it.serve_forever, daemon=True).start()
    yield it
    it.shutdown()
    it.server_close()


def curl(path, *words):
    return subprocess.run([DOZE, "--instance", INSTANCE, "curl", "a99", path, *words], text=True, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_request_to_a_microvm_that_does_not_wake_says_so(server):
    server.vm = {"state": "SUSPENDED"}
    done = curl("/refused")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"doze: the endpoint of {ID} answered 502: it is suspended, and does not wake by itself: "
                           f"'doze --instance {INSTANCE} resume {ID}' wakes it\n")


def test_a_request_to_a_port_that_nothing_serves_says_so(server):
    server.vm = {"state": "RUNNING"}
    done = curl("/refused", "--port", "99", "--", "-i")
    assert done.returncode == 1
    assert done.stdout.startswith("HTTP/1.1 502")
    assert "nothing in it answers on port 99" in done.stderr


def test_what_the_application_answers_is_left_alone(server):
    server.vm = {"state": "RUNNING"}
    for path, words, status in (("/of-the-application", [], 0), ("/of-the-application", ["--", "-f"], 22), ("/fine", [], 0)):
        done = curl(path, *words)
        assert done.returncode == status
        assert "the endpoint of" not in done.stderr
