#!/usr/bin/env python3
"""h2spec, strict, against the carrier of HTTP/2.

    h2spec_test.py SERVE H2SPEC
"""
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

serve, h2spec = sys.argv[1:]
with tempfile.TemporaryDirectory() as d:
    d = pathlib.Path(d)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", d / "key",
                    "-out", d / "cert", "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
    (d / "pem").write_bytes((d / "key").read_bytes() + (d / "cert").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([serve, str(port), d / "pem"])
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        out = subprocess.run([h2spec, "-h", "127.0.0.1", "-p", str(port), "-t", "-k", "--strict", "-P", "/later"],
                             capture_output=True, text=True, timeout=300).stdout
        alive = server.poll() is None
    finally:
        server.kill()
print(out)
counts = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", out)
sys.exit(not (counts and alive and int(counts[1]) > 140 and counts[1] == counts[2]))
