"""The control role with a store of 100,000 microVMs and 1,000 images: its start, its memory, its answers; and what a run
costs in the store, with SQLite and with PostgreSQL.  Without an instance: the rig of tests/integration plays all others.
"""
import contextlib
import http.client
import json
import os
import pathlib
import sqlite3
import ssl
import statistics
import sys
import time
import urllib.parse
import uuid

import api_calls
import control_rig
import postgres_rig
from signed import V, sign

MICROVMS, IMAGES, GETS, PAGES, RUNS = 100_000, 1_000, 2_000, 300, 200
RESOURCES = {"resources": [{"minimumMemoryInMiB": 512}], "hooks": {}}
CONNECTOR = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:"
# What RunMicrovm resolves, as the row has it.
PARAMS = {"maximumDurationInSeconds": 28800, "ingressNetworkConnectors": [CONNECTOR + "HTTP_INGRESS"],
          "egressNetworkConnectors": [CONNECTOR + "INTERNET_EGRESS"],
          "idlePolicy": {"maxIdleDurationSeconds": 900, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}}


def fill(path):
    """Most are TERMINATED and kept for a day; ids of the newest ones, which are listed first."""
    now, account = int(time.time() * 1000), control_rig.ACCOUNT
    images = [str(uuid.uuid4()) for _ in range(IMAGES)]
    made = json.dumps({"engine": "qemu", "vcpus": 1, "memoryMib": 2048, "ports": [8080], "listening": [8080]})
    vms = [f"microvm-{uuid.uuid4()}" for _ in range(MICROVMS)]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executemany("INSERT INTO image (id, account, name, state, created_ms, updated_ms, next_version, latest_active, latest_failed, tags)"
                       " VALUES (?, ?, ?, 'CREATED', ?, ?, 2, 1, 0, '{}')", [(i, account, f"image-{n}", now, now) for n, i in enumerate(images)])
        db.executemany("INSERT INTO version (image, version, state, status, created_ms, updated_ms, params, made)"
                       " VALUES (?, 1, 'SUCCESSFUL', 'ACTIVE', ?, ?, ?, ?)", [(i, now, now, json.dumps(RESOURCES), made) for i in images])
        db.executemany("INSERT INTO microvm (id, account, endpoint, image, version, state, reason, save, started_ms, terminated_ms, suspended_ms,"
                       " last_byte_ms, params) VALUES (?, ?, ?, ?, 1, 'TERMINATED', 'Success.', 0, ?, ?, 0, 0, ?)",
                       [(vm, account, str(uuid.uuid4()), images[n % IMAGES], now - MICROVMS + n, now, json.dumps(PARAMS)) for n, vm in enumerate(vms)])
    return vms


class Kept:
    """Signed requests on one connection, and their times in ms."""

    def __init__(self, rig):
        self.rig = rig
        self.connection = (http.client.HTTPSConnection("127.0.0.1", rig.port, timeout=60, context=ssl.create_default_context(cafile=rig.ca))
                           if rig.tls else http.client.HTTPConnection("127.0.0.1", rig.port, timeout=60))

    def ask(self, method, path, body=b""):
        head = sign(method, f"127.0.0.1:{self.rig.port}", path, body, time.time(), control_rig.KEY, control_rig.SECRET, "lambda", control_rig.REGION)
        begin = time.perf_counter()
        self.connection.request(method, path, body, {**head, "content-type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status < 300, data
        return (time.perf_counter() - begin) * 1000, json.loads(data)

    def times(self, n, path):
        return [self.ask("GET", path(i))[0] for i in range(n)]


def memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def pages(kept):
    """Every page of one list, by its cursors."""
    taken, token = [], ""
    for _ in range(PAGES):
        ms, answer = kept.ask("GET", f"{V}/microvms?maxResults=50{token}")
        taken.append(ms)
        token = f"&nextToken={urllib.parse.quote(answer['nextToken'], safe='')}"
    return taken


def big(tool):
    rig = control_rig.Control(machines=True, tls=True, settings=f"[limits]\nmax_images={2 * IMAGES}\n")
    rig.stop()
    try:
        vms = fill(f"{rig.dir}/data/control/doze.db")
        begin = time.perf_counter()
        rig.start(ready=False)
        first, _ = Kept(rig).ask("GET", f"{V}/microvms/{vms[-1]}")
        started, cpu = time.perf_counter() - begin, api_calls.cpu_seconds(rig.process.pid)
        kept = Kept(rig)
        return {"start_to_first_answer_s": [started], "start_cpu_s": [cpu], "memory_mib": [memory_mib(rig.process.pid)],
                "get_ms": kept.times(GETS, lambda i: f"{V}/microvms/{vms[i * 37 % MICROVMS]}"),
                "list_page_ms": pages(kept),
                **api_calls.bench(rig, tool, vms[::37])}
    finally:
        rig.close()


def runs(postgres):
    """From a RunMicrovm to its answer, which is its commit; the machines start later, and fail."""
    rig = control_rig.Control(settings="[limits]\nmax_memory_mib=1073741824\nmax_microvms=16000\n[machine]\nstart_at_once=1\n[pool]\nper_image=0\nspares=0\n",
                              postgres=postgres)
    rig.lies.page.lazy_disk = 0
    try:
        image, kept = rig.make_image("hello"), Kept(rig)
        body = json.dumps({"imageIdentifier": image}).encode()
        return [kept.ask("POST", f"{V}/microvms", body)[0] for _ in range(RUNS)]
    finally:
        rig.close()


def bench(tool):
    """Name -> samples.  @tool is bench-calls."""
    figures = big(tool)
    server = postgres_rig.Postgres("/tmp")  # on the disk that SQLite has
    try:
        for _ in range(2):  # by turns, so that both meet the same host
            figures.setdefault("run_sqlite_ms", []).extend(runs(None))
            server.new_database()
            figures.setdefault("run_postgres_ms", []).extend(runs(server))
    finally:
        server.close()
    return figures


if __name__ == "__main__":
    for name, samples in bench(sys.argv[1]).items():
        print(name, round(statistics.median(samples), 3), round(sorted(samples)[int(len(samples) * 0.95)], 3), len(samples))
