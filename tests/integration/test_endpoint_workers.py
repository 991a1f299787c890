"""Endpoints that several processes serve: one is killed, all are replaced, certificates change, and nobody else notices."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess

from rig import wait_for


def workers(doze):
    """Pids of the processes that serve."""
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (proc / "cmdline").read_bytes().split(b"\0")
            if words[:3] == [b"dozed", b"--role", b"proxy"] and doze.name.encode() in words:
                found.append(int(proc.name))
    return sorted(found)


def worker_of(doze, sock):
    """Who holds the other end of this connection."""
    mine, port = sock.getsockname()[1], sock.getpeername()[1]
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        row = line.split()
        if int(row[1].split(":")[1], 16) == port and int(row[2].split(":")[1], 16) == mine:
            inode = f"socket:[{row[9]}]"
            for pid in workers(doze):
                for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        if os.readlink(fd) == inode:
                            return pid
    return None


class Kept:
    """A connection that carries one request after the other."""

    def __init__(self, doze, vm, token):
        sock, host = doze.open_endpoint(vm["endpoint"])
        self.connection, self.token = http.client.HTTPConnection(host), token
        self.connection.sock, self.sock = sock, sock
        assert self.ask() == 200
        self.worker = worker_of(doze, sock)

    def ask(self):
        self.connection.request("GET", "/", headers={"X-aws-proxy-auth": self.token, "X-aws-proxy-port": "8080"})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


def test_a_worker_that_is_killed_takes_only_its_own_streams(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.token(vm["microvmId"])
    before = workers(doze)
    assert len(before) == min(32, len(os.sched_getaffinity(0)))
    kept = [Kept(doze, vm, token) for _ in range(16)]
    assert all(k.worker in before for k in kept)
    victim = kept[0].worker
    others = [k for k in kept if k.worker != victim]
    assert others or len(before) == 1, "the kernel spreads connections"

    def fresh(n):
        if n == 50:
            os.kill(victim, signal.SIGKILL)
        return n, doze.request(vm["endpoint"], token=token)[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        steady = [pool.submit(lambda k=k: [k.ask() for _ in range(20)]) for k in others]
        lost = 0
        for asked in [pool.submit(fresh, n) for n in range(200)]:
            try:
                assert asked.result()[1] == 200
            except (OSError, http.client.HTTPException):
                lost += 1  # it ran through the one that was killed
    assert lost <= 8, "no more than were under way"
    assert all(one.result() == [200] * 20 for one in steady), "requests of the other workers go on"
    wait_for("it is started again", lambda: len(workers(doze)) == len(before) and victim not in workers(doze))
    assert all(doze.request(vm["endpoint"], token=token)[0] == 200 for _ in range(20))


def test_a_reload_replaces_all_workers_and_refuses_nobody(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.token(vm["microvmId"])
    before = workers(doze)
    doze.settings.setdefault("limits", {})["drain_ms"] = 60000
    doze.write_config()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(doze.request, vm["endpoint"], "/", token) for _ in range(30)]
        doze.cli("reload")
        asked += [pool.submit(doze.request, vm["endpoint"], "/", token) for _ in range(60)]
        assert {one.result()[0] for one in asked} == {200}
    wait_for("the old ones have ended", lambda: not set(before) & set(workers(doze)), 30)
    assert len(workers(doze)) == len(before)
    same = workers(doze)
    doze.cli("reload")
    assert workers(doze) == same, "nothing has changed, so they stay"


def test_a_certificate_is_renewed_and_a_bad_one_is_told_of(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.token(vm["microvmId"])
    host = vm["endpoint"].split(":")[0]
    domain = host.split(".", 1)[1]
    key, cert = doze.scratch / "operator.key", doze.scratch / "operator.pem"

    def make(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:*.{domain}"], check=True,
                       capture_output=True)

    def served():
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = doze.tls
        doze.tls = lambda: context
        try:
            with doze.open_endpoint(vm["endpoint"])[0] as sock:
                der = sock.getpeercert(True)
        finally:
            doze.tls = tls
        return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der, capture_output=True,
                              check=True).stdout.decode().split("CN = ")[1].strip()

    kept = Kept(doze, vm, token)
    pids = workers(doze)
    try:
        make("first")
        doze.settings[f"certificate {domain}"] = {"cert": cert, "key": key}
        doze.write_config()
        doze.cli("reload")
        wait_for("it is served", lambda: served() == "first")
        make("second")
        doze.cli("reload")
        wait_for("the new one is served", lambda: served() == "second")
        cert.write_text("no certificate")
        said = doze.cli("reload", check=False)
        assert said.returncode == 1 and f"the certificate of {domain} cannot be used, and the one before it serves" in said.stderr
        assert served() == "second"
        assert kept.ask() == 200 and workers(doze) == pids, "no stream is cut for a certificate"
    finally:
        doze.settings.pop(f"certificate {domain}", None)
        doze.write_config()
        doze.cli("reload")
    wait_for("doze's own is back", lambda: served() == "doze")


def test_a_configuration_that_cannot_be_read_changes_nothing(doze):
    before, text = workers(doze), (doze.etc / "doze.ini").read_text()
    try:
        (doze.etc / "doze.ini").write_text(text + "[limits]\nconnectoins = 3\n")
        said = doze.cli("reload", check=False)
        assert said.returncode == 1 and "connectoins" in said.stderr
        os.kill(doze.pid(), signal.SIGHUP)  # as systemd does, which asks nobody
        told = doze.run_dir / "reloaded"
        wait_for("the daemon says so", lambda: "nothing is reloaded" in told.read_text() and "connectoins" in told.read_text())
        assert workers(doze) == before
    finally:
        (doze.etc / "doze.ini").write_text(text)
    doze.cli("reload")
    assert workers(doze) == before


def test_what_passes_is_seen_in_the_log_the_metrics_and_top(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.token(vm["microvmId"])
    for _ in range(5):
        assert doze.request(vm["endpoint"], "/", token, headers={"Cookie": "hush"})[0] == 200
    log = doze.log / "access.log"
    wait_for("five lines", lambda: log.read_text().count(f'"microvm":"{vm["microvmId"]}"') >= 5)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["path"] for line in lines if line.get("microvm") == vm["microvmId"]] == ["/"] * 5
    assert token not in log.read_text() and "hush" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o640

    def metrics():
        connection = http.client.HTTPConnection("127.0.0.1", metrics_port(doze), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()

    wait_for("they are counted", lambda: f'doze_microvm_requests_total{{microvm="{vm["microvmId"]}",class="2xx"}} 5' in metrics())
    assert f"doze_workers {len(workers(doze))}" in metrics()
    rows = {row["microvmId"]: row for row in json.loads(doze.cli("--json", "top").stdout)}
    assert rows[vm["microvmId"]]["state"] == "RUNNING" and rows[vm["microvmId"]]["memoryBytes"] > 0
    table = doze.cli("top").stdout
    assert vm["microvmId"] in table and "REQ/S" in table and "\033" not in table
    log.rename(doze.log / "access.log.moved")
    wait_for("a new one is begun", log.exists)
    doze.request(vm["endpoint"], "/after", token)
    wait_for("the line is there", lambda: "/after" in log.read_text())


def metrics_port(doze):
    found = re.findall(r"serving metrics port=(\d+)", (doze.log / "dozed.log").read_text())
    return int(found[-1])
