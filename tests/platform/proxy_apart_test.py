#!/usr/bin/env python3
"""Two microVMs stay apart, whatever their clients and control do at once.

    proxy_apart_test.py PROXY_ROLE [unittest arguments]

Clients of every kind talk to both by turns, while microVMs are suspended, woken and ended, and
strangers try tokens of others.  Every byte says whose it is.  The dice's seed is printed; APART_SEED
in the environment throws them the same way again.  DOZE_LONG: for two minutes.
"""
import os
import random
import sys
import threading
import time
import unittest

import proxy_test
from apart_rig import GONE_AWAY, KINDS, Cut, Http1, Http2, Leaks, Owner, Session, WebSocket
from proxy_rig import OPEN, SLEEPING, WAITING, WAKE, Rig

SECONDS = 100 if os.environ.get("DOZE_LONG") else 5
LIMITS = "hold_ms = 4000\n"


class Shared(Session):
    """A client that names no microVM in its handshake, and asks both over one connection."""

    def __init__(self, owners, dice):
        self.owners = owners
        super().__init__(dice.choice(owners), dice)

    def open(self):
        self.w = self.wire(sni=None)

    def say(self):
        self.owner = self.dice.choice(self.owners)
        self.since = self.owner.disturbed
        return Http1.say(self)

    port, hear = 8080, Http1.hear


class SharedHttp2(Shared):
    ask, client = Http2.ask, Http2.client

    def open(self):
        self.c = self.client(sni=False)

    def say(self):
        wanted = []
        for _ in range(self.dice.choice((1, 2, 5))):
            owner = self.owner = self.dice.choice(self.owners)
            wanted.append((owner, owner.disturbed, *self.ask()))
        return wanted

    def hear(self, wanted):
        for owner, since, stream, text in wanted:
            self.owner, s = owner, self.c.wait(stream)
            if s.status == 200 and s.ended:
                self.hears(s.body, text)
            elif owner.disturbed == since and owner.state == OPEN:
                raise AssertionError(f"{owner.name} is awake: {s.status}, reset {s.reset}, {bytes(s.body)[:100]}")
        self.owner, self.since = wanted[0][:2]


ALL_KINDS = (*KINDS, Shared, SharedHttp2)


class Wakes(threading.Thread):
    """Control: a microVM that is called is soon awake."""

    def __init__(self, control, owners, lock):
        super().__init__(daemon=True)
        self.control, self.owners, self.lock, self.at, self.run_on = control, owners, lock, 0, True

    def run(self):
        while self.run_on:
            new, self.at = self.control.got[self.at:], len(self.control.got)
            for kind, body, _ in new:
                with self.lock:
                    for owner in self.owners:
                        if kind == WAKE and body.startswith(owner.endpoint.encode()) and owner.state == SLEEPING:
                            owner.set(OPEN)
            time.sleep(0.005)


