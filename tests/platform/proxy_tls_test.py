#!/usr/bin/env python3
"""Applications that serve TLS, and those that only look so, behind the proxy.

    proxy_tls_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]
"""
import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref

from proxy_clients import clients

if __name__ == "__main__":
    clients(sys.argv[2])

import proxy_test
from proxy_guest_h2_rig import serve_hello, talk_h2
from proxy_rig import MIB, App, Rig, Wire, request_of, talk_hello, talk_sink, talk_websocket, wait_for

ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
GO = (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
NGINX = (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 60\r\nConnection: close\r\n\r\n"
         b"<html>The plain HTTP request was sent to HTTPS port</html>\r\n")


def talk_tls(rig, inner, alpn=("http/1.1",), plain=b""):
    """Speaks TLS with a certificate that nobody knows; says `plain` to what is no ClientHello and goes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(rig.cert, f"{rig.dir}/key.pem")
    if alpn:
        context.set_alpn_protocols(list(alpn))

    def talk(app, w):
        first = w.sock.recv(1, socket.MSG_PEEK)
        app.hellos = getattr(app, "hellos", 0) + (first == b"\x16")
        if first != b"\x16":
            app.plain = getattr(app, "plain", 0) + 1
            time.sleep(getattr(app, "late", 0))
            w.sock.recv(1 << 16)
            w.send(plain)
            return
        time.sleep(getattr(app, "slow", 0))
        if hasattr(app, "gate"):
            app.gate.wait(20)
        secure = context.wrap_socket(w.sock, server_side=True)
        app.last = weakref.ref(secure)
        inner(app, Wire(secure))
    return talk


def talk_stray(answer):
    """Plain HTTP that counts what is none, as a ClientHello, and answers it so."""
    def talk(app, w):
        w.more()
        if w.left[:1] == b"\x16":
            app.hellos = getattr(app, "hellos", 0) + 1
            w.send(answer)
            return
        talk_hello(app, w)
    return talk


class TlsTest(proxy_test.ProxyTest):
    def tls(self, inner=talk_hello, **more):
        return self.app(8080, talk_tls(self.rig, inner, **more))


class Applications(TlsTest):
    def test_a_port_that_serves_tls_is_found_out_once_and_remembered(self):
        for name, plain in (("closes", b""), ("alert", ALERT), ("go", GO), ("nginx", NGINX)):
            with self.subTest(name):
                self.setUp()
                app = self.tls(plain=plain)
                w = self.connect()
                for _ in range(3):
                    status, got, body = self.ask("/path", wire=w)
                    self.assertEqual((status, got.get("server")), (200, "rig"))
                self.assertEqual(dict(json.loads(body)["headers"])["host"], self.host)
                self.assertEqual((app.plain, app.hellos, len(app.requests)), (1, 1, 3))

    def test_a_body_is_neither_lost_nor_sent_twice(self):
        for size in (10, 60000, 3 * MIB):
            with self.subTest(size):
                self.setUp()
                app = self.tls(talk_sink)
                body = os.urandom(size)
                status, _, text = self.ask("/", "POST", f"content-length: {size}\r\n", body=body)
                self.assertEqual((status, text.decode()), (200, f"{size} {hashlib.sha256(body).hexdigest()}"))
                self.assertEqual(len(app.requests), 1)

    def test_a_server_that_refuses_plain_text_too_late_costs_one_large_upload(self):
        app = self.tls(talk_sink)
        app.late = 0.8
        body = os.urandom(3 * MIB)
        upload = {"method": "POST", "lines": f"content-length: {len(body)}\r\n", "body": body}
        with contextlib.suppress(OSError):  # the proxy may close while we send
            status, got, _ = self.ask("/", **upload)
            self.assertEqual(status, 502)
            self.assertIn("send the request again", got["x-doze-reason"])
        status, _, text = self.ask("/", **upload)
        self.assertEqual((status, text.decode()), (200, f"{len(body)} {hashlib.sha256(body).hexdigest()}"))
        self.assertEqual(len(app.requests), 1)

    def test_alpn_chooses_http_2(self):
        app = self.tls(talk_h2(serve_hello), alpn=("h2", "http/1.1"))
        wires = [self.connect() for _ in range(4)]
        for _ in range(2):
            for w in wires:
                status, _, body = self.ask(wire=w)
                self.assertEqual(status, 200)
        self.assertEqual(dict(json.loads(body)["headers"])[":scheme"], "https")
        self.assertEqual((app.plain, app.hellos), (1, 1))

    def test_those_who_come_at_once_share_the_connection_that_one_opens(self):
        """Whether it is known already that the port speaks TLS, or not yet."""
        app = self.tls(talk_h2(serve_hello), alpn=("h2", "http/1.1"))
        app.slow = 0.3
        wires = [self.connect() for _ in range(100)]
        for hellos in (1, 2):
            for w in wires:
                self.ask(wire=w, end=False)
            self.assertEqual({self.answer(w)[0] for w in wires}, {200})
            self.assertEqual(app.hellos, hellos)
            files = self.rig.files()
            app.last().shutdown(socket.SHUT_RDWR)
            wait_for("the session has ended", lambda n=files: self.rig.files() < n)

    def test_who_leaves_amid_a_handshake_leaves_it_to_the_next(self):
        app = self.tls(talk_h2(serve_hello), alpn=("h2",))
        app.gate = threading.Event()
        for known in (False, True):
            with self.subTest(known):
                before = getattr(app, "hellos", 0)
                first = self.ask(end=False)
                wait_for("the handshake", lambda n=before: getattr(app, "hellos", 0) > n)
                others = [self.connect() for _ in range(20)]
                for w in others:
                    self.ask(wire=w, end=False)
                wait_for("all have found out", lambda k=known: k or app.plain == 21)
                first.sock.close()
                first = None
                wait_for("another one shakes hands", lambda n=before: app.hellos == n + 2)
                app.gate.set()
                self.assertEqual({self.answer(w)[0] for w in others}, {200})
                self.assertEqual(app.hellos, before + 2)
                app.gate.clear()
                files = self.rig.files()
                app.last().shutdown(socket.SHUT_RDWR)
                wait_for("the session has ended", lambda n=files: self.rig.files() < n)

    def test_a_handshake_that_fails_fails_for_all_who_waited_for_it(self):
        def refuse(app, w):
            if w.sock.recv(1, socket.MSG_PEEK) == b"\x16":
                app.hellos = getattr(app, "hellos", 0) + 1
                time.sleep(0.3)
        app = self.app(8080, refuse)
        wires = [self.connect() for _ in range(20)]
        for w in wires:
            self.ask(wire=w, end=False)
        self.assertEqual({self.answer(w)[0] for w in wires}, {502})
        self.assertEqual(app.hellos, 1)

    def test_an_upgrade_says_nothing_of_what_requests_are_spoken_to_in(self):
        def either(app, w):
            if w.sock.selected_alpn_protocol() == "h2":
                talk_h2(serve_hello)(app, w)
            w.more()
        app = self.tls(either, alpn=("h2", "http/1.1"))
        self.assertEqual(self.ask()[0], 200)
        upgrade = self.ask(lines="Connection: upgrade\r\nUpgrade: websocket\r\n", end=False)
        wait_for("its handshake", lambda: app.hellos == 2)
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(app.hellos, 2, "the session is still used")
        upgrade.sock.close()

    def test_forced_http_2_goes_by_alpn_where_there_is_tls(self):
        app = self.tls(talk_h2(serve_hello), alpn=("h2",))
        self.assertEqual(self.ask(lines="X-aws-proxy-force-h2: true\r\n")[0], 200)
        self.assertEqual(app.hellos, 1)

    def test_a_websocket_goes_over_tls_with_http_1(self):
        app = self.tls(talk_websocket, alpn=("h2", "http/1.1"))
        w = self.connect()
        w.send(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
               f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
               f"X-aws-proxy-auth: {self.token}\r\n\r\n")
        self.assertIn(" 101 ", w.head()[0])
        w.send(b"ping")
        self.assertEqual(w.exactly(9), b"earlyping")
        self.assertEqual(app.hellos, 1)

    def test_an_end_without_close_notify_is_an_end(self):
        def until_close(app, w):
            request_of(app, w)
            w.send("HTTP/1.1 200 OK\r\n\r\nuntil close")
        self.tls(until_close)
        w = self.ask(end=False)
        first, got = w.head()
        self.assertEqual(b"".join(w.chunks()), b"until close")

    def test_an_application_that_is_started_anew_without_tls_is_served(self):
        self.tls()
        self.assertEqual(self.ask()[0], 200)
        self.app(8080, talk_hello)
        self.assertEqual(self.ask("/", "POST", "content-length: 0\r\n")[0], 200)

    def test_nginx_serves_tls_with_http_2(self):
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        if not os.path.exists(nginx):
            self.skipTest("no nginx here")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        conf = f"{self.rig.dir}/nginx.conf"
        with open(conf, "w") as f:
            f.write(f"daemon off; master_process off; pid {self.rig.dir}/nginx.pid; error_log stderr crit;"
                    f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl http2;"
                    f"ssl_certificate {self.rig.cert}; ssl_certificate_key {self.rig.dir}/key.pem;"
                    f"location / {{ return 200 $server_protocol; }} }} }}")
        process = subprocess.Popen([nginx, "-c", conf])
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.apps[8080] = type("At", (), {"sock": type("S", (), {"getsockname": staticmethod(
            lambda: ("127.0.0.1", port))})})
        wait_for("nginx", lambda: self.ask()[0] == 200)
        self.assertEqual(self.ask()[2], b"HTTP/2.0")


class PlainOnes(TlsTest):
    def test_an_application_that_answers_never_sees_a_client_hello(self):
        app = self.app(8080, talk_stray(b""))
        for target in ("/", "/204", "/close"):
            self.assertLess(self.ask(target)[0], 300)
        self.assertEqual(getattr(app, "hellos", 0), 0)

    def test_a_400_of_a_plain_application_passes_whole(self):
        def refuse(app, w):
            if w.sock.recv(1, socket.MSG_PEEK) == b"\x16":
                return
            request_of(app, w)
            w.send("HTTP/1.1 400 Bad Request\r\nx-app: 1\r\ncontent-length: 100000\r\n\r\n" + "n" * 100000)
        app = self.app(8080, refuse)
        for _ in range(2):
            status, got, body = self.ask()
            self.assertEqual((status, got["x-app"], len(body)), (400, "1", 100000))
        self.assertEqual(len(app.requests), 2)
        for body in ("transfer-encoding: chunked\r\n\r\n0\r\n\r\n", "content-length: 0\r\n\r\n", "\r\n"):
            self.setUp()
            self.app(8080, lambda app, w, body=body: w.sock.recv(1, socket.MSG_PEEK) != b"\x16" and
                     request_of(app, w) and w.send(f"HTTP/1.1 400 Bad Request\r\nx-app: 2\r\n{body}"))
            self.assertEqual(self.ask(end=False).head()[0], "HTTP/1.1 400 Bad Request")

    def test_one_that_dies_is_a_502_and_is_asked_for_tls_once(self):
        app = self.app(8080, talk_stray(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        for _ in range(4):
            status, got, _ = self.ask("/die")
            self.assertEqual(status, 502)
            self.assertIn("without an answer", got["x-doze-reason"])
        self.assertEqual(app.hellos, 1)
        self.assertEqual(self.ask()[0], 200)

    def test_a_first_upload_that_nobody_answers_yet_goes_on(self):
        app = self.app(8080, talk_sink)
        body = os.urandom(2 * MIB)
        started = time.monotonic()
        status, _, text = self.ask("/", "POST", f"content-length: {len(body)}\r\n", body=body)
        self.assertEqual((status, text.decode()), (200, f"{len(body)} {hashlib.sha256(body).hexdigest()}"))
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(len(app.requests), 1)

    def test_a_probe_that_hangs_ends_as_the_first_answer_did(self):
        def hang(app, w):
            if w.sock.recv(1, socket.MSG_PEEK) == b"\x16":
                time.sleep(20)
            else:
                w.more()
        self.app(8080, hang)
        started = time.monotonic()
        status, got, _ = self.ask()
        self.assertEqual(status, 502)
        self.assertIn("without an answer", got["x-doze-reason"])
        self.assertLess(time.monotonic() - started, 15)

    def test_a_client_that_leaves_during_a_probe_is_forgotten(self):
        def hang(app, w):
            if w.sock.recv(1, socket.MSG_PEEK) == b"\x16":
                app.hellos = getattr(app, "hellos", 0) + 1
                app.over = w.closed(8)
            else:
                w.more()
        app = self.app(8080, hang)
        w = self.ask(end=False)
        wait_for("the probe", lambda: getattr(app, "hellos", 0))
        w.sock.close()
        w = None
        wait_for("its end", lambda: hasattr(app, "over"))


if __name__ == "__main__":
    role = sys.argv[1]
    del sys.argv[1:3]
    proxy_test.run(Rig(role))
