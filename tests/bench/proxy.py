"""The endpoint proxy beside nginx and haproxy: the same backend, certificate, clients and machine, one after the other.

Every peer is measured in turn within each round, so that a slow minute of the machine meets all of them.  Time per request is
the CPU time of the peer's processes: it depends less on who else runs than requests per second do."""
import os
import re
import subprocess
import time

from proxy_peers import Peers, cpu_s, proxy_rig, rss_kib


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def run(words):
    return subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout


def wrk(url, headers, connections, seconds):
    out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *headers, url])
    assert "Non-2xx" not in out, out
    found = {"requests": int(re.search(r"(\d+) requests in", out)[1])}
    found["rps"] = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    found["p50_us"], found["p99_us"] = (microseconds(re.search(rf"(?m)^\s+{p}%\s+(\S+)", out)[1]) for p in (50, 99))
    return found


def h2load(url, headers, requests):
    """p99 is not among what it prints, so it is taken from its log."""
    log = f"/tmp/h2load-{os.getpid()}.log"
    out = run(["h2load", "-t1", "-c4", "-m100", f"-n{requests}", f"--log-file={log}", *headers, url])
    assert f"{requests} succeeded" in out and f"{requests} 2xx" in out, out
    with open(log, encoding="ascii") as file:
        times = sorted(int(line.split("\t")[2]) for line in file)
    os.unlink(log)
    return {"requests": requests, "rps": float(re.search(r"([\d.]+) req/s", out)[1]), "p50_us": times[len(times) // 2],
            "p99_us": times[len(times) * 99 // 100]}


def transfer(url, headers, upload, version):
    """MiB/s of one stream of 1 GiB."""
    words = ["curl", "-sS", "-k", f"--http{version}", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", *headers]
    if upload:
        words += ["-T", upload, "-H", "expect:"]
    status, seconds = run([*words, url]).split()
    assert status == "200", status
    return {"requests": 1, "mib_s": 1024 / float(seconds)}


def shapes(peers, big, seconds):
    auth = peers.auth()
    close = ["-H", "Connection: close"]
    return {
        "h1-keepalive": lambda n: wrk(peers.url(n, "/1"), auth, 32, seconds),
        "h2-100-streams": lambda n: h2load(peers.url(n, "/1"), auth, seconds * 10000),
        "tls-each": lambda n: wrk(peers.url(n, "/1"), auth + close, 16, seconds),
        "one-connection": lambda n: wrk(peers.url(n, "/1"), auth, 1, seconds),
        "down-h1": lambda n: transfer(peers.url(n, f"/{1 << 20}"), auth, None, "1.1"),
        "down-h2": lambda n: transfer(peers.url(n, f"/{1 << 20}"), auth, None, "2"),
        "up-h1": lambda n: transfer(peers.url(n, "/up"), auth, big, "1.1"),
        "up-h2": lambda n: transfer(peers.url(n, "/up"), auth, big, "2"),
        "tcp-keepalive": lambda n: wrk(peers.tcp_url(n, "/1"), [], 32, seconds),
        "tcp-down": lambda n: transfer(peers.tcp_url(n, f"/{1 << 20}"), [], None, "1.1"),
    }


def idle(peers, name, n):
    """KiB that one idle connection costs, TLS handshake and one request done."""
    pid = peers.at[name][1]
    context, opened = proxy_rig.ssl.create_default_context(cafile=peers.rig.cert), []
    before = rss_kib(pid)
    for _ in range(n):
        raw = proxy_rig.socket.create_connection(("127.0.0.1", peers.at[name][0]))
        wire = proxy_rig.Wire(context.wrap_socket(raw, server_hostname=peers.host))
        wire.send(f"GET /1 HTTP/1.1\r\nhost: {peers.host}\r\nx-aws-proxy-auth: {peers.token}\r\n\r\n")
        _, fields = wire.head()
        wire.body(fields)
        opened.append(wire)
    kib = (rss_kib(pid) - before) / n
    for wire in opened:
        wire.sock.close()
    return kib


def measure(peers, name, shape):
    pids = peers.at[name][1]
    begin, now = cpu_s(pids), time.monotonic()
    figures = shape(name)
    spent = cpu_s(pids) - begin
    figures["cpu_us"] = spent * 1e6 / figures.pop("requests")
    figures["cpu_share"] = spent / (time.monotonic() - now)
    return figures


def bench(role, backend, rounds, workers=1, seconds=2, only=()):
    """{peer: {shape: {figure: samples}}}.  What an idle connection takes is asked first: later ones take what others freed."""
    peers = Peers(role, backend, workers)
    big = f"{peers.rig.dir}/big"
    with open(big, "wb") as file:
        file.truncate(1 << 30)
    try:
        direct = [wrk(f"http://127.0.0.1:{peers.backend_port}/1", [], 1, seconds)["p50_us"] for _ in range(rounds)]
        samples = {"direct": {"one-connection": {"p50_us": direct}}, **{name: {} for name in peers.at}}
        if not only or "idle" in only:
            for name in peers.at:
                samples[name]["idle"] = {"kib": [idle(peers, name, 1000)]}
        peers.publish()
        for shape, way in shapes(peers, big, seconds).items():
            names = [name for name in peers.at if name in peers.tcp or not shape.startswith("tcp-")]
            for name in names * rounds if not only or shape in only else []:
                for key, value in measure(peers, name, way).items():
                    samples[name].setdefault(shape, {}).setdefault(key, []).append(value)
        return samples
    finally:
        peers.close()
