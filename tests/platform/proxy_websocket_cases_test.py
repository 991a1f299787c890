#!/usr/bin/env python3
"""The cases of the Autobahn test suite through the proxy: over HTTP/1.1 and over HTTP/2.

    proxy_websocket_cases_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]

The proxy passes frames, so it is the ends that judge them.  The same client speaks to the same
application without the proxy, too, and what it hears must be the same, byte for byte and to the end.
"""
import base64
import codecs
import hashlib
import os
import select
import socket
import ssl
import sys
import time
import zlib

from proxy_clients import clients

if __name__ == "__main__":
    clients(sys.argv[2])

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING as IS_CONNECTING, OPEN as IS_OPEN
from websockets.server import ServerProtocol

import proxy_h2_test
import proxy_test
from proxy_rig import Rig, Wire, request_of
from websocket_cases import CASES, CLOSE, CONTINUATION, NO_STATUS, by_server

LONG = bool(os.environ.get("DOZE_LONG"))
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class Echo:
    """An application by the library: strict, and it fails on what is no UTF-8 as soon as it comes."""

    def __init__(self, w):
        self.w, self.parts, self.opcode, self.decoder = w, [], None, None
        self.p = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], max_size=None)

    def run(self):
        while True:
            try:
                data = self.w.sock.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                self.p.receive_eof()
                self.flush()
                return
            self.w.left += data
            while size := self.next_size(self.w.left):
                self.p.receive_data(self.w.left[:size])
                self.w.left = self.w.left[size:]
                for event in self.p.events_received():
                    self.take(event)
                self.flush()

    def next_size(self, data):
        """Of the request, or of one frame, or 0: the library must not hear of a close before the answers to what stands before it."""
        if self.p.state is not IS_CONNECTING:
            n = data[1] & 0x7f if len(data) > 1 else 0
            head = 2 + {126: 2, 127: 8}.get(n, 0) + 4 * (len(data) > 1 and data[1] >> 7)
            n = n if n < 126 else int.from_bytes(data[2:head - 4], "big")
            return head + n if len(data) >= head + n else 0
        return data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else 0

    def flush(self):
        for data in self.p.data_to_send():
            if data:
                self.w.send(data)
            else:
                self.w.sock.shutdown(socket.SHUT_WR)

    def take(self, event):
        if isinstance(event, Request):
            self.p.send_response(self.p.accept(event))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and self.p.state is IS_OPEN:
            self.piece(event)

    def piece(self, event):
        if event.opcode != Opcode.CONT:
            self.opcode, self.parts, self.decoder = event.opcode, [], codecs.getincrementaldecoder("utf-8")()
        self.parts.append(event.data)
        try:
            if self.opcode == Opcode.TEXT:
                self.decoder.decode(event.data, event.fin)
        except UnicodeDecodeError:
            self.p.fail(CloseCode.INVALID_DATA)
            return
        if event.fin:
            send = self.p.send_text if self.opcode == Opcode.TEXT else self.p.send_binary
            send(b"".join(self.parts))
            self.flush()


def exchange(sock, data, step):
    """Write pieces and read meanwhile, up to the end of what comes: in one thread, since a TLS connection bears no two."""
    sock.setblocking(False)
    heard, at, until = b"", 0, time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if at < len(data):
                at += sock.send(data[at:at + step])
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            at = len(data)  # the application has heard enough
        try:
            got = sock.recv(1 << 18)
            if not got:
                return heard
            heard += got
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            select.select([sock], [sock] * (at < len(data)), [], 20)
    raise TimeoutError


