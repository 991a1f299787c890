#!/usr/bin/env python3
"""Strangers fill everything that they may hold of the endpoint proxy, while another client is served.

    proxy_limits_test.py PROXY_ROLE [unittest arguments]
"""
import contextlib
import os
import socket
import ssl
import struct
import sys
import threading
import time
import uuid

import proxy_test
from proxy_rig import (GONE, OPEN, SLEEPING, SUFFIX, WAKE, Rig, request_of, talk_events, talk_mute, talk_sink, talk_source,
                       talk_websocket, wait_for)

LIMITS = """hold_ms = 3000
held_requests = 30
connections = 40
connections_per_address = 20
head_timeout_ms = 1500
min_rate = 500
body_timeout_ms = 1000
send_timeout_ms = 1500
response_timeout_ms = 2500
tunnel_timeout_ms = 1500
"""


def ended(w, seconds=10):
    """Whatever still came, the other side ended it within that time."""
    w.sock.settimeout(seconds)
    try:
        while w.sock.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except (OSError, ssl.SSLError):
        pass
    return True


def is_open(w):
    w.sock.setblocking(False)
    try:
        return w.sock.recv(1) != b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False


class LimitsTest(proxy_test.ProxyTest):
    def crowd(self, n, source):
        """That many connections from an address; where the proxy ends one, it is in the list all the same."""
        crowd = []
        for _ in range(n):
            with contextlib.suppress(OSError, ssl.SSLError):
                crowd.append(self.rig.connect(self.host, source=source))
        for w in crowd:
            self.addCleanup(w.sock.close)
        return crowd

    def served(self, seconds=1.0, **more):
        at = time.monotonic()
        status = self.ask(**more)[0]
        return status == 200 and time.monotonic() - at < seconds


class Connections(LimitsTest):
    def test_an_address_that_takes_its_share_ends_its_own_oldest(self):
        crowd = self.crowd(25, "127.0.0.2")
        other = self.rig.connect(self.host, source="127.0.0.3")
        wait_for("five are ended", lambda: sum(not is_open(w) for w in crowd) >= 5)
        self.assertEqual([is_open(w) for w in crowd], [False] * 5 + [True] * 20)
        self.assertTrue(self.served(wire=other))

    def test_a_full_proxy_ends_the_oldest_for_a_new_client(self):
        crowd = [w for i in range(2, 5) for w in self.crowd(18, f"127.0.0.{i}")]
        self.assertTrue(self.served(wire=self.rig.connect(self.host, source="127.0.0.9")))
        wait_for("the oldest are ended", lambda: sum(not is_open(w) for w in crowd) >= 15)
        self.assertTrue(all(is_open(w) for w in crowd[-20:]))

    def test_requests_under_way_are_not_ended_for_new_ones(self):
        sleeper, other = str(uuid.uuid4()), self.rig.connect(self.host, source="127.0.0.3")
        self.rig.control.set(sleeper, SLEEPING, machine="")
        self.addCleanup(lambda: self.rig.control.endpoint(GONE, sleeper))
        held = []
        for _ in range(20):
            w = self.rig.connect(sleeper + SUFFIX, source="127.0.0.2")
            held.append(self.ask(wire=w, host=sleeper + SUFFIX, end=False))
        wait_for("WAKE", lambda: self.rig.control.of(WAKE, sleeper))
        time.sleep(0.2)  # the last of them are on their way
        self.assertEqual(self.crowd(3, "127.0.0.2"), [])
        self.assertTrue(self.served(wire=other))
        self.assertTrue(self.served(wire=self.rig.connect(self.host, source="127.0.0.4")))
        self.rig.control.set(sleeper, OPEN, machine=self.name)
        self.assertEqual({self.answer(w)[0] for w in held}, {200})

    def test_connections_that_end_make_room(self):
        for _ in range(3):
            crowd = self.crowd(20, "127.0.0.2")
            self.assertEqual(len(crowd), 20)
            for w in crowd:
                w.sock.close()
            wait_for("room", lambda: self.served(wire=self.rig.connect(self.host, source="127.0.0.2")))


