#!/usr/bin/env python3
"""Several proxies side by side, certificates by name, and one that gives way to another.

    proxy_workers_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest
import uuid

from proxy_ports_test import talk_datagrams
from proxy_rig import (ACTIVE, FLOW, HELD, HOLD, LEAVES, OPEN, PUBLISH, RELEASE, SUFFIX, SUPER_PEER, SUPER_SECRET, SYNCED,
                       App, Machine, Rig, Wire, talk_hello, talk_websocket, wait_for)

SECRET_TICKETS, SECRET_CERTIFICATES, SUPER_DRAIN = 6, 7, 8
GOAWAY = 7  # of HTTP/2


def talk_slow(app, wire):
    """Answers when it is let go."""
    app.requests.append(wire.head())
    app.gate.wait(20)
    wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow")


class Case(unittest.TestCase):
    program = None
    settings = "hold_ms = 3000\n"

    def setUp(self):
        self.apps = {8080: App(talk_hello), 9000: App(talk_slow), 9001: App(talk_websocket)}
        self.apps[9000].gate = threading.Event()
        self.endpoint = str(uuid.uuid4())
        self.host = self.endpoint + SUFFIX
        self.tickets = os.urandom(160)
        self.machines = []

    def rig(self, like=None):
        rig = Rig(self.program, self.settings, like=like)
        self.addCleanup(self.end, rig)
        machine = Machine(f"{rig.dir}/run", "m-1", self.apps)
        self.addCleanup(machine.close)
        self.machines.append(machine)
        rig.control.set(self.endpoint, OPEN)
        rig.control.endpoint(HOLD, self.endpoint)
        rig.control.endpoint(RELEASE, self.endpoint)
        wait_for("the route", lambda: rig.control.of(HELD, self.endpoint))
        return rig

    @staticmethod
    def end(rig):
        if rig.process.poll() is None:
            rig.stop()

    @staticmethod
    def secret(rig, which, text):
        fd = os.memfd_create("secret")
        os.write(fd, text if isinstance(text, bytes) else text.encode())
        os.lseek(fd, 0, os.SEEK_SET)
        rig.super.send(SUPER_SECRET, struct.pack("=II", which, 0), [fd])
        os.close(fd)

    def settle(self, rig):
        """What the supervisor sent before has been read."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        rig.super.send(SUPER_PEER, struct.pack("=II", 0, 0), [theirs.fileno()])  # a peer that a proxy has no use for
        theirs.close()
        ours.settimeout(10)
        self.assertEqual(ours.recv(1), b"")
        ours.close()

    def drain(self, rig):
        rig.super.send(SUPER_DRAIN, struct.pack("=II", 0, 0))
        with contextlib.suppress(BrokenPipeError):  # one with nothing to do has ended already
            self.settle(rig)

    def head(self, rig, port=8080, lines=""):
        return (f"GET / HTTP/1.1\r\nHost: {self.host}\r\nX-aws-proxy-auth: {rig.mint('all')}\r\n"
                f"X-aws-proxy-port: {port}\r\n{lines}\r\n")

    def ask(self, rig, wire, port=8080):
        wire.send(self.head(rig, port))
        first, fields = wire.head()
        return int(first.split()[1]), dict(fields), wire.body(fields)


