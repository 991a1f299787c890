#!/usr/bin/env python3
"""Answers of applications that can be read in two ways: each is refused, or is one answer whatever reads it.

    proxy_smuggling_answers_test.py PROXY_ROLE [unittest arguments]
"""
import re
import ssl
import sys

import h2_client as h2
import proxy_h2_test
import proxy_test
from proxy_rig import App, Rig, request_of
from recorder import NAME, VALUE, Reader, demand, read_body
from smuggling_answers import HTTP1, HTTP2

STATUS = re.compile(r"HTTP/1\.1 ([1-5]\d\d) [\t -~\x80-\xff]*\Z")
CUT = (EOFError, ConnectionError, ssl.SSLError)
WITHOUT = ("204", "304")


def talk_answers(app, w):
    """/row-N: the Nth row; anything else is answered with itself, over kept connections."""
    while True:
        _, target, _ = request_of(app, w)
        if target.startswith("/row-"):
            w.send(HTTP1[int(target[5:])][1])
        else:
            w.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(target)}\r\n\r\n{target}")


def talk_answers_h2(app, w):
    decoder = h2.hpack.Decoder()
    w.exactly(len(h2.PREFACE))
    w.send(h2.frame(h2.SETTINGS, 0, 0))
    while True:
        head = w.exactly(9)
        kind, flags, stream, data = head[3], head[4], int.from_bytes(head[5:], "big"), w.exactly(int.from_bytes(head[:3], "big"))
        if kind == h2.SETTINGS and not flags & h2.ACK:
            w.send(h2.frame(h2.SETTINGS, h2.ACK, 0))
        if kind == h2.PING and not flags & h2.ACK:
            w.send(h2.frame(h2.PING, h2.ACK, 0, data))
        if kind == h2.HEADERS:
            target = dict(decoder.decode(data))[":path"]
            if target.startswith("/row-"):
                w.send(HTTP2[int(target[5:])][1](stream))
            else:
                w.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.literal(":status", "200")) +
                       h2.frame(h2.DATA, h2.END_STREAM, stream, target.encode()))


def read_answer(w):
    """(status, body) in the strictest reading; what can be read otherwise is a fault."""
    while True:
        r = Reader(w)
        match = STATUS.match(r.line())
        demand(match, f"the line {r.raw!r}")
        fields = [tuple(text.split(": ", 1)) for text in iter(r.line, "")]
        demand(all(len(f) == 2 and NAME.match(f[0].lower()) and VALUE.match(f[1]) for f in fields), f"the fields {fields!r}")
        names = [name.lower() for name, _ in fields]
        demand(names.count("content-length") + names.count("transfer-encoding") <= 1, "two lengths")
        demand("x-smuggled" not in names, "what nobody asked for")
        if match[1][0] == "1" and match[1] != "101":
            demand(not {"content-length", "transfer-encoding"} & set(names), "the length of what has no body")
        else:
            return match[1], b"" if match[1] in WITHOUT else read_body(r, {n.lower(): v for n, v in fields}), names


class Answers(proxy_h2_test.H2Test):
    talk, rows, lead = staticmethod(talk_answers), HTTP1, ""

    def setUp(self):
        super().setUp()
        self.apps[8080] = App(self.talk)
        self.n = 0

    def get(self, w, target):
        w.send(f"GET {target} HTTP/1.1\r\nHost: {self.host}\r\nX-aws-proxy-auth: {self.token}\r\n{self.lead}\r\n")
        return read_answer(w)

    def victim(self, w):
        self.n += 1
        self.assertEqual(self.get(w, f"/victim-{self.n}")[:2], ("200", f"/victim-{self.n}".encode()))

    def test_a_client_of_http_1_reads_each_in_one_way(self):
        seen, other = {}, self.connect()
        for i, (name, _) in enumerate(self.rows):
            with self.subTest(name):
                w, came = self.connect(), "cut"
                try:
                    came, body, fields = self.get(w, f"/row-{i}")
                    if "content-length" in fields or "transfer-encoding" in fields or came in WITHOUT:
                        self.victim(w)
                except CUT:
                    pass
                w.sock.close()
                self.victim(other)
                seen[came] = seen.get(came, 0) + 1
        print(f"{type(self).__name__}: {seen}", file=sys.stderr)
        self.assertTrue({"200", "502"} <= set(seen))  # neither all nor none is refused

    def test_a_client_of_http_2_reads_each_in_one_way(self):
        c = self.client().ready()
        more = {"x_aws_proxy_force_h2": "true"} if self.lead else {}
        for i, (name, _) in enumerate(self.rows):
            with self.subTest(name):
                s = c.wait(c.request(self.fields(f"/row-{i}", port=8080, **more)))
                for n, v in (field for head in s.heads for field in head):
                    self.assertTrue(n == ":status" or NAME.match(n), n)
                    self.assertTrue(VALUE.match(v), (n, v))
                    self.assertNotIn(n, ("transfer-encoding", "connection", "upgrade", "keep-alive", "x-smuggled"))
                length = dict(s.heads[0]).get("content-length") if s.heads else None
                if s.ended and s.reset is None and length and s.status != 304:
                    self.assertEqual(int(length), len(s.body))
                self.n += 1
                v = c.wait(c.request(self.fields(f"/victim-{self.n}", port=8080, **more)))
                self.assertEqual((v.status, v.body), (200, f"/victim-{self.n}".encode()))


class AnswersOfHttp2(Answers):
    talk, rows, lead = staticmethod(talk_answers_h2), HTTP2, "X-aws-proxy-force-h2: true\r\n"


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1)))
