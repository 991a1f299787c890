#!/usr/bin/env python3
"""HTTP/2 at the endpoint, by frames: what passes to an application of HTTP/1.1, and what is refused.

    proxy_h2_test.py PROXY_ROLE [unittest arguments]
"""
import base64
import hashlib
import json
import queue
import socket
import ssl
import sys
import threading
import time

import h2_client as h2
import proxy_test
from proxy_rig import MIB, OPEN, SLEEPING, WAITING, WAKE, App, Rig, request_of, talk_events, talk_sink, talk_source, wait_for


def talk_trailers(app, w):
    """Takes trailers, answers with some; /only: a head and trailers without a body."""
    while True:
        request_of(app, w)
        app.bodies.append(b"".join(iter_chunks(app, w)))
        w.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n"
               "3\r\nabc\r\n0\r\ngrpc-status: 7\r\nhost: evil\r\n\r\n")


def iter_chunks(app, w):
    while True:
        size = int(w.line().split(";")[0], 16)
        if not size:
            break
        yield w.exactly(size + 2)[:-2]
    app.trailers = []
    while line := w.line():
        app.trailers.append(line)


def talk_half(app, w):
    """Breaks off in the middle of its answer."""
    request_of(app, w)
    w.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    time.sleep(0.2)


def talk_chunk_cut(app, w):
    request_of(app, w)
    w.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    time.sleep(0.2)


def talk_late(app, w):
    """Takes an upload only when `app.go` is set."""
    _, _, fields = request_of(app, w)
    app.go.wait(20)
    n = sum(len(data) for data in w.chunks())
    w.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(str(n))}\r\n\r\n{n}")


def talk_hints(app, w):
    _, _, fields = request_of(app, w)
    w.send("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")
    time.sleep(0.1)
    w.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")


def talk_refusal(app, w):
    """Answers before the request is whole, and reads no more."""
    request_of(app, w)
    w.send("HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig")
    time.sleep(1)


