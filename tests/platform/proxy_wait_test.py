#!/usr/bin/env python3
"""Requests that wait for an application: for its start, and for their turn at a backlog that is short.

    proxy_wait_test.py PROXY_ROLE [unittest arguments]
"""
import threading
import time

import proxy_test
from proxy_rig import (ACTIVE, HELD, HOLD, MIB, OPEN, RELEASE, SLEEPING, WAITING, App, Rig, request_of, talk_hello,
                       talk_sink, wait_for)

LIMITS = """hold_ms = 2000
"""


class WaitTest(proxy_test.Held):
    """Helpers of Held; its tests run elsewhere."""


for name in [name for name in dir(proxy_test.Held) if name.startswith("test_")]:
    setattr(WaitTest, name, None)


class Starting(WaitTest):
    """`starting` is what the guest's agent says of a port that has not opened since the start."""

    def setUp(self):
        super().setUp()
        self.apps[1] = "starting"

    def test_a_request_waits_for_the_port_to_open(self):
        answers = self.in_background(20, port=1)
        time.sleep(0.7)
        self.assertEqual(answers, [])
        self.app(1, talk_hello)
        wait_for("answers", lambda: len(answers) == 20, 2)
        self.assertEqual({a[0] for a in answers}, {200})

    def test_only_one_request_looks_whether_it_has_opened(self):
        self.in_background(50, port=1)
        time.sleep(1)
        self.assertLess(len(self.machine.asked), 25)

    def test_a_port_that_never_opens_is_a_502_at_the_holds_end(self):
        at = time.monotonic()
        answers = self.in_background(3, port=1)
        wait_for("answers", lambda: len(answers) == 3, 5)
        self.assertAlmostEqual(time.monotonic() - at, 2, delta=0.5)
        for status, fields, body in answers:
            self.assertEqual((status, body), (502, b""))
            self.assertIn("since the microVM's start", fields["x-doze-reason"])
        wait_for("lines for the log", lambda: len(self.rig.control.notes(self.endpoint)) == 3)
        self.assertEqual(self.rig.control.notes(self.endpoint)[0][1],
                         "the answer to GET / was 502: port 1 after 2 seconds: nothing has listened there "
                         "since the microVM's start")

    def test_another_port_is_served_meanwhile_and_its_refusals_are_quick(self):
        self.in_background(30, port=1)
        time.sleep(0.2)
        at = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.ask()[0], 200)
        self.assertLess(time.monotonic() - at, 1)

    def test_a_client_that_leaves_is_forgotten(self):
        w = self.ask(port=1, end=False)
        wait_for("CONNECT", lambda: self.machine.asked)
        answers = self.in_background(1, port=1)
        time.sleep(0.2)
        w.sock.close()
        time.sleep(0.2)
        app = self.app(1, talk_hello)
        wait_for("an answer", lambda: answers, 2)
        time.sleep(0.2)
        self.assertEqual(len(app.requests), 1)

    def test_a_waiting_upload_arrives_whole(self):
        body = b"x" * 3000000
        answers = self.in_background(1, method="PUT", lines=f"Content-Length: {len(body)}\r\n", body=body, port=1)
        time.sleep(0.5)
        self.app(1, talk_sink)
        wait_for("an answer", lambda: answers, 3)
        self.assertTrue(answers[0][2].startswith(b"3000000 "))

    def test_a_request_that_waits_moves_no_byte_and_keeps_nobody_awake(self):
        answers = self.in_background(1, port=1)
        wait_for("CONNECT", lambda: self.machine.asked)
        at = time.time()
        wait_for("its end", lambda: answers)
        time.sleep(1.2)
        self.assertLess(self.rig.control.of(ACTIVE, self.endpoint)[-1] / 1000, at + 0.2)

    def test_a_suspend_meanwhile_is_waited_for_too(self):
        answers = self.in_background(3, port=1)
        wait_for("CONNECT", lambda: self.machine.asked)
        self.set(WAITING)
        self.set(SLEEPING, machine="")
        wait_for("WAKE", self.wakes)
        self.app(1, talk_hello)
        self.set(OPEN)
        wait_for("answers", lambda: len(answers) == 3, 2)
        self.assertEqual({a[0] for a in answers}, {200})

    def test_bodies_that_wait_for_a_port_count_when_its_microvm_falls_asleep(self):
        body = b"x" * 16000  # one TLS record, so that all of it is read
        much = {"method": "PUT", "lines": f"Content-Length: {len(body)}\r\n", "body": body, "port": 1}
        self.apps[1] = "starting"
        answers = self.in_background(50, **much)
        wait_for("CONNECT", lambda: self.machine.asked)
        time.sleep(0.3)
        self.set(SLEEPING, machine="")
        late = self.in_background(50, **much)
        wait_for("refusals", lambda: len(late) >= 100 - MIB // len(body), 1.5)
        time.sleep(0.2)
        self.assertEqual((len(answers), {a[0] for a in late}), (0, {502}))
        self.assertEqual(len(late), 100 - MIB // len(body))
        self.app(1, talk_hello)
        self.set(OPEN)
        wait_for("all", lambda: len(answers) + len(late) == 100)
        self.assertEqual(len([a for a in answers + late if a[0] == 200]), MIB // len(body))

    def test_a_hold_meanwhile_stops_the_looking(self):
        answers = self.in_background(3, port=1)
        wait_for("CONNECT", lambda: self.machine.asked)
        n = len(self.rig.control.of(HELD, self.endpoint))
        self.rig.control.endpoint(HOLD, self.endpoint)
        wait_for("HELD", lambda: len(self.rig.control.of(HELD, self.endpoint)) > n)
        time.sleep(0.1)
        asked = len(self.machine.asked)
        self.app(1, talk_hello)
        time.sleep(0.6)
        self.assertEqual((len(self.machine.asked), answers), (asked, []))
        self.rig.control.endpoint(RELEASE, self.endpoint)
        wait_for("answers", lambda: len(answers) == 3, 2)


class Backlog(WaitTest):
    def crowd(self, n, port=1):
        """n requests that come one after the other; their answers are read by `answers`."""
        wires = [self.connect() for _ in range(n)]
        return [self.ask(f"/{i}", port=port, wire=w, end=False) for i, w in enumerate(wires)]

    def answers(self, crowd):
        return [self.answer(w)[0] for w in crowd]

    def order(self, app):
        return [int(first.split()[1][1:]) for first, _ in app.requests]

    def test_300_requests_that_wait_for_one_wake_are_all_served_in_order(self):
        def talk(app, w):
            request_of(app, w)
            time.sleep(0.003)
            w.send("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok")
        app = self.apps[1] = App(talk, backlog=5, serial=True)
        self.set(SLEEPING, machine="")
        crowd = self.crowd(300)
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(self.answers(crowd), [200] * 300)
        order = self.order(app)
        self.assertEqual(sorted(order), list(range(300)))  # each once
        # of those that dial at the same time the kernel may leave some in the handshake for a second
        self.assertLess(sorted(abs(at - i) for at, i in enumerate(order))[-9], 20)

    def test_few_dial_at_once_however_many_wait(self):
        stuck = threading.Event()
        app = self.apps[1] = App(lambda app, w: (stuck.wait(10), talk_hello(app, w)), backlog=1, serial=True)
        crowd = self.crowd(100)
        time.sleep(1)
        self.assertLess(self.machine.busy, 40)
        self.assertLess(len(self.machine.asked), 60)
        for w in crowd:
            w.sock.close()
        stuck.set()
        wait_for("who left is let go", lambda: self.ask("/last", port=1)[0] == 200, 10)
        self.assertLess(len(app.requests), 20)

    def test_slow_turns_are_waited_for_as_long_as_they_come(self):
        def talk(app, w):
            request_of(app, w)
            time.sleep(0.2)
            w.send("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok")
        self.apps[1] = App(talk, backlog=1, serial=True)
        at = time.monotonic()
        self.assertEqual(self.answers(self.crowd(14)), [200] * 14)
        self.assertGreater(time.monotonic() - at, 2.2)  # beyond hold_ms

    def test_an_application_that_takes_nobody_is_a_504(self):
        stuck = threading.Event()
        self.apps[1] = App(lambda app, w: stuck.wait(20), backlog=1, serial=True)
        crowd = self.crowd(24)  # some of those that dial first find the handshake done for them
        wait_for("refusals", lambda: len(self.rig.control.notes(self.endpoint)) >= 12, 5)
        for _, note in self.rig.control.notes(self.endpoint):
            self.assertRegex(note, r"the answer to GET /\d+ was 504: port 1 .* took no connection")
        self.assertTrue(crowd)
        stuck.set()

    def test_a_busy_port_does_not_stop_another_one(self):
        stuck = threading.Event()
        self.apps[1] = App(lambda app, w: stuck.wait(20), backlog=1, serial=True)
        crowd = self.crowd(50)
        at = time.monotonic()
        for _ in range(10):
            self.assertEqual(self.ask()[0], 200)
        self.assertLess(time.monotonic() - at, 1)
        self.assertTrue(crowd)
        stuck.set()


if __name__ == "__main__":
    import sys
    proxy_test.run(Rig(sys.argv.pop(1), LIMITS))
