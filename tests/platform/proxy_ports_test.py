#!/usr/bin/env python3
"""Published ports, of TCP and of UDP, and connections that ask for a port by an upgrade.

    proxy_ports_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import proxy_test
from proxy_rig import (ACTIVE, DEAD, GONE, LISTENED, LISTENS, MIB, OPEN, PUBLISH, SLEEPING, UNPUBLISH, WAITING, WAKE, App,
                       Control, Machine, Rig, wait_for)

LIMITS = """hold_ms = 2000
published_connections = 40
connections_per_address = 45
flow_timeout_ms = 3000
tunnel_timeout_ms = 5000
"""


def talk_echo(app, w):
    app.heard = getattr(app, "heard", b"")
    while True:
        w.left or w.more()
        app.heard += w.left[:100]
        w.send(w.left)
        w.left = b""


def talk_collect(app, w):
    """Answers with all that came, once nothing more will come."""
    with contextlib.suppress(EOFError):
        while True:
            w.more()
    app.got = w.left
    w.send(w.left)


def talk_first(_app, w):
    w.send("220 hello\r\n")
    w.send(f"you said {w.line()}\r\n")


def frames(w):
    while True:
        size, = struct.unpack(">H", w.exactly(2))
        yield w.exactly(size)


def frame(data):
    return struct.pack(">H", len(data)) + data


def talk_datagrams(app, w):
    """What the agent and an application of UDP behind it do: answers each with its stream's number before it."""
    number = app.conns
    for data in frames(w):
        app.requests.append((number, data))
        if data == b"garbage":
            w.send(b"\xff\xff")
        elif data.startswith(b"burst "):
            for i in range(int(data[6:])):
                w.send(frame(b"%d" % i))
        elif data != b"quiet":
            w.send(frame(b"%d " % number + data))


