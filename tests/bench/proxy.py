"""The endpoint proxy beside nginx and haproxy: the same backend, certificate, clients and machine, one after the other.

Every peer is measured in turn within each round, so that a slow minute of the machine meets all of them.  Time per request is
the CPU time of the peer's processes: it depends less on who else runs than requests per second do."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/platform"))

import proxy_rig  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
NGINX = """worker_processes {workers}; pid {dir}/nginx.pid; error_log {dir}/nginx.err; daemon off;
events {{ worker_connections 20000; }}
http {{
  access_log off; proxy_temp_path {dir}/t1; client_body_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; client_max_body_size 0; keepalive_requests 100000000;
  http2_max_concurrent_streams 256;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl http2 reuseport backlog=4096; server_name ~.; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
                  proxy_buffering off; proxy_request_buffering off; }}
  }}
}}
"""
HAPROXY = """global
  nbthread {workers}
  maxconn 8000
  tune.ssl.default-dh-param 2048
  tune.h2.max-concurrent-streams 256
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend in
  bind 127.0.0.1:{port} ssl crt {dir}/haproxy.pem alpn h2,http/1.1
  default_backend out
backend out
  server app 127.0.0.1:{backend}
"""


def tree(pid):
    yield pid
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            yield from tree(int(child))


def cpu_s(pid):
    total = 0
    for process in tree(pid):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{process}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def rss_kib(pid):
    total = 0
    for process in tree(pid):
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def free_port():
    with contextlib.closing(proxy_rig.socket.create_server(("127.0.0.1", 0))) as s:
        return s.getsockname()[1]


class Peers:
    """doze, nginx and haproxy, each in front of one backend."""

    def __init__(self, role, backend, workers=1):
        self.rig, self.host, self.children = proxy_rig.Rig(role), str(uuid.uuid4()) + proxy_rig.SUFFIX, []
        try:
            self.begin(backend, workers)
        except BaseException:
            self.close()
            raise

    def begin(self, backend, workers):
        streams = pathlib.Path(self.rig.dir) / "run/m/m-1/stream.sock"
        streams.parent.mkdir(parents=True)
        self.backend = self.start([backend, streams], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.backend_port = int(self.backend.stdout.readline())
        self.rig.control.set(self.host.split(".")[0], proxy_rig.OPEN)
        self.token = self.rig.mint("all")
        self.at = {"doze": (self.rig.port, self.rig.process.pid)}
        folder = pathlib.Path(self.rig.dir)
        (folder / "haproxy.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
        self.peer("nginx", NGINX, lambda file: ["nginx", "-c", file], workers)
        self.peer("haproxy", HAPROXY, lambda file: ["haproxy", "-db", "-f", file], workers)

    def start(self, words, **more):
        child = subprocess.Popen([str(word) for word in words], **more)
        self.children.append(child)
        return child

    def peer(self, name, text, words, workers):
        port, file = free_port(), pathlib.Path(self.rig.dir) / f"{name}.conf"
        file.write_text(text.format(workers=workers, dir=self.rig.dir, backend=self.backend_port, port=port))
        child = self.start(words(file), stderr=subprocess.DEVNULL)
        self.at[name] = (port, child.pid)

        def up():
            with contextlib.suppress(OSError):
                proxy_rig.socket.create_connection(("127.0.0.1", port)).close()
                return True
            return False

        proxy_rig.wait_for(f"{name} listens", up)

    def url(self, name, target):
        return f"https://{self.host}:{self.at[name][0]}{target}"

    def auth(self, sign="-H"):
        return [sign, f"x-aws-proxy-auth: {self.token}"]

    def close(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait(10)
        self.rig.stop()


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


def bench(role, backend, rounds, workers=1, seconds=3, only=()):
    peers = Peers(role, backend, workers)
    big = f"{peers.rig.dir}/big"
    with open(big, "wb") as file:
        file.truncate(1 << 30)
    try:
        direct = [wrk(f"http://127.0.0.1:{peers.backend_port}/1", [], 1, seconds)["p50_us"] for _ in range(rounds)]
        samples = {"direct": {"one-connection": {"p50_us": direct}}}
        for shape, measure in shapes(peers, big, seconds).items():
            if only and shape not in only:
                continue
            for _ in range(rounds):
                for name, (_, pid) in peers.at.items():
                    begin, now = cpu_s(pid), time.monotonic()
                    figures = measure(name)
                    figures["cpu_us"] = (cpu_s(pid) - begin) * 1e6 / figures.pop("requests")
                    figures["cpu_share"] = figures["cpu_us"] and (cpu_s(pid) - begin) / (time.monotonic() - now)
                    for key, value in figures.items():
                        samples.setdefault(name, {}).setdefault(shape, {}).setdefault(key, []).append(value)
        if not only or "idle" in only:
            for name in peers.at:
                samples[name]["idle"] = {"kib": [idle(peers, name, 500)]}
        return samples
    finally:
        peers.close()
