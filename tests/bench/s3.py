"""GET, LIST and small PUTs of the S3 endpoint while 64 uploads go to a slow disk."""
import concurrent.futures
import http.client
import os
import pathlib
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

import boto3
from botocore.config import Config

PUTS, PUT_MIB, DISK_MIB_S, SECONDS = 64, 100, 20, 30
KEY, SECRET = "AKIDBENCH", "secret/of+the=bench"


class Endpoint:
    """The role in a process of its own, on a disk of so many MiB/s (slow_disk.c)."""

    def __init__(self, program, scratch, mib_s):
        pem, credentials = scratch / "pem", scratch / "credentials"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", scratch / "key", "-out", scratch / "crt"], check=True, capture_output=True)
        pem.write_text((scratch / "key").read_text() + (scratch / "crt").read_text())
        credentials.write_text(f"[bench]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.tls = ssl.create_default_context(cafile=scratch / "crt")
        self.tls.check_hostname = False
        self.s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=f"https://127.0.0.1:{self.port}",
                               aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                               config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        self.log = open(scratch / "log", "wb")
        self.process = subprocess.Popen([program, str(self.port), scratch / "data", pem, credentials], stderr=self.log,
                                        env={**os.environ, "SLOW_DISK_MIB_S": str(mib_s)})
        end = time.monotonic() + 10
        while True:
            try:
                return self.connect().close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def connect(self):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=600)
        c.connect()
        return c

    def target(self, what, **params):
        url = urllib.parse.urlsplit(self.s3.generate_presigned_url(what, params))
        return f"{url.path}?{url.query}"

    def ask(self, connection, method, target, body=None):
        connection.request(method, target, body=body)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)
        return text

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def upload(endpoint, i, over):
    """Zeros, for as long as they are taken."""
    target, piece, left = endpoint.target("put_object", Bucket="bench", Key=f"large-{i}"), bytes(1 << 16), PUT_MIB << 20
    c = endpoint.connect()
    c.putrequest("PUT", target)
    c.putheader("Content-Length", str(left))
    c.endheaders()
    while left and not over.is_set():
        c.send(piece)
        left -= len(piece)
    done = not left and c.getresponse().read() == b""
    c.close()
    return done


def measure(endpoint, over, asks):
    """ms of each ask, one after the other on a kept connection, every 10 ms."""
    c, samples = endpoint.connect(), {name: [] for name in asks}
    while not over.is_set():
        for name, (method, target, body) in asks.items():
            begin = time.monotonic()
            endpoint.ask(c, method, target, body)
            samples[name].append((time.monotonic() - begin) * 1e3)
            time.sleep(0.01)
    c.close()
    return samples


def spread(samples):
    ordered = sorted(samples)

    def at(share):
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)

    return {"n": len(ordered), "median": round(statistics.median(ordered), 2), "min": round(ordered[0], 2),
            "p95": at(0.95), "p99": at(0.99), "max": round(ordered[-1], 2)}


def bench(program, puts=PUTS, seconds=SECONDS, mib_s=DISK_MIB_S):
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="doze-bench-s3-") as scratch:
        endpoint = Endpoint(program, pathlib.Path(scratch), mib_s)
        try:
            c = endpoint.connect()
            endpoint.ask(c, "PUT", endpoint.target("create_bucket", Bucket="bench"), b"")
            for i in range(100):
                endpoint.ask(c, "PUT", endpoint.target("put_object", Bucket="bench", Key=f"small-{i:03}"), bytes(4096))
            reads = {"get_ms": ("GET", endpoint.target("get_object", Bucket="bench", Key="small-050"), None),
                     "list_ms": ("GET", endpoint.target("list_objects_v2", Bucket="bench"), None)}
            writes = {"put_ms": ("PUT", endpoint.target("put_object", Bucket="bench", Key="small-051"), bytes(4096))}
            with concurrent.futures.ThreadPoolExecutor(puts + 2) as threads:

                def sample(seconds):
                    over = threading.Event()
                    samples = [threads.submit(measure, endpoint, over, asks) for asks in (reads, writes)]
                    time.sleep(seconds)
                    over.set()
                    return {name: spread(s) for client in samples for name, s in client.result().items()}

                before, over = sample(min(5, seconds)), threading.Event()
                uploads = [threads.submit(upload, endpoint, i, over) for i in range(puts)]
                time.sleep(2)
                during = sample(seconds)
                over.set()
                endpoint.process.kill()
                done = sum(not u.exception() and u.result() for u in uploads)
            assert done < puts, "the disk was not slow enough to keep them all under way"
            return {**during, **{f"quiet_{name}": figures for name, figures in before.items()}}
        finally:
            endpoint.close()
