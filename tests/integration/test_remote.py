"""API, S3 and the command line from another machine: an address beside loopback stands for it."""
import os
import re
import subprocess
import time

import pytest

from rig import PREFIX

pytestmark = pytest.mark.daemon
ADDRESS = "127.0.0.77"
NAME = "server.example.org"


def pair(folder, domain, days):
    """An operator's certificate for this domain."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days), "-subj", f"/CN={domain}",
                    "-addext", f"subjectAltName=DNS:{domain}", "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    return folder / "cert"


class Laptop:
    """A user's home on another machine."""

    def __init__(self, home, server):
        self.home, self.server = home, server
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.url = f"https://{ADDRESS}:{server.api_port}"
        self.fingerprint = server.cli("ca", "fingerprint").stdout.strip()

    def doze(self, *words, **more):
        return subprocess.run([PREFIX / "bin/doze", *map(str, words)], env=self.environment, text=True, capture_output=True, check=False, timeout=60, **more)

    def login(self, *words, url=None):
        return self.doze("login", url or self.url, "--key", self.server.data / "client-credentials", *words)


@pytest.fixture
def laptop(tmp_path, doze):
    return Laptop(tmp_path, doze)


@pytest.fixture
def certificate(tmp_path, doze):
    """The operator's for NAME, which ends soon."""
    section = f"certificate {NAME}"
    doze.settings[section] = {"cert": pair(tmp_path, NAME, 20), "key": tmp_path / "key"}
    doze.write_config()
    doze.cli("reload")
    yield tmp_path / "cert"
    del doze.settings[section]
    doze.write_config()
    doze.cli("reload")


def test_a_server_is_reached_by_a_profile(laptop):
    done = laptop.login("--fingerprint", laptop.fingerprint)
    assert done.returncode == 0, done.stderr
    assert laptop.doze("--profile", "default", "ls").returncode == 0
    laptop.environment["DOZE_PROFILE"] = "default"
    listed = laptop.doze("profile", "ls").stdout
    assert ADDRESS in listed
    lines = laptop.doze("env").stdout
    assert f"AWS_ENDPOINT_URL_S3='https://{ADDRESS}:{laptop.server.s3_port}'" in lines
    assert laptop.doze("ca", "fingerprint").stdout.strip() == laptop.fingerprint
    assert laptop.doze("profile", "rm", "default").returncode == 0
    assert "there is no profile" in laptop.doze("ls").stderr


def test_the_official_client_works_with_what_a_profile_says(laptop):
    import boto3
    assert laptop.login("--fingerprint", laptop.fingerprint, "--profile", "lab").returncode == 0
    lines = laptop.doze("--profile", "lab", "env").stdout
    said = dict(re.findall(r"^export (\w+)='(.*)'$", lines, re.MULTILINE))
    for service, call in (("lambda-microvms", "list_microvms"), ("s3", "list_buckets")):
        variable = "AWS_ENDPOINT_URL_" + service.upper().replace("-", "_")
        client = boto3.client(service, endpoint_url=said[variable], verify=said["AWS_CA_BUNDLE"], region_name=said["AWS_REGION"],
                              aws_access_key_id=said["AWS_ACCESS_KEY_ID"], aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"])
        assert getattr(client, call)()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_ca_that_nobody_confirms_is_not_trusted(laptop):
    for words, said in ((("--fingerprint", "SHA256:00"), "is another one"), ((), "nobody is there to compare")):
        done = laptop.login(*words)
        assert done.returncode == 1
        assert said in done.stderr
    assert laptop.doze("profile", "ls").stdout.count("\n") == 1


def test_a_login_that_fails_leaves_the_profile_before_it(laptop, tmp_path):
    assert laptop.login("--fingerprint", laptop.fingerprint).returncode == 0
    wrong = tmp_path / "wrong"
    wrong.write_text("[default]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n")
    done = laptop.doze("login", laptop.url, "--fingerprint", laptop.fingerprint, "--key", wrong)
    assert done.returncode == 1
    assert "UnrecognizedClientException" in done.stderr
    assert laptop.doze("--profile", "default", "ls").returncode == 0


def test_a_name_that_the_certificate_has_not_is_explained(laptop):
    done = laptop.login("--fingerprint", laptop.fingerprint, url=f"https://127.0.0.78:{laptop.server.api_port}")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr  # nothing listens there
    done = laptop.login("--fingerprint", laptop.fingerprint, url=f"https://localhost.localdomain:{laptop.server.api_port}")
    assert done.returncode == 1
    assert "api_name" in done.stderr or "cannot be reached" in done.stderr


def test_commands_of_the_daemon_are_refused_with_a_profile(laptop):
    assert laptop.login("--fingerprint", laptop.fingerprint).returncode == 0
    done = laptop.doze("--profile", "default", "down")
    assert done.returncode == 1
    assert "on the server itself" in done.stderr


def served(server, port, name):
    done = subprocess.run(["openssl", "s_client", "-connect", f"{ADDRESS}:{port}", "-servername", name], input="", capture_output=True, text=True,
                          check=False, timeout=30)
    return re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.DOTALL).group(0)


def wait_served(server, port, expected):
    deadline = time.monotonic() + 30
    while served(server, port, NAME) != expected:
        assert time.monotonic() < deadline


def test_the_operators_certificate_serves_its_name_alone_and_is_reloaded(doze, certificate):
    mine = certificate.read_text().strip()
    for port in (doze.api_port, doze.s3_port):
        wait_served(doze, port, mine)
        assert served(doze, port, "localhost") != mine
    assert re.search(f"a certificate expires soon domain={NAME} days=(19|20)", (doze.log / "dozed.log").read_text())
    pair(certificate.parent, NAME, 400)
    doze.cli("reload")
    for port in (doze.api_port, doze.s3_port):
        wait_served(doze, port, certificate.read_text().strip())
