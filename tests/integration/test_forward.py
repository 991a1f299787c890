"""`doze forward` against a stand-in for the API and the endpoint: bytes, datagrams, and what it says where the endpoint refuses."""
import contextlib
import re
import socket
import ssl
import struct
import subprocess
import threading
import http.server

import pytest
from test_curl import Handler
from test_down import DOZE, ID, INSTANCE, _daemon_lives, places  # noqa: F401  pylint: disable=unused-import


class Endpoint(Handler):
    """Port 7: all that came, backwards, at its end.  Port 53: each datagram, doubled.  Port 99: refused."""

    def do_GET(self):
        if "Upgrade" not in self.headers:
            super().do_GET()
            return
        port = int(self.headers["X-aws-proxy-port"])
        self.server.asked.append((port, self.headers["Upgrade"], self.headers["X-aws-proxy-auth"]))
        if port == 99:
            self.answer(502, b"", [("x-doze-reason", "nothing listens on port 99")])
        elif port == 98:
            self.answer(403, b"Access to port denied")
        elif port == 97:
            self.answer(200, b"an application's answer")
        elif port == 96:
            self.close_connection = True
        else:
            self.send_response(101)
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.end_headers()
            (self.datagrams if port == 53 else self.backwards)()
            self.close_connection = True

    def backwards(self):
        self.connection.sendall(b"hello\n")
        data = b""
        while more := self.rfile.read1():
            data += more
        self.connection.sendall(data[::-1])

    def datagrams(self):
        while head := self.rfile.read(2):
            data = self.rfile.read(struct.unpack(">H", head)[0])
            self.connection.sendall(struct.pack(">H", 2 * len(data)) + 2 * data)


@pytest.fixture(name="server")
def _server(places):  # noqa: F811
    home, _, port = places
    it = http.server.ThreadingHTTPServer(("127.0.0.1", port), Endpoint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "both.pem")
    it.socket = context.wrap_socket(it.socket, server_side=True)
    it.vm, it.asked = {"state": "SUSPENDED"}, []
    threading.Thread(target=it.serve_forever, args=(0.05,), daemon=True).start()
    yield it
    it.shutdown()
    it.server_close()


def command(*words):
    return [DOZE, "--instance", INSTANCE, "forward", "a99", *words]


@contextlib.contextmanager
def forward(*words):
    """Its local port, and afterwards what it complained of."""
    said = []
    with subprocess.Popen(command(*words), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield int(re.match(rf"127\.0\.0\.1:(\d+)  ->  {ID}  \d+/(tcp|udp)\n", process.stdout.readline())[1]), said
        finally:
            process.terminate()
            said.append(process.stderr.read())


def ask(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        with s.makefile("rb") as f:
            return f.read()


def test_bytes_pass_both_ways_and_a_half_closed_client_is_answered(server):
    with forward("7:0") as (port, said):
        assert ask(port, b"abc") == b"hello\ncba"
        large = bytes(range(256)) * 8000
        assert ask(port, large) == b"hello\n" + large[::-1]
        assert ask(port, b"") == b"hello\n"
    assert said == [""]
    assert set(server.asked) == {(7, "doze-tcp", "token")}


def test_many_clients_are_served_at_once(server):
    answers = []
    with forward("7:0") as (port, _):
        threads = [threading.Thread(target=lambda i=i: answers.append(ask(port, b"%d" % i) == b"hello\n" + (b"%d" % i)[::-1]))
                   for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 20 and len(server.asked) == 20


def test_datagrams_of_each_client_have_a_flow_of_their_own(server):
    with forward("53:0", "--udp") as (port, said):
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
        for s in clients:
            s.settimeout(20)
            s.connect(("127.0.0.1", port))
        for data in (b"one", b"", b"x" * 30000):
            for i, s in enumerate(clients):
                s.send(data + b"%d" % i)
                assert s.recv(65536) == 2 * (data + b"%d" % i)
        for s in clients:
            s.close()
    assert said == [""]
    assert server.asked == [(53, "doze-udp", "token")] * 3


@pytest.mark.parametrize("port, why", [(99, "the endpoint answered 502: nothing listens on port 99"),
                                       (98, "the endpoint answered 403"), (97, "the endpoint answered 200"),
                                       (96, "the endpoint ended the connection")])
def test_a_client_that_the_endpoint_refuses_is_closed_and_the_user_hears_why(server, port, why):
    with forward(f"{port}:0") as (local, said):
        for _ in range(2):  # it goes on
            with contextlib.suppress(ConnectionResetError):  # what was sent is unread
                assert ask(local, b"x") == b""
    assert said == [f"doze: port {port} of {ID}: {why}\n" * 2]
    assert len(server.asked) == 2


def test_a_local_port_that_is_taken_is_said(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(command(f"7:{port}"), text=True, capture_output=True, check=False, timeout=20)
    assert done.returncode == 1 and done.stdout == ""
    assert f"listen on port {port} of 127.0.0.1; PORT:LOCAL names another" in done.stderr
    assert not server.asked


@pytest.mark.parametrize("words, says", [
    (("0",), "no PORT"), (("7:x",), "no PORT"), (("7/udp",), "no PORT"), (("65536",), "no PORT"),
    (("7:0", "--listen", "localhost"), "no IP address"), (("7:0", "--listen", "192.0.2.1"), "listen on port 0 of 192.0.2.1")])
def test_what_is_typed_wrongly_is_said(server, words, says):
    done = subprocess.run(command(*words), text=True, capture_output=True, check=False, timeout=20)
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1
    assert not server.asked
