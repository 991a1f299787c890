#!/usr/bin/env python3
"""Applications that speak HTTP/2, as clients of the proxy see them.

    proxy_guest_h2_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]
"""
import hashlib
import json
import os
import sys
import threading
import time

from proxy_clients import clients

if __name__ == "__main__":
    clients(sys.argv[2])

import proxy_test
from proxy_guest_h2_rig import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                                Client, fields, frame, serve_hello, talk_frames, talk_h2)
from proxy_rig import MIB, OPEN, SLEEPING, App, Machine, Rig, talk_hello, wait_for

FORCE = "X-aws-proxy-force-h2: true\r\n"
OK = fields((":status", "200"))


class H2Test(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.h2 = self.app(8080, talk_h2(serve_hello))

    def ask(self, target="/", method="GET", lines="", **more):
        return super().ask(target, method, lines + FORCE, **more)

    def frames(self, script):
        """An application that answers by frames of its own."""
        return self.app(8080, talk_frames(script))


class Requests(H2Test):
    def test_a_request_over_http_1_reaches_an_http_2_application_cleaned(self):
        status, got, body = self.ask("/path?q=1", lines="X-Mine: 1\r\nConnection: x-hop\r\nx-hop: 1\r\nTE: trailers\r\n")
        self.assertEqual((status, got["server"]), (200, "rig"))
        seen = dict(json.loads(body)["headers"])
        self.assertEqual((seen[":method"], seen[":path"], seen[":scheme"]), ("GET", "/path?q=1", "http"))
        self.assertEqual((seen[":authority"], seen["x-mine"], seen["te"]), (self.host, "1", "trailers"))
        self.assertEqual(seen["x-amzn-requestid"], got["x-amzn-requestid"])
        for name in ("host", "connection", "x-hop", "transfer-encoding", "upgrade"):
            self.assertNotIn(name, seen)
        self.assertFalse([n for n in seen if n.startswith("x-aws-proxy")])

    def test_requests_share_one_connection(self):
        wires = [self.connect() for _ in range(8)]
        for w in wires:
            self.ask("/slow", wire=w, end=False)
        for w in wires:
            self.assertEqual(self.answer(w)[2], b"slow")
        for w in wires:
            self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual(self.h2.conns, 1)

    def test_bodies_cross_whole_in_both_directions(self):
        up = os.urandom(3 * MIB)
        seen = []
        self.h2 = self.app(8080, talk_h2(lambda s: (seen.append(s), serve_hello(s))))
        status, _, _ = self.ask("/", "POST", f"content-length: {len(up)}\r\n", body=up)
        self.assertEqual(status, 200)
        self.assertEqual(hashlib.sha256(seen[0].body).digest(), hashlib.sha256(up).digest())
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (up[:10], up[10:70000], up[70000:]))
        status, _, _ = self.ask("/", "POST", "transfer-encoding: chunked\r\n", body=chunked + b"0\r\n\r\n")
        self.assertEqual(status, 200)
        self.assertEqual(seen[1].body, up)
        self.assertEqual(len(self.ask(f"/big?{20 * MIB}")[2]), 20 * MIB)
        self.check_memory()

    def test_heads_without_bodies_are_answered(self):
        w = self.connect()
        status, got, body = self.ask(method="HEAD", wire=w)
        self.assertEqual((status, got["content-length"], body), (200, "7", b""))
        self.assertEqual(self.ask("/204", wire=w)[0], 204)
        status, got, body = self.ask("/only", wire=w)
        self.assertEqual((status, got["grpc-status"], body), (200, "5", b""))
        self.assertEqual(self.ask(wire=w)[0], 200)

    def test_early_hints_are_not_taken_for_the_answer(self):
        self.assertEqual(self.ask("/hints")[2], b"hi")

    def test_trailers_reach_a_client_that_wants_them(self):
        for path in ("/trailers", "/trailers/length"):
            w = self.ask(path, lines="TE: trailers\r\nConnection: te\r\n", end=False)
            first, got = w.head()
            self.assertEqual(dict(got)["transfer-encoding"], "chunked")
            text = b""
            while size := int(w.line(), 16):
                text += w.exactly(size + 2)[:-2]
            self.assertEqual((text, w.line(), w.line(), w.line()), (b"body", "x-sum: 42", "grpc-status: 0", ""))
            self.assertEqual(self.ask(path)[2], b"body")

    def test_trailers_of_a_request_reach_the_application(self):
        status, _, body = self.ask(method="POST", lines="transfer-encoding: chunked\r\n",
                                   body=b"3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n")
        self.assertEqual((status, json.loads(body)["body"]), (200, 3))
        self.assertEqual(json.loads(body)["trailers"], {"x-sum": "7"})

    def test_an_application_that_knows_http_1_alone_is_a_502(self):
        self.app(8080, talk_hello)
        started = time.monotonic()
        status, got, body = self.ask()
        self.assertEqual((status, body), (502, b""))
        self.assertLess(time.monotonic() - started, 3)
        self.assertIn("HTTP/1.1", got["x-doze-reason"])
        self.assertEqual(proxy_test.ProxyTest.ask(self)[0], 200)

    def test_an_application_that_knows_http_2_alone_is_a_502_that_says_what_to_do(self):
        status, got, _ = proxy_test.ProxyTest.ask(self)
        self.assertEqual(status, 502)
        self.assertIn("X-aws-proxy-force-h2", got["x-doze-reason"])
        self.assertEqual(self.ask()[0], 200)

    def test_an_upgrade_stays_with_http_1(self):
        self.app(8080, proxy_test.talk_websocket)
        w = self.connect()
        w.send(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{FORCE}"
               f"X-aws-proxy-auth: {self.token}\r\n\r\n")
        self.assertIn(" 101 ", w.head()[0])