class Time(LimitsTest):
    def test_heads_without_an_end_are_refused_and_others_served(self):
        crowd = self.crowd(15, "127.0.0.2")
        for w in crowd:
            w.send("GET / HTTP/1.1\r\nHost: x\r\n")
        self.assertTrue(self.served())
        at = time.monotonic()
        for w in crowd:
            self.assertIn("408", w.head()[0])
        self.assertLess(time.monotonic() - at, 3)

    def test_a_body_that_is_silent_is_ended_and_one_that_comes_in_small_pieces_is_not(self):
        self.app(1, talk_sink)
        slow = self.ask(method="PUT", lines="Content-Length: 16\r\n", port=1, end=False)
        silent = [self.ask(method="PUT", lines="Content-Length: 1000000\r\n", port=1, end=False, wire=w)
                  for w in self.crowd(15, "127.0.0.2")]
        for i in range(16):  # eight seconds, far below min_rate
            slow.send(b"x")
            if i % 4 == 0:
                self.assertTrue(self.served())
            time.sleep(0.5)
        self.assertEqual([is_open(w) for w in silent], [False] * 15)
        self.assertTrue(self.answer(slow)[2].startswith(b"16 "))

    def test_a_body_waits_for_a_slow_application_without_a_limit_on_its_client(self):
        def talk(app, w):
            time.sleep(2)
            talk_sink(app, w)
        self.app(1, talk)
        body = b"x" * (1 << 25)  # more than the kernel keeps on the way
        self.assertEqual(self.ask(method="PUT", lines=f"Content-Length: {len(body)}\r\n", body=body, port=1)[0], 200)

    def test_a_client_that_takes_nothing_is_ended_and_slow_events_are_not(self):
        source = self.app(1, talk_source)
        self.app(2, talk_events).n = 25
        events = self.ask(port=2, end=False)
        events.head()
        idlers = [self.ask("/2000", port=1, end=False, wire=w) for w in self.crowd(5, "127.0.0.2")]
        wait_for("the application is let go", lambda: len(source.requests) == 5)
        before = self.rig.files()
        self.assertTrue(self.served())
        wait_for("both ends of all five are closed", lambda: self.rig.files() <= before - 10, 15)
        self.assertEqual(len(list(events.chunks())), 25)
        for w in idlers:
            w.sock.close()

    def test_an_application_that_does_not_answer_is_a_504(self):
        mute = self.app(1, talk_mute)
        w = self.connect()
        self.assertEqual(self.ask(port=1, wire=w)[0], 200)
        at = time.monotonic()
        self.assertEqual(self.ask("/mute", port=1, wire=w)[::2], (504, b""))  # over the kept connection
        self.assertEqual(self.ask("/mute", "POST", port=1, wire=w)[::2], (504, b""))  # over a new one
        self.assertLess(time.monotonic() - at, 10)
        self.assertEqual(len(mute.requests), 3)
        w = self.ask("/half", port=1, end=False)
        w.head()
        self.assertTrue(ended(w))

    def test_an_application_that_takes_no_body_is_a_504(self):
        def talk(app, w):
            request_of(app, w)
            time.sleep(8)
        self.app(1, talk)
        w = self.ask(method="PUT", lines=f"Content-Length: {1 << 26}\r\n", port=1, end=False)

        def send():
            with contextlib.suppress(OSError):
                w.send(b"x" * (1 << 26))
        threading.Thread(target=send, daemon=True).start()
        self.assertTrue(self.served())
        self.assertIn("504", w.head()[0])

    def test_held_requests_are_bounded_in_number(self):
        sleeper = str(uuid.uuid4())
        self.rig.control.set(sleeper, SLEEPING, machine="")
        self.addCleanup(lambda: self.rig.control.endpoint(GONE, sleeper))
        held = []
        for i in range(32):
            w = self.rig.connect(sleeper + SUFFIX, source=f"127.0.0.{2 + i // 18}")
            held.append(self.ask(wire=w, host=sleeper + SUFFIX, end=False))
        self.assertEqual([self.answer(w)[0] for w in held[30:]], [502, 502])
        self.assertTrue(self.served(wire=self.rig.connect(self.host, source="127.0.0.5")))
        self.rig.control.set(sleeper, OPEN, machine=self.name)
        self.assertEqual({self.answer(w)[0] for w in held[:30]}, {200})


    def test_requests_that_wait_for_a_port_are_bounded_in_number(self):
        self.apps[1] = "starting"
        held = [self.rig.connect(self.host, source=f"127.0.0.{2 + i // 18}") for i in range(36)]
        for w in held:
            self.ask(wire=w, port=1, end=False)
        wait_for("refusals", lambda: len(self.rig.control.notes(self.endpoint)) == 6, 2)
        self.assertTrue(self.served(wire=self.rig.connect(self.host, source="127.0.0.5")))
        self.app(1, proxy_test.talk_hello)
        got = [self.answer(w) for w in held]
        refused = [fields["x-doze-reason"] for status, fields, _ in got if status != 200]
        self.assertEqual(sorted(status for status, _, _ in got), [200] * 30 + [502] * 6)
        self.assertEqual({status for status, _, _ in got[:20]}, {200})
        self.assertEqual(set(refused), {"too many requests wait for this microVM"})


