"""What an application and its SDKs find at http://169.254.169.254 in the real guest: IMDSv2."""
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import machine as m
from test_guest import boot, files, start  # noqa: F401  (files is a fixture)

TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
ROLE = "meta-data/iam/security-credentials/execution_role"
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# What tools/test-clients installs, for ./check or by hand.
CLIENTS = next((d for d in (ROOT / "build-check/clients", ROOT / "build/clients") if d.exists()), ROOT / "none")


@pytest.fixture(scope="module")
def guest(files):  # noqa: F811
    guest = boot(files)
    start(guest)
    yield guest
    guest.close()


def raw(guest, text, how="4"):
    return guest.get(f"/metadata/{how}/" + urllib.parse.quote(text, safe=""))


def ask(guest, method, path, fields=(), how="4"):
    head = "".join(f"{name}: {value}\r\n" for name, value in dict(fields).items())
    answer = raw(guest, f"{method} {path} HTTP/1.1\r\nHost: 169.254.169.254\r\n{head}\r\n", how)
    line, _, rest = answer.partition("\r\n")
    return int(line.split()[1]), rest.partition("\r\n\r\n")[2]


def token(guest, seconds=21600):
    status, text = ask(guest, "PUT", "/latest/api/token", {TTL: seconds})
    assert status == 200, text
    return text


def read(guest, path, with_token=None, how="4"):
    return ask(guest, "GET", "/latest/" + path, {TOKEN: with_token or token(guest)}, how)


def credentials(name, expires="2099-01-01T00:00:00Z"):
    return json.dumps({"Code": "Success", "LastUpdated": "2026-12-01T00:00:00Z", "Type": "AWS-HMAC", "AccessKeyId": "ASIA" + name,
                       "SecretAccessKey": "secret-" + name, "Token": "token-" + name, "Expiration": expires})


def push(guest, identity="microvm-1", name="ONE"):
    pairs = {ROLE: name and credentials(name), "meta-data/instance-id": identity, "meta-data/placement/region": "eu-west-1",
             "meta-data/placement/availability-zone": "eu-west-1a", "meta-data/tags/instance/team": "blue",
             "dynamic/instance-identity/document": json.dumps({"region": "eu-west-1", "instanceId": identity})}
    fields = []
    for path, text in pairs.items():
        if text:
            fields += [(m.NAME, path), (m.BYTES, text)]
    guest.agent.send(m.METADATA, *fields)


def give(guest, **what):
    push(guest, **what)
    resume(guest)


def resume(guest):
    ident = secrets.randbits(32)
    guest.agent.send(m.RESUMED, (m.ID, ident), (m.WALL_NS, time.time_ns()), (m.RANDOM, secrets.token_bytes(64)), (m.IDENTITY, "x"))
    guest.agent.wait(m.ACK, lambda f: f[m.ID] == ident)


def test_nothing_is_there_before_a_microvm_is_run_but_tokens(guest):
    known = token(guest)
    assert read(guest, "meta-data/iam/security-credentials/", known) == (404, "")
    assert read(guest, "meta-data/", known) == (404, "")