class Sessions(H2Test):
    def test_a_connection_takes_as_many_requests_as_its_application_allows(self):
        import h2.settings
        app = self.app(8080, talk_h2(serve_hello, {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2}))
        self.assertEqual(self.ask()[0], 200)
        wires = [self.connect() for _ in range(6)]
        for w in wires:
            self.ask("/slow", wire=w, end=False)
        for w in wires:
            self.assertEqual(self.answer(w)[2], b"slow")
        self.assertLessEqual(app.conns, 3)
        self.assertGreaterEqual(app.conns, 3)

    def test_a_session_ends_with_its_machine(self):
        w = self.connect()
        self.assertEqual(self.ask(wire=w)[0], 200)
        slow = self.ask("/slow", end=False)
        wait_for("the request", lambda: len(self.h2.requests) == 2)
        other = {8080: App(talk_h2(serve_hello))}
        machine = Machine(f"{self.rig.dir}/run", self.name + "b", other)
        self.addCleanup(machine.close)
        self.set(OPEN, machine=self.name + "b")
        self.assertEqual(self.answer(slow)[0], 502)
        self.assertEqual(self.ask(wire=w)[0], 200)
        self.assertEqual((len(self.h2.requests), len(other[8080].requests)), (2, 1))

    def test_a_request_that_was_refused_is_sent_again(self):
        def refuse(app, f):
            f.send(frame(SETTINGS, 0, 0))
            _, _, stream, _ = f.until(HEADERS)
            app.n = getattr(app, "n", 0) + 1
            if app.n == 1:
                f.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x07"))
                _, _, stream, _ = f.until(HEADERS)
            f.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, OK))
            f.until(GOAWAY)
        app = self.frames(refuse)
        status, _, _ = self.ask(method="POST", lines="content-length: 0\r\n")
        self.assertEqual((status, app.conns), (200, 1))

    def test_a_whole_answer_is_not_reset(self):
        """Servers count resets, and end a connection on which there are many."""
        kinds = []

        def answer(_app, f):
            f.send(frame(SETTINGS, 0, 0))
            while True:
                kind, _, stream, _ = f.next()
                kinds.append(kind)
                if kind == HEADERS:
                    f.send(frame(HEADERS, END_HEADERS | (stream % 4 == 1) * END_STREAM, stream, OK))
                    if stream % 4 != 1:
                        f.send(frame(DATA, END_STREAM, stream, b"done"))
        self.frames(answer)
        for _ in range(6):
            self.assertEqual(self.ask()[0], 200)
        self.assertEqual(kinds.count(HEADERS), 6)
        self.assertNotIn(RST_STREAM, kinds)

    def test_a_request_behind_a_goaway_is_sent_again(self):
        def leave(app, f):
            f.send(frame(SETTINGS, 0, 0))
            _, _, stream, _ = f.until(HEADERS)
            app.n = getattr(app, "n", 0) + 1
            if app.n == 1:
                f.send(frame(GOAWAY, 0, 0, b"\0" * 8))
                return
            f.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, OK))
            f.until(GOAWAY)
        app = self.frames(leave)
        status, _, _ = self.ask(method="POST", lines="content-length: 0\r\n")
        self.assertEqual((status, app.conns), (200, 2))

    def test_requests_before_a_goaway_are_finished(self):
        def leave(app, f):
            f.send(frame(SETTINGS, 0, 0))
            _, _, stream, _ = f.until(HEADERS)
            f.send(frame(GOAWAY, 0, 0, stream.to_bytes(4, "big") + b"\0" * 4))
            time.sleep(0.2)
            f.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, END_STREAM, stream, b"done"))
            f.until(GOAWAY)
        app = self.frames(leave)
        self.assertEqual(self.ask()[2], b"done")
        self.assertEqual(self.ask()[2], b"done")
        self.assertEqual(app.conns, 2)


