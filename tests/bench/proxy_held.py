"""What the endpoint proxy holds: connections that say nothing, and requests that wait for a microVM to wake.

    tests/bench/proxy_held.py connect PORT HOST CERT TOKEN FROM N	the client: opens N from the address FROM, prints
                                                            a line, and goes when its input ends"""
import contextlib
import os
import re
import resource
import socket
import ssl
import struct
import subprocess
import sys
import time

from proxy_peers import Peers, proxy_rig, rss_kib

FILES = 260000  # each connection is one of the proxy, and may become two
IDLE, HELD, CLIENTS = 50000, 10000, 4


def raise_files():
    """As far as we may; returns how far."""
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def workers_for(n):
    """A worker lets in half as many connections as it may have files, and the kernel spreads them a little unevenly."""
    each = raise_files() // 2
    return 1 if each >= n else -(-n // int(each * 0.9))


def connect(port, host, cert, token, source, n):
    """Each asks once.  Then its TLS is forgotten, without a word to the proxy, and its socket stays."""
    context, kept = ssl.create_default_context(cafile=cert), []
    for _ in range(n):
        raw = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
        wire = proxy_rig.Wire(context.wrap_socket(raw, server_hostname=host))
        wire.send(f"GET /1 HTTP/1.1\r\nhost: {host}\r\nx-aws-proxy-auth: {token}\r\n\r\n")
        _, fields = wire.head()
        wire.body(fields)
        kept.append(os.dup(wire.sock.fileno()))
        wire.sock.close()
    print("open", flush=True)
    sys.stdin.read()
    ended = 0
    for fd in kept:
        with socket.socket(fileno=fd) as s:
            s.setblocking(False)
            try:
                ended += not s.recv(1 << 16, socket.MSG_PEEK)
            except BlockingIOError:
                pass
            except ConnectionError:
                ended += 1
    print(ended, flush=True)


def now(peers):
    """(connections, held, running), as the workers told last."""
    told = [[struct.unpack("=3Q", body[:24]) for kind, body, _ in list(rig.control.got) if kind == proxy_rig.NOW] or [(0, 0, 0)]
            for rig in peers.rigs]
    return tuple(map(sum, zip(*(each[-1] for each in told))))


def idle(role, backend, n=IDLE):
    """So many connections of HTTP/1.1 over TLS, held at once; how long the next one's request takes."""
    workers = workers_for(n)
    peers = Peers(role, backend, workers, only=["doze"])
    try:
        port, pids = peers.at["doze"]
        before, begin = rss_kib(pids), time.monotonic()
        clients = [subprocess.Popen([sys.executable, __file__, "connect", str(port), peers.host, peers.rig.cert, peers.token,
                                     f"127.0.0.{2 + i}", str(n // CLIENTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    text=True) for i in range(CLIENTS)]
        for client in clients:
            assert client.stdout.readline() == "open\n"
        seconds = time.monotonic() - begin
        proxy_rig.wait_for("the proxy counts them", lambda: now(peers)[0] == n, 30)
        kib = (rss_kib(pids) - before) / n
        asked = []
        for _ in range(50):
            begin = time.monotonic()
            wire = peers.rig.connect(peers.host)
            wire.send(f"GET /1 HTTP/1.1\r\nhost: {peers.host}\r\nx-aws-proxy-auth: {peers.token}\r\n\r\n")
            _, fields = wire.head()
            wire.body(fields)
            asked.append((time.monotonic() - begin) * 1e3)
            wire.sock.close()
        ended = sum(int(client.communicate("")[0]) for client in clients)
        return {"connections": n, "workers": workers, "ended": ended, "opened_s": round(seconds, 1), "kib_each": round(kib, 2),
                "rss_mib": round((before + kib * n) / 1024), "next_request_ms": round(sorted(asked)[len(asked) // 2], 2)}
    finally:
        peers.close()


def held(role, backend, words, n=HELD):
    """So many requests come while the microVM sleeps; then it is awake."""
    raise_files()
    peers = Peers(role, backend, only=["doze"], state=proxy_rig.SLEEPING)
    try:
        pids, endpoint = peers.at["doze"][1], peers.host.split(".")[0]
        before = rss_kib(pids)
        client = subprocess.Popen(["h2load", "-t1", f"-n{n}", *words, *peers.auth(), peers.url("doze", "/1")],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        proxy_rig.wait_for("all are held", lambda: now(peers)[1] == n, 110)
        kib = (rss_kib(pids) - before) / n
        wakes = len(peers.rig.control.of(proxy_rig.WAKE, endpoint))
        begin = time.monotonic()
        peers.rig.control.set(endpoint, proxy_rig.OPEN)
        said = client.communicate(timeout=60)[0]
        return {"requests": n, "served": int(re.search(r"status codes: (\d+) 2xx", said)[1]), "wakes": wakes,
                "kib_each": round(kib, 2), "rss_mib": round((before + kib * n) / 1024),
                "served_in_s": round(time.monotonic() - begin, 2)}
    finally:
        peers.close()


def bench(role, backend):
    return {"idle": idle(role, backend), "held_h2": held(role, backend, ["-c100", "-m100"]),
            "held_h1": held(role, backend, ["--h1", f"-c{HELD}"])}


if __name__ == "__main__" and sys.argv[1:2] == ["connect"]:
    raise_files()
    with contextlib.suppress(KeyboardInterrupt):
        connect(int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6], int(sys.argv[7]))