class Ways(proxy_h2_test.H2Test):
    def setUp(self):
        super().setUp()
        self.app(8080, lambda _app, w: Echo(w).run())

    def over_http1(self, case, w, lines):
        """(the extensions agreed on, all bytes up to the end)"""
        offer = f"Sec-WebSocket-Extensions: {case.offer}\r\n" if case.offer else ""
        w.send(f"GET / HTTP/1.1\r\nHost: {self.host}\r\n{UPGRADE}{offer}{lines}\r\n")
        first, fields = w.head()
        self.assertIn(" 101 ", first + " ")
        heard = w.left + exchange(w.sock, case.sent, case.chop or len(case.sent))
        w.sock.close()
        return dict(fields).get("sec-websocket-extensions"), heard

    def directly(self, case):
        raw = socket.create_connection(self.apps[8080].sock.getsockname(), timeout=10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.over_http1(case, Wire(raw), "")

    def by_http1(self, case):
        return self.over_http1(case, self.connect(), f"X-aws-proxy-auth: {self.token}\r\n")

    def by_http2(self, case):
        c = self.client().ready()
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", self.host),
                  ("x-aws-proxy-auth", self.token), ("sec-websocket-version", "13")]
        stream = c.request(fields + [("sec-websocket-extensions", case.offer)] * bool(case.offer), end=False)
        s = c.streams[stream]
        c.until(lambda: s.heads or s.over)
        self.assertEqual(s.status, 200)
        step = case.chop or 16384
        for i in range(0, len(case.sent), step):
            if not s.over:
                c.send(stream, case.sent[i:i + step])
        c.wait(stream)
        self.assertIsNone(s.reset)
        c.sock.close()
        return dict(s.heads[0]).get("sec-websocket-extensions"), bytes(s.body)

    def check(self, case, extensions, heard):
        """Did the application say what this case demands?"""
        messages, code, at, unpacker = [], None, Wire(None), zlib.decompressobj(wbits=-15)
        at.left = heard
        while at.left:
            self.assertIsNone(code, "there is more behind a close")
            first, size = at.exactly(2)
            size = int.from_bytes(at.exactly(2), "big") if size == 126 else int.from_bytes(at.exactly(8), "big") if size == 127 else size
            data, opcode = at.exactly(size), first & 15
            if first & 0x40:
                if "server_no_context_takeover" in extensions:
                    unpacker = zlib.decompressobj(wbits=-15)
                data = unpacker.decompress(data + b"\0\0\xff\xff")
            if opcode == CLOSE:
                code = int.from_bytes(data[:2], "big") if data else NO_STATUS
            else:
                self.assertTrue(first & 0x80 and opcode != CONTINUATION)
                messages.append((opcode, data))
        self.assertEqual((messages, code), (case.wanted, case.code))


class FromTheApplication(proxy_h2_test.H2Test):
    """What an application sends in these cases reaches its client, with and without masks, to the end."""

    def says(self, data, chop):
        def talk(app, w):
            _, _, fields = request_of(app, w)
            key = dict(fields)["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            w.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "
                   + base64.b64encode(hashlib.sha1(key.encode()).digest()).decode() + "\r\n\r\n")
            for at in range(0, len(data), chop or len(data)):
                w.send(data[at:at + (chop or len(data))])
        self.app(8080, talk)

    def heard_by_http1(self):
        w = self.connect()
        w.send(f"GET / HTTP/1.1\r\nHost: {self.host}\r\n{UPGRADE}X-aws-proxy-auth: {self.token}\r\n\r\n")
        self.assertIn(" 101 ", w.head()[0] + " ")
        heard = w.left + exchange(w.sock, b"", 1)
        w.sock.close()
        return heard

    def heard_by_http2(self):
        c = self.client(window=1 << 20)
        s = c.wait(c.request([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", self.host),
                              ("x-aws-proxy-auth", self.token), ("sec-websocket-version", "13")], end=False))
        c.sock.close()
        return bytes(s.body)

    def check_cases(self, cases):
        for case in cases:
            for data in (case.sent, by_server(case.sent)):
                with self.subTest(case.number):
                    self.says(data, case.chop)
                    self.assertTrue(self.heard_by_http1() == data)
                    self.assertTrue(self.heard_by_http2() == data)

    def test_frames_of_an_application_come_through_as_they_are(self):
        for name, cases in CASES.items():
            if LONG or name in ("pings_and_pongs", "reserved_bits_and_opcodes", "fragments", "closes"):
                self.check_cases([case for case in cases if len(case.sent) < 1 << 20])


def cases_test(cases):
    def test(self):
        for case in cases:
            with self.subTest(case.number):
                direct = self.directly(case)
                self.check(case, *direct)
                for way in (self.by_http1, self.by_http2):
                    got = way(case)
                    self.assertEqual([len(x or "") for x in got], [len(x or "") for x in direct], f"{way.__name__}: {got[1][:60]}")
                    self.assertTrue(got == direct, f"{way.__name__} differs")
    return test


for name, some in CASES.items():
    setattr(Ways, f"test_{name}_come_through_as_they_are", cases_test(some))


if __name__ == "__main__":
    program = sys.argv.pop(1)
    sys.argv.pop(1)
    proxy_test.run(Rig(program))