class Cuts(H2Test):
    def broken(self, *answer, then=None, target="/"):
        """The answer of an application that sends these frames for stream 1, and what the client's connection does."""
        def script(app, f):
            f.send(frame(SETTINGS, 0, 0))
            f.until(HEADERS)
            f.send(*answer)
            if then:
                then(f)
            else:
                f.until(GOAWAY)
        self.port = getattr(self, "port", 0) + 1  # where no session leads to yet
        self.app(self.port, talk_frames(script))
        return self.ask(target, port=self.port, end=False)

    def test_a_reset_before_the_answer_is_a_502(self):
        status, got, _ = self.answer(self.broken(frame(RST_STREAM, 0, 1, b"\0\0\0\x02")))
        self.assertEqual(status, 502)
        self.assertIn("reset", got["x-doze-reason"])

    def test_a_reset_inside_the_answer_cuts_the_client(self):
        w = self.broken(frame(HEADERS, END_HEADERS, 1, OK), frame(DATA, 0, 1, b"some"),
                        frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
        first, got = w.head()
        self.assertIn(" 200 ", first)
        with self.assertRaises((EOFError, OSError)):
            w.body(got)

    def test_a_connection_that_ends_inside_the_answer_cuts_the_client(self):
        w = self.broken(frame(HEADERS, END_HEADERS, 1, OK), frame(DATA, 0, 1, b"some"), then=lambda f: None)
        _, got = w.head()
        with self.assertRaises((EOFError, OSError)):
            w.body(got)

    def test_a_reset_without_an_error_behind_a_whole_answer_loses_nothing(self):
        """As Go's gRPC does; the client is slow, so all of it waits in the proxy when the reset comes."""
        block = b"\x5a" * 16384

        def early(app, f):
            f.send(frame(SETTINGS, 0, 0))
            f.until(HEADERS)
            f.send(frame(HEADERS, END_HEADERS, 1, OK), *[frame(DATA, 0, 1, block) for _ in range(15)],
                   frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("x-sum", "1"))),
                   frame(RST_STREAM, 0, 1, b"\0\0\0\0"))
            f.until(GOAWAY)
        self.frames(early)
        w = self.ask(method="POST", lines="content-length: 1000000\r\n", end=False)
        time.sleep(0.3)
        first, got = w.head()
        self.assertIn(" 200 ", first)
        self.assertEqual(len(w.body(got)), 15 * 16384)

    def test_a_client_that_leaves_resets_the_stream_alone(self):
        started = threading.Event()
        app = self.app(8080, talk_h2(lambda s: (started.set(), s.ended.wait(10)) if s.head[":path"] == "/wait"
                                     else serve_hello(s)))
        self.assertEqual(self.ask()[0], 200)
        w = self.ask("/wait", "POST", "content-length: 5\r\n", end=False)
        self.assertTrue(started.wait(5))
        w.sock.close()
        wait_for("the reset", lambda: app.requests[1].reset == 8)
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(app.conns, 1)

    def test_what_is_no_http_2_is_a_502(self):
        for name, answer in (
                ("no status", frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("server", "x")))),
                ("a status of 99", frame(HEADERS, END_HEADERS | END_STREAM, 1, fields((":status", "099")))),
                ("101", frame(HEADERS, END_HEADERS, 1, fields((":status", "101")))),
                ("a connection header", frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                              OK + fields(("transfer-encoding", "chunked")))),
                ("garbage", b"\xff" * 64),
                ("data first", frame(DATA, END_STREAM, 1, b"x")),
                ("no such table entry", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xfe")),
                ("a head that is too big", frame(HEADERS, 0, 1, OK + fields(("x", "y" * 16000))) +
                 b"".join(frame(9, 0, 1, fields((f"x{i}", "y" * 16000))) for i in range(5)) +
                 frame(9, END_HEADERS, 1, fields(("z", "z")))),
                ("too many fields", frame(HEADERS, END_HEADERS, 1,
                                          OK + b"".join(fields((f"x{i}", "y")) for i in range(200))))):
            with self.subTest(name):
                self.assertEqual(self.answer(self.broken(answer))[0], 502, name)

    def test_a_head_that_is_too_big_costs_its_request_alone(self):
        """However long one string of it is."""
        block = OK + fields(("x-big", "y" * 100000))
        parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]

        def big(app, f):
            f.send(frame(SETTINGS, 0, 0))
            first, second = f.until(HEADERS)[2], f.until(HEADERS)[2]
            f.send(*[frame(9 if i else HEADERS, END_HEADERS if i == len(parts) - 1 else 0, first, part)
                     for i, part in enumerate(parts)])
            f.send(frame(HEADERS, END_HEADERS | END_STREAM, second, OK))
            f.until(GOAWAY)
        app = self.frames(big)
        wires = [self.ask(end=False) for _ in range(2)]
        self.assertEqual(sorted(self.answer(w)[0] for w in wires), [200, 502])
        self.assertEqual(app.conns, 1)

    def test_an_application_that_floods_is_cut_and_costs_little(self):
        def flood(app, f):
            f.send(frame(SETTINGS, 0, 0))
            f.until(HEADERS)
            for _ in range(200):
                f.send(*[frame(PING, 0, 0, b"12345678") for _ in range(1000)])
        self.frames(flood)
        self.assertEqual(self.ask()[0], 502)
        self.check_memory()


