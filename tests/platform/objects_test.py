#!/usr/bin/env python3
"""The S3 role as its supervisor stops it, with uploads under way.

    objects_test.py S3_SERVER [unittest arguments]
"""
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

KEY, SECRET, REGION = "AKIDSTOP", "secret", "us-east-1"
PUTS, PUT_BYTES, SECONDS = 8, 4 << 20, 30


def signed(method, path, host):
    """Headers of SigV4 for a request without a query, its payload unsigned."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": now}
    names = ";".join(headers)
    request = "\n".join([method, path, "", *(f"{k}:{v}" for k, v in headers.items()), "", names, "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return headers


def wait_for(what, condition):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {SECONDS} s: {what}")
        time.sleep(0.01)


class ObjectsTest(unittest.TestCase):
    program = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="doze-objects-")
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", self.dir / "key", "-out", self.dir / "crt"],
                       check=True, capture_output=True)
        (self.dir / "pem").write_text((self.dir / "key").read_text() + (self.dir / "crt").read_text())
        (self.dir / "credentials").write_text(f"[a]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        self.tls = ssl.create_default_context(cafile=self.dir / "crt")
        self.tls.check_hostname = False

    def start(self, disk_mib_s):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.role = subprocess.Popen([self.program, str(self.port), self.dir / "data", self.dir / "pem", self.dir / "credentials"],
                                     env={**os.environ, "SLOW_DISK_MIB_S": str(disk_mib_s)}, stderr=subprocess.DEVNULL)
        self.addCleanup(self.role.kill)
        wait_for("the role answers", self.answers)

    def answers(self):
        try:
            return self.ask("GET", "/")[0] == 200
        except OSError:
            return False

    def begin(self, method, path, length):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=SECONDS)
        c.putrequest(method, path, skip_host=True)
        for name, value in signed(method, path, f"127.0.0.1:{self.port}").items():
            c.putheader(name, value)
        c.putheader("content-length", str(length))
        c.endheaders()
        return c

    def ask(self, method, path, body=b""):
        c = self.begin(method, path, len(body))
        try:
            c.send(body)
            answer = c.getresponse()
            return answer.status, answer.read()
        finally:
            c.close()

    def put(self, i, answers):
        try:
            answers[i] = self.ask("PUT", f"/apps/{i}", bytes([i]) * PUT_BYTES)[0]
        except OSError:
            answers[i] = None

    def files(self, what):
        return len(list((self.dir / "data/objects/apps" / what).iterdir()))

    def test_a_role_that_is_stopped_finishes_its_disk_work_and_leaves_no_halves(self):
        self.start(disk_mib_s=8)
        self.assertEqual(self.ask("PUT", "/apps")[0], 200)
        self.assertEqual(self.ask("PUT", "/apps/there", b"there")[0], 200)
        half = self.begin("PUT", "/apps/half", PUT_BYTES)
        half.send(bytes(1 << 20))
        answers = {}
        threads = [threading.Thread(target=self.put, args=(i, answers)) for i in range(PUTS)]
        for thread in threads:
            thread.start()
        wait_for("bytes are on the disk", lambda: self.files("data") > 3)
        self.role.send_signal(signal.SIGTERM)
        self.assertEqual(self.role.wait(SECONDS), 0)
        for thread in threads:
            thread.join()
        half.close()
        self.assertEqual(self.files("data"), self.files("meta"))
        self.start(disk_mib_s=1000)
        self.assertEqual(self.ask("GET", "/apps/there"), (200, b"there"))
        for i in range(PUTS):
            status, text = self.ask("GET", f"/apps/{i}")
            if answers[i] == 200:
                self.assertEqual(status, 200)
            if status == 200:
                self.assertEqual(text, bytes([i]) * PUT_BYTES)
        self.assertEqual(self.ask("GET", "/apps/half")[0], 404)


if __name__ == "__main__":
    ObjectsTest.program = sys.argv.pop(1)
    unittest.main(verbosity=2)