class PortsTest(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.sockets = []

    def tearDown(self):
        for s in self.sockets:
            s.close()
        super().tearDown()

    def publish(self, talk, target=6379, udp=False, sources=(), endpoint=None, family=socket.AF_INET):
        """The port of the host that leads to an application which says this."""
        self.app(target, talk)
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        listener = socket.socket(family, kind)
        listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if not udp:
            listener.listen(128)
        port = listener.getsockname()[1]
        self.tell(listener, port, target, udp, sources, endpoint)
        listener.close()
        return port

    def tell(self, listener, port, target, udp=False, sources=(), endpoint=None, serves=1):
        body = (endpoint or self.endpoint).encode().ljust(40, b"\0") + struct.pack("=HHIII", port, target, udp, serves, len(sources))
        for text in sources:
            address, bits = text.split("/")
            raw = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
            body += struct.pack("=BB16s", int(bits), len(raw), raw)
        self.rig.control.send(PUBLISH, body.ljust(56 + 16 * 18, b"\0"), [listener.fileno()])

    def unpublish(self, port):
        self.rig.control.send(UNPUBLISH, self.endpoint.encode().ljust(40, b"\0") + struct.pack("=I", port))

    def wakes(self):
        return len(self.rig.control.of(WAKE, self.endpoint))

    def notes(self):
        return [text for _, text in self.rig.control.notes(self.endpoint)]

    def dial(self, port, source="127.0.0.1"):
        s = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
        self.sockets.append(s)
        return s

    def is_cut(self, s, seconds=3):
        s.settimeout(seconds)
        try:
            return s.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def say(self, s, data=b"ping"):
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            more = s.recv(65536)
            if not more:
                raise EOFError(got)
            got += more
        return got


class Bytes(PortsTest):
    def test_bytes_pass_as_they_are_and_in_both_directions_at_once(self):
        port, data = self.publish(talk_echo), os.urandom(8 * MIB)
        s = self.dial(port)
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        got = b""
        while len(got) < len(data):
            got += s.recv(1 << 20)
        self.assertEqual(got, data)

    def test_a_half_closed_client_still_gets_its_answer(self):
        s = self.dial(self.publish(talk_collect))
        s.sendall(b"all of it")
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(s.recv(100), b"all of it")
        self.assertEqual(s.recv(100), b"")

    def test_an_application_that_speaks_first_is_heard_before_the_client_says_a_word(self):
        s = self.dial(self.publish(talk_first, target=25))
        self.assertEqual(s.recv(100), b"220 hello\r\n")
        s.sendall(b"EHLO\r\n")
        self.assertEqual(s.recv(100), b"you said EHLO\r\n")
        self.assertEqual(self.machine.asked, [b"CONNECT 25 now\n"])

    def test_a_machine_that_is_older_than_this_way_is_asked_in_the_plain_one(self):
        for answer in ("malformed", "ask with: CONNECT <port>"):
            port = self.publish(talk_echo)
            self.machine.too_old, self.machine.asked = answer, []
            self.assertEqual(self.say(self.dial(port)), b"ping")
            self.assertEqual(self.machine.asked, [b"CONNECT 6379 now\n", b"CONNECT 6379\n"])

    def test_clients_wait_for_a_sleeping_microvm_and_wake_it_once(self):
        port, got = self.publish(talk_collect), []
        self.set(SLEEPING, machine="")

        def client(i):
            s = self.dial(port)
            s.sendall(b"client %d" % i)
            s.shutdown(socket.SHUT_WR)
            got.append((i, s.recv(100)))
        for i in range(20):
            threading.Thread(target=client, args=(i,), daemon=True).start()
        wait_for("WAKE", self.wakes)
        time.sleep(0.3)
        self.assertEqual((self.machine.asked, got), ([], []))
        self.set(OPEN)
        wait_for("all answers", lambda: len(got) == 20)
        self.assertEqual(sorted(got), [(i, b"client %d" % i) for i in range(20)])
        self.assertEqual(self.wakes(), 1)

    def test_a_client_that_leaves_while_it_waits_is_forgotten(self):
        port = self.publish(talk_echo)
        with self.dial(port) as s:
            self.assertEqual(self.say(s), b"ping")
        self.set(WAITING)
        before = self.rig.settled_files()
        clients = [self.dial(port) for _ in range(10)]
        wait_for("clients", lambda: self.rig.files() == before + 10)
        for s in clients:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        wait_for("their ends", lambda: self.rig.files() == before)
        self.set(OPEN)
        self.assertEqual(self.say(self.dial(port)), b"ping")
        self.assertEqual(len(self.machine.asked), 2)

    def test_a_client_that_nobody_can_serve_is_cut_off_and_the_log_says_why(self):
        port = self.publish(talk_echo)
        self.set(SLEEPING, machine="")
        at = time.monotonic()
        self.assertTrue(self.is_cut(self.dial(port), 5))
        self.assertAlmostEqual(time.monotonic() - at, 2, delta=0.7)
        self.set(DEAD, machine="")
        self.assertTrue(self.is_cut(self.dial(port), 1))
        self.apps[6379] = "refused"
        self.set(OPEN)
        self.assertTrue(self.is_cut(self.dial(port), 5))
        whys = ["not ready within 2 seconds", "does not wake it", "nothing listens"]
        wait_for("notes", lambda: len(self.notes()) == 3)
        for note, why in zip(self.notes(), whys):
            self.assertIn(f"client of the published port {port} was cut off", note)
            self.assertIn(why, note)

    def test_only_addresses_of_the_ranges_may_come_and_others_wake_nothing(self):
        port = self.publish(talk_echo, sources=["10.0.0.0/8", "127.0.0.2/32", "::/0"])
        self.assertEqual(self.say(self.dial(port, "127.0.0.2")), b"ping")
        self.set(SLEEPING, machine="")
        self.assertTrue(self.is_cut(self.dial(port, "127.0.0.1"), 1))
        self.assertTrue(self.is_cut(self.dial(port, "127.0.0.3"), 1))
        self.assertEqual(self.wakes(), 0)
        wait_for("a note", self.notes)
        self.assertIn("in none of the ranges", self.notes()[0])

    def test_a_microvm_has_so_many_connections_and_no_more(self):
        port, other = self.publish(talk_echo), self.publish(talk_first, target=25)
        inside = [self.dial(port) for _ in range(20)] + [self.dial(other, "127.0.0.2") for _ in range(20)]
        for s in inside[:20]:
            self.assertEqual(self.say(s), b"ping")
        for s in inside[20:]:
            self.assertEqual(s.recv(100), b"220 hello\r\n")
        self.assertTrue(self.is_cut(self.dial(port), 1))
        wait_for("a note", self.notes)
        self.assertIn("as many as [limits] published_connections allows", self.notes()[-1])
        inside[0].close()
        wait_for("room", lambda: self.echoes(port))

    def test_an_address_has_so_many_connections_to_all_microvms(self):
        port, other = self.publish(talk_echo), self.another_microvm()
        inside = [self.dial(port) for _ in range(40)] + [self.dial(other) for _ in range(5)]
        for s in inside:
            self.assertEqual(self.say(s), b"ping")
        self.assertTrue(self.is_cut(self.dial(other), 1))
        self.assertEqual(self.say(self.dial(other, "127.0.0.2")), b"ping")

    def echoes(self, port):
        with contextlib.suppress(OSError, EOFError):
            return self.say(self.dial(port)) == b"ping"

    def another_microvm(self):
        endpoint = "00000000-0000-4000-8000-000000000002"
        self.others = App(talk_echo)
        machine = Machine(f"{self.rig.dir}/run", "m-2", {6379: self.others})
        self.addCleanup(machine.close)
        self.addCleanup(self.rig.control.endpoint, GONE, endpoint)
        self.rig.control.set(endpoint, OPEN, machine="m-2", microvm="microvm-2")
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.tell(listener, port, 6379, endpoint=endpoint)
        listener.close()
        return port

    def test_no_byte_of_one_microvm_reaches_the_other(self):
        """Clients of both by turns, while one of them is suspended, woken and cut."""
        port, other = self.publish(talk_echo), self.another_microvm()
        dice = random.Random(7)
        clients = {port: [], other: []}
        for step in range(200):
            to = dice.choice((port, other))
            if to == port and dice.random() < 0.05:
                self.set(WAITING)
                self.set(OPEN)
                clients[port] = []
            if len(clients[to]) < 4:
                clients[to].append(self.dial(to))
            s = dice.choice(clients[to])
            data = b"%d of %d" % (step, to)
            self.assertEqual(self.say(s, data), data)
        self.assertNotIn(b"of %d" % port, self.others.heard)
        self.assertNotIn(b"of %d" % other, self.apps[6379].heard)

    def test_a_suspend_cuts_connections_and_the_next_client_wakes_it_again(self):
        port = self.publish(talk_echo)
        s = self.dial(port)
        self.assertEqual(self.say(s), b"ping")
        self.set(WAITING)
        self.assertTrue(self.is_cut(s, 1))
        self.set(SLEEPING, machine="")
        s = self.dial(port)
        s.sendall(b"ping")
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(s.recv(100), b"ping")

    def test_an_unpublished_port_is_closed_with_its_connections_and_others_stay(self):
        port, other = self.publish(talk_echo), self.publish(talk_echo, target=5432)
        s, stays = self.dial(port), self.dial(other)
        self.assertEqual((self.say(s), self.say(stays)), (b"ping", b"ping"))
        self.unpublish(port)
        self.assertTrue(self.is_cut(s, 1))
        wait_for("its end", lambda: self.refuses(port))
        self.assertEqual(self.say(stays), b"ping")

    def test_a_port_ends_with_its_microvm(self):
        port = self.publish(talk_echo)
        self.set(WAITING)
        waits = self.dial(port)
        time.sleep(0.1)
        self.rig.control.endpoint(GONE, self.endpoint)
        self.assertTrue(self.is_cut(waits, 1))
        wait_for("its end", lambda: self.refuses(port))

    def test_bytes_count_for_the_idle_clock_and_silence_does_not(self):
        s = self.dial(self.publish(talk_echo))
        self.assertEqual(self.say(s), b"ping")
        wait_for("ACTIVE", lambda: self.rig.control.of(ACTIVE, self.endpoint), 3)
        time.sleep(1.2)
        before = len(self.rig.control.of(ACTIVE, self.endpoint))
        time.sleep(1.2)
        self.assertEqual(len(self.rig.control.of(ACTIVE, self.endpoint)), before)
        self.assertEqual(self.say(s), b"ping")
        wait_for("ACTIVE", lambda: len(self.rig.control.of(ACTIVE, self.endpoint)) == before + 1, 3)

    def test_a_silent_connection_ends(self):
        self.assertTrue(self.is_cut(self.dial(self.publish(talk_echo)), 8))

    def test_a_control_that_comes_anew_gets_the_sockets_and_nobody_notices(self):
        port = self.publish(talk_echo)
        s = self.dial(port)
        self.assertEqual(self.say(s), b"ping")
        anew = Control()
        self.rig.connect_control(anew)
        wait_for("LISTENED", lambda: any(kind == LISTENED for kind, _, _ in anew.got))
        told = [struct.unpack("=I", body[40:44])[0] for kind, body, _ in anew.got if kind == LISTENS]
        self.assertEqual(told, [port])
        listener, = anew.fds
        with socket.socket(fileno=listener) as back:
            self.assertEqual(back.getsockname()[1], port)
            self.set(OPEN)
            self.tell(back, port, 6379)
        anew.send(3)
        self.assertEqual(self.say(s), b"ping")
        self.assertEqual(self.say(self.dial(port)), b"ping")

    def test_a_row_that_makes_no_sense_serves_nothing(self):
        self.set(OPEN)
        for target, sources in ((0, ()), (80, ["10.0.0.1/8"])):
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            self.tell(listener, port, target, sources=sources)
            listener.close()
            wait_for("its end", lambda port=port: self.refuses(port))

    def refuses(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # it was taken in a moment ago
        return False

    def by_a_native_client(self, *command, **env):
        """What it prints, though the microVM sleeps when it begins."""
        if not shutil.which(command[0]):
            self.skipTest(f"there is no {command[0]} here")
        self.set(SLEEPING, machine="")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, **env}) as client:
            wait_for("WAKE", self.wakes)
            self.set(OPEN)
            return client.communicate(timeout=20)[0]

    def test_redis_cli_talks_to_what_speaks_its_protocol(self):
        port = self.publish(talk_redis)
        self.assertEqual(self.by_a_native_client("redis-cli", "-p", str(port), "ping"), "PONG\n")

    def test_psql_talks_to_what_speaks_its_protocol_with_its_user_and_password_untouched(self):
        port = self.publish(talk_postgres, target=5432)
        words = f"host=127.0.0.1 port={port} user=somebody dbname=things sslmode=prefer"
        self.assertEqual(self.by_a_native_client("psql", words, "-Atc", "select 1", PGPASSWORD="a secret"), "answer\n")
        self.assertEqual(self.apps[5432].password, b"a secret\0")
        self.assertIn(b"user\0somebody\0database\0things\0", self.apps[5432].startup)