class OnBothSides(H2Test):
    """What a client of HTTP/2 sees of each way in which an answer can go."""

    def heard(self, *answer, method="POST", window=None, wait=0, end=True, then=None):
        def script(app, f):
            f.send(frame(SETTINGS, 0, 0), frame(SETTINGS, 1, 0))
            f.until(HEADERS)
            f.send(*answer)
            if not then:
                f.until(GOAWAY)
        self.port = getattr(self, "port", 0) + 1
        self.app(self.port, talk_frames(script))
        client = Client(self.rig, self.host, self.token, self.port, window)
        self.addCleanup(client.sock.close)
        stream = client.ask("/", method, end)
        time.sleep(wait)
        return client.hear(stream)

    def names(self, events):
        return [type(e).__name__ for e in events if type(e).__name__ != "WindowUpdated"]

    def test_trailers_only_stay_one_frame(self):
        got = self.heard(frame(HEADERS, END_HEADERS | END_STREAM, 1, OK + fields(("grpc-status", "5"))))
        self.assertEqual(self.names(got), ["ResponseReceived", "StreamEnded"])
        self.assertIs(got[0].stream_ended, got[-1])
        self.assertEqual(dict(got[0].headers)["grpc-status"], "5")

    def test_trailers_only_with_a_reset_behind_them_stay_one_frame(self):
        """As Go's gRPC does when a call fails before its client has sent all."""
        got = self.heard(frame(HEADERS, END_HEADERS | END_STREAM, 1, OK + fields(("grpc-status", "5"))),
                         frame(RST_STREAM, 0, 1, b"\0\0\0\0"), end=False)
        self.assertEqual(self.names(got)[:2], ["ResponseReceived", "StreamEnded"])
        self.assertIs(got[0].stream_ended, got[1])
        self.assertEqual(dict(got[0].headers)["grpc-status"], "5")

    def test_a_reset_without_an_error_behind_a_whole_answer_loses_nothing(self):
        """The client's window is full when the reset comes, and its request is not whole."""
        block = b"\x5a" * 16384
        got = self.heard(frame(HEADERS, END_HEADERS, 1, OK), *[frame(DATA, 0, 1, block) for _ in range(15)],
                         frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("grpc-status", "0"))),
                         frame(RST_STREAM, 0, 1, b"\0\0\0\0"), window=16384, wait=0.3, end=False)
        self.assertEqual(sum(len(e.data) for e in got if hasattr(e, "data")), 15 * 16384)
        trailers = [e for e in got if type(e).__name__ == "TrailersReceived"]
        self.assertEqual(dict(trailers[0].headers), {"grpc-status": "0"})
        self.assertIn("StreamEnded", self.names(got))

    def test_a_cut_application_is_a_reset_and_never_a_clean_end(self):
        got = self.heard(frame(HEADERS, END_HEADERS, 1, OK), frame(DATA, 0, 1, b"some"), then=True)
        self.assertEqual(self.names(got)[-1], "StreamReset")
        self.assertNotIn("StreamEnded", self.names(got))

    def test_a_reset_keeps_its_code(self):
        for code in (2, 8, 11):
            reset = frame(RST_STREAM, 0, 1, code.to_bytes(4, "big"))
            for before in ([], [frame(HEADERS, END_HEADERS, 1, OK), frame(DATA, 0, 1, b"some")]):
                with self.subTest(code=code, headed=bool(before)):
                    got = self.heard(*before, reset)
                    self.assertEqual((self.names(got)[-1], int(got[-1].error_code)), ("StreamReset", code))

    def test_a_code_that_does_not_exist_and_an_end_without_an_error_are_internal_errors(self):
        for code in (0, 99):
            got = self.heard(frame(HEADERS, END_HEADERS, 1, OK), frame(RST_STREAM, 0, 1, code.to_bytes(4, "big")))
            self.assertEqual((self.names(got)[-1], int(got[-1].error_code)), ("StreamReset", 2))

    def test_early_hints_come_before_the_answer(self):
        got = self.heard(frame(HEADERS, END_HEADERS, 1, fields((":status", "103"), ("link", "x"))),
                         frame(HEADERS, END_HEADERS | END_STREAM, 1, OK))
        self.assertEqual(self.names(got), ["InformationalResponseReceived", "ResponseReceived", "StreamEnded"])

    def test_a_client_that_resets_its_stream_cancels_the_applications(self):
        started = threading.Event()
        app = self.app(8080, talk_h2(lambda s: (started.set(), s.ended.wait(10))))
        client = Client(self.rig, self.host, self.token, 8080)
        self.addCleanup(client.sock.close)
        stream = client.ask("/", "POST", False)
        self.assertTrue(started.wait(5))
        client.c.reset_stream(stream, 8)
        client.flush()
        wait_for("the reset", lambda: app.requests[0].reset == 8)