def talk_frames(app, w):
    """A WebSocket that greets, and echoes bytes; `app.accept` breaks the handshake."""
    _, target, fields = request_of(app, w)
    key = dict(fields).get("sec-websocket-key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = getattr(app, "accept", None) or base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    if target == "/no":
        w.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno")
        return
    w.send(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
           f"sec-websocket-accept: {accept}\r\n\r\n\x81\x02hi")
    while True:
        w.left or w.more()
        w.send(w.left)
        w.left = b""


def far_away(port, seconds):
    """A port that leads to @port, @seconds away in each direction."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pipe(a, b):
        due = queue.Queue()

        def read():
            while data := a.recv(1 << 17):
                due.put((time.monotonic() + seconds, data))
            due.put((0, b""))
        threading.Thread(target=read, daemon=True).start()
        while (next_one := due.get())[1]:
            time.sleep(max(0, next_one[0] - time.monotonic()))
            b.sendall(next_one[1])

    def serve():
        a, _ = listener.accept()
        b = socket.create_connection(("127.0.0.1", port))
        for ends in ((a, b), (b, a)):
            threading.Thread(target=pipe, args=ends, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class H2Test(proxy_test.ProxyTest):
    def client(self, port=None, **more):
        context = ssl.create_default_context(cafile=self.rig.cert)
        context.set_alpn_protocols(["h2", "http/1.1"])
        raw = socket.create_connection(("127.0.0.1", port or self.rig.port), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = context.wrap_socket(raw, server_hostname=self.host)
        self.assertEqual(sock.selected_alpn_protocol(), "h2")
        self.addCleanup(sock.close)
        return h2.Client(sock, **more)

    def fields(self, target="/", method="GET", port=None, **more):
        f = [(":method", method), (":scheme", "https"), (":path", target), (":authority", more.pop("host", self.host))]
        f += [("x-aws-proxy-auth", self.token)] + ([("x-aws-proxy-port", str(port))] if port is not None else [])
        return f + [(name.replace("_", "-"), value) for name, value in more.items()]

    def served(self):
        """A client that behaves gets its answer, and soon."""
        at = time.monotonic()
        c = self.client()
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)
        return time.monotonic() - at


class Requests(H2Test):
    def test_a_request_reaches_the_application_as_one_of_http_1_1(self):
        c = self.client()
        fields = self.fields("/path?q=1", accept="*/*", te="trailers")
        s = c.wait(c.request(fields + [("cookie", "a=1"), ("x-own", "1"), ("cookie", "b=2")]))
        self.assertEqual(s.status, 200)
        seen = json.loads(s.body)
        headers = dict(seen["headers"])
        self.assertEqual(seen["line"], "GET /path?q=1 HTTP/1.1")
        self.assertEqual(headers["host"], self.host)
        self.assertEqual(headers["cookie"], "a=1; b=2")
        self.assertEqual(headers["x-own"], "1")
        self.assertEqual(headers["x-amzn-requestid"], s.final()["x-amzn-requestid"])
        self.assertFalse([n for n in headers if n.startswith(("x-aws-proxy", ":"))])
        self.assertEqual(s.final()["server"], "rig")
        self.assertNotIn("connection", s.final())

    def test_many_streams_of_a_connection_are_served_at_once(self):
        c = self.client()
        slow = c.request(self.fields("/slow"))
        quick = [c.request(self.fields(f"/{i}")) for i in range(60)]
        for each in quick:
            self.assertEqual(c.wait(each).status, 200)
        self.assertFalse(c.streams[slow].over)
        self.assertEqual(c.wait(slow).body, b"slow")

    def test_a_body_arrives_whole_with_and_without_a_length(self):
        c = self.client().ready()
        for more in ({"content_length": str(MIB)}, {}):
            s = c.request(self.fields(method="POST", **more), end=False)
            c.send(s, b"x" * MIB, end=True)
            self.assertEqual(json.loads(c.wait(s).body)["body"] if more else c.wait(s).status, MIB if more else 200)

    def test_trailers_pass_both_ways(self):
        app = self.app(1, talk_trailers)
        app.bodies = []
        c = self.client().ready()
        s = c.request(self.fields(method="POST", port=1, te="trailers"), end=False)
        c.send(s, b"question")
        c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, s,
                c.encoder.encode([("x-sum", "9"), ("authorization", "b")], huffman=False))
        c.wait(s)
        self.assertEqual((app.bodies, app.trailers), ([b"question"], ["x-sum: 9"]))
        self.assertEqual(c.streams[s].body, b"abc")
        self.assertEqual(dict(c.streams[s].heads[-1]), {"grpc-status": "7"})

    def test_an_answer_without_a_body_is_one_frame(self):
        c = self.client()
        for target, method, status in (("/204", "GET", 204), ("/304", "GET", 304), ("/", "HEAD", 200)):
            s = c.wait(c.request(self.fields(target, method)))
            self.assertEqual((s.status, s.body), (status, b""))
            self.assertEqual([(kind, bool(flags & h2.END_STREAM)) for kind, flags, _ in s.frames], [(h2.HEADERS, True)])

    def test_interim_answers_pass(self):
        self.app(1, talk_hints)
        c = self.client()
        s = c.wait(c.request(self.fields(port=1)))
        self.assertEqual([dict(h)[":status"] for h in s.heads], ["103", "200"])
        self.assertEqual(dict(s.heads[0])["link"], "</a.css>")
        self.assertEqual(s.body, b"hi")

    def test_who_waits_for_a_100_gets_it(self):
        c = self.client().ready()
        s = c.request(self.fields(method="POST", expect="100-continue", content_length="3"), end=False)
        c.until(lambda: c.streams[s].heads)
        self.assertEqual(c.streams[s].status, 100)
        c.send(s, b"abc", end=True)
        self.assertEqual(json.loads(c.wait(s).body)["body"], 3)

    def test_an_early_answer_comes_whole_and_then_the_rest_is_called_off(self):
        self.app(1, talk_refusal)
        c = self.client().ready()
        s = c.request(self.fields(method="POST", port=1), end=False)
        c.send(s, b"x" * 1000)
        got = c.streams[s]
        c.until(lambda: got.ended)
        # curl 7.88 forgets an answer that it reads in one record with the end of its upload.
        self.assertEqual((got.reset, c.left), (None, b""))
        c.until(lambda: got.reset is not None)
        self.assertEqual((got.status, got.body, got.ended, got.reset), (413, b"big", True, h2.NO_ERROR))
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)

    def test_a_cut_backend_is_a_reset_and_never_a_clean_end(self):
        for talk in (talk_half, talk_chunk_cut):
            self.app(1, talk)
            c = self.client()
            s = c.wait(c.request(self.fields(port=1)))
            self.assertEqual((s.body, s.ended, s.reset), (b"half", False, h2.INTERNAL_ERROR))
            self.assertEqual(c.wait(c.request(self.fields())).status, 200)

    def test_a_client_that_resets_a_stream_ends_it_in_the_application(self):
        gone = threading.Event()

        def talk(app, w):
            request_of(app, w)
            w.closed(10)
            gone.set()
        self.app(1, talk)
        c = self.client().ready()
        s = c.request(self.fields(port=1))
        wait_for("the request", lambda: self.apps[1].requests)
        c.frame(h2.RST_STREAM, 0, s, h2.CANCEL.to_bytes(4, "big"))
        self.assertTrue(gone.wait(5))

    def test_what_the_application_does_not_take_is_not_credited(self):
        app = self.app(1, talk_late)
        app.go = threading.Event()
        c = self.client().ready()
        s = c.request(self.fields(method="POST", port=1), end=False)
        sent = 0
        while c.windows[s] > 0 and c.send_window > 0 and sent < 64 * MIB:
            n = min(16384, c.windows[s], c.send_window)
            c.send(s, b"x" * n)
            sent += n
            if c.windows[s] <= 0:
                c.sock.settimeout(0.5)
                try:
                    c.step()
                except TimeoutError:
                    break
        self.assertLess(sent, 8 * MIB)  # the kernel's buffers take some, the proxy no more than its window
        c.sock.settimeout(20)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)  # the others go on
        app.go.set()
        c.send(s, b"x" * 100000, end=True)
        self.assertEqual(int(c.wait(s).body), sent + 100000)
        self.check_memory()

    def test_windows_grow_to_what_a_long_way_can_carry(self):
        self.app(1, talk_sink)
        c = self.client(port=far_away(self.rig.port, 0.02)).ready()
        s = c.request(self.fields(method="POST", port=1), end=False)
        most = 0
        for _ in range(32):
            c.send(s, b"x" * (1 << 19))
            most = max(most, min(c.windows[s], c.send_window))
        c.send(s, b"", end=True)
        self.assertEqual(c.wait(s).body.split()[0], b"%d" % (16 * MIB))
        self.assertGreater(most, MIB)

    def test_a_reader_that_stops_holds_its_stream_only(self):
        self.app(1, talk_source)
        c = self.client(window=65535)
        c.frame(h2.WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big"))
        s = c.request(self.fields("/64", port=1))
        c.until(lambda: len(c.streams[s].body) == 65535)
        other = c.request(self.fields())
        self.assertEqual(c.wait(other).status, 200)
        self.assertLess(self.apps[1].sent, 16 * MIB)
        self.assertEqual(len(c.streams[s].body), 65535)
        c.frame(h2.WINDOW_UPDATE, 0, s, (1 << 30).to_bytes(4, "big"))
        self.assertEqual(len(c.wait(s).body), 64 * MIB)
        self.check_memory()

    def test_a_request_waits_for_a_sleeping_microvm(self):
        self.set(SLEEPING, machine="")
        c = self.client().ready()
        s = [c.request(self.fields(method="POST"), end=False) for _ in range(5)]
        for each in s:
            c.send(each, b"x" * 5000)
        wait_for("WAKE", lambda: self.rig.control.of(WAKE, self.endpoint))
        self.set(OPEN)
        for each in s:
            c.send(each, b"y", end=True)
            self.assertEqual(c.wait(each).status, 200)

    def test_events_come_one_by_one(self):
        self.app(1, talk_events)
        c = self.client()
        s = c.request(self.fields(port=1))
        got = c.streams[s]
        c.until(lambda: got.body)
        self.assertEqual(got.body, b"data: 0\n\n")
        self.assertEqual(c.wait(s).body.count(b"data"), 5)

    def test_denials_are_those_of_http_1_1(self):
        c = self.client()
        for fields, status, text in ((self.fields()[:4], 403, b"Request missing authentication"),
                                     (self.fields(host="x" + self.host[1:] + ".org"), 403, b"Token authentication failed"),
                                     (self.fields(port=0), 400, b"Invalid X-aws-proxy-port")):
            s = c.wait(c.request(fields))
            self.assertEqual((s.status, s.body), (status, text))
            self.assertEqual(s.final()["cache-control"], "private, no-store")

    def test_nothing_of_http_1_1_is_spoken_behind_h2(self):
        c = self.client()
        c.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        self.assertIsNotNone(c.drain())


class Smuggling(H2Test):
    """Each is refused, or makes exactly one request."""

    def refused(self, *fields, method="POST", drop=()):
        c = self.client().ready()
        base = [(n, v) for n, v in self.fields("/", method) if n not in drop]
        block = b"".join(h2.literal(n, v) if len(v) < 127 else c.encoder.encode([(n, v)], huffman=False) for n, v in base)
        block += b"".join(h2.literal(n, v) for n, v in fields)
        c.block(block, end=False)
        c.frame(h2.DATA, h2.END_STREAM, 1, b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")
        s = c.wait(1)
        return s.reset == h2.PROTOCOL_ERROR or s.status in (400, 417, 431, 501)

    def test_what_another_reader_could_read_differently_is_refused(self):
        rows = [
            [("content-length", "0")], [("content-length", "5")], [("content-length", "500")],
            [("content-length", "5"), ("content-length", "31")], [("content-length", "+31")], [("content-length", "31, 31")],
            [("transfer-encoding", "chunked")], [("transfer-encoding", "identity")], [("Transfer-Encoding", "chunked")],
            [("connection", "close")], [("keep-alive", "1")], [("proxy-connection", "x")], [("upgrade", "h2c")],
            [("te", "gzip")], [("x-a", "b\r\nx: y")], [("x-a", "b\nx: y")], [("x-a", "b\rx")], [("x-a", "b\0c")],
            [("x-a\r\nx", "b")], [("x a", "b")], [("x:a", "b")], [("X-A", "b")], [("", "b")], [("x-a\xff", "b")],
            [("x-a", "b\x7f")], [("x-a", "\x01")], [("host", "other.example")], [("host", self.host), ("host", self.host)],
            [(":path", "/b")], [(":method", "GET")], [(":authority", "x")], [(":unknown", "x")], [("expect", "x")],
        ]
        for row in rows:
            with self.subTest(row=row):
                self.assertTrue(self.refused(*row))
        for drop, row in ((":path", "/a b"), (":path", "/a\r\nx: y"), (":path", "a"), (":path", ""), (":path", "http://x/"),
                          (":path", "/a#b"), (":path", "*"), (":method", "GET /x HTTP/1.1"), (":method", "G\r\nT"),
                          (":authority", "a b"), (":authority", "u@" + self.host), (":authority", ""), (":scheme", "ftp")):
            with self.subTest(pseudo=drop, value=row):
                c = self.client().ready()
                block = b"".join(h2.literal(n, v) for n, v in self.fields()[:4] if n != drop) + h2.literal(drop, row)
                block += c.encoder.encode(self.fields()[4:], huffman=False)
                s = c.wait(c.block(block))
                self.assertTrue(s.reset == h2.PROTOCOL_ERROR or s.status in (400, 403, 501), s.status)
        for first, _ in self.apps[8080].requests:  # a length that lies is found only behind the head
            self.assertEqual(first, "POST / HTTP/1.1")

    def test_a_length_that_lies_never_becomes_two_requests(self):
        self.refused(("content-length", "5"))
        self.refused(("content-length", "0"))
        time.sleep(0.2)
        self.assertNotIn("/evil", str(self.apps[8080].requests))

    def test_an_upgrade_with_a_body_is_refused(self):
        for lines in ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"):
            status, _, _ = self.ask(lines="Connection: upgrade\r\nUpgrade: websocket\r\n" + lines, body=b"", end=True)
            self.assertEqual(status, 400)
        self.assertEqual(self.apps[8080].requests, [])

    def test_heads_over_the_limits_are_431(self):
        c = self.client().ready()
        for more in ([(f"x-{i}", "v") for i in range(200)], [(f"x-{i}", "v" * 1000) for i in range(70)]):
            s = c.request(self.fields() + more)
            self.assertEqual(c.wait(s).status, 431)
        self.assertEqual(c.wait(c.request(self.fields("/" + "a" * 17000))).status, 414)

    def test_a_head_however_large_is_431_on_its_stream_alone(self):
        c = self.client().ready()
        other = c.request(self.fields("/slow"))
        for more in ([("x-big", "v" * 66000)], [("x-big", "v" * 700000)], [("x" * 66000, "v")],
                     [(f"x-{i}", "v" * 1000) for i in range(500)],
                     [("x-new", "v"), ("x-big", "v" * 90000), ("x-newer", "w" * 9)]):
            for huffman in (False, True)[:1 if len(more[0][1]) > 100000 else 2]:  # the encoder's time grows with the square
                s = c.block(c.encoder.encode(self.fields() + more, huffman=huffman))
                self.assertEqual(c.wait(s).status, 431)
        self.assertEqual(c.wait(other).status, 200)
        s = c.wait(c.request(self.fields(x_new="v", x_newer="w" * 9)))
        got = dict(json.loads(s.body)["headers"])
        self.assertEqual((got["x-new"], got["x-newer"]), ("v", "w" * 9), "both sides have the same table")
        self.check_memory()

    def test_trailers_however_large_end_their_stream_alone(self):
        c = self.client().ready()
        other = c.request(self.fields("/slow"))
        s = c.request(self.fields(method="POST"), end=False)
        block = c.encoder.encode([("x-sum", "v" * 70000)], huffman=False)
        for i in range(0, len(block), 16384):
            last = i + 16384 >= len(block)
            c.frame(h2.CONTINUATION if i else h2.HEADERS, (0 if i else h2.END_STREAM) | (h2.END_HEADERS if last else 0), s,
                    block[i:i + 16384])
        self.assertEqual(c.wait(s).reset, h2.PROTOCOL_ERROR)
        self.assertEqual(c.wait(other).status, 200)


class Floods(H2Test):
    """Each ends its connection, and no other."""

    def flood(self, *frames, n=20000, setup=None):
        c = self.client().ready()
        block = setup(c) if setup else None
        one = b"".join(f(c, block) if callable(f) else f for f in frames)
        try:
            for _ in range(n // 50):
                c.raw(one * 50)
        except OSError:
            pass
        code = c.drain()
        self.assertLess(self.served(), 2)
        self.check_memory()
        return code

    def test_floods_of_control_frames(self):
        update = h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1")
        for name, one in (("SETTINGS", h2.frame(h2.SETTINGS, 0, 0)), ("PING", h2.frame(h2.PING, 0, 0, b"\0" * 8)),
                          ("PRIORITY", h2.frame(h2.PRIORITY, 0, 9, b"\0\0\0\0\1")), ("WINDOW_UPDATE", update),
                          ("unknown", h2.frame(0x77, 0, 0, b"x"))):
            with self.subTest(name):
                self.assertIn(self.flood(one), (h2.CALM, None))

    def test_streams_that_are_reset_at_once(self):
        c = self.client().ready()
        code = None
        try:
            for _ in range(20000):
                s = c.request(self.fields())
                c.frame(h2.RST_STREAM, 0, s, h2.CANCEL.to_bytes(4, "big"))
        except OSError:
            pass
        code = c.drain()
        self.assertIn(code, (h2.CALM, None))
        self.assertLess(len(self.apps[8080].requests), 5000)
        self.assertLess(self.served(), 3)

    def test_a_block_of_fields_that_does_not_end(self):
        for size in (0, 1, 16000):
            c = self.client().ready()
            c.frame(h2.HEADERS, 0, 1, c.encoder.encode(self.fields(), huffman=False))
            one = h2.frame(h2.CONTINUATION, 0, 1, b"\0\1a\1b" * (size // 5))
            try:
                for _ in range(400):
                    c.raw(one * 50)
            except OSError:
                pass
            c.drain()
            self.assertLess(self.served(), 2)

    def test_small_blocks_that_become_large(self):
        c = self.client().ready()
        self.assertEqual(c.wait(c.request(self.fields(x_big="v" * 3900))).status, 200)
        try:
            for _ in range(200):
                s, c.next = c.next, c.next + 2
                c.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, s, b"\xbe" * 16000)
        except OSError:
            pass
        c.drain()
        self.assertLess(self.served(), 2)
        self.check_memory()

    def test_data_without_a_byte(self):
        c = self.client().ready()
        s = c.request(self.fields(method="POST"), end=False)
        try:
            for _ in range(400):
                c.raw(h2.frame(h2.DATA, 0, s) * 50)
        except OSError:
            pass
        self.assertIn(c.drain(), (h2.CALM, None))
        self.assertLess(self.served(), 2)

    def test_streams_above_the_limit_end_a_connection_that_knows_it(self):
        self.set(SLEEPING, machine="")
        c = self.client().ready()
        self.assertEqual(c.settings[3], 128)
        for _ in range(129):
            c.request(self.fields())
        self.assertEqual(c.drain(), h2.PROTOCOL_ERROR)
        other = self.client().ready()
        streams = [other.request(self.fields()) for _ in range(128)]
        self.set(OPEN)
        for s in streams:
            self.assertEqual(other.wait(s).status, 200)

    def test_a_window_that_overflows_ends_what_it_belongs_to(self):
        c = self.client().ready()
        c.frame(h2.WINDOW_UPDATE, 0, 0, ((1 << 31) - 1).to_bytes(4, "big"))
        self.assertEqual(c.drain(), 3)
        self.served()


class WebSockets(H2Test):
    def setUp(self):
        super().setUp()
        self.ws = self.app(1, talk_frames)

    def connect_fields(self, target="/", protocol="websocket", token=True, **more):
        f = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":path", target),
             (":authority", self.host), ("sec-websocket-version", "13")]
        if token:
            f += [("x-aws-proxy-auth", self.token), ("x-aws-proxy-port", "1")]
        return f + [(name.replace("_", "-"), value) for name, value in more.items()]

    def open(self, c, **more):
        s = c.request(self.connect_fields(**more), end=False)
        c.until(lambda: c.streams[s].heads or c.streams[s].over)
        return s

    def test_an_extended_connect_is_a_websocket(self):
        c = self.client().ready()
        self.assertEqual(c.settings[8], 1)
        s = self.open(c)
        self.assertEqual(c.streams[s].status, 200)
        self.assertFalse([n for n, _ in c.streams[s].heads[0] if n in ("upgrade", "connection", "sec-websocket-accept")])
        first, fields = self.ws.requests[-1]
        self.assertEqual(first, "GET / HTTP/1.1")
        self.assertEqual(dict(fields)["upgrade"], "websocket")
        self.assertEqual(dict(fields)["connection"], "upgrade")
        self.assertEqual(len(base64.b64decode(dict(fields)["sec-websocket-key"])), 16)
        got = c.streams[s]
        c.until(lambda: got.body == b"\x81\x02hi")
        for size in (1, 70000, 3 * MIB):
            got.body = bytearray()
            c.send(s, b"y" * size)
            c.until(lambda n=size: len(got.body) == n)
            self.assertEqual(got.body, b"y" * size)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)

    def test_a_browser_is_admitted_by_subprotocols(self):
        c = self.client().ready()
        s = self.open(c, token=False, sec_websocket_protocol="lambda-microvms, lambda-microvms.port.1, "
                      f"lambda-microvms.authentication.{self.token}")
        self.assertEqual(c.streams[s].status, 200)
        self.assertEqual(c.streams[s].final()["sec-websocket-protocol"], "lambda-microvms")
        self.assertNotIn("sec-websocket-protocol", dict(self.ws.requests[-1][1]))
        s = self.open(c, token=False, sec_websocket_protocol="lambda-microvms")
        self.assertEqual(c.wait(s).status, 403)

    def test_an_application_that_answers_another_key_is_502(self):
        self.ws.accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        c = self.client().ready()
        self.assertEqual(c.wait(self.open(c)).status, 502)

    def test_a_refusal_never_looks_like_a_tunnel(self):
        c = self.client().ready()
        self.assertEqual(c.wait(self.open(c, target="/no")).status, 502)

    def test_other_protocols_and_plain_connects_are_not_served(self):
        c = self.client().ready()
        self.assertEqual(c.wait(self.open(c, protocol="connect-udp")).status, 501)
        s = c.request([(":method", "CONNECT"), (":authority", self.host), *self.fields()[4:]], end=False)
        self.assertEqual(c.wait(s).status, 501)

    def test_a_suspend_closes_a_websocket_cleanly_over_both(self):
        c = self.client().ready()
        s = self.open(c)
        got = c.streams[s]
        c.until(lambda: got.body)
        w = self.ask(lines=proxy_test.WebSockets.HEAD, port=1, end=False)
        w.head()
        self.assertEqual(w.exactly(4), b"\x81\x02hi")
        self.set(WAITING)
        self.assertEqual(w.exactly(4), b"\x88\x02\x03\xe9")
        self.assertTrue(w.closed())
        c.until(lambda: got.ended)
        self.assertEqual(got.body, b"\x81\x02hi\x88\x02\x03\xe9")

    def test_a_suspend_amid_a_frame_is_no_clean_close(self):
        c = self.client().ready()
        s = self.open(c)
        got = c.streams[s]
        c.until(lambda: got.body)
        c.send(s, b"\x82\x7e\x10\x00part")
        c.until(lambda: len(got.body) == 12)
        self.set(WAITING)
        self.assertEqual(c.wait(s).reset, h2.CANCEL)

    def test_each_end_of_a_tunnel_ends_the_other(self):
        c = self.client().ready()
        s = self.open(c)
        c.until(lambda: c.streams[s].body)
        before = self.rig.files()
        c.frame(h2.RST_STREAM, 0, s, h2.CANCEL.to_bytes(4, "big"))
        wait_for("the guest's end is closed", lambda: self.rig.files() < before)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)

    def test_a_connection_that_saw_an_upgrade_carries_no_other_request(self):
        status, _, _ = self.ask(lines=proxy_test.WebSockets.HEAD)  # talk_hello answers 200 and keeps the connection
        self.assertEqual(status, 200)
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(self.apps[8080].conns, 2)


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1)))