def talk_redis(_app, w):
    while True:
        words = []
        for _ in range(int(w.line()[1:])):
            words.append(w.exactly(int(w.line()[1:]) + 2)[:-2].lower())
        w.send("+PONG\r\n" if words[0] == b"ping" else "*0\r\n")


def talk_postgres(app, w):
    """A server without TLS that asks for a password and answers every query alike."""
    def message(kind, body):
        w.send(kind + struct.pack(">I", len(body) + 4) + body)

    while True:
        size, code = struct.unpack(">II", w.exactly(8))
        if code not in (80877103, 80877104):  # SSLRequest, GSSENCRequest
            break
        w.send(b"N")
    app.startup = w.exactly(size - 8)
    message(b"R", struct.pack(">I", 3))  # the password, in clear
    while True:
        kind, size = struct.unpack(">cI", w.exactly(5))
        body = w.exactly(size - 4)
        if kind == b"p":
            app.password = body
            message(b"R", struct.pack(">I", 0))
        elif kind == b"Q":
            message(b"T", struct.pack(">H", 1) + b"v\0" + struct.pack(">IHIhiH", 0, 0, 25, -1, -1, 0))
            message(b"D", struct.pack(">HI", 1, 6) + b"answer")
            message(b"C", b"SELECT 1\0")
        else:
            return
        message(b"Z", b"I")