class TicketTest(Case):
    def resumed(self, rig, session, context):
        raw = socket.create_connection(("127.0.0.1", rig.port), timeout=10)
        with context.wrap_socket(raw, server_hostname=self.host, session=session) as tls:
            tls.sendall(self.head(rig).encode())
            self.assertIn(b"200", tls.recv(100))
            return tls.session_reused, tls.session

    def context(self, rig, version):
        context = ssl.create_default_context(cafile=rig.cert)
        context.minimum_version = context.maximum_version = version
        return context

    def test_a_session_of_one_worker_goes_on_at_another(self):
        first = self.rig()
        second = self.rig(like=first)
        for rig in (first, second):
            self.secret(rig, SECRET_TICKETS, self.tickets)
            self.settle(rig)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(first, version)
            reused, session = self.resumed(first, None, context)
            self.assertFalse(reused)
            self.assertTrue(self.resumed(second, session, context)[0], version)

    def test_without_the_same_keys_it_begins_anew(self):
        first = self.rig()
        second = self.rig(like=first)
        self.secret(first, SECRET_TICKETS, self.tickets)
        self.secret(second, SECRET_TICKETS, os.urandom(160))
        for rig in (first, second):
            self.settle(rig)
        context = self.context(first, ssl.TLSVersion.TLSv1_3)
        _, session = self.resumed(first, None, context)
        self.assertFalse(self.resumed(second, session, context)[0])

    def test_a_ticket_outlives_one_change_of_the_keys_and_not_two(self):
        rig = self.rig()
        old, new, newer = os.urandom(80), os.urandom(80), os.urandom(80)
        context = self.context(rig, ssl.TLSVersion.TLSv1_2)
        self.secret(rig, SECRET_TICKETS, old + os.urandom(80))
        self.settle(rig)
        _, session = self.resumed(rig, None, context)
        self.secret(rig, SECRET_TICKETS, new + old)
        self.settle(rig)
        reused, renewed = self.resumed(rig, session, context)
        self.assertTrue(reused)
        self.secret(rig, SECRET_TICKETS, newer + new)
        self.settle(rig)
        self.assertFalse(self.resumed(rig, session, context)[0])
        self.assertTrue(self.resumed(rig, renewed, context)[0], "the client was given a new ticket")


class CertificateTest(Case):
    def certificate(self, rig, name, *domains):
        """(PEM of key and leaf, path of the leaf)"""
        path = f"{rig.dir}/{name}"
        names = ",".join(f"DNS:{d}" for d in domains)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{path}.key", "-out", f"{path}.pem", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
        return open(f"{path}.key").read() + open(f"{path}.pem").read()

    def served(self, rig, name):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", rig.port), timeout=10)
        with context.wrap_socket(raw, server_hostname=name) as tls:
            text = ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))
        subject = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=text, capture_output=True, text=True,
                                 check=True).stdout
        return subject.split("CN = ")[1].strip()

    def give(self, rig, **by_domain):
        self.secret(rig, SECRET_CERTIFICATES, "".join(f"# certificate {d}\n{pem}" for d, pem in by_domain.items()))
        self.settle(rig)

    def test_the_name_that_the_client_asks_for_chooses_the_certificate(self):
        rig = self.rig()
        one, two = (self.certificate(rig, n, f"*.{n}.example") for n in ("one", "two"))
        deep = self.certificate(rig, "deep", "*.deep.one.example")
        self.give(rig, **{"one.example": one, "two.example": two, "deep.one.example": deep})
        for name, served in (("one.example", "one"), ("a.one.example", "one"), ("A.B.ONE.example", "one"),
                             ("x.two.example", "two"), ("a.deep.one.example", "deep"), ("deep.one.example", "deep"),
                             ("notone.example", "rig"), ("example", "rig"), (self.host, "rig"), (None, "rig")):
            self.assertEqual(self.served(rig, name), served, name)

    def test_certificates_change_under_a_running_request_and_refuse_nobody(self):
        rig = self.rig()
        domain = SUFFIX[1:]
        self.give(rig, **{domain: self.certificate(rig, "first", f"*{SUFFIX}")})
        rig.tls = ssl.create_default_context(cafile=f"{rig.dir}/first.pem")
        running, kept = rig.connect(self.host), rig.connect(self.host)
        running.send(self.head(rig, 9000))
        self.assertEqual(self.ask(rig, kept)[0], 200)
        wait_for("it runs", lambda: self.apps[9000].requests)
        self.give(rig, **{domain: self.certificate(rig, "second", f"*{SUFFIX}")})
        self.assertEqual(self.served(rig, self.host), "second")
        self.assertEqual(self.ask(rig, kept)[0], 200)
        self.apps[9000].gate.set()
        self.assertIn("200", running.head()[0])

    def test_one_that_cannot_be_used_changes_nothing(self):
        rig = self.rig()
        good = self.certificate(rig, "good", "*.good.example")
        other = self.certificate(rig, "other", "*.good.example")
        self.give(rig, **{"good.example": good})
        key = good[:good.index("-----BEGIN CERTIFICATE")]
        for bad in ("", "garbage", key, key + other[other.index("-----BEGIN CERTIFICATE"):]):
            self.give(rig, **{"good.example": bad})
            self.assertEqual(self.served(rig, "a.good.example"), "good", bad[:40])
        self.give(rig)
        self.assertEqual(self.served(rig, "a.good.example"), "rig")

    def test_only_tls_of_today_is_spoken_under_every_name(self):
        rig = self.rig()
        self.give(rig, **{"one.example": self.certificate(rig, "one", "*.one.example")})
        for name in ("a.one.example", self.host):
            for option, works in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
                done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{rig.port}", "-servername", name,
                                       option, "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, check=False)
                self.assertEqual("Cipher is (NONE)" not in done.stdout and done.returncode == 0, works, (name, option))


