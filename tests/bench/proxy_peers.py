"""doze, nginx and haproxy in front of one backend, for proxy.py and proxy_held.py."""
import contextlib
import os
import pathlib
import struct
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/platform"))

import proxy_rig  # noqa: E402

LIMITS = """hold_ms = 120000
held_requests = 20000
connections = 60000
connections_per_address = 60000
"""
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
frontend tcp
  mode tcp
  bind 127.0.0.1:{tcp}
  default_backend raw
backend raw
  mode tcp
  server app 127.0.0.1:{backend}
frontend in
  bind 127.0.0.1:{port} ssl crt {dir}/haproxy.pem alpn h2,http/1.1
  default_backend out
backend out
  server app 127.0.0.1:{backend}
"""


def tree(pids):
    for pid in pids:
        yield from family(pid)


def family(pid):
    yield pid
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            yield from family(int(child))


def cpu_s(pids):
    total = 0
    for process in tree(pids):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{process}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def rss_kib(pids):
    total = 0
    for process in tree(pids):
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def free_port():
    with contextlib.closing(proxy_rig.socket.create_server(("127.0.0.1", 0))) as s:
        return s.getsockname()[1]


def shared_listener(port):
    listener = proxy_rig.socket.socket()
    listener.setsockopt(proxy_rig.socket.SOL_SOCKET, proxy_rig.socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(4096)
    return listener


class Peers:
    """doze, nginx and haproxy, each in front of one backend."""

    def __init__(self, role, backend, workers=1, only=("doze", "nginx", "haproxy"), state=proxy_rig.OPEN):
        self.only, self.host, self.children, self.rigs = only, str(uuid.uuid4()) + proxy_rig.SUFFIX, [], []
        self.at, self.tcp = {}, {}
        try:
            self.begin_doze(role, backend, workers, state)
            self.begin_peers(workers)
        except BaseException:
            self.close()
            raise

    def begin_doze(self, role, backend, workers, state):
        """As many processes of the role as workers, which share a port as in a daemon."""
        like = None
        listener = shared_listener(0)
        for _ in range(workers):
            like = proxy_rig.Rig(role, LIMITS, listener or shared_listener(self.rig.port), like, workers=workers)
            self.rigs.append(like)
            like.control.set(self.host.split(".")[0], state)
            listener = None
        streams = pathlib.Path(self.rig.dir) / "run/m/m-1/stream.sock"
        streams.parent.mkdir(parents=True)
        for rig in self.rigs[1:]:
            os.symlink(f"{self.rig.dir}/run/m", f"{rig.dir}/run/m")
        self.backend = self.start([backend, streams], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.backend_port = int(self.backend.stdout.readline())
        self.token = self.rig.mint("all")
        self.at["doze"] = (self.rig.port, [rig.process.pid for rig in self.rigs])

    def begin_peers(self, workers):
        folder = pathlib.Path(self.rig.dir)
        (folder / "haproxy.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
        if "nginx" in self.only:
            self.peer("nginx", NGINX, lambda file: ["nginx", "-c", file], workers)
        if "haproxy" in self.only:
            self.peer("haproxy", HAPROXY, lambda file: ["haproxy", "-db", "-f", file], workers)

    def publish(self):
        """A port of the host whose bytes are those of the application's, without TLS, HTTP or token."""
        with shared_listener(0) as listener:
            self.tcp["doze"] = listener.getsockname()[1]
            body = self.host.split(".")[0].encode().ljust(40, b"\0") + struct.pack("=HHIII", self.tcp["doze"], 8080, 0, 1, 0)
            self.rig.control.send(proxy_rig.PUBLISH, body.ljust(56 + 16 * 18, b"\0"), [listener.fileno()])
        time.sleep(0.3)

    @property
    def rig(self):
        return self.rigs[0]

    def start(self, words, **more):
        child = subprocess.Popen([str(word) for word in words], **more)
        self.children.append(child)
        return child

    def peer(self, name, text, words, workers):
        port, file = free_port(), pathlib.Path(self.rig.dir) / f"{name}.conf"
        if "{tcp}" in text:
            self.tcp[name] = free_port()
        file.write_text(text.format(workers=workers, dir=self.rig.dir, backend=self.backend_port, port=port, tcp=self.tcp.get(name)))
        child = self.start(words(file), stderr=subprocess.DEVNULL)
        self.at[name] = (port, [child.pid])

        def up():
            with contextlib.suppress(OSError):
                proxy_rig.socket.create_connection(("127.0.0.1", port)).close()
                return True
            return False

        proxy_rig.wait_for(f"{name} listens", up)

    def url(self, name, target):
        return f"https://{self.host}:{self.at[name][0]}{target}"

    def tcp_url(self, name, target):
        return f"http://127.0.0.1:{self.tcp[name]}{target}"

    def auth(self, sign="-H"):
        return [sign, f"x-aws-proxy-auth: {self.token}"]

    def close(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait(10)
        for rig in self.rigs:
            rig.stop()