def disk_bytes(path):
    """What was ever written to a sparse file."""
    with open(path, "rb") as disk:
        at, size = 0, os.fstat(disk.fileno()).st_size
        while at < size:
            try:
                at = os.lseek(disk.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(disk.fileno(), at, os.SEEK_HOLE)
            yield os.pread(disk.fileno(), end - at, at)
            at = end


def test_credentials_are_on_no_disk_and_in_no_log(guest, files):  # noqa: F811
    push(guest, name="NEEDLE")
    assert "NEEDLE" in read(guest, ROLE)[1]
    assert guest.get("/write/srv-canary") == "written"
    guest.agent.send(m.WARM, (m.ID, 77))  # one that comes before a resume writes all to the disk
    guest.agent.wait(m.ACK, lambda f: f[m.ID] == 77)
    written = b"".join(disk_bytes(files / "disk"))
    assert b"srv-canary" in written and b"NEEDLE" not in written
    assert not [f for f in guest.agent.frames if "NEEDLE" in str(f)]
    assert "NEEDLE" not in (files / "serial.log").read_text(errors="replace")


def test_a_token_of_the_snapshot_is_refused_after_a_resume(guest):
    give(guest)
    known = token(guest)
    assert read(guest, "meta-data/instance-id", known) == (200, "microvm-1")
    resume(guest)
    assert read(guest, "meta-data/instance-id", known)[0] == 401
    assert read(guest, "meta-data/instance-id")[0] == 200


def test_every_path_that_sdks_ask_for(guest):
    give(guest)
    known = token(guest)
    for path, text in {"meta-data/iam/security-credentials/": "execution_role", "meta-data/iam/security-credentials": "execution_role",
                       ROLE: credentials("ONE"), "meta-data/placement/region": "eu-west-1", "meta-data/tags/instance/team": "blue",
                       "meta-data/placement/availability-zone/": "eu-west-1a", "meta-data/tags/instance/": "team"}.items():
        assert read(guest, path, known) == (200, text), path
    assert json.loads(read(guest, "dynamic/instance-identity/document", known)[1])["instanceId"] == "microvm-1"
    assert read(guest, "user-data", known)[0] == 404


def test_version_one_is_refused_and_what_a_proxy_sends(guest):
    give(guest)
    assert ask(guest, "GET", "/latest/" + ROLE)[0] == 401
    assert ask(guest, "GET", "/latest/" + ROLE, {TOKEN: "0" * 48})[0] == 401
    assert ask(guest, "PUT", "/latest/api/token", {TTL: 60, "X-Forwarded-For": "10.1.1.1"})[0] == 403
    for seconds in ("0", "21601", "-1", "x", ""):
        assert ask(guest, "PUT", "/latest/api/token", {TTL: seconds})[0] == 400, seconds
    assert ask(guest, "PUT", "/latest/api/token")[0] == 400


def test_a_token_ends_after_its_time(guest):
    give(guest)
    known = token(guest, 1)
    until = time.monotonic() + 20
    while read(guest, "meta-data/instance-id", known)[0] != 401:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_socket_of_ipv6_is_led_there_too_and_one_hop_is_the_limit(guest):
    give(guest)
    assert read(guest, "meta-data/instance-id", how="6") == (200, "microvm-1")
    assert raw(guest, "GET / HTTP/1.1\r\n\r\n", how="f").startswith("error: "), "an answer that is forwarded is lost"


def test_without_a_role_there_are_no_credentials(guest):
    give(guest, name="GONE")
    give(guest, name=None)
    known = token(guest)
    assert read(guest, "meta-data/iam/security-credentials/", known)[0] == 404
    assert read(guest, ROLE, known)[0] == 404
    assert read(guest, "meta-data/instance-id", known)[0] == 200


class Relay:
    """An address of this host that is the guest's 169.254.169.254, for clients that run here."""

    def __init__(self, guest):
        self.guest, self.server = guest, socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                head = b""
                while b"\r\n\r\n" not in head and (piece := client.recv(65536)):
                    head += piece
                client.sendall(raw(self.guest, head.decode()).encode())


@pytest.fixture
def relay(guest):
    relay = Relay(guest)
    yield relay
    relay.server.close()


BOTO = """
import boto3, json, os
session = boto3.Session()
c = session.get_credentials().get_frozen_credentials()
from botocore.utils import InstanceMetadataRegionFetcher
print(json.dumps([c.access_key, c.secret_key, c.token, InstanceMetadataRegionFetcher(base_url=os.environ['AWS_EC2_METADATA_SERVICE_ENDPOINT']).retrieve_region()]))
"""


def clean(relay):
    keep = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return {**keep, "HOME": "/nonexistent", "AWS_EC2_METADATA_SERVICE_ENDPOINT": relay.url, "AWS_EC2_METADATA_V1_DISABLED": "true"}


def test_boto3_takes_the_role_by_its_default_chain_and_the_next_one_after_a_resume(guest, relay):
    python = CLIENTS / "bin/python"
    if not python.exists():
        pytest.skip("no boto3 here")
    for name in ("BEFORE", "AFTER"):
        give(guest, name=name)
        out = subprocess.run([python, "-c", BOTO], env=clean(relay), capture_output=True, text=True, timeout=60)
        assert out.returncode == 0, out.stderr
        assert json.loads(out.stdout) == ["ASIA" + name, "secret-" + name, "token-" + name, "eu-west-1"]


def test_the_aws_command_line_takes_the_role(guest, relay):
    aws = CLIENTS / "bin/aws"
    if not aws.exists():
        pytest.skip("no aws here")
    give(guest, name="CLI")
    out = subprocess.run([aws, "configure", "list"], env=clean(relay), capture_output=True, text=True, timeout=60)
    assert re.search(r"access_key.*iam-role", out.stdout), out


JS = """
import { fromInstanceMetadata } from "@smithy/credential-provider-imds";
const c = await fromInstanceMetadata({ ec2MetadataV1Disabled: true })();
console.log(JSON.stringify([c.accessKeyId, c.secretAccessKey, c.sessionToken]));
"""


def test_the_sdk_of_javascript_takes_the_role(guest, relay, tmp_path):
    modules = next(iter(CLIENTS.glob("js/node_modules/@smithy/credential-provider-imds")), None)
    if not modules:
        pytest.skip("no SDK of JavaScript here")
    (tmp_path / "node_modules").symlink_to(modules.parents[1])
    (tmp_path / "look.mjs").write_text(JS)
    give(guest, name="JS")
    out = subprocess.run(["node", "look.mjs"], cwd=tmp_path, env=clean(relay), capture_output=True, text=True, timeout=60)
    assert json.loads(out.stdout or "null") == ["ASIAJS", "secret-JS", "token-JS"], out


def test_the_sdk_of_go_takes_the_role(guest, relay, tmp_path):
    built = subprocess.run(["go", "build", "-o", tmp_path / "look", "."], cwd=HERE / "metadata_go", capture_output=True, text=True,
                           env={**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false"}) if shutil.which("go") else None
    if not built or built.returncode:
        pytest.skip("no Go here, or its modules cannot be had")
    give(guest, name="GO")
    out = subprocess.run([tmp_path / "look"], env=clean(relay), capture_output=True, text=True, timeout=60)
    assert json.loads(out.stdout or "null") == ["ASIAGO", "secret-GO", "token-GO", True, "eu-west-1", "microvm-1"], out


def test_the_sdk_of_java_takes_the_role(guest, relay, tmp_path):
    jars = tmp_path / "jars"
    if not all(map(shutil.which, ("mvn", "javac", "java"))) or subprocess.run(
            ["mvn", "-q", "-B", "-f", HERE / "metadata_java/pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
            capture_output=True, timeout=200).returncode:
        pytest.skip("no Java here, or its libraries cannot be had")
    subprocess.run(["javac", "-cp", f"{jars}/*", "-d", tmp_path, HERE / "metadata_java/Metadata.java"], check=True)
    give(guest, name="JAVA")
    out = subprocess.run(["java", "-cp", f"{jars}/*:{tmp_path}", "Metadata"], env=clean(relay), capture_output=True, text=True,
                         timeout=60)
    assert json.loads(out.stdout or "null") == ["ASIAJAVA", "secret-JAVA", "token-JAVA", "eu-west-1", "microvm-1"], out


def test_an_answer_takes_little_longer_than_the_guests_own_loopback(guest):
    give(guest)
    known = token(guest)
    read(guest, "meta-data/instance-id", known)

    def median(action):
        times = []
        for _ in range(21):
            begin = time.monotonic()
            action()
            times.append(time.monotonic() - begin)
        return sorted(times)[10]

    plain = median(lambda: guest.get("/hello"))
    served = median(lambda: read(guest, "meta-data/instance-id", known))
    print(f"\na request to the application {1000 * plain:.2f} ms, one that asks for metadata besides {1000 * served:.2f} ms")
    assert served < plain + 0.1  # of a software CPU that others use too