class DrainTest(Case):
    settings = "hold_ms = 3000\ndrain_ms = 20000\n"

    def test_what_runs_is_finished_and_then_it_ends(self):
        rig = self.rig()
        running, socket_ = rig.connect(self.host), rig.connect(self.host)
        running.send(self.head(rig, 9000))
        socket_.send(self.head(rig, 9001, "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        self.assertIn("101", socket_.head()[0])
        wait_for("it runs", lambda: self.apps[9000].requests)
        self.drain(rig)
        rig.control.endpoint(HOLD, self.endpoint)
        wait_for("it still answers control", lambda: len(rig.control.of(HELD, self.endpoint)) == 2)
        rig.control.endpoint(RELEASE, self.endpoint)
        time.sleep(0.3)
        self.assertIsNone(rig.process.poll())
        self.apps[9000].gate.set()
        first, fields = running.head()
        self.assertIn("200", first)
        self.assertEqual(dict(fields)["connection"], "close")
        self.assertEqual(running.body(fields), b"slow")
        before = len(rig.control.of(ACTIVE, self.endpoint))
        socket_.sock.sendall(b"\x81\x82\x00\x00\x00\x00hi")
        wait_for("its bytes still count", lambda: len(rig.control.of(ACTIVE, self.endpoint)) > before)
        self.assertIsNone(rig.process.poll())
        socket_.sock.close()
        self.assertEqual(rig.process.wait(10), 0)

    def test_a_connection_that_waits_gets_one_more_answer_or_is_closed_soon(self):
        rig = self.rig()
        busy, idle = rig.connect(self.host), rig.connect(self.host)
        for wire in (busy, idle):
            self.assertEqual(self.ask(rig, wire)[0], 200)
        self.drain(rig)
        status, fields, _ = self.ask(rig, busy)
        self.assertEqual((status, fields["connection"]), (200, "close"))
        self.assertEqual(idle.sock.recv(1), b"")
        self.assertEqual(rig.process.wait(10), 0)

    def test_a_client_of_http_2_is_told_to_go(self):
        rig = self.rig()
        raw = socket.create_connection(("127.0.0.1", rig.port), timeout=10)
        context = ssl.create_default_context(cafile=rig.cert)
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(raw, server_hostname=self.host) as client:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            wire, kinds = Wire(client), []
            self.drain(rig)
            while GOAWAY not in kinds:
                head = wire.exactly(9)
                kinds.append(head[3])
                wire.exactly(int.from_bytes(head[:3], "big"))
        self.assertEqual(rig.process.wait(10), 0)

    def test_the_next_one_accepts_where_the_last_one_did_and_nobody_is_refused(self):
        """Both have the same listening socket, as from the supervisor."""
        rig = self.rig()
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        failures, answers, ended = [], [], threading.Event()
        old = Rig(self.program, self.settings, listener=listener, like=rig, synced=False)
        self.addCleanup(self.end, old)
        self.serve_route(old)

        def visit():
            while not ended.is_set():
                try:
                    raw = socket.create_connection(listener.getsockname(), timeout=10)
                    wire = Wire(rig.tls.wrap_socket(raw, server_hostname=self.host))
                    answers.append(self.ask(old, wire)[0])
                    wire.sock.close()
                except (OSError, EOFError) as error:
                    failures.append(error)

        visitors = [threading.Thread(target=visit, daemon=True) for _ in range(4)]
        for visitor in visitors:
            visitor.start()
        for _ in range(3):
            new = Rig(self.program, self.settings, listener=listener, like=rig, synced=False)
            self.addCleanup(self.end, new)
            self.serve_route(new)
            before = len(answers)
            self.drain(old)
            wait_for("the old one has ended", lambda o=old: o.process.poll() is not None)
            self.assertEqual(old.process.returncode, 0)
            wait_for("the new one answers", lambda b=before: len(answers) > b + 5)
            old = new
        ended.set()
        for visitor in visitors:
            visitor.join()
        self.assertEqual((failures, set(answers)), ([], {200}))

    def serve_route(self, rig):
        machine = Machine(f"{rig.dir}/run", "m-1", self.apps)
        self.addCleanup(machine.close)
        rig.control.set(self.endpoint, OPEN)
        rig.control.send(SYNCED)
        wait_for("READY", rig.is_ready)


class DatagramsTest(Case):
    """Ports of UDP, whose socket all workers have and one reads; the test is control."""

    def setUp(self):
        super().setUp()
        self.apps[514] = App(talk_datagrams)
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.addCleanup(self.listener.close)
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()

    def publish(self, rig, serves):
        rig.control.send(PUBLISH, (self.endpoint.encode().ljust(40, b"\0") + struct.pack("=HHIII", self.port, 514, 1, serves, 0))
                         .ljust(56 + 16 * 18, b"\0"), [self.listener.fileno()])

    def client(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("127.0.0.1", self.port))
        s.settimeout(5)
        self.clients.append(s)
        return s

    @staticmethod
    def by(s, data=b"ping"):
        s.send(data)
        return s.recv(65536)

    def hand_on(self, old, new, told=0):
        """As control does, until the old one has given the port away."""
        while True:
            wait_for("a message", lambda n=told: len(old.control.got) > n)
            kind, body, _ = old.control.got[told]
            told += 1
            if kind == FLOW:
                new.control.send(FLOW, body, [old.control.fds.pop(0)])
            elif kind == LEAVES:
                self.assertEqual(struct.unpack("=I", body[40:44])[0], self.port)
                self.publish(new, 1)
                return told

    def test_flows_go_on_at_the_next_worker_and_new_ones_begin_there(self):
        old, new = self.rig(), self.rig()
        self.publish(old, 1)
        self.publish(new, 0)
        clients = [self.client() for _ in range(20)]
        self.assertEqual([self.by(s) for s in clients], [b"%d ping" % (i + 1) for i in range(20)])
        machines = len(self.machines[1].asked)
        self.drain(old)
        for s in clients:
            s.send(b"meanwhile")
        self.hand_on(old, new)
        self.assertEqual(old.process.wait(5), 0, "nothing is left to wait for")
        for i, s in enumerate(clients):
            self.assertEqual(s.recv(100), b"%d meanwhile" % (i + 1))
            self.assertEqual(self.by(s), b"%d ping" % (i + 1))
        self.assertEqual(len(self.machines[1].asked), machines, "none was opened anew")
        self.assertEqual(self.by(self.client()), b"21 ping")
        self.publish(new, 1)
        self.assertEqual(self.by(clients[3]), b"4 ping", "to be told again changes nothing")

    def test_a_flow_whose_guest_takes_nothing_ends_with_a_limit(self):
        def talk_deaf(app, w):
            time.sleep(20)
        old, new = self.rig(), self.rig()
        self.apps[514] = App(talk_deaf)
        self.publish(old, 1)
        deaf = self.client()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        deaf.send(b"x")
        wait_for("it is inside", lambda: self.apps[514].conns)
        for _ in range(400):
            deaf.send(b"x" * 60000)
        self.apps[514] = App(talk_datagrams)
        other = self.client()
        self.assertEqual(self.by(other), b"1 ping")
        self.publish(new, 0)
        self.drain(old)
        at = time.monotonic()
        self.hand_on(old, new)
        self.assertLess(time.monotonic() - at, 5)
        self.assertEqual(old.process.wait(5), 0)
        self.assertEqual(self.by(other), b"1 ping")

    def test_a_flow_into_a_machine_that_is_gone_is_not_taken(self):
        old, new = self.rig(), self.rig()
        self.publish(old, 1)
        self.publish(new, 0)
        s = self.client()
        self.assertEqual(self.by(s), b"1 ping")
        new.control.set(self.endpoint, OPEN, machine="m-2")
        machine = Machine(f"{new.dir}/run", "m-2", self.apps)
        self.addCleanup(machine.close)
        self.drain(old)
        self.hand_on(old, new)
        self.assertEqual(self.by(s), b"2 ping")

    def test_one_that_drains_passes_a_port_on_that_it_is_given(self):
        old, new = self.rig(), self.rig()
        running = old.connect(self.host)
        running.send(self.head(old, 9000))
        wait_for("it runs", lambda: self.apps[9000].requests)
        self.drain(old)
        self.publish(old, 1)
        self.publish(new, 0)
        self.hand_on(old, new)
        self.assertEqual(self.by(self.client()), b"1 ping")
        self.apps[9000].gate.set()
        running.head()


class DrainLimitTest(Case):
    settings = "hold_ms = 3000\ndrain_ms = 1000\n"

    def test_what_takes_too_long_is_cut_and_it_ends(self):
        rig = self.rig()
        running = rig.connect(self.host)
        running.send(self.head(rig, 9000))
        wait_for("it runs", lambda: self.apps[9000].requests)
        rig.super.send(SUPER_DRAIN, struct.pack("=II", 0, 0))
        self.assertEqual(rig.process.wait(10), 0)
        self.assertIn("502", running.head()[0])
        self.apps[9000].gate.set()


class RouteTest(Case):
    def test_nobody_is_let_in_before_all_routes_are_known(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        rig = Rig(self.program, self.settings, listener=listener, synced=False)
        self.addCleanup(self.end, rig)
        machine = Machine(f"{rig.dir}/run", "m-1", self.apps)
        self.addCleanup(machine.close)
        raw = socket.create_connection(listener.getsockname(), timeout=10)
        raw.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            rig.tls.wrap_socket(raw, server_hostname=self.host)
        self.assertFalse(rig.is_ready())
        rig.control.set(self.endpoint, OPEN)
        rig.control.send(SYNCED)
        wait_for("it serves", rig.is_ready)
        self.assertEqual(self.ask(rig, rig.connect(self.host))[0], 200)


class ShareTest(Case):
    settings = "hold_ms = 3000\nconnections = 7\nconnections_per_address = 7\n"

    def test_each_of_several_workers_holds_its_share_of_the_connections(self):
        rig = Rig(self.program, self.settings, workers=2)
        self.addCleanup(self.end, rig)
        machine = Machine(f"{rig.dir}/run", "m-1", self.apps)
        self.addCleanup(machine.close)
        rig.control.set(self.endpoint, OPEN)
        wires = [rig.connect(self.host) for _ in range(4)]
        for wire in wires:
            wire.send(self.head(rig, 9000))
        wait_for("four run", lambda: len(self.apps[9000].requests) == 4)
        with self.assertRaises((OSError, EOFError)):
            rig.connect(self.host).head()
        self.apps[9000].gate.set()


if __name__ == "__main__":
    Case.program = sys.argv.pop(1)
    unittest.main(verbosity=int(os.environ.get("VERBOSE", "1")), warnings="ignore")
