#!/usr/bin/env python3
"""The Autobahn test suite itself, with and without the proxy between its two ends.

    proxy_autobahn_test.py PROXY_ROLE CLIENTS_DIR AUTOBAHN_DIR [unittest arguments]

Its client fuzzes an application, and its server a client.  What it finds must be the same through
the proxy as without it.  It takes minutes, so it runs with DOZE_LONG, and where there is a Python 2.
"""
import asyncio
import json
import os
import socket
import subprocess
import sys
import types

from proxy_clients import HERE, clients

if __name__ == "__main__":
    if not os.environ.get("DOZE_LONG"):
        sys.exit(77)
    made = subprocess.run([f"{HERE}/../../tools/test-autobahn", sys.argv[3]], check=False)
    if made.returncode:
        sys.exit(made.returncode)
    clients(sys.argv[2])

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

import proxy_test
from proxy_rig import Rig, wait_for
from proxy_websocket_cases_test import Echo

PORT = 8080
# Whether an end answers a message before it fails on the next frame depends on which octets come together.
PASSES = {"NON-STRICT": "OK"}
CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", *[f"12.{i}.{k}" for i in (1, 2, 3) for k in (1, 5, 11)],
         *[f"13.{i}.{k}" for i in range(1, 8) for k in (1, 5)]]


class Autobahn(proxy_test.ProxyTest):
    def spec(self, name, **more):
        path = f"{self.rig.dir}/{name}.json"
        with open(path, "w", encoding="ascii") as f:
            json.dump({"outdir": f"{self.rig.dir}/{name}", "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {}, **more}, f)
        return [f"{self.wstest}/wstest", "-m", name, "-s", path]

    def compare(self, name):
        with open(f"{self.rig.dir}/{name}/index.json", encoding="ascii") as f:
            found = {agent: {case: (PASSES.get(r["behavior"], r["behavior"]), r["behaviorClose"], r["remoteCloseCode"]) for case, r in cases.items()}
                     for agent, cases in json.load(f).items()}
        direct, proxied = found["direct"], found["proxied"]
        count = {b: sum(1 for r in proxied.values() if r[0] == b) for b in {r[0] for r in proxied.values()}}
        print(f"{name}: {len(proxied)} cases, {count}", file=sys.stderr)
        self.assertGreater(len(direct), 300)
        self.assertEqual({case: (r, direct[case]) for case, r in proxied.items() if r != direct[case]}, {})
        self.assertEqual(set(proxied), set(direct))

    def test_its_client_finds_the_same_of_an_application(self):
        app = self.app(PORT, lambda _app, w: Echo(w).run())
        direct = f"ws://127.0.0.1:{app.sock.getsockname()[1]}"
        proxied = {"agent": "proxied", "url": f"wss://{self.host}:{self.rig.port}/", "hostname": self.host,
                   "protocols": ["lambda-microvms", f"lambda-microvms.authentication.{self.token}", f"lambda-microvms.port.{PORT}"]}
        subprocess.run(self.spec("fuzzingclient", servers=[{"agent": "direct", "url": direct}, proxied]), check=True, stdout=subprocess.DEVNULL)
        self.compare("fuzzingclient")

    def test_its_server_finds_the_same_of_a_client(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            at = s.getsockname()
        server = subprocess.Popen([*self.spec("fuzzingserver", url=f"ws://127.0.0.1:{at[1]}"), "-u", "0"], stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.apps[PORT] = types.SimpleNamespace(sock=types.SimpleNamespace(getsockname=lambda: at))
        wait_for("the server", lambda: not socket.socket().connect_ex(at), 30)
        for agent, to in (("direct", None), ("proxied", self.rig.port)):
            asyncio.run(self.be_fuzzed(agent, at[1], to))
        self.compare("fuzzingserver")

    async def be_fuzzed(self, agent, port, to):
        async with self.dial("/getCaseCount", port, to) as ws:
            count = int(await ws.recv())
        for case in range(1, count + 1):
            try:
                async with self.dial(f"/runCase?case={case}&agent={agent}", port, to) as ws:
                    async for message in ws:
                        await ws.send(message)
            except WebSocketException:
                pass  # the server judges
        async with self.dial(f"/updateReports?agent={agent}", port, to):
            pass

    def dial(self, target, port, to):
        """@port: its server wants its own in the Host field, whoever passes that on."""
        more = {"max_size": None, "ping_interval": None, "proxy": None, "open_timeout": 60}  # it is slow to settle a large case
        if not to:
            return connect(f"ws://127.0.0.1:{port}{target}", **more)
        return connect(f"wss://{self.host}:{port}{target}", host="127.0.0.1", port=to, ssl=self.rig.tls,
                       additional_headers={"X-aws-proxy-auth": self.token}, **more)


if __name__ == "__main__":
    program, _, Autobahn.wstest = (sys.argv.pop(1) for _ in range(3))
    proxy_test.run(Rig(program))
