#!/usr/bin/env python3
"""Requests that can be read in two ways: each is refused, or is one request whatever reads it.

    proxy_smuggling_test.py PROXY_ROLE [unittest arguments]

SMUGGLING_SHOW in the environment prints what came of each.
"""
import contextlib
import os
import socket
import ssl
import sys
import unittest

import h2_client as h2
import proxy_h2_test
import proxy_test
from proxy_rig import App, Rig
from recorder import Record, talk_record, talk_record_h2
from smuggling_h2 import REFUSED, ROWS
from smuggling_payloads import CUT, FAMILIES

LONG = bool(os.environ.get("DOZE_LONG"))
SHOW = os.environ.get("SMUGGLING_SHOW")
NO_MORE = (EOFError, ConnectionError, ssl.SSLError)


class Smuggling(proxy_h2_test.H2Test):
    """After each payload somebody else asks over what it left upstream, and must hear the answer to what he asked."""
    talk, lead, more = staticmethod(talk_record), "", {}
    step = 0  # bytes of each write; 0: all at once

    def setUp(self):
        super().setUp()
        self.apps[8080] = App(self.talk)
        self.record = self.apps[8080].record = Record()
        self.victim, self.asked, self.known = self.connect(), 0, 0

    def fill(self, text):
        return text.replace("<host+auth>", "Host: {host}\r\n<auth>").replace(
            "<auth>", f"X-aws-proxy-auth: {self.token}\r\n{self.lead}").replace(
            "{host}", self.host).replace("{HOST}", self.host.upper())

    def probe(self, wire):
        self.asked += 1
        target = f"/victim-{self.asked}"
        self.assertEqual(self.ask(target, lines=self.lead, wire=wire)[::2], (200, target.encode()))

    def came(self):
        """The requests that reached the application since this was asked last, but for the victims'."""
        with self.record.lock:
            self.assertEqual(self.record.faults, [])
            new, self.known = self.record.requests[self.known:], len(self.record.requests)
        return [r for r in new if not r.target.startswith("/victim-")]

    def judge(self, upstream, method, heard):
        """@upstream: the body of the one request that may have arrived."""
        self.probe(self.victim)
        came = self.came()
        if SHOW:
            print(f"{self._subtest.params['name']!r}: {heard} {[(r.method, r.target, r.body) for r in came]}", file=sys.stderr)
        if upstream in (REFUSED, CUT):
            self.assertEqual([(r.method, r.target) for r in came], [])
            return
        self.assertEqual([(r.method, r.body) for r in came], [(method, upstream.encode("latin1"))])
        self.assertIn(came[0].target, ("/p", "*"))

    def send_h1(self, text, statuses, upstream):
        w, method, heard = self.connect(), text.lstrip("\r\n").split(" ")[0], []
        try:
            text = self.fill(text)
            with contextlib.suppress(*NO_MORE):  # it may have heard enough
                for at in range(0, len(text), self.step or len(text)):
                    w.send(text[at:at + (self.step or len(text))])
            for _ in statuses or (None,):
                first, fields = w.head()
                heard.append(int(first.split(" ")[1]))
                w.body(fields, method if len(heard) == 1 else None)
            self.probe(w)  # it has ended, or is still of use
        except NO_MORE:
            pass
        w.sock.close()
        self.judge(upstream, method, heard)
        self.assertEqual(tuple(heard), statuses)

    def send_h2(self, fields, pieces, trailers, upstream):
        c, method = self.client(), dict(fields).get(":method", "")
        block = b"".join(h2.literal(n, v) for n, v in fields if n != "<auth>")
        block += c.encoder.encode([(n, v) for n, v in self.fields(port=8080, **self.more) if not n.startswith(":")], huffman=False)
        heard = None
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # all at once: a whole request before what is wrong may pass
        try:
            stream = c.block(block, end=not pieces and not trailers)
            for i, data in enumerate(pieces):
                c.frame(h2.DATA, h2.END_STREAM if i == len(pieces) - 1 and not trailers else 0, stream, data.encode("latin1"))
            if trailers:
                c.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, b"".join(h2.literal(*t) for t in trailers))
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            s = c.wait(stream)
            heard = s.status or f"reset {s.reset}"
        except (h2.Gone, *NO_MORE):
            heard = f"gone {c.goaway}"
        c.sock.close()
        self.judge(upstream, method, heard)
        if upstream in (REFUSED, CUT):
            self.assertTrue(str(heard).startswith(("4", "5", "reset", "gone")) and heard != 408, heard)
        else:
            self.assertEqual(heard, 200)

    def tearDown(self):
        """Nothing arrives late, either."""
        self.victim.sock.close()
        self.assertEqual(self.came(), [])
        super().tearDown()


    def test_nothing_is_smuggled_by_http_2(self):
        for name, fields, pieces, trailers, upstream in ROWS:
            with self.subTest(name=name):
                self.send_h2(tuple((self.fill(n) if n != "<auth>" else n, self.fill(v)) for n, v in fields), pieces, trailers, upstream)


def h1_test(rows):
    def test(self):
        for name, text, statuses, upstream in rows:
            with self.subTest(name=name):
                self.send_h1(text, statuses, upstream)
    return test


for family, rows in FAMILIES.items():
    setattr(Smuggling, f"test_nothing_is_smuggled_by_{family}", h1_test(rows))


class ToHttp2(Smuggling):
    """The same payloads, to an application that speaks HTTP/2."""
    talk, lead, more = staticmethod(talk_record_h2), "X-aws-proxy-force-h2: true\r\n", {"x_aws_proxy_force_h2": "true"}
    test_nothing_is_smuggled_by_upgrades = None  # they are for HTTP/1.1, whatever was asked for
    if not LONG:
        test_nothing_is_smuggled_by_odd_heads = None  # these are refused before it matters what the application speaks


@unittest.skipUnless(LONG, "it takes a minute")
class InPieces(Smuggling):
    """The same payloads, with an end of what has come at each of their bytes."""
    step = 1


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1)))
