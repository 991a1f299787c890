#!/usr/bin/env python3
"""Chromium through the proxy: fetch streams, EventSource, WebSockets over both versions, and no push.

    proxy_chromium_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]

It takes a package of 100 MB, so it runs with DOZE_LONG, and is skipped where there is no Chromium
(tools/deps long).
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time

from proxy_clients import clients

CHROMIUM = next((path for name in ("chromium-headless-shell", "chromium") if (path := shutil.which(name))), None)

if __name__ == "__main__":
    if not os.environ.get("DOZE_LONG") or not CHROMIUM:
        sys.exit(77)
    clients(sys.argv[2])

import proxy_test
from proxy_guest_h2_rig import END_HEADERS, END_STREAM, GOAWAY, HEADERS, PUSH, RST_STREAM, SETTINGS, fields, frame, talk_frames
from proxy_rig import Rig, request_of, wait_for
from proxy_websocket_cases_test import Echo

ENABLE_PUSH = 2  # of SETTINGS


class Browser:
    """Chromium, driven by messages over a pipe; the page's cookies and origin are those of the endpoint."""

    def __init__(self, rig, host, token, port, *switches):
        to_read, self.to = os.pipe()
        self.got, to_write = os.pipe()
        self.profile = f"{rig.dir}/chromium-{time.monotonic_ns()}"

        def hand_over():
            high = [os.dup2(fd, fd + 50) for fd in (to_read, to_write)]
            for fd, to in zip(high, (3, 4)):
                os.dup2(fd, to)
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--remote-debugging-pipe",
             f"--user-data-dir={self.profile}", "--ignore-certificate-errors", f"--host-resolver-rules=MAP {host} 127.0.0.1",
             *switches, "about:blank"], preexec_fn=hand_over, close_fds=True, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.left, self.next, self.answers, self.events = b"", 0, {}, []
        threading.Thread(target=self.read, daemon=True).start()
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self.call("Network.enable")
        self.lead(token, port)

    def lead(self, token, port, more=None):
        """Where its requests go from now on."""
        self.call("Network.setExtraHTTPHeaders", headers={"X-aws-proxy-auth": token, "X-aws-proxy-port": str(port), **(more or {})})

    session = None

    def read(self):
        while data := os.read(self.got, 1 << 16):
            *whole, self.left = (self.left + data).split(b"\0")
            for each in map(json.loads, whole):
                if "id" in each:
                    self.answers[each["id"]] = each
                else:
                    self.events.append(each)

    def call(self, method, **params):
        self.next += 1
        number, message = self.next, {"id": self.next, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        wait_for(method, lambda: number in self.answers, 60)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def run(self, script):
        """What this async function's body returns."""
        got = self.call("Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in got:
            raise AssertionError(got["exceptionDetails"])
        return got["result"].get("value")

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        os.close(self.to)


def talk_page(app, w):
    """An empty page, a stream that takes its time, events, and an upload."""
    while True:
        _, target, fields = request_of(app, w)
        body = w.body(fields)
        if target == "/stream":
            w.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for i in range(5):
                w.send(f"6\r\npart {i}\r\n")
                app.go.acquire(timeout=10)
            w.send("0\r\n\r\n")
        elif target == "/events":
            w.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            for i in range(3):
                w.send(f"id: {i}\ndata: event {i}\n\n")
                app.go.acquire(timeout=10)
            return
        else:
            if target == "/go":
                app.go.release()
            w.send(f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(str(len(body)))}\r\n\r\n{len(body)}")


class Chromium(proxy_test.ProxyTest):
    port = 8080

    def setUp(self):
        super().setUp()
        self.page = self.app(8080, talk_page)
        self.page.go = threading.Semaphore(0)
        self.app(9000, lambda _app, w: Echo(w).run())

    def browse(self, *switches):
        self.browser = Browser(self.rig, self.host, self.token, self.port, *switches)
        self.addCleanup(self.browser.close)
        self.browser.call("Page.enable")
        self.browser.call("Page.navigate", url=f"https://{self.host}:{self.rig.port}/")
        wait_for("the page", lambda: any(e["method"] == "Page.loadEventFired" for e in self.browser.events), 60)
        return self.browser

    def protocols(self):
        return {e["params"]["response"]["protocol"] for e in self.browser.events if e["method"] == "Network.responseReceived"}

    def pages_work(self):
        """Each part arrives before the next is sent: the page itself lets the application go on."""
        b = self.browser
        got = b.run("""const r = (await fetch('/stream')).body.getReader(), all = []; let next;
                       while (!(next = await r.read()).done) { all.push(new TextDecoder().decode(next.value)); await fetch('/go'); }
                       return all;""")
        self.assertEqual(got, [f"part {i}" for i in range(5)])
        got = b.run("""return await new Promise(done => { const all = [], s = new EventSource('/events');
                       s.onmessage = e => { all.push(e.data); fetch('/go'); if (all.length === 3) { s.close(); done(all); } }; });""")
        self.assertEqual(got, [f"event {i}" for i in range(3)])
        self.assertEqual(b.run("return await (await fetch('/', {method: 'POST', body: new Uint8Array(3000000)})).text();"), "3000000")

    def websocket_works(self):
        self.browser.call("Network.setExtraHTTPHeaders", headers={})  # as a browser in the field: the subprotocols say it all
        offers = ["lambda-microvms", f"lambda-microvms.authentication.{self.token}", "lambda-microvms.port.9000"]
        got = self.browser.run(f"""return await new Promise(done => {{ const s = new WebSocket('wss://' + location.host + '/', {json.dumps(offers)});
            const heard = []; s.binaryType = 'arraybuffer';
            s.onopen = () => {{ s.send('text \\u00b5'); s.send(new Uint8Array(300000)); s.send('x'.repeat(70000)); }};
            s.onmessage = e => {{ heard.push(e.data.byteLength || e.data.length); if (heard.length === 3) s.close(1000, 'enough'); }};
            s.onclose = e => done([s.protocol, s.extensions.split(';')[0], heard, e.code, e.reason, e.wasClean]); }});""")
        self.assertEqual(got, ["lambda-microvms", "permessage-deflate", [6, 300000, 70000], 1000, "enough", True])
        shook = next(e["params"]["response"] for e in reversed(self.browser.events) if e["method"] == "Network.webSocketHandshakeResponseReceived")
        return shook["status"]

    def test_pages_and_a_websocket_over_http_2(self):
        self.browse()
        self.pages_work()
        self.assertEqual(self.protocols(), {"h2"})
        self.assertEqual(self.websocket_works(), 200)  # an extended CONNECT, where HTTP/1.1 says 101

    def test_a_push_is_refused_and_the_page_goes_on(self):
        heard = []

        def push(_app, f):
            heard.append(dict(struct.iter_unpack(">HI", f.until(SETTINGS)[3])))
            f.send(frame(SETTINGS, 0, 0))
            stream = f.until(HEADERS)[2]
            pushed = fields((":method", "GET"), (":scheme", "https"), (":path", "/pushed"), (":authority", self.host))
            f.send(frame(PUSH, END_HEADERS, stream, struct.pack(">I", stream + 1) + pushed),
                   frame(HEADERS, END_HEADERS, stream + 1, fields((":status", "200"))))
            heard.append(f.until(RST_STREAM, stream + 1))
            f.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields((":status", "200"))))
            f.until(GOAWAY)

        self.app(7000, talk_frames(push))
        b = self.browse()
        b.lead(self.token, 7000, {"X-aws-proxy-force-h2": "true"})
        self.assertEqual(b.run("return (await fetch('/pushes')).status;"), 200)
        self.assertEqual((heard[0][ENABLE_PUSH], len(heard)), (0, 2))
        b.lead(self.token, self.port)
        self.assertEqual(b.run("return await (await fetch('/', {method: 'POST', body: '12345'})).text();"), "5")

    def test_pages_and_a_websocket_over_http_1(self):
        self.browse("--disable-http2")
        self.pages_work()
        self.assertEqual(self.protocols(), {"http/1.1"})
        self.assertEqual(self.websocket_works(), 101)


if __name__ == "__main__":
    program = sys.argv.pop(1)
    sys.argv.pop(1)
    proxy_test.run(Rig(program))
