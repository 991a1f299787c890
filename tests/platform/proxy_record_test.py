#!/usr/bin/env python3
"""What is recorded of requests to endpoints: the access log, the counts for control, and the trace.

    proxy_record_test.py PROXY_ROLE [unittest arguments]
"""
import json
import os
import struct
import sys
import time
import unittest

from proxy_rig import METER, NOW, OPEN, REFUSALS, SLEEPING, SOURCE, App, talk_source, wait_for
from proxy_workers_test import Case

SUPER_LOG = 9
CLASSES = 6


class RecordTest(Case):
    settings = "hold_ms = 2000\n"  # which ends before a refused port is given up

    def setUp(self):
        super().setUp()
        self.proxy = self.rig()
        self.path = f"{self.proxy.dir}/access.log"
        self.log_to(self.path)

    def log_to(self, path):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.proxy.super.send(SUPER_LOG, struct.pack("=II", 0, 0), [fd])
        os.close(fd)
        self.settle(self.proxy)

    def lines(self, n, path=None):
        def read():
            with open(path or self.path, encoding="ascii") as f:
                return [json.loads(line) for line in f]
        wait_for(f"{n} lines", lambda: len(read()) >= n)
        return read()

    def request(self, target="/", method="GET", lines="", body=b"", port=8080, token=None):
        wire = self.proxy.connect(self.host)
        token = self.proxy.mint("all") if token is None else token
        wire.send(f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\nX-aws-proxy-auth: {token}\r\n"
                  f"X-aws-proxy-port: {port}\r\n{lines}\r\n")
        if body:
            wire.send(body)
        first, fields = wire.head()
        return int(first.split()[1]), dict(fields), wire.body(fields, method)

    def counts(self):
        """endpoint -> (requests by class, refusals, in, out, held, wakes, cut), added up."""
        sums = {}
        for kind, body, _ in list(self.proxy.control.got):
            if kind != METER:
                continue
            n = CLASSES + len(REFUSALS) + 5
            numbers = struct.unpack_from(f"={n}Q", body, 40)
            name = body[:36].rstrip(b"\0").decode()
            sums[name] = [a + b for a, b in zip(sums.get(name, [0] * n), numbers)]
        return {name: (s[:CLASSES], dict(zip(REFUSALS, s[CLASSES:-5])), *s[-5:]) for name, s in sums.items()}

    def test_each_request_is_a_line(self):
        answer = self.request("/a?token=hush", "POST", "Content-Length: 5\r\nCookie: hush\r\n", b"12345")
        self.assertEqual(answer[0], 200)
        line, = self.lines(1)
        self.assertEqual({k: line[k] for k in ("microvm", "port", "http", "method", "path", "status", "bytesIn", "bytesOut")},
                         {"microvm": "microvm-1", "port": 8080, "http": 1, "method": "POST", "path": "/a", "status": 200,
                          "bytesIn": 5, "bytesOut": len(answer[2])})
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertGreaterEqual(line["endMs"], line["firstByteMs"])
        self.assertNotIn("holdMs", line)

    def test_nothing_secret_is_in_the_log(self):
        token = self.proxy.mint("all")
        self.request("/x?SECRET", lines="Cookie: SECRET\r\nAuthorization: SECRET\r\nReferer: SECRET\r\n")
        self.request("/y?SECRET", token="SECRET")
        self.request("/z?SECRET", port=1)
        wire = self.proxy.connect(self.host)
        wire.send(f"GET /SECRET{chr(1)} HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.head()
        self.lines(3)
        text = open(self.path, encoding="ascii").read()
        self.assertNotIn("SECRET", text)
        self.assertNotIn(token, text)

    def test_a_refusal_has_its_status_and_reason(self):
        self.assertEqual(self.request(port=77)[0], 502)
        self.assertEqual(self.request(token="nonsense")[0], 403)
        first, second = self.lines(2)
        self.assertEqual((first["status"], first["reason"]), (502, "port 77 after 2 seconds: nothing listens there"))
        self.assertEqual((first["refusal"], second["refusal"]), ("no-listener", "bad-token"))
        self.assertEqual(second["status"], 403)
        self.assertNotIn("microvm", second, "who has no token learns nothing, and is nobody's request")

    def test_the_names_of_refusals_are_documented(self):
        with open(f"{SOURCE}/docs/operations.md", encoding="utf-8") as f:
            rows = [line for line in f if line.startswith("| `")]
        for name in REFUSALS:
            self.assertTrue(any(f"`{name}`" in row for row in rows), name)

    def test_a_request_that_waits_says_how_long_and_that_it_woke(self):
        self.proxy.control.set(self.endpoint, SLEEPING)
        wire = self.proxy.connect(self.host)
        wire.send(self.head(self.proxy))
        wait_for("it wakes", lambda: self.proxy.control.of(8, self.endpoint))
        time.sleep(0.1)
        self.proxy.control.set(self.endpoint, OPEN)
        self.assertIn("200", wire.head()[0])
        line, = self.lines(1)
        self.assertTrue(line["woke"])
        self.assertGreaterEqual(line["holdMs"], 100)
        self.assertGreaterEqual(line["firstByteMs"], line["holdMs"])

    def test_an_upgraded_connection_is_a_line_at_its_end(self):
        wire = self.proxy.connect(self.host)
        wire.send(self.head(self.proxy, 9001, "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        self.assertIn("101", wire.head()[0])
        wire.sock.sendall(b"x" * 1000)
        got = len(wire.left)
        while got < 1005:
            got += len(wire.sock.recv(4096))
        wire.sock.close()
        line, = self.lines(1)
        self.assertEqual((line["status"], line["bytesIn"], line["bytesOut"]), (101, 1000, 1005))

    def test_the_log_goes_on_in_the_next_file(self):
        self.request("/one")
        self.lines(1)
        self.log_to(f"{self.path}.next")
        self.request("/two")
        self.assertEqual([line["path"] for line in self.lines(1, f"{self.path}.next")], ["/two"])
        self.assertEqual([line["path"] for line in self.lines(1)], ["/one"])

    def test_a_log_that_cannot_be_written_stops_no_request(self):
        fd = os.open("/dev/full", os.O_WRONLY)
        self.proxy.super.send(SUPER_LOG, struct.pack("=II", 0, 0), [fd])
        os.close(fd)
        for _ in range(20):
            self.assertEqual(self.request()[0], 200)
        self.log_to(self.path)
        self.request("/again")
        # the last of those before may still have been on their way
        wait_for("the next line", lambda: self.lines(1)[-1]["path"] == "/again")

    def test_lines_are_whole_after_the_end(self):
        for n in range(50):
            self.request(f"/{n}")
        self.assertEqual(self.proxy.stop(), 0)
        self.assertEqual([line["path"] for line in self.lines(50)], [f"/{n}" for n in range(50)])

    def test_control_is_told_what_was_counted(self):
        self.request("/", "POST", "Content-Length: 5\r\n", b"12345")
        self.request()
        self.request(port=77)
        self.request(token="nonsense")
        wait_for("all are counted", lambda: sum(sum(c[0]) for c in self.counts().values()) == 4)
        classes, refusals, received, sent, held, wakes, cut = self.counts()[self.endpoint]
        # the one for port 77 waited for somebody to listen there
        self.assertEqual((classes, received, held, wakes, cut), ([0, 0, 2, 0, 0, 1], 5, 1, 0, 0))
        self.assertEqual(refusals["no-listener"], 1)
        self.assertEqual(sum(refusals.values()), 1)
        self.assertGreater(sent, 0)
        classes, refusals, *_ = self.counts()[""]
        self.assertEqual((classes, refusals["bad-token"]), ([0, 0, 0, 0, 1, 0], 1))
        self.assertEqual(sum(refusals.values()), 1)

    def test_what_is_counted_while_control_is_away_is_told_later(self):
        from proxy_rig import SYNCED, Control
        self.proxy.control.close()
        for _ in range(3):
            self.assertEqual(self.request()[0], 200)
        time.sleep(1.2)
        self.proxy.connect_control(Control())
        self.proxy.control.set(self.endpoint, OPEN)
        self.proxy.control.send(SYNCED)
        self.request()
        wait_for("all four", lambda: self.counts().get(self.endpoint, [[0] * 6])[0][2] == 4)

    def test_it_tells_what_is_there_now_until_nothing_is(self):
        wire = self.proxy.connect(self.host)
        wire.send(self.head(self.proxy, 9000))

        def last():
            now = [struct.unpack("=3Q", body) for kind, body, _ in list(self.proxy.control.got) if kind == NOW]
            return now[-1] if now else None

        wait_for("one connection, one request", lambda: last() == (1, 0, 1))
        self.apps[9000].gate.set()
        wire.head()
        wire.sock.close()
        wait_for("nothing", lambda: last() == (0, 0, 0))

    def test_the_application_gets_the_trace_that_the_log_has(self):
        def fields(lines=""):
            body = json.loads(self.request("/", lines=lines)[2])
            return [v for n, v in body["headers"] if n == "traceparent"], [v for n, v in body["headers"] if n == "tracestate"]

        valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(fields(f"traceparent: {valid}\r\ntracestate: a=1\r\n"), ([valid], ["a=1"]))
        (made,), state = fields("traceparent: nonsense\r\ntracestate: a=1\r\n")
        self.assertRegex(made, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
        self.assertEqual(state, [])
        (other,), _ = fields()
        self.assertNotEqual(made.split("-")[1], other.split("-")[1])
        self.assertEqual([line["trace"] for line in self.lines(3)], [t.split("-")[1] for t in (valid, made, other)])

    def test_an_answer_that_is_cut_says_so(self):
        self.apps[9002] = App(talk_source)
        wire = self.proxy.connect(self.host)
        wire.send(self.head(self.proxy, 9002).replace("GET /", "GET /1000"))
        self.assertIn("200", wire.head()[0])
        wait_for("it is counted", lambda: self.proxy.control.got)
        self.proxy.control.set(self.endpoint, 1)
        line, = self.lines(1)
        self.assertTrue(line["cut"])
        self.assertEqual(line["status"], 200)
        self.assertIn("suspended or ended", line["reason"])


del Case  # its own tests are elsewhere
if __name__ == "__main__":
    RecordTest.program = sys.argv.pop(1)
    unittest.main(verbosity=int(os.environ.get("VERBOSE", "1")), warnings="ignore")