class Tunnels(LimitsTest):
    def setUp(self):
        super().setUp()
        self.app(1, talk_websocket)

    def tunnel(self, source="127.0.0.1"):
        w = self.rig.connect(self.host, source=source)
        self.ask(lines=proxy_test.WebSockets.HEAD, port=1, wire=w, end=False)
        w.head()
        w.exactly(5)
        return w

    def test_a_silent_tunnel_ends_on_both_sides_and_one_that_speaks_does_not(self):
        speaks = self.tunnel()
        silent = [self.tunnel("127.0.0.2") for _ in range(10)]
        before = self.rig.files()
        for _ in range(8):
            time.sleep(0.5)
            speaks.send("ping")
            self.assertEqual(speaks.exactly(4), b"ping")
            self.assertTrue(self.served())
        self.assertTrue(all(ended(w, 1) for w in silent))
        wait_for("both descriptors of each", lambda: self.rig.files() <= before - 19)

    def test_tunnels_count_as_connections_of_their_address(self):
        tunnels = [self.tunnel("127.0.0.2") for _ in range(20)]
        self.assertEqual(self.crowd(1, "127.0.0.2"), [])
        self.assertTrue(self.served())
        tunnels[0].sock.close()
        wait_for("room", lambda: self.crowd(1, "127.0.0.2"))

    def test_the_kernel_probes_both_ends_of_a_tunnel(self):
        tunnel = self.tunnel()

        def probed():  # in place of that timer there is another while a byte is not acknowledged yet
            return {self.side(line) for line in self.sockets() if line[5].startswith("02:")}
        wait_for("a timer for probes at both ends", lambda: probed() == {"client", "guest"}, 1)
        self.assertTrue(is_open(tunnel))

    def sockets(self):
        """The proxy's own rows of /proc/net/tcp that are established."""
        own = set()
        for fd in os.listdir(f"/proc/{self.rig.process.pid}/fd"):
            with contextlib.suppress(OSError):
                own.add(os.readlink(f"/proc/{self.rig.process.pid}/fd/{fd}"))
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return [row for row in rows if row[3] == "01" and f"socket:[{row[9]}]" in own]

    def side(self, row):
        to = struct.pack("=I", int(row[2].split(":")[0], 16)), int(row[2].split(":")[1], 16)
        if to == (socket.inet_aton("127.0.0.1"), self.apps[1].sock.getsockname()[1]):
            return "guest"
        return "client" if int(row[1].split(":")[1], 16) == self.rig.port else "other"


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1), LIMITS))