class Apart(unittest.TestCase):
    rig = None

    def setUp(self):
        self.seed = int(os.environ.get("APART_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
        self.dice, self.leaks, self.lock = random.Random(self.seed), Leaks(), threading.Lock()
        self.owners = [Owner(self.rig, self.leaks), Owner(self.rig, self.leaks)]
        self.ended = []  # owners, as they were
        self.sessions, self.heard, self.cut, self.turned_away = [], {}, 0, 0
        self.wakes = Wakes(self.rig.control, self.owners, self.lock)
        self.wakes.start()

    def tearDown(self):
        self.wakes.run_on = False
        for session in self.sessions:
            session.close()
        for owner in self.owners:
            owner.end()

    def drop(self, session):
        session.close()
        self.sessions.remove(session)
        self.cut += 1

    def begin(self):
        owner, kind = self.dice.choice(self.owners), self.dice.choice(ALL_KINDS)
        since, session = owner.disturbed, kind.__new__(kind)
        try:
            session.__init__(self.owners if issubclass(kind, Shared) else owner, self.dice)
            self.sessions.append(session)
        except (Cut, *GONE_AWAY) as e:
            session.close()
            if owner.disturbed == since and owner.state == OPEN:
                raise AssertionError(f"{kind.__name__} cannot open: {e!r}") from e

    def talk(self):
        session = self.dice.choice(self.sessions)
        if session.said is None:
            if session.outlives_a_suspend:
                session.since = session.owner.disturbed
            try:
                session.said = session.say()
            except (Cut, *GONE_AWAY) as e:
                self.excuse(session, e)
        else:
            self.listen(session)

    def listen(self, session):
        try:
            session.hear(session.said)
            session.said = None
            kind = type(session).__name__
            self.heard[kind] = self.heard.get(kind, 0) + 1
        except (Cut, *GONE_AWAY) as e:
            self.excuse(session, e)

    def excuse(self, session, e):
        if not session.is_disturbed():
            raise AssertionError(f"{type(session).__name__} {session.number} of {session.owner.name}, undisturbed: {e!r}") from e
        self.drop(session)

    def suspend(self):
        with self.lock:
            owner = self.dice.choice(self.owners)
            if owner.state == OPEN:
                owner.set(WAITING)
                if self.dice.random() < 0.7:
                    owner.set(SLEEPING)
                else:
                    owner.set(OPEN)
        owner.settle()

    def end(self):
        """One ends for good; the tokens that it had, and its clients, are nobody's now."""
        with self.lock:
            i = self.dice.randrange(2)
            old, new = self.owners[i], Owner(self.rig, self.leaks)
            self.owners[i] = new
            old.end()
        self.ended.append(old)

    def stranger(self):
        """Somebody with a token of another microVM, or with another's name in his handshake."""
        a, b = self.dice.sample(self.owners, 2)
        gone = self.dice.choice(self.ended or [b])
        mark, expired = f"mark-{b.name}-stranger", self.rig.mint("all", microvm=a.microvm, minutes=-1)
        offer = f"{WebSocket.words}Sec-WebSocket-Protocol: lambda-microvms, lambda-microvms.authentication."
        name, host, lines = self.dice.choice((
            (a, a, f"X-aws-proxy-auth: {b.token}\r\n"), (a, b, f"X-aws-proxy-auth: {b.token}\r\n"), (b, a, f"X-aws-proxy-auth: {a.token}\r\n"),
            (a, a, f"X-aws-proxy-auth: {b.shell}\r\n"), (a, a, f"X-aws-proxy-auth: {expired}\r\n"), (a, a, f"X-aws-proxy-auth: {gone.token}\r\n"
             if gone != a else ""), (a, a, f"{offer}{b.token}\r\n"), (a, a, f"{offer}{b.shell}\r\n"), (a, a, f"{offer}{expired}\r\n"),
            (a, a, f"X-aws-proxy-auth: {b.token}\r\nX-aws-proxy-port: 25\r\nConnection: Upgrade\r\nUpgrade: doze-tcp\r\n")))
        w = self.rig.connect(name.host)
        w.send(f"GET /{mark} HTTP/1.1\r\nHost: {host.host}\r\n{lines}Cookie: {mark}\r\n\r\n")
        first, fields = w.head()
        self.assertIn(" 403 ", first, (lines, fields))
        w.sock.close()
        self.turned_away += 1

    def stranger_over_http2(self):
        a, b = self.dice.sample(self.owners, 2)
        session = Http2.__new__(Http2)
        session.owner = a
        c = session.client()
        mark = f"mark-{b.name}-stranger"
        for authority, token in ((a.host, b.token), (b.host, b.token), (b.host, a.token)):
            stream = c.request([(":method", "GET"), (":path", f"/{mark}"), (":scheme", "https"), (":authority", authority),
                                ("x-aws-proxy-auth", token), ("cookie", mark)])
            self.assertEqual(c.wait(stream).status, 403)
            self.turned_away += 1
        session.close()

    def has_tried_all(self):
        return set(self.heard) == {kind.__name__ for kind in ALL_KINDS} and self.turned_away > 5 and self.cut and self.ended

    def test_nothing_of_one_microvm_reaches_another(self):
        print(f"APART_SEED={self.seed}", file=sys.stderr, flush=True)
        deeds = ((self.talk, 100), (self.begin, 12), (self.suspend, 1), (self.stranger, 3), (self.stranger_over_http2, 1), (self.end, 0.3))
        until = time.monotonic() + SECONDS
        while (time.monotonic() < until or not self.has_tried_all()) and not self.leaks.found:
            self.assertLess(time.monotonic(), until + 60, f"too slow: {self.heard}")
            do = self.dice.choices([d for d, _ in deeds], [n for _, n in deeds])[0]
            if len(self.sessions) < 8:
                do = self.begin
            elif do == self.begin and len(self.sessions) > 40:
                self.drop(self.dice.choice(self.sessions))
            do()
        for session in list(self.sessions):
            if session.said is not None:
                self.listen(session)
        print(f"heard {self.heard}, {self.cut} cut, {self.turned_away} strangers", file=sys.stderr)
        self.assertEqual(self.leaks.found, [])
        for owner in (*self.owners, *self.ended):
            self.assertEqual(owner.record.faults, [])


if __name__ == "__main__":
    Apart.rig = proxy_test.ProxyTest.rig = Rig(sys.argv.pop(1), limits=LIMITS)
    proxy_test.run(Apart.rig)
