#!/usr/bin/env python3
"""Bad input from both sides of the endpoint: each kind is refused quickly, named by its reason, and harms nobody else.

    proxy_bad_input_test.py PROXY_ROLE [unittest arguments]
"""
import collections
import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
import time
import uuid

import h2_client as h2
import proxy_test
from proxy_h2_test import H2Test
from proxy_rig import GONE, METER, MIB, OPEN, REFUSALS, SUFFIX, App, Rig, request_of, talk_websocket, wait_for

KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
FOREIGN_KEYS = json.dumps({"current": "k1", "keys": {"k1": "A" * 43}})
CLASSES = 6


class BadInput(H2Test):
    def refusals(self):
        """What control was told of this endpoint and of requests that led to none: reason -> how many."""
        sums, names = collections.Counter(), (self.endpoint, "")
        for kind, body, _ in list(self.rig.control.got):
            if kind == METER and body[:36].rstrip(b"\0").decode() in names:
                for reason, n in zip(REFUSALS, struct.unpack_from(f"={len(REFUSALS)}Q", body, 40 + 8 * CLASSES)):
                    sums[reason] += n
        return sums

    def flush(self):
        """What was counted before has been told: it is told in the order in which it was counted."""
        before = self.refusals()["no-token"]
        self.ask(token="")
        wait_for("the count", lambda: self.refusals()["no-token"] > before, 5)

    @contextlib.contextmanager
    def refused(self, *reasons):
        """Exactly these, each as often as it is named; and another client is served at once afterwards."""
        self.flush()
        before = self.refusals()
        yield
        self.assertLess(self.served(), 1.5)
        want = collections.Counter(reasons)
        with contextlib.suppress(AssertionError):
            wait_for("the counts", lambda: self.refusals() - before == want, 5)
        self.assertEqual(self.refusals() - before, want)


class Tokens(BadInput):
    """Each wrong token in each place where one may stand."""

    def setUp(self):
        super().setUp()
        self.app(1, talk_websocket)

    def kinds(self):
        good = self.token
        return {
            "garbage": ("garbage", "bad-token"),
            "truncated": (good[:-1], "bad-token"),
            "without its tag": (good.rsplit(".", 1)[0], "bad-token"),
            "tampered": (good[:-2] + ("AA" if good[-2:] != "AA" else "BA"), "bad-token"),
            "longer": (good + "A", "bad-token"),
            "twice as long": (good + good, "bad-token"),
            "very long": ("A" * 9000, "bad-token"),
            "of other keys": (self.rig.mint("all", keys=FOREIGN_KEYS), "bad-token"),
            "another microVM's": (self.rig.mint("all", microvm="microvm-2"), "foreign-token"),
            "expired": (self.rig.mint("all", minutes=-1), "expired-token"),
            "another port's": (self.rig.mint(5000), "port-denied"),
        }

    def by_header(self, token):
        return self.ask(token=token)[0]

    def by_header_for_an_upgrade(self, token):
        return self.ask(lines=f"Connection: upgrade\r\nUpgrade: websocket\r\n{KEY}", token=token, port=1)[0]

    def by_subprotocol(self, token):
        return self.ask(lines=f"Connection: upgrade\r\nUpgrade: websocket\r\n{KEY}Sec-WebSocket-Protocol: lambda-microvms, "
                        f"lambda-microvms.port.1, lambda-microvms.authentication.{token}\r\n", token="")[0]

    def for_bytes_of_a_port(self, token):
        return self.ask(lines="Connection: upgrade\r\nUpgrade: doze-tcp\r\n", token=token, port=1)[0]

    def over_http_2(self, token):
        c = self.client().ready()
        fields = [(n, token if n == "x-aws-proxy-auth" else v) for n, v in self.fields()]
        return c.wait(c.request(fields)).status

    def for_a_websocket_over_http_2(self, token):
        c = self.client().ready()
        s = c.request([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"),
                       (":authority", self.host), ("sec-websocket-version", "13"),
                       ("sec-websocket-protocol", f"lambda-microvms, lambda-microvms.port.1, lambda-microvms.authentication.{token}")],
                      end=False)
        return c.wait(s).status

    PLACES = (by_header, by_header_for_an_upgrade, by_subprotocol, for_bytes_of_a_port, over_http_2, for_a_websocket_over_http_2)

    def test_a_wrong_token_is_403_wherever_it_stands(self):
        kinds = self.kinds()
        with self.refused(*[reason for _, reason in kinds.values()] * len(self.PLACES)):
            for place in self.PLACES:
                for kind, (token, _) in kinds.items():
                    with self.subTest(place=place.__name__, kind=kind):
                        self.assertEqual(place(self, token), 403)
        self.assertEqual(len(self.apps[1].requests), 0)

    def test_no_token_is_403_and_two_are_none(self):
        with self.refused("no-token", "no-token"):
            self.assertEqual(self.ask(token="")[0], 403)
            self.assertEqual(self.ask(lines=f"X-aws-proxy-auth: {self.token}\r\n")[0], 403)

    def test_a_token_may_be_used_again_but_only_where_it_belongs(self):
        for _ in range(3):
            self.assertEqual(self.ask()[0], 200)
        other = str(uuid.uuid4())
        self.rig.control.set(other, OPEN, machine=self.name, microvm="microvm-2")
        self.addCleanup(lambda: self.rig.control.endpoint(GONE, other))
        wait_for("its route", lambda: self.ask(host=other + SUFFIX, wire=self.rig.connect(other + SUFFIX),
                                               token=self.rig.mint("all", microvm="microvm-2"))[0] == 200)
        self.assertEqual(self.ask(host=other + SUFFIX, wire=self.rig.connect(other + SUFFIX))[0], 403)
        self.rig.control.endpoint(GONE, self.endpoint)
        wait_for("it is unknown", lambda: self.ask()[0] == 403)

    def test_a_shell_token_opens_no_port_and_no_other_opens_a_shell(self):
        shell = self.rig.mint("shell")
        with self.refused("no-websocket", "port-denied"):
            self.assertEqual(self.ask(token=shell)[0], 502)
            self.assertEqual(self.by_header_for_an_upgrade(shell), 403)


