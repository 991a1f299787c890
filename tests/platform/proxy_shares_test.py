#!/usr/bin/env python3
"""Limits of a microVM that count over all workers of the proxy.

    proxy_shares_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import fcntl
import os
import socket
import ssl
import struct
import sys
import threading
import time
import unittest
import uuid

from proxy_ports_test import talk_datagrams
from proxy_rig import GONE, METER, OPEN, PUBLISH, REFUSALS, SUFFIX, App, Wire, talk_sink, talk_source, wait_for
from proxy_workers_test import Case

SUPER_SHARES = 10
TOKENS_AT = 16384 * (64 * 4 + 3 * 8)
SHARES_SIZE = 16384 * (64 * 4 + 3 * 8) + 8192 * (64 * 4 + 8)


def shares():
    fd = os.memfd_create("shares", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, SHARES_SIZE)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


class SharesCase(Case):
    def setUp(self):
        super().setUp()
        self.memory = shares()
        self.addCleanup(os.close, self.memory)
        self.first = self.rig()
        self.second = self.rig(like=self.first)
        for number, rig in enumerate((self.first, self.second)):
            rig.super.send(SUPER_SHARES, struct.pack("=II", number, 0), [self.memory])
            self.settle(rig)

    def begin(self, rig, port=9000, host=None):
        wire = rig.connect(host or self.host)
        head = self.head(rig, port)
        wire.send(head.replace(self.host, host) if host else head)
        return wire

    def status(self, wire):
        first, fields = wire.head()
        fields = dict(fields)
        return int(first.split()[1]), fields.get("x-doze-reason", "")

    def running(self, n):
        wait_for(f"{n} run", lambda: len(self.apps[9000].requests) == n)


class RequestsTest(SharesCase):
    settings = "hold_ms = 3000\nmicrovm_requests = 4\n"

    def test_a_microvm_has_so_many_over_all_workers_and_no_more(self):
        held = [self.begin(rig) for rig in (self.first, self.second, self.first, self.second)]
        self.running(4)
        for rig in (self.first, self.second):
            begun = time.monotonic()
            self.assertEqual(self.status(self.begin(rig, 8080)), (429, "the microVM has as many requests at once as it may have"))
            self.assertLess(time.monotonic() - begun, 1)
        self.apps[9000].gate.set()
        self.assertEqual([self.status(wire)[0] for wire in held], [200] * 4)
        for rig in (self.first, self.second):
            self.assertEqual(self.status(self.begin(rig, 8080))[0], 200)

    def test_another_microvm_is_not_harmed(self):
        other = str(uuid.uuid4())
        self.first.control.set(other, OPEN, share=2)
        held = [self.begin(self.first) for _ in range(4)]
        self.running(4)
        self.assertEqual(self.status(self.begin(self.first, 8080))[0], 429)
        self.assertEqual(self.status(self.begin(self.first, 8080, other + SUFFIX))[0], 200)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})

    def test_clients_that_leave_and_upgrades_that_end_count_no_more(self):
        held = [self.begin(self.first) for _ in range(2)]
        self.running(2)
        sockets = [self.first.connect(self.host) for _ in range(2)]
        for wire in sockets:
            wire.send(self.head(self.first, 9001, "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            self.assertIn("101", wire.head()[0])
        self.assertEqual(self.status(self.begin(self.second, 8080))[0], 429)
        for wire in held + sockets:
            wire.sock.close()

        def free():
            kept = [self.begin(self.second) for _ in range(4)]
            before = len(self.apps[9000].requests)
            time.sleep(0.2)
            fine = self.status(self.begin(self.second, 8080))[0] == 429 and len(self.apps[9000].requests) >= before
            for wire in kept:
                wire.sock.close()
            return fine

        wait_for("there is room for four again, and not for five", free)
        self.apps[9000].gate.set()

    def native(self):
        """A client whose request is bytes of the port."""
        context = ssl.create_default_context(cafile=self.first.cert)
        context.load_cert_chain(*self.first.certificate("all"))
        raw = socket.create_connection(("127.0.0.1", self.first.port), timeout=10)
        wire = Wire(context.wrap_socket(raw, server_hostname=f"9000-{self.host}"))
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return wire

    def test_native_clients_count_as_requests_do(self):
        held = [self.native() for _ in range(4)]
        self.running(4)
        self.assertEqual(self.status(self.begin(self.second, 8080))[0], 429)
        self.assertTrue(self.native().closed())
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})
        for wire in held:
            wire.sock.close()
        wait_for("room", lambda: self.status(self.begin(self.second, 8080))[0] == 200)

    def test_a_row_that_control_gives_anew_takes_those_along_who_run(self):
        held = [self.begin(self.first) for _ in range(4)]
        self.running(4)
        for rig in (self.first, self.second):
            rig.control.set(self.endpoint, OPEN, share=9)
        self.assertEqual(self.status(self.begin(self.first, 8080))[0], 429)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})
        for rig in (self.first, self.second):
            self.assertEqual(self.status(self.begin(rig, 8080))[0], 200)

    def test_an_endpoint_that_goes_leaves_its_row_empty(self):
        held = [self.begin(self.first) for _ in range(4)]
        self.running(4)
        self.first.control.endpoint(GONE, self.endpoint)
        self.assertEqual({self.status(wire)[0] for wire in held}, {502})
        self.apps[9000].gate.set()
        self.assertFalse(any(struct.unpack("=64I", os.pread(self.memory, 256, 0))))


class PresetTest(SharesCase):
    settings = "hold_ms = 3000\npreset = aws\n"

    def test_a_small_microvm_has_eight_at_once_and_a_large_one_more(self):
        for rig in (self.first, self.second):
            rig.control.set(self.endpoint, OPEN, units=1)
        held = [self.begin(rig) for rig in (self.first, self.second) * 4]
        self.running(8)
        self.assertEqual(self.status(self.begin(self.first, 8080))[0], 429)
        for rig in (self.first, self.second):
            rig.control.set(self.endpoint, OPEN, units=2)
        held.append(self.begin(self.first))
        self.running(9)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})

    def test_requests_a_second_are_counted_over_all_workers(self):
        for rig in (self.first, self.second):
            rig.control.set(self.endpoint, OPEN, units=1)
        begun, passed, lock = time.monotonic(), [], threading.Lock()

        def ask(rig):
            wire = rig.connect(self.host)
            while time.monotonic() - begun < 3:
                status, _, _ = self.ask(rig, wire)
                with lock:
                    passed.append(status)

        threads = [threading.Thread(target=ask, args=(rig,), daemon=True) for rig in (self.first, self.second) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
        self.assertEqual(set(passed), {200, 429})
        self.assertLessEqual(passed.count(200), 10 * (seconds + 1) + 1)
        self.assertGreaterEqual(passed.count(200), 20)


    def test_a_megabyte_a_second_for_each_512_mib(self):
        self.apps[9002] = App(talk_source)
        for units, least in ((1, 2.0), (8, 0)):
            with self.subTest(units):
                self.first.control.set(self.endpoint, OPEN, units=units)
                begun = time.monotonic()
                wire = self.first.connect(self.host)
                wire.send(self.head(self.first, 9002).replace("GET /", "GET /3"))
                self.assertEqual(len(wire.body(wire.head()[1])), 3 << 20)
                self.assertGreater(time.monotonic() - begun, least)
                self.assertLess(time.monotonic() - begun, least + 2)


class TokenTest(SharesCase):
    settings = "hold_ms = 3000\ntoken_requests = 3\n"

    def test_a_token_has_so_many_over_all_workers_wherever_it_stands(self):
        self.second.tokens = self.first.tokens
        held = [self.begin(rig) for rig in (self.first, self.second)]
        self.running(2)
        upgraded = self.first.connect(self.host)
        upgraded.send(self.head(self.first, 9001, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        self.assertEqual(self.status(upgraded)[0], 101)
        for rig in (self.first, self.second):
            begun = time.monotonic()
            status, reason = self.status(self.begin(rig, 8080))
            self.assertEqual(status, 429)
            self.assertIn("token", reason)
            self.assertLess(time.monotonic() - begun, 1)
        other = self.head(self.second).replace(self.second.mint("all"), self.second.mint("all", minutes=30))
        wire = self.second.connect(self.host)
        wire.send(other)
        self.assertEqual(self.status(wire)[0], 200, "another token is not harmed")
        upgraded.sock.close()
        wait_for("there is room again", lambda: self.status(self.begin(self.second, 8080))[0] == 200)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})
        wait_for("nothing is counted", lambda: not any(os.pread(self.memory, SHARES_SIZE, 0)[TOKENS_AT + 8::264]))


class BandwidthTest(SharesCase):
    """A microVM has 400 kB a second, and as much at once, over all workers and in both directions."""
    settings = "hold_ms = 3000\nmicrovm_bandwidth = 400000\n"

    def setUp(self):
        super().setUp()
        self.apps[9002], self.apps[9003] = App(talk_source), App(talk_sink)

    def down(self, rig, done):
        wire = rig.connect(self.host)
        wire.send(self.head(rig, 9002).replace("GET /", "GET /1"))
        done.append(len(wire.body(wire.head()[1])))

    def up(self, rig, done):
        wire, body = rig.connect(self.host), b"x" * (1 << 20)
        wire.send(self.head(rig, 9003, f"Content-Length: {len(body)}\r\n").replace("GET", "POST"))
        wire.send(body)
        done.append(int(wire.body(wire.head()[1]).split()[0]))

    def test_what_is_more_waits_and_arrives_whole(self):
        done, begun = [], time.monotonic()
        threads = [threading.Thread(target=self.down, args=(self.first, done)), threading.Thread(target=self.up, args=(self.second, done))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        seconds = time.monotonic() - begun
        self.assertEqual(done, [1 << 20] * 2)
        self.assertGreater(seconds, (2 * (1 << 20) - 500000) / 400000 - 0.3)
        self.assertLess(seconds, 8)

    def test_an_upgraded_connection_waits_likewise_and_another_microvm_does_not(self):
        other = str(uuid.uuid4())
        self.first.control.set(other, OPEN, share=2)
        wire = self.first.connect(self.host)
        wire.send(self.head(self.first, 9001, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        self.assertEqual(self.status(wire)[0], 101)
        wire.exactly(5)
        begun, size = time.monotonic(), 500000
        threading.Thread(target=wire.send, args=(b"y" * size,), daemon=True).start()
        time.sleep(0.3)
        asked = time.monotonic()
        self.assertEqual(self.status(self.begin(self.first, 8080, other + SUFFIX))[0], 200)
        self.assertLess(time.monotonic() - asked, 1)
        self.assertEqual(wire.exactly(size), b"y" * size)
        self.assertGreater(time.monotonic() - begun, (2 * size - 500000) / 400000 - 0.3)
        self.assertLess(time.monotonic() - begun, 5)

    def test_who_leaves_while_it_waits_is_forgotten(self):
        for _ in range(3):
            wire = self.first.connect(self.host)
            wire.send(self.head(self.first, 9002).replace("GET /", "GET /100"))
            wire.head()
            wire.exactly(300000)
            wire.sock.close()
        self.assertEqual(self.status(self.begin(self.first, 8080))[0], 200)


class PublishedRateTest(SharesCase):
    settings = "hold_ms = 3000\npublished_rate = 20\npublished_rate_per_address = 10\n"

    def publish(self, listener, udp):
        port = listener.getsockname()[1]
        for serves, rig in enumerate((self.second, self.first)):
            rig.control.send(PUBLISH, (self.endpoint.encode().ljust(40, b"\0") +
                                       struct.pack("=HHIII", port, 514 if udp else 9004, udp, serves or not udp, 0))
                             .ljust(56 + 16 * 18, b"\0"), [listener.fileno()])
            self.settle(rig)
        return port

    def refusals(self, name):
        index, n = REFUSALS.index(name), 0
        for rig in (self.first, self.second):
            for kind, body, _ in list(rig.control.got):
                if kind == METER:
                    n += struct.unpack_from("=Q", body, 40 + 8 * (6 + index))[0]
        return n

    def test_an_address_and_all_of_them_have_so_many_new_connections_a_second(self):
        def talk_line(app, wire):
            wire.send(b"hello")
        self.apps[9004] = App(talk_line)
        listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.addCleanup(listener.close)
        port = self.publish(listener, 0)
        begun, served = time.monotonic(), {}
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(30):
                with contextlib.closing(socket.create_connection(("127.0.0.1", port), 5, (address, 0))) as s:
                    with contextlib.suppress(ConnectionError):
                        served[address] = served.get(address, 0) + (s.recv(5) == b"hello")
        seconds = time.monotonic() - begun
        self.assertLessEqual(served["127.0.0.2"], 20 * (1 + seconds) + 1, "10 at each of the two workers")
        self.assertGreaterEqual(served["127.0.0.2"], 10)
        self.assertLessEqual(sum(served.values()), 20 * (1 + seconds) + 1)
        wait_for("all are counted", lambda: self.refusals("address-rate") + self.refusals("published-rate") ==
                 90 - sum(served.values()))
        self.assertTrue(self.refusals("address-rate") and self.refusals("published-rate"))
        notes = [text for rig in (self.first, self.second) for _, text in rig.control.notes(self.endpoint)]
        self.assertTrue(any("published_rate_per_address" in text for text in notes), notes)
        self.assertEqual(self.status(self.begin(self.first, 8080))[0], 200, "the endpoint is not harmed")

    def test_flows_of_datagrams_are_limited_likewise_and_those_inside_go_on(self):
        self.apps[514] = App(talk_datagrams)
        with contextlib.ExitStack() as stack:
            listener, *clients = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(31)]
            listener.bind(("127.0.0.1", 0))
            port = self.publish(listener, 1)
            answered = 0
            for s in clients:
                s.connect(("127.0.0.1", port))
                s.settimeout(0.02)
                s.send(b"x")
                with contextlib.suppress(TimeoutError):
                    answered += s.recv(100).endswith(b" x")
            self.assertGreaterEqual(answered, 10)
            self.assertLess(answered, 25)
            clients[0].settimeout(5)
            for _ in range(50):
                clients[0].send(b"x")
                self.assertEqual(clients[0].recv(100), b"1 x")
        wait_for("those who were not let in are counted", lambda: self.refusals("address-rate") > 0)


class NoLimitTest(SharesCase):
    def test_there_is_none_by_default(self):
        held = [self.begin(self.first) for _ in range(100)]
        self.running(100)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})


if __name__ == "__main__":
    SharesCase.program = sys.argv.pop(1)
    unittest.main(verbosity=int(os.environ.get("VERBOSE", "1")), warnings="ignore")
