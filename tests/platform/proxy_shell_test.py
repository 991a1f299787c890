#!/usr/bin/env python3
"""Shells (service.md 8): WebSocket clients on one side, a guest that may misbehave on the other.

    proxy_shell_test.py PROXY_ROLE [unittest arguments]
"""
import base64
import contextlib
import json
import os
import socket
import ssl
import struct
import threading
import time
import uuid

import h2_client as h2
import proxy_test
from proxy_rig import MIB, OPEN, SLEEPING, WAITING, ACTIVE, WAKE, App, Rig, talk_hello, wait_for

(_, G_OPEN, INPUT, RESIZE, TAKEN, OPENED, REFUSED, OUTPUT, ROOM, MOVED, EXITED) = range(11)
(_, SESSION, ATTACH, OFFSET, COLUMNS, ROWS, COUNT, BYTES, REASON, CODE) = range(10)
TEXTS = {SESSION, BYTES, REASON}
WINDOW = 64 << 10
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class GuestShell:
    """The agent's end of one shell, over a Wire."""

    def __init__(self, wire):
        self.wire = wire

    def send(self, kind, *fields):
        payload = b""
        for tag, value in fields:
            data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else struct.pack("<Q", value)
            payload += struct.pack("<HI", tag, len(data)) + data
        self.wire.send(struct.pack("<B3xI", kind, len(payload)) + payload)

    def frame(self):
        kind, size = struct.unpack("<B3xI", self.wire.exactly(8))
        payload, fields, at = self.wire.exactly(size), {}, 0
        while at < len(payload):
            tag, n = struct.unpack_from("<HI", payload, at)
            value = payload[at + 6:at + 6 + n]
            fields[tag] = value if tag in TEXTS else struct.unpack("<Q", value)[0]
            at += 6 + n
        return kind, fields


def talk_echo(app, wire):
    """Says what it is asked, echoes what is typed, and ends at "exit N\\n"."""
    g = GuestShell(wire)
    _, asked = g.frame()
    app.requests.append(asked)
    g.send(OPENED, (OFFSET, asked.get(OFFSET, 0)))
    while True:
        kind, fields = g.frame()
        app.requests.append((kind, fields))
        if kind == INPUT:
            g.send(ROOM, (COUNT, len(fields[BYTES])))
            if fields[BYTES].startswith(b"exit "):
                g.send(EXITED, (CODE, int(fields[BYTES].split()[1])))
            else:
                g.send(OUTPUT, (BYTES, fields[BYTES]))