class Names(BadInput):
    PORTS = ("0", "65536", "99999999999", "-1", "+80", "80 80", "0x50", "8080,1", "http")

    def test_a_port_that_does_not_exist_is_400(self):
        c = self.client().ready()
        with self.refused(*["bad-port"] * (2 * len(self.PORTS) + 1)):
            for port in self.PORTS:
                with self.subTest(port):
                    self.assertEqual(self.ask(port=port)[0], 400)
                    self.assertEqual(c.wait(c.request([*self.fields(), ("x-aws-proxy-port", port)])).status, 400)
            self.assertEqual(self.ask(lines="X-aws-proxy-port: 8080\r\n", port=8080)[0], 400)

    def test_a_port_that_does_not_exist_in_a_subprotocol_is_400(self):
        with self.refused(*["bad-protocol"] * 5):
            for port in ("0", "65536", "x", "", "80.80"):
                with self.subTest(port):
                    status, _, _ = self.ask(lines=f"Connection: upgrade\r\nUpgrade: websocket\r\n{KEY}Sec-WebSocket-Protocol: "
                                            f"lambda-microvms, lambda-microvms.port.{port}\r\n")
                    self.assertEqual(status, 400)

    def test_sni_and_host_that_disagree_are_403(self):
        other = str(uuid.uuid4())
        self.rig.control.set(other, OPEN, machine=self.name)
        self.addCleanup(lambda: self.rig.control.endpoint(GONE, other))
        with self.refused("unknown-host", "unknown-host"):
            self.assertEqual(self.ask(wire=self.rig.connect(other + SUFFIX))[0], 403)
            c = self.client()
            self.assertEqual(c.wait(c.request(self.fields(host=other + SUFFIX))).status, 403)
        self.assertEqual(self.ask(wire=self.rig.connect(self.host))[0], 200)

    def test_names_that_are_no_endpoint_are_403(self):
        for host in (self.endpoint, self.host + ".", "x" + self.host, self.host + ":x", self.host + ":123456",
                     self.host.replace("-", "_"), str(uuid.uuid4()) + SUFFIX):
            with self.subTest(host):
                self.assertEqual(self.ask(host=host, wire=self.rig.connect(self.host, sni=None))[0], 403)
        self.assertLess(self.served(), 1.5)


