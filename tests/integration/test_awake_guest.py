"""Work in a real microVM, as its owner sees it: a lease that its application asks for, and CPU time that the host measures."""
import json
import subprocess

from rig import REGION, wait_for

DOCKERFILE = """FROM public.ecr.aws/lambda/microvms:al2023-minimal
RUN dnf install -y python3 && dnf clean all
RUN echo 'nobody2:x:1234:1234::/:/bin/sh' >>/etc/passwd
COPY app.py /app.py
USER 1234
EXPOSE 8080
CMD ["python3", "/app.py"]
"""
APP = '''
import http.server, os, pathlib, threading, time, urllib.request

LEASE = pathlib.Path("/run/doze/lease")

def spin():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/touch":
            os.utime(LEASE)
        elif self.path == "/spin":
            threading.Thread(target=spin, daemon=True).start()
        elif self.path.startswith("/post/"):
            seconds = self.path.rpartition("/")[2].encode()
            urllib.request.urlopen("http://169.254.169.254/doze/lease", data=seconds, timeout=10).close()
        elif self.path != "/":
            LEASE.write_text(self.path[1:])
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"1\\n")
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
'''


def test_work_is_seen(doze, tmp_path):
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "app.py").write_text(APP)
    doze.cli("image", "build", tmp_path, "--name", "awake", "--memory", "512")
    out = doze.cli("--json", "run", "awake", "--idle", "60", "--awake", "cpu=5%,lease").stdout
    vm = json.loads(out)
    known = doze.environment
    url = f"{known['AWS_ENDPOINT_URL_LAMBDA_MICROVMS']}/doze/v1/microvms/{vm['microvmId']}/awake"

    def shown():
        return json.loads(subprocess.run(
            ["curl", "-sSf", "--cacert", known["AWS_CA_BUNDLE"], "--aws-sigv4", f"aws:amz:{REGION}:lambda", "--user",
             f"{known['AWS_ACCESS_KEY_ID']}:{known['AWS_SECRET_ACCESS_KEY']}", url], check=True, stdout=subprocess.PIPE).stdout)

    assert shown()["cpuPercent"] == 5 and shown()["lease"] and shown()["leaseSeconds"] == 0
    doze.call(vm, "/600")
    wait_for("the lease came", lambda: 560 < shown()["leaseSeconds"] <= 600, 10)
    doze.call(vm, "/0")
    wait_for("it was given back", lambda: shown()["leaseSeconds"] == 0, 10)
    doze.call(vm, "/30")
    wait_for("another one came", lambda: 0 < shown()["leaseSeconds"] <= 30, 10)
    first = shown()["leaseSeconds"]
    wait_for("it runs down", lambda: shown()["leaseSeconds"] < first - 1, 10)
    doze.call(vm, "/touch")
    wait_for("a touch renews it", lambda: shown()["leaseSeconds"] >= first - 1, 10)
    doze.call(vm, "/post/900")
    wait_for("a POST asks for more", lambda: shown()["leaseSeconds"] > 860, 10)
    doze.call(vm, "/spin")
    seen = []
    try:
        wait_for("the host sees it work", lambda: seen.append(shown()) or (seen[-1]["cpuPercentNow"] or 0) >= 15, 40, 1)
    finally:
        print(seen[-3:])
    wait_for("that counts", lambda: shown()["idleSeconds"] <= 6, 10)
    doze.cli("rm", vm["microvmId"])
    doze.cli("image", "rm", "awake")
