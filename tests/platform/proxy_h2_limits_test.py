#!/usr/bin/env python3
"""Slow and greedy clients of HTTP/2 at the endpoint, while another client is served.

    proxy_h2_limits_test.py PROXY_ROLE [unittest arguments]
"""
import sys
import time

import h2_client as h2
import proxy_h2_test
import proxy_test
from proxy_h2_test import H2Test, talk_frames
from proxy_limits_test import LIMITS
from proxy_rig import OPEN, SLEEPING, Rig, talk_events, talk_mute, talk_source


def seconds_until_gone(c, step=None):
    """How long the server bears it; @step is done again and again meanwhile."""
    at = time.monotonic()
    c.sock.settimeout(0.2)
    while time.monotonic() - at < 10:
        try:
            if step:
                step()
            c.step()
        except TimeoutError:
            continue
        except (h2.Gone, OSError):
            return time.monotonic() - at
    return None


class Slow(H2Test):
    def test_a_block_of_fields_that_stops_ends_its_connection(self):
        for frames in (lambda c: c.frame(h2.HEADERS, 0, 1, c.encoder.encode(self.fields(), huffman=False)),
                       lambda c: c.raw(b"\0\x40\0\1\4\0\0\0\1" + b"\0\1a\1b" * 10),
                       lambda c: c.raw(b"\0\x40\0\1\0\0\0\0\1" + b"\0\1a\1b" * 10)):
            c = self.client().ready()
            frames(c)
            took = seconds_until_gone(c)
            self.assertIsNotNone(took)
            self.assertGreater(took, 1)
            self.assertLess(self.served(), 1)

    def test_a_silent_body_ends_its_connection_and_one_in_small_pieces_does_not(self):
        c = self.client().ready()
        s = c.request(self.fields(method="POST"), end=False)
        self.assertIsNotNone(seconds_until_gone(c))
        c = self.client().ready()
        s = c.request(self.fields(method="POST"), end=False)
        for _ in range(8):
            c.send(s, b"x")
            time.sleep(0.3)
        c.send(s, b"x", end=True)
        self.assertEqual(c.wait(s).status, 200)

    def test_a_reader_without_windows_ends_and_slow_events_do_not(self):
        self.app(1, talk_source)
        self.app(2, talk_events).n = 15
        events = self.client()
        slow = events.request(self.fields(port=2))
        c = self.client(window=65535).ready()
        c.request(self.fields("/16", port=1))
        took = seconds_until_gone(c)
        self.assertIsNotNone(took)
        self.assertGreater(took, 1)
        self.assertEqual(events.wait(slow).body.count(b"data"), 15)

    def test_a_reader_that_opens_its_window_by_a_byte_now_and_then_ends(self):
        self.app(1, talk_source)
        c = self.client(window=65535).ready()
        s = c.request(self.fields("/16", port=1))
        byte = (1).to_bytes(4, "big")

        def drip():
            c.raw(h2.frame(h2.WINDOW_UPDATE, 0, s, byte) + h2.frame(h2.WINDOW_UPDATE, 0, 0, byte))
            time.sleep(0.05)
        self.assertIsNotNone(seconds_until_gone(c, drip))

    def test_an_application_that_does_not_answer_is_504(self):
        self.app(1, talk_mute)
        c = self.client().ready()
        self.assertEqual(c.wait(c.request(self.fields("/mute", port=1))).status, 504)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)

    def test_a_silent_tunnel_ends(self):
        self.app(1, talk_frames)
        c = self.client().ready()
        s = c.request(proxy_h2_test.WebSockets.connect_fields(self), end=False)
        at = time.monotonic()
        c.wait(s)
        self.assertGreater(time.monotonic() - at, 1)
        self.assertEqual(c.wait(c.request(self.fields())).status, 200)


class Many(H2Test):
    def test_idle_connections_make_room_and_those_with_streams_do_not(self):
        self.set(SLEEPING, machine="")
        busy = self.client().ready()
        held = busy.request(self.fields())
        crowd = [self.client().ready() for _ in range(25)]  # an address may have 20
        self.assertEqual(crowd[0].drain(), h2.NO_ERROR)
        crowd[-1].frame(h2.PING, 0, 0, b"87654321")
        crowd[-1].step()
        self.set(OPEN)
        self.assertEqual(busy.wait(held).status, 200)

    def test_requests_that_wait_are_bounded_whoever_carries_them(self):
        self.set(SLEEPING, machine="")
        c = self.client().ready()
        streams = [c.request(self.fields()) for _ in range(60)]
        over = [s for s in streams[30:] if c.wait(s).status >= 500]
        self.assertEqual(len(over), 30)
        self.set(OPEN)
        self.assertEqual({c.wait(s).status for s in streams[:30]}, {200})


if __name__ == "__main__":
    proxy_test.run(Rig(sys.argv.pop(1), LIMITS))
