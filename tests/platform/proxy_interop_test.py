#!/usr/bin/env python3
"""gRPC's own interop client against its own server, through the proxy: every case that needs no cloud.

    proxy_interop_test.py PROXY_ROLE INTEROP_DIR [unittest arguments]

Its client knows no cases of compression; those are in proxy_grpc_compressed_test.py.  Its server fails
pick_first_unary and the cases of ORCA without a proxy, too.  To build the two takes minutes, so this
runs with DOZE_LONG.
"""
import os
import socket
import subprocess
import sys
import types

if __name__ == "__main__" and not os.environ.get("DOZE_LONG"):
    sys.exit(77)

import proxy_test
from proxy_clients import HERE
from proxy_rig import OPEN, SLEEPING, WAKE, Rig, wait_for

CASES = ("empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
         "cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
         "unimplemented_method", "unimplemented_service", "rpc_soak", "channel_soak")


class Interop(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as s:
            at = s.getsockname()
        server = subprocess.Popen([f"{self.dir}/server", "-port", str(at[1])], stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.apps[8080] = types.SimpleNamespace(sock=types.SimpleNamespace(getsockname=lambda: at))
        wait_for("the server", lambda: not socket.socket().connect_ex(at))

    def start(self, case):
        return subprocess.Popen(
            [f"{self.dir}/client", "-use_tls", "-use_test_ca", "-ca_file", self.rig.cert, "-server_host", "127.0.0.1", "-server_host_override", self.host,
             "-server_port", str(self.rig.port), "-additional_metadata", f"x-aws-proxy-auth:{self.token};x-aws-proxy-force-h2:true",
             "-test_case", case], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def check(self, client):
        out = client.communicate(timeout=60)[0]
        self.assertEqual(client.returncode, 0, out)

    def test_each_case_passes(self):
        for case in CASES:
            with self.subTest(case):
                self.check(self.start(case))

    def test_a_case_waits_for_a_microvm_that_sleeps(self):
        self.set(SLEEPING)
        client = self.start("ping_pong")
        wait_for("the wake", lambda: self.rig.control.of(WAKE, self.endpoint))
        self.set(OPEN)
        self.check(client)


if __name__ == "__main__":
    role, Interop.dir = (sys.argv.pop(1) for _ in range(2))
    subprocess.run([f"{HERE}/../../tools/test-interop", Interop.dir], check=True)
    proxy_test.run(Rig(role))