class Datagrams(PortsTest):
    def setUp(self):
        super().setUp()
        self.port = self.publish(talk_datagrams, target=514, udp=True)
        self.to = ("127.0.0.1", self.port)

    def client(self, to=None, source="127.0.0.1"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((source, 0))
        s.connect(to or self.to)
        s.settimeout(5)
        self.sockets.append(s)
        return s

    def ask_by(self, s, data=b"ping"):
        s.send(data)
        return s.recv(65536)

    def test_a_worker_that_does_not_serve_a_port_serves_it_once_it_is_told(self):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.apps[514] = App(talk_datagrams)
        self.tell(listener, port, 514, udp=True, serves=0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"early", ("127.0.0.1", port))
            s.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                s.recv(100)
            self.tell(listener, port, 514, udp=True)
            s.settimeout(5)
            self.assertEqual(s.recv(100), b"1 early")
        listener.close()

    def test_answers_go_back_on_the_flow_that_asked(self):
        a, b = self.client(), self.client()
        self.assertEqual(self.ask_by(a), b"1 ping")
        self.assertEqual(self.ask_by(b), b"2 ping")
        self.assertEqual(self.ask_by(a, b""), b"1 ")
        self.assertEqual(self.machine.asked, [b"CONNECT 514 udp\n"] * 2)

    def test_the_first_datagrams_wake_the_microvm_and_the_youngest_wait(self):
        self.set(SLEEPING, machine="")
        s = self.client()
        for i in range(100):
            s.send(b"%d" % i)
        wait_for("WAKE", self.wakes)
        time.sleep(0.2)
        self.set(OPEN)
        self.assertEqual([s.recv(100) for _ in range(32)], [b"1 %d" % i for i in range(68, 100)])
        self.assertEqual(self.wakes(), 1)
        self.unpublish(self.port)
        wait_for("the count", lambda: any(note.startswith("68 datagrams") for note in self.notes()))

    def test_datagrams_of_every_size_pass_whole(self):
        s = self.client()
        for size in (0, 1, 512, 1472, 9000, 65000, 65505):
            data = os.urandom(size)
            self.assertEqual(self.ask_by(s, data), b"1 " + data)
        s.send(b"x" * 65507)  # its answer is too long for UDP
        self.assertEqual(self.ask_by(self.client()), b"2 ping")

    def test_large_ones_that_wait_are_bounded_by_bytes(self):
        self.set(WAITING)
        s = self.client()
        for i in range(10):
            s.send(b"%d" % i * 60000)
            time.sleep(0.03)  # the kernel's buffer holds two or three of them
        self.set(OPEN)
        self.assertEqual([s.recv(65536)[:3] for _ in range(2)], [b"1 8", b"1 9"])

    def test_a_silent_flow_is_forgotten_and_one_in_use_is_not(self):
        s, t = self.client(), self.client()
        self.assertEqual((self.ask_by(s), self.ask_by(t)), (b"1 ping", b"2 ping"))
        for _ in range(12):
            time.sleep(0.4)
            self.assertEqual(self.ask_by(t), b"2 ping")
        self.assertEqual(self.ask_by(s), b"3 ping")

    def test_a_suspend_ends_flows_and_the_next_datagram_wakes(self):
        s = self.client()
        self.assertEqual(self.ask_by(s), b"1 ping")
        self.set(SLEEPING, machine="")
        s.send(b"again")
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(s.recv(100), b"2 again")

    def test_only_addresses_of_the_ranges_may_come(self):
        to = ("127.0.0.1", self.publish(talk_datagrams, target=53, udp=True, sources=["127.0.0.2/32"]))
        self.set(SLEEPING, machine="")
        self.client(to).send(b"x")
        time.sleep(0.3)
        self.assertEqual(self.wakes(), 0)
        s = self.client(to, "127.0.0.2")
        s.send(b"x")
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(s.recv(100), b"1 x")

    def test_the_oldest_flow_makes_room_for_a_new_one(self):
        clients = [self.client() for _ in range(41)]
        for i, s in enumerate(clients):
            self.assertEqual(self.ask_by(s), b"%d ping" % (i + 1))
        self.assertEqual(self.ask_by(clients[1]), b"2 ping")
        self.assertEqual(self.ask_by(clients[0]), b"42 ping")

    def test_a_guest_that_sends_no_frames_loses_the_flow_alone(self):
        s, t = self.client(), self.client()
        self.assertEqual((self.ask_by(s), self.ask_by(t)), (b"1 ping", b"2 ping"))
        s.send(b"garbage")
        time.sleep(0.2)
        self.assertEqual(self.ask_by(s), b"3 ping")
        self.assertEqual(self.ask_by(t), b"2 ping")

    def test_many_answers_to_one_datagram_arrive(self):
        s = self.client()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.send(b"burst 100")
        self.assertEqual([s.recv(100) for _ in range(100)], [b"%d" % i for i in range(100)])

    def test_answers_come_from_the_address_that_was_asked(self):
        self.app(99, talk_datagrams)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("0.0.0.0", 0))
            port = listener.getsockname()[1]
            self.tell(listener, port, 99, udp=True)
        for address in ("127.0.0.1", "127.0.0.9"):
            s = self.client((address, port))
            self.assertTrue(self.ask_by(s).endswith(b" ping"))

    def test_ipv6_is_served(self):
        port = self.publish(talk_datagrams, target=98, udp=True, family=socket.AF_INET6)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.connect(("::1", port))
            s.settimeout(5)
            self.assertEqual(self.ask_by(s), b"1 ping")

    def test_a_machine_without_datagrams_drops_them_and_the_log_says_so(self):
        self.machine.too_old = "malformed"
        self.client().send(b"x")
        wait_for("a note", self.notes)
        self.assertIn("build or rebuild", self.notes()[0])


