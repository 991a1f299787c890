#!/usr/bin/env python3
"""What applications answer: early, oddly, or over a connection that they are about to close.

    proxy_answers_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import select
import socket
import ssl
import struct
import sys
import time

import proxy_test
from proxy_rig import MIB, App, Rig, Wire, request_of, talk_garbage, wait_for


def framed(body, framing):
    head = f"HTTP/1.1 413 Too Much\r\nconnection: close\r\nx-framing: {framing}\r\n"
    if framing == "length":
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if framing == "chunks":
        return f"{head}transfer-encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return f"{head}\r\n".encode() + body


def ends(w, how):
    """fin: closes when it has read what came; rst: resets; unread: closes with unread bytes, as most do; half: ends
    its side, and reads on."""
    if how == "rst":
        time.sleep(0.05)  # its kernel would take the answer back
        w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    if how in ("fin", "half"):
        w.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, EOFError):
            while True:
                w.more()
                w.left = b""


class Uploading(Wire):
    """Sends as far as it gets while it reads; one thread, since two may not use one TLS connection."""

    def __init__(self, sock, size):
        super().__init__(sock)
        self.unsent = size
        sock.setblocking(False)

    def step(self):
        if self.unsent:
            try:
                self.unsent -= self.sock.send(b"x" * min(self.unsent, 16384))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self.unsent = 0
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            self.left += data

    def more(self):
        had, end = len(self.left), time.monotonic() + 20
        while len(self.left) == had:
            self.step()
            if len(self.left) == had:
                select.select([self.sock], [self.sock] if self.unsent else [], [], 1)
            if time.monotonic() > end:
                raise TimeoutError


class Early(proxy_test.ProxyTest):
    def check(self, size, when, how, framing, answer, chunked=False):
        def talk(app, w):
            request_of(app, w)
            read = {"before": 0, "while": size // 2, "after": size}[when]
            if not chunked:
                while read > 0:
                    w.left or w.more()
                    read -= len(w.left)
                    w.left = b""
            w.send(framed(answer, framing))
            ends(w, how)
        self.app(1, talk)
        w = self.connect()
        lines = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n"
        self.ask("/", "POST", lines, port=1, wire=w, end=False)
        if chunked:
            w.send(f"{size:x}\r\n")
        w = Uploading(w.sock, size)
        first, fields = w.head()
        body = w.body(fields)
        self.assertEqual((first, body == answer, len(body)), ("HTTP/1.1 413 Too Much", True, len(answer)))
        self.assertEqual(dict(fields)["x-framing"], framing)
        w.sock.close()

    def test_an_early_answer_reaches_the_client_always(self):
        small, large = b"too large", b"y" * (3 * MIB)
        for size in (65536, 8 * MIB):
            for when in ("before", "while", "after"):
                for how, answer in (("unread", small), ("rst", small), ("half", small), ("fin", large)):
                    for framing in ("length", "chunks", "close"):
                        if framing == "close" and how == "rst" and when == "after":
                            continue  # a reset where nothing was refused is a cut
                        with self.subTest(f"{size} {when} {how} {framing}"):
                            self.check(size, when, how, framing, answer)

    def test_a_chunked_upload_is_refused_as_well(self):
        for how in ("unread", "half"):
            self.check(4 * MIB, "before", how, "length", b"too large", chunked=True)

    def test_100_mib_that_nobody_reads_are_refused_with_the_applications_413(self):
        self.check(100 * MIB, "before", "unread", "length", b"too large")

    def test_a_client_that_sends_all_before_it_reads_gets_the_answer_too(self):
        def talk(app, w):
            request_of(app, w)
            w.send(framed(b"too large", "length"))
        self.app(1, talk)
        for size in (MIB, 16 * MIB):
            w = self.ask("/", "POST", f"Content-Length: {size}\r\n", port=1, end=False)
            for _ in range(0, size, 65536):
                w.sock.sendall(b"x" * 65536)
            self.assertEqual(self.answer(w)[::2], (413, b"too large"))

    def test_a_slow_reader_gets_all_of_an_answer_before_a_reset(self):
        answer = b"z" * (3 * MIB)

        def talk(app, w):
            request_of(app, w)
            w.send(framed(answer, "length"))
            time.sleep(1)  # until the rest lies with the proxy, or on its way to it
            ends(w, "rst")
        app = self.app(1, talk)
        app.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        w = self.ask("/", "POST", f"Content-Length: {MIB}\r\n", port=1, end=False)
        w.send(b"x" * MIB)
        w.head()
        got = 0
        for _ in range(6):
            time.sleep(0.25)
            got += len(w.exactly(len(answer) // 6))
        self.assertEqual(got, len(answer))


class Odd(proxy_test.ProxyTest):
    def answer_of(self, text):
        def talk(app, w):
            request_of(app, w)
            w.send(text)
        self.app(1, talk)
        w = self.ask("/x", port=1, end=False)
        first, fields = w.head()
        return first, dict(fields), w.body(fields)

    def test_an_answer_with_one_meaning_is_passed_on(self):
        ok = "HTTP/1.1 200 OK"
        for text, first, body in (
                ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", ok, b"hi"),
                ("HTTP/1.0 200 OK\nServer: nc\n\nhi", ok, b"hi"),
                ("HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 999 Denied", b"hi"),
                ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", ok, b"hi"),
                ("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 418 I'm a teapot", b""),
                (ok + "\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", ok, b"hi"),
                (ok + "\r\nX-A : b\x01c\r\nX(y): z\r\nContent-Length: 2\r\n\r\nhi", ok, b"hi"),
                (ok + "\r\nX-A: \xe9\r\nContent-Length: 2\r\n\r\nhi", ok, b"hi")):
            with self.subTest(text):
                got = self.answer_of(text)
                self.assertEqual(got[::2], (first, body))
                self.assertNotIn("x-doze-reason", got[1])

    def test_every_502_says_why_to_who_holds_a_token_and_to_the_log(self):
        self.app(1, talk_garbage)
        for target, why in (("/not-http", "the answer does not begin as HTTP does"),
                            ("/two-lengths", "two lengths that differ"),
                            ("/te-and-cl", "both transfer-encoding and content-length")):
            status, fields, body = self.ask(target, port=1)
            self.assertEqual((status, body, fields["x-doze-reason"]), (502, b"", why))
            wait_for("a line", lambda: (0, f"the answer to GET {target} was refused: {why}") in
                     self.rig.control.notes(self.endpoint))
        status, fields, _ = self.ask("/die")
        self.assertIn("without an answer", fields["x-doze-reason"])
        w = self.ask("/short", port=1, end=False)
        with self.assertRaises((EOFError, ssl.SSLError, ConnectionError)):
            self.answer(w)
        wait_for("a line", lambda: any("GET /short was cut off" in text for _, text in
                                       self.rig.control.notes(self.endpoint)))
        self.assertNotIn("x-doze-reason", self.ask(token="")[1])
        self.assertNotIn("x-doze-reason", self.ask("/204")[1])

    def test_the_log_is_not_flooded(self):
        for i in range(60):
            self.assertEqual(self.ask("/die", wire=self.connect() if not i else None)[0], 502)
        time.sleep(0.2)
        self.assertLess(len(self.rig.control.notes(self.endpoint)), 25)


class Kept(proxy_test.ProxyTest):
    def serve(self, keep_s, line="", port=1):
        """Keeps a connection for so long, without a word or with one."""
        def talk(app, w):
            while True:
                request_of(app, w)
                w.send(f"HTTP/1.1 200 OK\r\n{line}content-length: 2\r\n\r\nok")
                w.sock.settimeout(keep_s)
        return self.app(port, talk)

    def test_what_an_application_closes_is_learned(self):
        app = self.serve(0.1)
        self.assertEqual(self.ask(port=1)[0], 200)
        time.sleep(0.3)  # it closes, and the proxy sees after how long
        for _ in range(8):
            self.assertEqual(self.ask(port=1)[0], 200)
            time.sleep(0.075)  # it would still keep it, but not for long
        self.assertEqual((len(app.requests), app.conns), (9, 9))
        before = app.conns
        for _ in range(10):
            self.assertEqual(self.ask(port=1)[0], 200)
        self.assertLess(app.conns, before + 10)  # within the time it is used

    def test_what_an_application_says_is_heeded(self):
        for port, (line, n) in enumerate((("Keep-Alive: timeout=1, max=9\r\n", 2), ("keep-alive: max=9, timeout=60\r\n", 1),
                                          ("Keep-Alive: timeout=0\r\n", 2), ("", 1)), 1):
            with self.subTest(line):
                app = self.serve(5, line, port)
                self.assertEqual(self.ask(port=port)[0], 200)
                time.sleep(0.8)
                self.assertEqual(self.ask(port=port)[0], 200)
                self.assertEqual(app.conns, n)

    def test_an_application_that_lets_go_of_a_connection_before_its_request_is_asked_again(self):
        def talk(app, w):
            if app.conns > 2:
                request_of(app, w)
                w.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        app = self.apps[1] = App(talk, serial=True)
        # the rig hands a connection over only when the application has closed it
        self.machine.slow = 0.1
        self.assertEqual(self.ask("/", "POST", "Content-Length: 1\r\n", b"x", port=1)[0], 200)
        self.assertEqual((len(app.requests), app.conns), (1, 3))

    def test_a_head_and_a_short_body_come_together(self):
        pieces = []

        def talk(app, w):
            pieces.append(w.sock.recv(1 << 16))
            w.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        self.app(1, talk)
        for _ in range(20):
            self.assertEqual(self.ask("/", "POST", "Content-Length: 3\r\n", b"abc", port=1)[0], 200)
        self.assertEqual([piece[-7:] for piece in pieces], [b"\r\n\r\nabc"] * 20)

    def test_a_head_does_not_wait_for_a_body_that_is_late(self):
        app = self.app(1, lambda app, w: w.body(request_of(app, w)[2]) and w.send(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
        w = self.ask("/", "POST", "Content-Length: 3\r\n", port=1, end=False)
        wait_for("the head", lambda: app.requests, 1)
        w.send("abc")
        self.assertEqual(self.answer(w)[0], 200)

    def test_an_application_that_always_does_is_a_502_with_a_reason(self):
        app = self.apps[1] = App(lambda app, w: None, serial=True)
        self.machine.slow = 0.05
        status, fields, _ = self.ask("/", "POST", "Content-Length: 1\r\n", b"x", port=1)
        self.assertEqual(status, 502)
        self.assertIn("closes each connection", fields["x-doze-reason"])
        self.assertLess(app.conns, 6)


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1)))
