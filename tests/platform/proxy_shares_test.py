#!/usr/bin/env python3
"""Limits of a microVM that count over all workers of the proxy.

    proxy_shares_test.py PROXY_ROLE [unittest arguments]
"""
import fcntl
import os
import struct
import sys
import threading
import time
import unittest
import uuid

from proxy_rig import GONE, OPEN, SUFFIX, wait_for
from proxy_workers_test import Case

SUPER_SHARES = 10
SHARES_SIZE = 16384 * (64 * 4 + 8)


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


class NoLimitTest(SharesCase):
    def test_there_is_none_by_default(self):
        held = [self.begin(self.first) for _ in range(100)]
        self.running(100)
        self.apps[9000].gate.set()
        self.assertEqual({self.status(wire)[0] for wire in held}, {200})


if __name__ == "__main__":
    SharesCase.program = sys.argv.pop(1)
    unittest.main(verbosity=int(os.environ.get("VERBOSE", "1")), warnings="ignore")