class Upgrades(PortsTest):
    """GET / with Upgrade: doze-tcp or doze-udp, as doze forward asks."""

    def upgrade(self, protocol="doze-tcp", **more):
        w = self.ask(lines=f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n", end=False, **more)
        first, fields = w.head()
        return w, int(first.split()[1]), dict(fields)

    def test_after_the_101_the_bytes_are_those_of_the_port(self):
        self.app(25, talk_first)
        w, status, fields = self.upgrade(port=25)
        self.assertEqual((status, fields["upgrade"], fields["connection"]), (101, "doze-tcp", "upgrade"))
        self.assertEqual(w.line(), "220 hello")
        w.send(b"EHLO\r\n")
        self.assertEqual(w.line(), "you said EHLO")
        self.assertTrue(w.closed())

    def test_datagrams_are_frames(self):
        self.app(514, talk_datagrams)
        w, status, fields = self.upgrade("doze-udp", port=514)
        self.assertEqual((status, fields["upgrade"]), (101, "doze-udp"))
        w.send(frame(b"one") + frame(b"two"))
        got = frames(w)
        self.assertEqual([next(got), next(got)], [b"1 one", b"1 two"])
        self.assertEqual(self.machine.asked, [b"CONNECT 514 udp\n"])

    def test_it_needs_a_token_for_the_port(self):
        self.app(25, talk_first)
        self.set(SLEEPING, machine="")
        for more in ({"token": ""}, {"token": self.rig.mint(26)}, {"token": self.rig.mint("all", microvm="x")},
                     {"token": self.rig.mint("all", minutes=-1)}):
            self.assertEqual(self.upgrade(port=25, **more)[1], 403)
        self.assertEqual(self.wakes(), 0)

    def test_it_waits_for_a_sleeping_microvm_and_is_cut_by_a_suspend(self):
        self.app(25, talk_first)
        self.set(SLEEPING, machine="")
        w = self.ask(lines="Connection: Upgrade\r\nUpgrade: doze-tcp\r\n", end=False, port=25)
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertIn(" 101 ", w.head()[0])
        self.assertEqual(w.line(), "220 hello")
        self.set(WAITING)
        self.assertTrue(w.closed())

    def test_a_port_on_which_nothing_listens_is_a_502_with_its_reason(self):
        self.apps[25] = "refused"
        w, status, fields = self.upgrade(port=25)
        self.assertEqual(status, 502)
        self.assertIn("nothing listens", fields["x-doze-reason"])

    def test_with_a_body_it_is_a_request_for_the_application(self):
        w = self.ask(method="POST", lines="Connection: Upgrade\r\nUpgrade: doze-tcp\r\nContent-Length: 1\r\n", body=b"x",
                     end=False)
        self.assertNotIn(" 101 ", w.head()[0])


class Clean(PortsTest):
    def test_the_end_of_the_role_closes_everything(self):
        port = self.publish(talk_echo)
        udp = self.publish(talk_datagrams, target=514, udp=True)
        s = self.dial(port)
        self.assertEqual(self.say(s), b"ping")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as d:
            d.settimeout(5)
            d.sendto(b"x", ("127.0.0.1", udp))
            self.assertEqual(d.recv(10), b"1 x")
        self.assertEqual(self.rig.stop(), 0)
        self.assertTrue(self.is_cut(s))
        self.rig.start()


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1), LIMITS))