class Client:
    """A WebSocket client, without a library that would refuse to misbehave."""

    def __init__(self, wire):
        self.wire = wire

    def send(self, opcode, data=b"", fin=True, mask=True):
        data = data.encode() if isinstance(data, str) else data
        size, bit = len(data), 0x80 if mask else 0
        head = bytes([opcode | (0x80 if fin else 0)])
        head += bytes([bit | size]) if size < 126 else bytes([bit | 126]) + struct.pack(">H", size) if size < 65536 \
            else bytes([bit | 127]) + struct.pack(">Q", size)
        self.wire.send(head + (b"\0\0\0\0" if mask else b"") + data)

    def frame(self):
        first, size = self.wire.exactly(2)
        assert first & 0x70 == 0 and not size & 0x80
        if size == 126:
            size, = struct.unpack(">H", self.wire.exactly(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.wire.exactly(8))
        return first & 15, self.wire.exactly(size)

    def text(self):
        opcode, data = self.frame()
        assert opcode == TEXT, (opcode, data)
        return json.loads(data)

    def bytes(self, n):
        data = b""
        while len(data) < n:
            opcode, piece = self.frame()
            assert opcode == BINARY, (opcode, piece)
            data += piece
        return data

    def closed(self):
        """(code, reason); what comes before is skipped."""
        while (frame := self.frame())[0] != CLOSE:
            pass
        data = frame[1]
        return (struct.unpack(">H", data[:2])[0], data[2:].decode()) if data else (1005, "")


class Shells(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.apps["shell"] = App(talk_echo)
        self.set(OPEN, shell=1)
        self.token = self.rig.mint("shell")

    def guest(self, talk):
        self.apps["shell"] = App(lambda app, wire: talk(GuestShell(wire)))

    def handshake(self, target="/shell", lines="", token=None, header=False, wire=None, port=None):
        token = self.token if token is None else token
        offers = f"lambda-microvms, lambda-microvms.authentication.{token}" + (f", lambda-microvms.port.{port}" if port else "")
        auth = f"X-aws-proxy-auth: {token}\r\n" if header else f"Sec-WebSocket-Protocol: {offers}\r\n"
        w = wire or self.connect()
        w.send(f"GET {target} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{auth}{lines}"
               f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n")
        return w

    def shell(self, *args, **more):
        w = self.handshake(*args, **more)
        first, fields = w.head()
        self.assertEqual(first.split(" ")[1], "101", fields)
        self.fields = dict(fields)
        return Client(w)

    def refused(self, status, body=b"", **more):
        w = self.handshake(**more)
        self.assertEqual(self.answer(w)[::2], (status, body))

    def opened(self, *args, **more):
        c = self.shell(*args, **more)
        init = c.text()
        self.assertEqual(init["type"], "session_init")
        return c, init

    def test_any_path_opens_a_shell_by_subprotocol_or_header(self):
        for target in ("/shell", "/", "/ws/shell", "/a?b=c"):
            for more in ({}, {"header": True}, {"port": 8022}, {"header": True, "lines": "X-aws-proxy-port: 8022\r\n"}):
                c, init = self.opened(target, **more)
                self.assertEqual(set(init), {"type", "session_id"})
                self.assertEqual(str(uuid.UUID(init["session_id"])), init["session_id"])
                self.assertEqual(self.fields.get("sec-websocket-protocol"), None if more.get("header") else "lambda-microvms")
                c.send(BINARY, b"\x1b[A\0\xff")
                self.assertEqual(c.bytes(5), b"\x1b[A\0\xff")
                c.send(TEXT, "λ")
                self.assertEqual(c.bytes(2), "λ".encode())
                c.send(CLOSE, struct.pack(">H", 1000))
                self.assertEqual(c.closed()[0], 1000)
                self.assertTrue(c.wire.closed())

    def test_a_shell_token_opens_no_port_and_a_port_token_no_shell(self):
        self.assertEqual(self.ask(token=self.rig.mint("shell"))[::2], (502, b""))
        self.assertEqual(self.ask(token=self.rig.mint("shell"), port=8022)[::2], (502, b""))
        self.refused(403, b"Access to port denied", port=8080)
        self.refused(400, b"Invalid Sec-WebSocket-Protocol", port="0")
        self.assertEqual(self.apps[8080].conns, 0)
        self.apps[8022] = App(talk_hello)
        w = self.handshake(token=self.rig.mint(8022), port=8022)
        w.head()
        self.assertEqual((self.apps[8022].conns, self.apps["shell"].conns), (1, 0))
        self.refused(403, b"Access to port denied", token=self.rig.mint(8080), port=8022)

    def test_bad_tokens_and_handshakes_reach_no_guest(self):
        self.refused(403, b"Request missing authentication", token="x")
        self.refused(403, b"Token authentication failed", token=self.rig.mint("shell", microvm="microvm-2"))
        self.refused(403, b"Token authentication failed", token=self.rig.mint("shell", minutes=-1))
        for target in ("/?session=1", f"/?session={uuid.uuid4()}&offset=-1", "/?offset=5", "/?status=2"):
            self.refused(400, target=target)
        self.set(OPEN, shell=0)
        self.refused(403, b"Access to port denied")
        self.assertEqual(self.apps["shell"].requests, [])

    def test_without_http_ingress_a_shell_is_open_and_stays_so(self):
        self.set(OPEN, ingress=0, shell=1)
        c, _ = self.opened()
        self.set(OPEN, ingress=0, shell=1)
        c.send(BINARY, b"x")
        self.assertEqual(c.bytes(1), b"x")

    def test_a_resize_is_told_and_not_typed(self):
        c, _ = self.opened()
        for text in ('{"type":"resize","cols":132,"rows":43}', '{"type":"resize","cols":0,"rows":99999}', '{"type":"resize"}',
                     '{"type": "other"}', "{"):
            c.send(TEXT, text)
        self.assertEqual(c.bytes(18), b'{"type": "other"}{')
        resizes = [f for k, f in self.apps["shell"].requests[1:] if k == RESIZE]
        self.assertEqual(resizes, [{COLUMNS: 132, ROWS: 43}])

    def test_the_end_of_a_shell_is_a_close_and_its_status_for_who_asks(self):
        c, _ = self.opened()
        c.send(BINARY, b"exit 7\n")
        self.assertEqual(c.frame(), (CLOSE, struct.pack(">H", 1000) + b"shell exited"))
        self.assertTrue(c.wire.closed())
        c, _ = self.opened("/shell?status=1")
        c.send(BINARY, b"exit 7\n")
        self.assertEqual(c.text(), {"type": "exit", "status": 7})
        self.assertEqual(c.closed(), (1000, "shell exited"))

    def test_a_session_is_asked_for_again(self):
        session = str(uuid.uuid4())
        _, init = self.opened(f"/shell?session={session}&offset=4711")
        self.assertEqual(init, {"type": "session_init", "session_id": session, "offset": 4711})
        self.assertEqual(self.apps["shell"].requests[0], {SESSION: session.encode(), ATTACH: 1, OFFSET: 4711})

    def error(self, c):
        got = c.text()
        self.assertEqual((set(got), got["type"]), ({"type", "message"}, "session_error"))
        self.assertEqual(c.closed(), (1011, got["message"]))
        self.assertTrue(c.wire.closed())
        return got["message"]

    def test_a_guest_that_refuses_is_a_session_error(self):
        self.guest(lambda g: (g.frame(), g.send(REFUSED, (REASON, b"no\n\xffshell\x1b[2J")), g.frame()))
        self.assertEqual(self.error(self.shell()), "no??shell?[2J")
        self.apps["shell"] = "malformed"
        self.assertIn("older doze", self.error(self.shell()))
        self.assertIn("a shell was refused", self.rig.control.notes(self.endpoint)[0][1])

    def test_garbage_of_a_guest_is_an_error_and_nobody_elses(self):
        other, _ = self.opened()
        for bytes_ in (b"\xff" * 100, b"HTTP/1.1 200 OK\r\n\r\n", struct.pack("<B3xI", OUTPUT, 1 << 31), b""):
            self.guest(lambda g, b=bytes_: (g.frame(), g.wire.send(b)))
            self.error(self.shell())
            self.guest(lambda g, b=bytes_: (g.frame(), g.send(OPENED), g.wire.send(b)))
            c, _ = self.opened()
            self.assertEqual(c.closed()[0], 1011)
        # What comes in the wrong order says nothing.
        self.guest(lambda g: (g.frame(), g.send(EXITED), g.send(OUTPUT, (BYTES, b"x")), g.send(ROOM, (COUNT, 1 << 63)),
                              g.send(OPENED), g.send(OPENED), g.send(OUTPUT, (BYTES, b"y")), g.frame(), g.frame()))
        c, _ = self.opened()
        self.assertEqual(c.bytes(1), b"y")
        other.send(BINARY, b"alive")
        self.assertEqual(other.bytes(5), b"alive")

    def test_a_guest_that_never_answers_is_an_error_in_time(self):
        self.guest(lambda g: (g.frame(), g.frame()))
        c, at = self.shell(), time.monotonic()
        self.machine.mute = True
        w = self.handshake()
        self.assertEqual(self.error(c), "the microVM's agent does not answer")
        self.assertEqual(w.head()[0].split(" ")[1], "101")
        self.assertIn("no connection", self.error(Client(w)))
        self.assertLess(time.monotonic() - at, 15)

    def test_another_client_takes_the_session(self):
        self.guest(lambda g: (g.frame(), g.send(OPENED), g.send(MOVED), g.frame()))
        self.assertEqual(self.opened()[0].closed()[0], 4001)

    def test_hostile_frames_close_their_shell_alone(self):
        other, _ = self.opened()
        for send, code in ((lambda c: c.send(BINARY, b"x", mask=False), 1002),
                           (lambda c: c.send(3, b"x"), 1002),
                           (lambda c: c.send(0x40 | BINARY, b"x"), 1002),
                           (lambda c: c.send(TEXT, b"\xc0\x80"), 1007),
                           (lambda c: c.wire.send(b"\x82\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0x"), 1009)):
            c, _ = self.opened()
            send(c)
            self.assertEqual(c.closed()[0], code)
            self.assertTrue(c.wire.closed())
        c, _ = self.opened()
        for i in range(1000):
            c.send(PING, b"%d" % i)
        self.assertEqual(c.frame(), (PONG, b"0"))
        c.send(BINARY, b"cut ", fin=False)
        c.send(0, b"in two")
        while (frame := c.frame())[0] == PONG:
            pass
        self.assertEqual(frame, (BINARY, b"cut in two"))
        other.send(BINARY, b"alive")
        self.assertEqual(other.bytes(5), b"alive")

    def test_a_client_that_does_not_read_costs_bounded_memory(self):
        sent, stop = [0], threading.Event()

        def flood(g):
            g.frame()
            g.send(OPENED)
            while not stop.is_set():  # it does not even keep to the window
                g.send(OUTPUT, (BYTES, bytes(8192)))
                sent[0] += 8192
        self.guest(flood)
        many = [self.opened()[0] for _ in range(8)]
        while True:
            before = sent[0]
            time.sleep(0.5)
            if sent[0] == before:
                break
        self.check_memory()
        total = sent[0]
        self.assertLess(total, 8 * 8 * MIB)
        many[0].bytes(2 * MIB)
        wait_for("it goes on", lambda: sent[0] > total)
        stop.set()

    def test_a_guest_that_takes_nothing_costs_bounded_memory(self):
        got = [0]

        def deaf(g):
            g.frame()
            g.send(OPENED)
            while True:
                kind, fields = g.frame()
                got[0] += len(fields.get(BYTES, b""))
        self.guest(deaf)
        c, _ = self.opened()
        c.wire.sock.settimeout(2)
        with self.assertRaises(TimeoutError):
            for _ in range(64):
                c.send(BINARY, bytes(1000000))
        self.assertEqual(got[0], WINDOW)
        self.check_memory()

    def test_the_window_is_acknowledged_while_the_client_reads(self):
        taken = []

        def window(g):
            g.frame()
            g.send(OPENED)
            credit, left = WINDOW, 4 * MIB
            while left:
                while credit < 8192:
                    kind, fields = g.frame()
                    credit += fields[COUNT]
                    taken.append(fields[COUNT])
                g.send(OUTPUT, (BYTES, bytes(8192)))
                credit, left = credit - 8192, left - 8192
            g.frame()
        self.guest(window)
        c, _ = self.opened()
        self.assertEqual(len(c.bytes(4 * MIB)), 4 * MIB)
        self.assertLessEqual(sum(taken), 4 * MIB)

    def test_over_http_2_what_the_client_has_not_got_is_not_acknowledged(self):
        """It is kept in the guest then, for a client that comes back."""
        taken, printed = [], threading.Event()

        def window(g):
            g.frame()
            g.send(OPENED)
            for _ in range(4):
                g.send(OUTPUT, (BYTES, bytes(8192)))
            printed.set()
            while sum(taken) < 4 * 8192:
                taken.append(g.frame()[1][COUNT])
            g.frame()
        self.guest(window)
        context = ssl.create_default_context(cafile=self.rig.cert)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", self.rig.port), timeout=20)
        c = h2.Client(context.wrap_socket(raw, server_hostname=self.host)).ready()
        s = c.request([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/shell"),
                       (":authority", self.host), ("sec-websocket-version", "13"),
                       ("sec-websocket-protocol", f"lambda-microvms, lambda-microvms.authentication.{self.token}")], end=False)
        self.assertTrue(printed.wait(5))
        time.sleep(0.3)
        self.assertEqual(taken, [], "it lies in buffers of the way")
        c.until(lambda: len(c.streams[s].body) > 4 * 8192)
        c.sock.settimeout(0.1)

        def acknowledged():
            with contextlib.suppress(TimeoutError):
                c.step()
            return sum(taken) == 4 * 8192
        wait_for("it is acknowledged", acknowledged)

    def test_input_crosses_a_full_window_whole(self):
        c, _ = self.opened()
        data = os.urandom(600000)
        for i in range(0, 600000, 200000):  # what the proxy does not take yet, the kernels hold
            c.send(BINARY, data[i:i + 200000])
        self.assertEqual(c.bytes(600000), data)

    def test_a_suspend_closes_with_1001_after_the_last_byte(self):
        c, _ = self.opened()
        c.send(BINARY, b"last")
        self.assertEqual(c.bytes(4), b"last")
        self.set(WAITING, shell=1)
        self.assertEqual(c.closed()[0], 1001)
        self.assertTrue(c.wire.closed())

    def test_a_shell_wakes_its_microvm_and_waits_for_it(self):
        self.set(SLEEPING, shell=1, machine="")
        w = self.handshake()
        wait_for("WAKE", lambda: self.rig.control.of(WAKE, self.endpoint))
        self.set(WAITING, shell=1)
        self.set(OPEN, shell=1)
        self.assertEqual(w.head()[0].split(" ")[1], "101")
        self.assertEqual(Client(w).text()["type"], "session_init")

    def test_bytes_of_a_shell_count_for_the_idle_clock_and_silence_does_not(self):
        c, _ = self.opened()
        time.sleep(1.5)
        seen = len(self.rig.control.of(ACTIVE, self.endpoint))
        time.sleep(1.5)
        self.assertEqual(len(self.rig.control.of(ACTIVE, self.endpoint)), seen)
        c.send(BINARY, b"x")
        wait_for("ACTIVE", lambda: len(self.rig.control.of(ACTIVE, self.endpoint)) > seen)

    def test_a_client_that_vanishes_ends_its_connection_into_the_guest(self):
        ended = threading.Event()

        def watch(g):
            g.frame()
            g.send(OPENED)
            try:
                g.frame()
            except EOFError:
                ended.set()
                raise
        self.guest(watch)
        for leave in (lambda c: c.wire.sock.close(), lambda c: c.send(CLOSE)):
            ended.clear()
            c, _ = self.opened()
            leave(c)
            self.assertTrue(ended.wait(5))

    def test_a_stream_of_http2_is_a_shell_too(self):
        context = ssl.create_default_context(cafile=self.rig.cert)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", self.rig.port), timeout=20)
        c = h2.Client(context.wrap_socket(raw, server_hostname=self.host)).ready()

        def opened(target="/shell"):
            s = c.request([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", target),
                           (":authority", self.host), ("sec-websocket-version", "13"),
                           ("sec-websocket-protocol", f"lambda-microvms, lambda-microvms.authentication.{self.token}")], end=False)
            c.until(lambda: b"session_init" in c.streams[s].body or c.streams[s].over)
            self.assertEqual(c.streams[s].final()["sec-websocket-protocol"], "lambda-microvms")
            return s, c.streams[s]
        first, second = opened(), opened("/?status=1")
        for (s, stream), text in ((first, b"one"), (second, b"two")):
            stream.body = bytearray()
            c.send(s, b"\x82\x83\0\0\0\0" + text)
            c.until(lambda st=stream, t=text: st.body == b"\x82\x03" + t)
        second[1].body = bytearray()
        c.send(second[0], b"\x82\x87\0\0\0\0exit 3\n")
        c.until(lambda: second[1].over)
        self.assertIn(b'"status":3', second[1].body)
        self.assertTrue(second[1].body.endswith(b"\x88\x0e\x03\xe8shell exited"))
        first[1].body = bytearray()
        self.set(WAITING, shell=1)
        c.until(lambda: first[1].over)
        self.assertEqual(first[1].body[:4], b"\x88" + first[1].body[1:2] + b"\x03\xe9")

    def test_shells_leave_no_descriptor_behind(self):
        self.opened()[0].wire.sock.close()
        time.sleep(0.3)
        before = self.rig.files()
        many = [self.opened()[0] for _ in range(64)]
        for c in many[::2]:
            c.wire.sock.close()
        for c in many[1::2]:
            c.send(BINARY, b"exit 0\n")
            c.closed()
            c.wire.sock.close()
        wait_for("all are closed", lambda: self.rig.files() <= before)


if __name__ == "__main__":
    import sys
    proxy_test.run(Rig(sys.argv.pop(1)))
