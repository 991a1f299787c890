#!/usr/bin/env python3
"""The endpoint proxy as its clients, its applications and control see it.

    proxy_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import unittest
import uuid

from proxy_rig import (ACTIVE, DEAD, GONE, HELD, HOLD, MIB, OPEN, RELEASE, SET, SLEEPING, SUFFIX, SYNCED, WAITING, WAKE,
                       App, Control, Machine, Rig, request_of, talk_early, talk_events, talk_flood, talk_forgetful,
                       talk_garbage, talk_hasty, talk_hello, talk_sink, talk_source, talk_websocket, wait_for)


class ProxyTest(unittest.TestCase):
    rig = None

    def setUp(self):
        self.apps = {8080: App(talk_hello)}
        self.endpoint = str(uuid.uuid4())
        self.host = self.endpoint + SUFFIX
        self.name = "m-" + str(uuid.uuid4())
        self.machine = Machine(f"{self.rig.dir}/run", self.name, self.apps)
        self.addCleanup(self.machine.close)
        self.set(OPEN)
        self.token = self.rig.mint("all")
        # the channel is in order, so this tells that the route is known
        self.rig.control.endpoint(HOLD, self.endpoint)
        self.rig.control.endpoint(RELEASE, self.endpoint)
        wait_for("the route", lambda: self.rig.control.of(HELD, self.endpoint))
        self.addCleanup(lambda: self.rig.control.endpoint(GONE, self.endpoint))

    def set(self, state, **more):
        self.rig.control.set(self.endpoint, state, machine=more.pop("machine", self.name), **more)

    def app(self, port, talk):
        self.apps[port] = App(talk)
        return self.apps[port]

    def connect(self):
        return self.rig.connect(self.host)

    def ask(self, target="/", method="GET", lines="", body=b"", token=None, port=None, wire=None, host=None, end=True):
        w = wire or self.connect()
        token = self.token if token is None else token
        text = f"{method} {target} HTTP/1.1\r\nHost: {host or self.host}\r\n{lines}"
        text += f"X-aws-proxy-auth: {token}\r\n" if token else ""
        text += f"X-aws-proxy-port: {port}\r\n" if port else ""
        w.send(text + "\r\n")
        if body:
            w.send(body)
        return self.answer(w, method) if end else w

    def answer(self, w, method="GET"):
        first, fields = w.head()
        status = int(first.split(" ")[1])
        body = w.body(fields, method if status not in (204, 304) else "HEAD")
        self.assertIn("x-amzn-requestid", dict(fields))
        return status, dict(fields), body

    def check_memory(self):
        """The most that the proxy ever held."""
        if not self.rig.sanitized():
            self.assertLess(self.rig.memory(), 64 * MIB)

    def curl(self, *args, port=8080):
        return subprocess.run(["curl", "-sS", "--cacert", self.rig.cert, "--resolve",
                               f"{self.host}:{self.rig.port}:127.0.0.1", "-H", f"X-aws-proxy-auth: {self.token}",
                               "-H", f"X-aws-proxy-port: {port}", f"https://{self.host}:{self.rig.port}{args[0]}",
                               *args[1:]], capture_output=True, text=True, timeout=120)


class Requests(ProxyTest):
    def test_a_request_reaches_the_application_cleaned(self):
        status, fields, body = self.ask(lines="Accept: */*\r\nConnection: x-hop\r\nx-hop: 1\r\nx-amzn-requestid: mine\r\n")
        self.assertEqual(status, 200)
        seen = dict(json.loads(body)["headers"])
        self.assertEqual(seen["host"], self.host)
        self.assertEqual(seen["x-amzn-requestid"], fields["x-amzn-requestid"])
        self.assertNotIn("x-hop", seen)
        self.assertNotIn("x-forwarded-for", seen)
        self.assertFalse([n for n in seen if n.startswith("x-aws-proxy")])
        self.assertFalse([n for n in fields if n.startswith("x-aws-proxy")])
        self.assertEqual(fields["server"], "rig")
        self.assertNotIn("mine", body.decode())

    def test_curl_is_served(self):
        for version, first in (("--http1.1", "HTTP/1.1 200 OK"), ("--http2", "HTTP/2 200")):
            got = self.curl("/path?q=1", "-i", "-d", "x=1", version)
            self.assertIn(first, got.stdout)
            self.assertIn('"POST /path?q=1 HTTP/1.1"', got.stdout)
        self.assertEqual(self.curl("/", "-o", "/dev/null", "-w", "%{http_code}", port=9).stdout, "502")

    def test_connections_are_kept_on_both_sides(self):
        w = self.connect()
        for _ in range(20):
            self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual(self.apps[8080].conns, 1)
        self.assertEqual(self.ask("/close", wire=w)[2], b"until close")
        self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual(self.apps[8080].conns, 2)

    def test_head_204_304_and_interim_answers(self):
        w = self.connect()
        status, fields, body = self.ask(method="HEAD", wire=w)
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(fields["content-length"]), 0)
        status, fields, _ = self.ask("/204", wire=w)
        self.assertEqual((status, fields["x-app"]), (204, "1"))
        self.assertNotIn("content-length", fields)
        status, fields, _ = self.ask("/304", wire=w)
        self.assertEqual((status, fields["etag"]), (304, "x"))
        self.assertEqual(self.ask("/hints", wire=w)[2], b"hi")
        self.assertEqual(self.ask(wire=w)[0], 200)

    def test_pipelined_requests_are_answered_in_order(self):
        w = self.connect()
        for i in range(5):
            self.ask(f"/{i}", wire=w, end=False)
        for i in range(5):
            self.assertIn(f"/{i} ", json.loads(self.answer(w)[2])["line"])

    def test_a_client_that_waits_for_100_gets_it(self):
        w = self.ask(method="POST", lines="Expect: 100-continue\r\nContent-Length: 3\r\n", end=False)
        self.assertEqual(w.head()[0], "HTTP/1.1 100 Continue")
        w.send("abc")
        status, _, body = self.answer(w)
        seen = json.loads(body)
        self.assertEqual((status, seen["body"]), (200, 3))
        self.assertNotIn("expect", dict(seen["headers"]))

    def test_a_kept_connection_that_died_is_tried_once_more(self):
        w = self.connect()
        self.assertEqual(self.ask("/once", wire=w)[2], b"once")
        self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual(self.apps[8080].conns, 2)

    def test_a_request_that_must_not_be_repeated_reaches_the_application_once(self):
        hasty = self.app(1, talk_hasty)
        for method, lines, body in (("POST", "", b""), ("POST", "Content-Length: 0\r\n", b""), ("PATCH", "", b""),
                                    ("POST", "Content-Length: 3\r\n", b"abc"), ("MKCOL", "", b""),
                                    ("PUT", "Content-Length: 3\r\n", b"abc"),
                                    ("PUT", "Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")):
            with self.subTest(method + lines):
                w = self.connect()
                self.assertEqual(self.ask("/first", port=1, wire=w)[0], 200)  # its connection is kept
                before = len(hasty.requests)
                self.assertEqual(self.ask("/second", method, lines, body, port=1, wire=w)[::2], (200, b"ok\n"))
                self.assertEqual([first for first, _ in hasty.requests[before:]], [f"{method} /second HTTP/1.1"])

    def test_an_upload_to_an_application_that_drops_kept_connections_is_no_502(self):
        self.app(1, talk_forgetful)
        w = self.connect()
        for i in range(60):
            time.sleep(0.018 + i % 5 * 0.001)  # around the moment at which it ends the connection
            self.assertEqual(self.ask("/", "POST", "Content-Length: 1\r\n", b"x", port=1, wire=w)[0], 200)

    def test_uploads_alone_do_not_pile_up_kept_connections(self):
        w = self.connect()
        self.assertEqual(self.ask(wire=w)[0], 200)
        before = self.rig.files()
        for _ in range(30):
            self.assertEqual(self.ask("/", "POST", "Content-Length: 1\r\n", b"x", wire=w)[0], 200)
        self.assertLessEqual(self.rig.files(), before + 1)

    def test_an_application_that_dies_is_a_502_and_asked_once(self):
        self.assertEqual(self.ask("/die"), self.bad_gateway())
        self.assertEqual(len(self.apps[8080].requests), 1)

    def bad_gateway(self):
        class Any:
            def __eq__(self, other):
                return other["content-length"] == "0" and other["cache-control"] == "private, no-store"
        return 502, Any(), b""

    def test_what_is_no_http_from_a_guest_is_a_502(self):
        self.app(1, talk_garbage)
        for target in ("/not-http", "/two-lengths", "/te-and-cl", "/big-head", "/101"):
            with self.subTest(target):
                self.assertEqual(self.ask(target, port=1), self.bad_gateway())
        for target in ("/short", "/bad-chunk"):
            with self.subTest(target):
                w = self.ask(target, port=1, end=False)
                with self.assertRaises((EOFError, ssl.SSLError, ConnectionError)):
                    self.answer(w)

    def test_an_answer_nobody_asked_for_is_not_given_to_the_next(self):
        self.app(1, talk_garbage)
        w = self.connect()
        self.assertEqual(self.ask("/more", port=1, wire=w)[2], b"ok")
        self.assertEqual(self.ask("/more", port=1, wire=w)[2], b"ok")
        self.assertEqual(self.apps[1].conns, 2)

    def test_no_http2_towards_applications_yet(self):
        self.assertEqual(self.ask(lines="X-aws-proxy-force-h2: true\r\n"), self.bad_gateway())
        self.assertEqual(self.ask(lines="X-aws-proxy-force-h2: false\r\n")[0], 200)


class Denials(ProxyTest):
    def check(self, got, status, text):
        self.assertEqual((got[0], got[2].decode()), (status, text))
        self.assertEqual(got[1]["cache-control"], "private, no-store")
        self.assertEqual(got[1].get("content-type", "text/plain"), "text/plain")

    def test_each_denial_has_the_services_words(self):
        missing, failed = "Request missing authentication", "Token authentication failed"
        denied = "Access to port denied"
        foreign = json.dumps({"current": "k1", "keys": {"k1": "A" * 43}})
        for why, more, status, text in (
                ("none", {"token": ""}, 403, missing),
                ("garbage", {"token": "garbage"}, 403, missing),
                ("truncated", {"token": self.token[:-1]}, 403, missing),
                ("tampered", {"token": self.token[:-2] + ("AA" if self.token[-2:] != "AA" else "BA")}, 403, failed),
                ("foreign", {"token": self.rig.mint("all", keys=foreign)}, 403, failed),
                ("another's", {"token": self.rig.mint("all", microvm="microvm-2")}, 403, failed),
                ("expired", {"token": self.rig.mint("all", minutes=-1)}, 403, failed),
                ("unknown host", {"host": str(uuid.uuid4()) + SUFFIX}, 403, failed),
                ("another host", {"host": "localhost"}, 403, failed),
                ("port", {"token": self.rig.mint(5000)}, 403, denied),
                ("bad port", {"port": "70000"}, 400, "Invalid X-aws-proxy-port"),
                ("shell", {"token": self.rig.mint("shell")}, 502, "")):
            with self.subTest(why):
                self.check(self.ask(**more), status, text)
        self.assertEqual(self.machine.asked, [])

    def test_sni_must_agree_with_host(self):
        w = self.rig.connect(self.host, sni="0" + self.host[1:])
        self.check(self.ask(wire=w, host="1" + self.host[1:]), 403, "Token authentication failed")
        w = self.rig.connect(self.host, sni=None)
        self.assertEqual(self.ask(wire=w, host=f"{self.host}:{self.rig.port}")[0], 200)

    def test_without_ingress_every_port_is_denied(self):
        self.set(OPEN, ingress=0)
        wait_for("denied", lambda: self.ask()[0] == 403)
        self.check(self.ask(), 403, "Access to port denied")

    def test_the_connection_lives_on_after_a_denial(self):
        w = self.connect()
        self.assertEqual(self.ask(token="", wire=w)[0], 403)
        self.assertEqual(self.ask(wire=w)[0], 200)

    def test_requests_that_could_be_read_twice_are_refused(self):
        auth = f"Host: {self.host}\r\nX-aws-proxy-auth: {self.token}\r\n"
        evil = "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
        for why, text in {
                "CL+TE": f"POST / HTTP/1.1\r\n{auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}",
                "CL CL": f"POST / HTTP/1.1\r\n{auth}Content-Length: 0\r\nContent-Length: {len(evil)}\r\n\r\n{evil}",
                "CL list": f"POST / HTTP/1.1\r\n{auth}Content-Length: 0, 0\r\n\r\n",
                "CL sign": f"POST / HTTP/1.1\r\n{auth}Content-Length: +0\r\n\r\n",
                "TE odd": f"POST / HTTP/1.1\r\n{auth}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                "TE twice": f"POST / HTTP/1.1\r\n{auth}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
                "TE space": f"POST / HTTP/1.1\r\n{auth}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                "TE 1.0": f"POST / HTTP/1.0\r\n{auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "bare LF": f"GET / HTTP/1.1\n{auth}\n",
                "LF in the head": f"GET / HTTP/1.1\r\n{auth}x: 1\nContent-Length: 5\r\n\r\n",
                "bare CR": f"GET / HTTP/1.1\r\n{auth}x: 1\rContent-Length: 5\r\n\r\n",
                "fold": f"GET / HTTP/1.1\r\n{auth}x: 1\r\n y\r\n\r\n",
                "two hosts": f"GET / HTTP/1.1\r\n{auth}Host: other\r\n\r\n",
                "no host": f"GET / HTTP/1.1\r\nX-aws-proxy-auth: {self.token}\r\n\r\n",
                "absolute": f"GET http://other/ HTTP/1.1\r\n{auth}\r\n",
                "NUL": f"GET / HTTP/1.1\r\n{auth}x: a\0b\r\n\r\n",
                "a name with a space": f"GET / HTTP/1.1\r\n{auth}x y: 1\r\n\r\n",
                "CONNECT": f"CONNECT {self.host}:443 HTTP/1.1\r\n{auth}\r\n",
                "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "TLS in TLS": "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
                "long target": f"GET /{'x' * 20000} HTTP/1.1\r\n{auth}\r\n",
                "big head": f"GET / HTTP/1.1\r\n{auth}x: {'y' * 70000}\r\n\r\n",
                "many fields": f"GET / HTTP/1.1\r\n{auth}" + "x: y\r\n" * 200 + "\r\n"}.items():
            with self.subTest(why):
                w = self.connect()
                w.send(text)
                if why == "TLS in TLS":
                    w.send("\r\n" * 4)
                status, fields, _ = self.answer(w)
                self.assertIn(status, (400, 414, 431, 501, 505))
                self.assertEqual(fields["cache-control"], "private, no-store")
                self.assertTrue(w.closed())
        self.assertFalse([r for r in self.apps[8080].requests if "evil" in r[0]])
        self.assertEqual(self.apps[8080].requests, [])

    def test_a_broken_chunk_ends_the_request(self):
        for why, chunk in {"size": "zz\r\n", "no end": "3\r\nabcd\r\n", "bare LF": "3\nabc\n", "minus": "-1\r\n",
                           "huge": "fffffffffffffffff\r\n"}.items():
            with self.subTest(why):
                w = self.ask(method="POST", lines="Transfer-Encoding: chunked\r\n", body=chunk.encode(), end=False)
                self.assertTrue(w.closed())


class Streams(ProxyTest):
    def test_an_answer_before_the_end_of_the_upload_arrives(self):
        self.app(1, talk_early)
        for size in (MIB // 16, 4 * MIB):
            for _ in range(10):
                w = self.ask(method="PUT", lines=f"Content-Length: {size}\r\n", port=1, end=False)
                with contextlib.suppress(OSError):
                    w.send(b"x" * size)
                self.assertEqual(self.answer(w)[::2], (413, b"big"))

    def test_an_upload_of_200_mib_goes_through_without_being_kept(self):
        self.app(1, talk_sink)
        path = f"{self.rig.dir}/big"
        with open(path, "wb") as f:
            digest = hashlib.sha256()
            for i in range(200):
                block = bytes([i]) * MIB
                digest.update(block)
                f.write(block)
        expected = f"{200 * MIB} {digest.hexdigest()}"
        self.assertEqual(self.curl("/", "-T", path, port=1).stdout, expected)
        self.assertEqual(self.curl("/", "-T", path, "-H", "Transfer-Encoding: chunked", port=1).stdout, expected)
        os.unlink(path)
        self.check_memory()

    def test_a_download_of_200_mib_goes_through_without_being_kept(self):
        self.app(1, talk_source)
        got = self.curl("/200", "-o", "/dev/null", "-w", "%{size_download} %{http_code}", port=1)
        self.assertEqual(got.stdout, f"{200 * MIB} 200")
        self.check_memory()

    def test_a_slow_client_slows_the_application(self):
        source = self.app(1, talk_source)
        w = self.ask("/100", port=1, end=False)
        w.head()
        last = -1

        def settled():
            nonlocal last
            before, last = last, source.sent
            time.sleep(0.3)
            return before == last
        wait_for("a standstill", settled)
        self.assertLess(source.sent, 24 * MIB)  # the kernel's buffers of three sockets
        self.assertEqual(sum(map(len, w.chunks())), 100 * MIB)

    def test_a_slow_application_slows_the_client(self):
        sink = self.app(1, talk_sink)
        sink.pause = 5
        w = self.ask(method="PUT", lines=f"Content-Length: {64 * MIB}\r\n", port=1, end=False)
        w.sock.settimeout(1.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * MIB:
                w.sock.sendall(b"x" * 65536)
                sent += 65536
        self.assertLess(sent, 48 * MIB)
        self.check_memory()

    def test_a_guest_that_floods_is_read_as_fast_as_its_client(self):
        flood = self.app(1, talk_flood)
        w = self.ask(port=1, end=False)
        w.head()
        time.sleep(0.5)
        before = flood.sent
        time.sleep(0.5)
        self.assertEqual(before, flood.sent)
        self.check_memory()
        w.sock.close()

    def test_events_come_as_they_are_sent(self):
        self.app(1, talk_events)
        w = self.ask(port=1, end=False)
        w.head()
        at = [time.monotonic() for _ in w.chunks()]
        self.assertEqual(len(at), 5)
        self.assertGreater(at[-1] - at[0], 0.6)

    def test_a_client_that_goes_away_is_told_to_the_application(self):
        gone = threading.Event()

        def talk(app, w):
            request_of(app, w)
            w.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
            with contextlib.suppress(OSError, EOFError):
                w.more()
            gone.set()
        self.app(1, talk)
        w = self.ask(port=1, end=False)
        w.head()
        w.sock.close()
        self.assertTrue(gone.wait(5))


class WebSockets(ProxyTest):
    HEAD = ("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")

    def setUp(self):
        super().setUp()
        self.ws = self.app(1, talk_websocket)

    def offer(self, *protocols):
        return self.HEAD + f"Sec-WebSocket-Protocol: {', '.join(protocols)}\r\n"

    def seen(self):
        return dict(self.ws.requests[-1][1])

    def test_a_browser_connects_by_subprotocols(self):
        w = self.ask(lines=self.offer("lambda-microvms", f"lambda-microvms.authentication.{self.token}",
                                      "lambda-microvms.port.1"), token="", end=False)
        first, fields = w.head()
        fields = dict(fields)
        self.assertEqual(first, "HTTP/1.1 101 Switching Protocols")
        self.assertEqual(fields["sec-websocket-protocol"], "lambda-microvms")
        self.assertEqual(fields["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertIn("x-amzn-requestid", fields)
        self.assertNotIn("sec-websocket-protocol", self.seen())
        self.assertEqual(w.exactly(5), b"early")
        for size in (1, 70000, 3 * MIB):
            w.sock.sendall(b"y" * size)
            self.assertEqual(w.exactly(size), b"y" * size)

    def test_the_applications_own_protocol_passes(self):
        w = self.ask("/chat", lines=self.offer("lambda-microvms", f"lambda-microvms.authentication.{self.token}", "chat",
                                               "lambda-microvms.port.1", "superchat"), token="", end=False)
        self.assertEqual(dict(w.head()[1])["sec-websocket-protocol"], "chat")
        self.assertEqual(self.seen()["sec-websocket-protocol"], "chat, superchat")

    def test_a_header_is_enough_for_other_clients(self):
        w = self.ask(lines=self.HEAD, port=1, end=False)
        first, fields = w.head()
        self.assertIn("101", first)
        self.assertNotIn("sec-websocket-protocol", dict(fields))

    def test_any_upgrade_is_passed_and_early_bytes_arrive(self):
        w = self.connect()
        self.ask(lines="Connection: upgrade\r\nUpgrade: raw/1\r\n", port=1, wire=w, end=False)
        w.send("sent before the 101")
        self.assertEqual(dict(w.head()[1])["upgrade"], "raw/1")
        self.assertEqual(w.exactly(24), b"earlysent before the 101")

    def test_an_upgrade_with_a_body_is_refused(self):
        """What follows it could be read as a body by one side and as something else by the other."""
        for framing, body in (("Content-Length: 5\r\n", "GET /"), ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")):
            status, _, text = self.ask(lines=self.HEAD + framing + "X-aws-proxy-port: 1\r\n", body=body)
            self.assertEqual(status, 400)
            self.assertIn(b"body", text)
        self.assertEqual(self.ws.requests, [])

    def test_a_connection_that_saw_an_upgrade_serves_no_other_request(self):
        w = self.connect()
        for _ in range(2):
            self.assertEqual(self.ask(lines="Connection: upgrade\r\nUpgrade: x\r\n", wire=w)[0], 200)
            self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual(self.apps[8080].conns, 3)

    def test_a_refused_upgrade_is_an_answer(self):
        w = self.connect()
        self.assertEqual(self.ask("/refuse", lines=self.HEAD, port=1, wire=w)[2], b"no")
        self.assertEqual(self.ask(wire=w)[0], 200)

    def test_denied_handshakes(self):
        auth = f"lambda-microvms.authentication.{self.token}"
        for offer, status in ((("lambda-microvms",), 403), ((auth,), 400), (("lambda-microvms", auth, auth), 400),
                              (("lambda-microvms", auth, "lambda-microvms.port.x"), 400)):
            self.assertEqual(self.ask(lines=self.offer(*offer), token="")[0], status)

    def test_each_end_of_a_tunnel_ends_the_other(self):
        w = self.ask(lines=self.HEAD, port=1, end=False)
        w.head()
        w.exactly(5)
        before = self.rig.files()
        w.sock.close()
        wait_for("both descriptors closed", lambda: self.rig.files() <= before - 2)

    def test_a_tunnel_that_both_ends_close_in_order_is_gone_at_once(self):
        w = self.ask(lines=self.HEAD, port=1, end=False)
        w.head()
        w.exactly(5)
        before = self.rig.files()
        w.sock.settimeout(10)
        w.sock.unwrap()  # our close_notify, and theirs
        wait_for("both descriptors closed", lambda: self.rig.files() <= before - 2, 5)

    def test_bytes_of_a_tunnel_keep_the_microvm_awake(self):
        w = self.ask(lines=self.HEAD, port=1, end=False)
        w.head()
        w.exactly(5)
        time.sleep(1.5)
        n = len(self.rig.control.of(ACTIVE, self.endpoint))
        at = time.time()
        w.send("ping")
        w.exactly(4)
        wait_for("ACTIVE", lambda: len(self.rig.control.of(ACTIVE, self.endpoint)) > n)
        self.assertAlmostEqual(self.rig.control.of(ACTIVE, self.endpoint)[-1] / 1000, at, delta=0.5)

    def test_a_suspend_closes_tunnels(self):
        w = self.ask(lines=self.HEAD, port=1, end=False)
        w.head()
        w.exactly(5)
        self.set(WAITING)
        self.assertTrue(w.closed())


class Held(ProxyTest):
    def in_background(self, n, **more):
        """n requests whose answers come when they come."""
        answers = []

        def one():
            answers.append(self.ask(**more))
        threads = [threading.Thread(target=one, daemon=True) for _ in range(n)]
        for t in threads:
            t.start()
        return answers

    def wakes(self):
        return len(self.rig.control.of(WAKE, self.endpoint))

    def test_100_waiters_wake_a_sleeping_microvm_once(self):
        self.set(SLEEPING, machine="")
        answers = self.in_background(100)
        wait_for("WAKE", self.wakes)
        time.sleep(0.5)
        self.set(WAITING)
        time.sleep(0.2)
        self.assertEqual((self.wakes(), answers, self.machine.asked), (1, [], []))
        self.set(OPEN)
        wait_for("all answers", lambda: len(answers) == 100)
        self.assertEqual({a[0] for a in answers}, {200})
        self.assertEqual(self.wakes(), 1)

    def test_a_denied_request_wakes_nothing(self):
        self.set(SLEEPING, machine="")
        for more in ({"token": ""}, {"token": self.rig.mint(1)}, {"token": self.rig.mint("all", microvm="x")},
                     {"port": "x"}, {"token": self.rig.mint("all", minutes=-1)}):
            self.assertIn(self.ask(**more)[0], (400, 403))
        self.assertEqual(self.wakes(), 0)

    def test_a_dead_microvm_is_a_502_and_so_are_those_who_waited_for_it(self):
        self.set(WAITING)
        answers = self.in_background(3)
        time.sleep(0.3)
        self.set(DEAD, machine="")
        wait_for("answers", lambda: len(answers) == 3)
        self.assertEqual({(a[0], a[2]) for a in answers}, {(502, b"")})
        self.assertEqual(self.ask()[0], 502)

    def test_an_endpoint_that_goes_away_answers_as_unknown(self):
        self.set(WAITING)
        answers = self.in_background(1)
        time.sleep(0.3)
        self.rig.control.endpoint(GONE, self.endpoint)
        wait_for("an answer", lambda: answers)
        self.assertEqual(answers[0][0], 502)
        self.assertEqual(self.ask()[2], b"Token authentication failed")

    def test_nobody_is_held_for_ever(self):
        self.set(SLEEPING, machine="")
        at = time.monotonic()
        self.assertEqual(self.ask()[0], 502)
        self.assertAlmostEqual(time.monotonic() - at, 3, delta=0.7)

    def test_a_held_upload_waits_in_the_socket(self):
        self.app(1, talk_sink)
        self.set(SLEEPING, machine="")
        body = os.urandom(4 * MIB)
        answers = self.in_background(1, method="PUT", lines=f"Content-Length: {len(body)}\r\n", body=body, port=1)
        wait_for("WAKE", self.wakes)
        time.sleep(0.3)
        self.set(OPEN)
        wait_for("the answer", lambda: answers)
        self.assertEqual(answers[0][2].decode(), f"{len(body)} {hashlib.sha256(body).hexdigest()}")

    def test_too_many_unread_bytes_are_refused(self):
        self.set(SLEEPING, machine="")
        body = b"x" * 16000  # one TLS record, so that all of it is read
        answers = self.in_background(100, method="PUT", lines=f"Content-Length: {len(body)}\r\n", body=body)
        wait_for("refusals", lambda: len(answers) >= 100 - MIB // len(body), 2.5)
        time.sleep(0.2)
        self.assertEqual(len(answers), 100 - MIB // len(body))
        self.assertEqual({a[0] for a in answers}, {502})
        self.set(OPEN)
        wait_for("all", lambda: len(answers) == 100)
        self.assertEqual(len([a for a in answers if a[0] == 200]), MIB // len(body))

    def test_a_held_client_that_goes_away_is_forgotten(self):
        self.set(SLEEPING, machine="")
        w = self.ask(end=False)
        wait_for("WAKE", self.wakes)
        w.sock.close()
        time.sleep(0.3)
        self.set(OPEN)
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(len(self.apps[8080].requests), 1)

    def test_a_held_100_continue_is_not_given_early(self):
        self.set(SLEEPING, machine="")
        w = self.ask(method="POST", lines="Expect: 100-continue\r\nContent-Length: 3\r\n", end=False)
        w.sock.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            w.line()
        w.sock.settimeout(10)
        self.set(OPEN)
        self.assertIn("100", w.head()[0])
        w.send("abc")
        self.assertEqual(self.answer(w)[0], 200)

    def test_hold_stops_new_requests_and_release_lets_them_go(self):
        self.assertEqual(self.ask()[0], 200)
        n = len(self.rig.control.of(HELD, self.endpoint))
        self.rig.control.endpoint(HOLD, self.endpoint)
        wait_for("HELD", lambda: len(self.rig.control.of(HELD, self.endpoint)) > n)
        self.assertAlmostEqual(self.rig.control.of(HELD, self.endpoint)[-1] / 1000, time.time(), delta=1)
        answers = self.in_background(3)
        time.sleep(0.3)
        self.assertEqual((answers, len(self.apps[8080].requests)), ([], 1))
        self.rig.control.endpoint(RELEASE, self.endpoint)
        wait_for("answers", lambda: len(answers) == 3)
        self.assertEqual(self.wakes(), 0)

    def test_a_suspend_ends_what_is_under_way_and_holds_what_is_new(self):
        w = self.ask("/slow", end=False)
        time.sleep(0.3)
        self.rig.control.endpoint(HOLD, self.endpoint)
        answers = self.in_background(2)
        time.sleep(0.3)
        self.set(WAITING)
        self.assertEqual(self.answer(w)[0], 502)
        self.set(SLEEPING, machine="")
        wait_for("WAKE", self.wakes)
        self.set(WAITING, machine=self.name)
        self.set(OPEN)
        wait_for("answers", lambda: len(answers) == 2)
        self.assertEqual({a[0] for a in answers}, {200})
        self.assertEqual(self.wakes(), 1)

    def test_who_comes_during_a_suspend_wakes_it_once_it_sleeps(self):
        self.set(WAITING)
        answers = self.in_background(5)
        time.sleep(0.3)
        self.assertEqual(self.wakes(), 0, "it cannot wake before it sleeps")
        self.set(SLEEPING, machine="")
        wait_for("WAKE", self.wakes)
        self.set(WAITING, machine="")
        self.set(OPEN)
        wait_for("answers", lambda: len(answers) == 5)
        self.assertEqual(({a[0] for a in answers}, self.wakes()), ({200}, 1))

    def test_a_suspend_cuts_an_answer_that_has_begun(self):
        self.app(1, talk_events).n = 50
        w = self.ask(port=1, end=False)
        w.head()
        next(w.chunks())
        self.set(SLEEPING, machine="")
        with self.assertRaises((EOFError, ssl.SSLError, ConnectionError)):
            list(w.chunks())

    def test_a_woken_application_that_is_late_is_tried_again(self):
        self.set(SLEEPING, machine="")
        answers = self.in_background(2, port=1)
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        time.sleep(1)
        self.app(1, talk_hello)
        wait_for("answers", lambda: len(answers) == 2)
        self.assertEqual({a[0] for a in answers}, {200})

    def test_a_new_machine_gets_no_connection_of_the_old(self):
        w = self.connect()
        self.assertEqual(self.ask(wire=w)[0], 200)
        other = Machine(f"{self.rig.dir}/run", "m-2" + self.name, {8080: App(talk_hello)})
        self.addCleanup(other.close)
        self.set(OPEN, machine="m-2" + self.name)
        wait_for("the new one", lambda: self.ask(wire=w)[0] == 200 and other.asked)
        self.assertEqual(len(self.apps[8080].requests), 1)

    def test_a_machine_that_is_mute_holds_a_request_until_it_suspends(self):
        self.machine.mute = True
        answers = self.in_background(1)
        wait_for("CONNECT", lambda: self.machine.asked)
        self.set(SLEEPING, machine="")
        wait_for("WAKE", self.wakes)
        self.machine.mute = False
        self.set(OPEN)
        wait_for("an answer", lambda: answers)
        self.assertEqual(answers[0][0], 200)

    def test_activity_is_told_at_most_once_a_second(self):
        w = self.connect()
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            self.assertEqual(self.ask(wire=w)[0], 200)
        time.sleep(1.2)
        told = self.rig.control.of(ACTIVE, self.endpoint)
        self.assertIn(len(told), (2, 3, 4))
        self.assertEqual(self.ask(token="", wire=w)[0], 403)
        time.sleep(1.2)
        self.assertEqual(self.rig.control.of(ACTIVE, self.endpoint), told)


class Lifecycle(ProxyTest):
    def test_control_may_go_and_come_back(self):
        lost = str(uuid.uuid4())
        self.rig.control.set(lost, DEAD)
        self.rig.control.close()
        time.sleep(0.2)
        self.assertEqual(self.ask()[0], 200)  # what is open is served on
        self.assertEqual(self.ask(host=lost + SUFFIX, wire=self.rig.connect(lost + SUFFIX))[0], 502)
        self.rig.connect_control(Control())
        self.set(SLEEPING, machine="")
        self.rig.control.send(SYNCED)
        w = self.rig.connect(lost + SUFFIX)
        wait_for("the lost one is dropped", lambda: self.ask(host=lost + SUFFIX, wire=w)[0] == 403)
        w = self.ask(end=False)
        wait_for("WAKE", lambda: self.rig.control.of(WAKE, self.endpoint))
        # a control that dies with somebody waiting is told again
        self.rig.control.close()
        self.rig.connect_control(Control())
        self.set(SLEEPING, machine="")
        self.rig.control.send(SYNCED)
        wait_for("WAKE", lambda: self.rig.control.of(WAKE, self.endpoint))
        self.set(OPEN)
        self.assertEqual(self.answer(w)[0], 200)

    def test_messages_that_make_no_sense_are_harmless(self):
        self.rig.control.send(SET, b"x" * 220)
        self.rig.control.set(self.endpoint, 77)
        self.rig.control.set(self.endpoint, OPEN, machine="../../etc")
        self.rig.control.endpoint(HOLD, "unknown")
        self.rig.control.endpoint(GONE, "unknown")
        self.rig.control.endpoint(RELEASE, "unknown")
        self.assertEqual(self.ask()[0], 200)

    def test_it_ends_when_told_and_leaves_nothing(self):
        rig = Rig(self.rig.program)
        machine = Machine(f"{rig.dir}/run", "m-1", {8080: App(talk_websocket)})
        rig.control.set(self.endpoint, OPEN, machine="m-1")
        rig.control.set(str(uuid.uuid4()), SLEEPING)
        mine, self.rig, self.token = self.rig, rig, rig.mint("all")
        try:
            w = self.ask(lines=WebSockets.HEAD, end=False)
            w.head()
            w.exactly(5)
            idle = self.connect()
            rig.control.set(self.endpoint, OPEN, machine="m-1")
            self.assertEqual(rig.stop(), 0)
            self.assertTrue(w.closed())
            self.assertTrue(idle.closed())
        finally:
            self.rig = mine
            machine.close()


class Jail(ProxyTest):
    def test_a_serving_proxy_is_filtered(self):
        self.assertEqual(self.ask()[0], 200)
        with open(f"/proc/{self.rig.process.pid}/status") as f:
            status = f.read()
        if not self.rig.sanitized():
            self.assertIn("Seccomp:\t2", status)
            self.assertIn("NoNewPrivs:\t1", status)


class Crowd(ProxyTest):
    def test_idle_connections_cost_little(self):
        n = int(os.environ.get("PROXY_RIG_IDLE", "500"))
        before = self.rig.memory("VmRSS")
        crowd = []
        for _ in range(n):
            crowd.append(self.connect())
            if len(crowd) % 10 == 0:
                self.assertEqual(self.ask(wire=crowd[-1])[0], 200)
        each = (self.rig.memory("VmRSS") - before) // n
        print(f"{n} idle connections: {each} bytes each", file=sys.stderr)
        self.assertEqual(self.ask()[0], 200)
        if not self.rig.sanitized():
            self.assertLess(each, 64 * 1024)
        for w in crowd:
            w.sock.close()

    def test_descriptors_come_back(self):
        def storm():
            for _ in range(30):
                self.ask("/die")
                self.ask(port=9)
                w = self.ask("/slow", end=False)
                w.sock.close()
        storm()
        time.sleep(1.5)
        before = self.rig.files()
        storm()
        wait_for("descriptors given back", lambda: self.rig.files() <= before + 2)


def run(rig):
    """The tests of the program that calls this, against one proxy."""
    ProxyTest.rig = rig
    try:
        result = unittest.main(exit=False, verbosity=int(os.environ.get("VERBOSE", "1")), warnings="ignore").result
        code = rig.stop()
    finally:
        rig.process.kill()
    sys.exit(not result.wasSuccessful() or code)


if __name__ == "__main__":
    run(Rig(sys.argv.pop(1)))