class Flow(H2Test):
    def test_a_slow_client_stops_its_application_and_nobody_else(self):
        sent = []

        def endless(s):
            if s.head[":path"] != "/endless":
                serve_hello(s)
                return
            s.respond(200)
            while True:
                s.send(b"x" * 65536)
                sent.append(65536)
        app = self.app(8080, talk_h2(endless))
        w = self.ask("/endless", end=False)
        wait_for("the windows to be full", lambda: self.stands_still(sent))
        self.assertLess(sum(sent), 12 * MIB)
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(app.conns, 1)
        self.check_memory()
        w.sock.close()

    def stands_still(self, sent):
        before = len(sent)
        time.sleep(0.3)
        return before and len(sent) == before

    def test_an_application_that_takes_no_body_stops_its_client(self):
        app = self.app(8080, talk_h2(lambda s: time.sleep(5)))
        app.credit = False
        w = self.ask("/", "POST", f"content-length: {64 * MIB}\r\n", end=False)
        w.sock.settimeout(0.5)
        n = 0
        with self.assertRaises((TimeoutError, OSError)):
            while n < 64 * MIB:
                n += w.sock.send(b"x" * 65536)
        self.assertLess(n, 16 * MIB)
        self.check_memory()


if __name__ == "__main__":
    role, where = sys.argv[1:3]
    del sys.argv[1:3]
    proxy_test.run(Rig(role))