def speaks_tls(w):
    """The proxy asks whether the port does, once its answer was none."""
    return w.sock.recv(1, socket.MSG_PEEK) == b"\x16"


def endless(text):
    """An answer that never ends; the application remembers how much of it went out."""
    def talk(app, w):
        if speaks_tls(w):
            return
        request_of(app, w)
        app.sent = 0
        w.send("HTTP/1.1 200 OK\r\n")
        while app.sent < 1 << 30:
            w.send(text)
            app.sent += len(text)
    return talk


def says(text, then=0.0):
    def talk(app, w):
        if speaks_tls(w):
            return
        request_of(app, w)
        w.send(text)
        time.sleep(then)
    return talk


class Guests(BadInput):
    """What an application may answer; a client of each version asks."""

    OK = "HTTP/1.1 200 OK\r\n"
    ANSWERS = {
        "garbage": says(b"\x00\xff\x13garbage\r\n\r\n"),
        "another protocol": says("SSH-2.0-OpenSSH_9.2\r\n"),
        "nothing": says(""),
        "half a status line": says("HTTP/1.1 2"),
        "half a head": says(OK + "content-len"),
        "a status of 99": says("HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n"),
        "a status of four digits": says("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"),
        "a status that is none": says("HTTP/1.1 two OK\r\ncontent-length: 0\r\n\r\n"),
        "two lengths": says(OK + "content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        "a length and chunks": says(OK + "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        "a negative length": says(OK + "content-length: -1\r\n\r\n"),
        "a length that is none": says(OK + "content-length: x\r\n\r\n"),
        "a length without end": says(OK + "content-length: " + "9" * 30 + "\r\n\r\n"),
        "an unknown coding": says(OK + "transfer-encoding: gzip\r\n\r\n"),
        "a field without a name": says(OK + ": x\r\n\r\n"),
        "a field with a zero byte": says(OK + "x: a\0b\r\n\r\n"),
        "HTTP of another time": says("HTTP/3.0 200 OK\r\n\r\n"),
        "a head of 1 GiB in one field": endless("x" * 65536),
        "a head of 1 GiB in many fields": endless("x: " + "y" * 1000 + "\r\n"),
        "interim heads without end": endless("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
        "an upgrade that nobody asked for": says("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    }

    def test_what_is_no_answer_is_502_and_costs_little(self):
        c = self.client().ready()
        with self.refused(*["broken"] * 2 * (len(self.ANSWERS) - 1), "bad-upgrade", "bad-upgrade"):
            for n, (kind, talk) in enumerate(self.ANSWERS.items()):
                with self.subTest(kind):
                    app = self.app(100 + n, talk)
                    at = time.monotonic()
                    self.assertEqual(self.ask(port=100 + n)[0], 502)
                    self.assertEqual(c.wait(c.request(self.fields(port=100 + n))).status, 502)
                    self.assertLess(time.monotonic() - at, 6)
                    self.assertLess(getattr(app, "sent", 0), 16 * MIB)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)
        self.check_memory()

    CUT = {
        "a short body": says(OK + "content-length: 10\r\n\r\nabc"),
        "half a chunk": says(OK + "transfer-encoding: chunked\r\n\r\n9\r\nabc"),
        "a chunk that is none": says(OK + "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
        "a chunk whose size has no end": says(OK + "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n" + "0" * 70000),
        "trailers without end": says(OK + "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" + "x: y\r\n" * 20000),
    }

    def test_what_breaks_off_is_cut_and_never_a_clean_end(self):
        c = self.client().ready()
        for n, (kind, talk) in enumerate(self.CUT.items()):
            with self.subTest(kind):
                self.app(200 + n, talk)
                w = self.ask(port=200 + n, end=False)
                with self.assertRaises((EOFError, ssl.SSLError, ConnectionError)):
                    self.answer(w)
                self.assertIsNotNone(c.wait(c.request(self.fields(port=200 + n))).reset)
                self.assertLess(self.served(), 1.5)

    def test_a_guest_that_is_silent_amid_its_head_is_504(self):
        self.app(300, says(self.OK + "x: ", then=20))
        with self.refused("silent"):
            self.assertEqual(self.ask(port=300)[0], 504)

    def test_what_follows_an_answer_is_nobodys(self):
        self.app(301, says(self.OK + "content-length: 2\r\n\r\nok" + self.OK + "content-length: 4\r\n\r\nevil", then=0.2))
        for _ in range(3):
            self.assertEqual(self.ask(port=301)[2], b"ok")

    def test_nobody_listens_and_who_does_not_know_http_2(self):
        with self.refused("no-listener", "broken"):
            self.assertEqual(self.ask(port=400)[0], 502)
            self.app(401, says("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))
            self.assertEqual(self.ask(lines="X-aws-proxy-force-h2: true\r\n", port=401)[0], 502)


class Ends(BadInput):
    """An endpoint that ends while somebody uses it."""

    def setUp(self):
        super().setUp()
        self.begun = threading.Event()
        self.app(1, self.talk_begin)
        self.app(2, talk_websocket)
        self.app(3, lambda app, w: (request_of(app, w), self.begun.set(), time.sleep(20)))

    def talk_begin(self, app, w):
        request_of(app, w)
        w.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        self.begun.set()
        time.sleep(20)

    def test_its_requests_are_502_or_cut_and_it_is_unknown_then(self):
        waiting, half, upgraded = self.ask(port=3, end=False), self.ask(port=1, end=False), self.connect()
        c = self.client().ready()
        asked, cut = c.request(self.fields(port=3)), c.request(self.fields(port=1))
        upgraded.send(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{KEY}"
                      f"X-aws-proxy-auth: {self.token}\r\nX-aws-proxy-port: 2\r\n\r\n")
        self.assertIn(" 101 ", upgraded.head()[0])
        self.assertEqual(upgraded.exactly(5), b"early")
        c.until(lambda: c.streams[cut].body == b"half")
        half.head()
        self.assertEqual(half.exactly(4), b"half")
        wait_for("all are inside", lambda: len(self.apps[3].requests) == 2)
        self.rig.control.endpoint(GONE, self.endpoint)
        self.assertEqual(self.answer(waiting)[0], 502)
        self.assertTrue(half.closed())
        self.assertTrue(upgraded.closed())
        self.assertEqual(c.wait(asked).status, 502)
        self.assertIsNotNone(c.wait(cut).reset)
        self.assertEqual(c.wait(c.request(self.fields())).status, 403)
        self.set(OPEN)
        wait_for("it is there again", lambda: self.ask()[0] == 200)


class WrongProtocols(BadInput):
    def test_who_speaks_no_tls_is_closed_soon(self):
        for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 512,
                      b"*1\r\n$4\r\nPING\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100):
            with self.subTest(first[:8]), socket.create_connection(("127.0.0.1", self.rig.port), timeout=10) as s:
                at = time.monotonic()
                s.sendall(first)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
                self.assertLess(time.monotonic() - at, 5)
        self.assertLess(self.served(), 1.5)

    def test_what_is_no_http_inside_tls_is_400_or_closed(self):
        texts = (b"SSH-2.0-x\r\n\r\n", b"\0" * 100 + b"\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
                 b"GET / HTTP/9.9\r\nHost: x\r\n\r\n")
        with self.refused(*["malformed"] * len(texts)):
            for text in texts:
                with self.subTest(text[:8]):
                    w = self.connect()
                    w.send(text)
                    self.assertIn(w.head()[0].split()[1], ("400", "501", "505"))

    def test_a_head_that_is_too_large_or_too_slow_has_a_name(self):
        c, w = self.client().ready(), self.connect()
        with self.refused("head-too-large", "head-too-large", "head-too-slow"):
            w.send("GET / HTTP/1.1\r\n")
            self.assertEqual(self.ask(lines="X-Big: " + "v" * 70000 + "\r\n")[0], 431)
            self.assertEqual(c.wait(c.request(self.fields(x_big="v" * 70000))).status, 431)
            self.assertIn(" 408 ", w.head()[0])

    def test_http_2_is_no_http_1_and_the_reverse(self):
        c = self.client()
        c.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        self.assertIsNotNone(c.drain())
        w = self.connect()
        w.send(h2.PREFACE)
        self.assertTrue(w.head()[0].split()[1] in ("400", "505"))
        self.assertLess(self.served(), 1.5)


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1), "hold_ms = 2000\nresponse_timeout_ms = 2500\nhead_timeout_ms = 1500\n"))
