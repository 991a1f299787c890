"""`doze token` and CreateMicrovmCertificate: certificates that carry a token, against the control role and a stand-in for its API."""
import http.server
import json
import ssl
import stat
import subprocess
import threading

import pytest

from control_rig import ALONE, Control, wait_for
from signed import Refused
from test_curl import Handler
from test_down import DOZE, ID, INSTANCE, _daemon_lives, places  # noqa: F401  pylint: disable=unused-import

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

PORTS = [{"port": 5432}]


def openssl(*words, **more):
    return subprocess.run(["openssl", *words], capture_output=True, text=True, **more)


@pytest.fixture(scope="module", name="control")
def _control():
    rig = Control(machines=True)
    yield rig
    rig.close()


@pytest.fixture(scope="module", name="image")
def _image(control):
    arn = control.api.call("POST", "/2025-09-09/microvm-images", {
        "name": "certified", "baseImageArn": "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
        "buildRoleArn": "arn:aws:iam::000000000000:role/build", "codeArtifact": {"uri": "s3://apps/app.zip"}})["imageArn"]
    control.image.finish_next(0)
    wait_for("the image is CREATED",
             lambda: control.api.call("GET", f"/2025-09-09/microvm-images/{arn.replace(':', '%3A')}")["state"] == "CREATED")
    return arn


@pytest.fixture(name="microvm")
def _microvm(control, image):
    return control.api.call("POST", "/2025-09-09/microvms", {"imageIdentifier": image})["microvmId"]


@pytest.fixture(scope="module", name="public")
def _public(tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "key"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key, check=True)
    return openssl("pkey", "-in", key, "-pubout", check=True).stdout


def certify(control, microvm, public, minutes=60, ports=None):
    return control.api.call("POST", f"/doze/v1/microvms/{microvm}/certificate",
                            {"publicKey": public, "expirationInMinutes": minutes, "allowedPorts": ports or PORTS})["certificate"]


def test_a_certificate_is_signed_for_a_client_and_its_key(control, microvm, public, tmp_path):
    made = tmp_path / "made.crt"
    made.write_text(certify(control, microvm, public, 5))
    assert openssl("verify", "-purpose", "sslclient", "-CAfile", control.client_ca, made).returncode == 0
    assert openssl("verify", "-purpose", "sslserver", "-CAfile", control.client_ca, made).returncode != 0
    assert openssl("x509", "-in", made, "-noout", "-pubkey").stdout == public
    assert microvm in openssl("x509", "-in", made, "-noout", "-subject").stdout
    assert openssl("x509", "-in", made, "-noout", "-checkend", "240").returncode == 0
    assert openssl("x509", "-in", made, "-noout", "-checkend", "310").returncode == 1


@pytest.mark.parametrize("more, text", [
    ({"public": "x"}, "public key"), ({"public": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}, "public key"),
    ({"minutes": 61}, "exceeded max allowed of 60"), ({"minutes": 0}, "expirationInMinutes"),
    ({"ports": [{"range": {"startPort": 9, "endPort": 8}}]}, "startPort"), ({"ports": [{"port": 65536}]}, "port")])
def test_what_a_token_may_not_be_a_certificate_may_not_be_either(control, microvm, public, more, text):
    with pytest.raises(Refused) as refused:
        certify(control, microvm, **{"public": public, **more})
    assert (refused.value.status, text in str(refused.value)) == (400, True)


def test_a_microvm_that_has_ended_or_is_not_there_gets_none(control, microvm, public):
    control.api.call("DELETE", f"/2025-09-09/microvms/{microvm}")
    for vm, status in ((microvm, 409), ("microvm-" + "0" * 36, 404)):
        with pytest.raises(Refused) as refused:
            certify(control, vm, public)
        assert refused.value.status == status


class Api(Handler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        answer = {"certificate": "SIGNED\n"} if self.path.endswith("/certificate") else {"authToken": {"X-aws-proxy-auth": "token"}}
        self.answer(200, json.dumps(answer).encode())


@pytest.fixture(name="server")
def _server(places):  # noqa: F811
    home, _, port = places
    it = http.server.ThreadingHTTPServer(("127.0.0.1", port), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "both.pem")
    it.socket = context.wrap_socket(it.socket, server_side=True)
    it.vm, it.asked = {"state": "RUNNING"}, []
    threading.Thread(target=it.serve_forever, args=(0.05,), daemon=True).start()
    yield it
    it.shutdown()
    it.server_close()


def token(*words, cwd=None):
    return subprocess.run([DOZE, "--instance", INSTANCE, "token", *words], text=True, check=False, timeout=60, capture_output=True,
                          cwd=cwd)


def test_the_command_prints_a_token_for_the_ports_that_are_given(server):
    done = token("a99")
    assert (done.returncode, done.stdout) == (0, "token\n")
    assert token("a99", "--ports", "5432,8000-8010", "--expires", "5").returncode == 0
    assert [body for _, body in server.asked] == [
        {"expirationInMinutes": 60, "allowedPorts": [{"allPorts": {}}]},
        {"expirationInMinutes": 5, "allowedPorts": [{"range": {"startPort": 5432, "endPort": 5432}},
                                                    {"range": {"startPort": 8000, "endPort": 8010}}]}]


def test_the_command_writes_a_certificate_and_its_key_for_its_user_alone(server, tmp_path):
    done = token("--cert", "a99", "--ports", "5432", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    key, certificate = tmp_path / f"{ID}.key", tmp_path / f"{ID}.crt"
    assert certificate.read_text() == "SIGNED\n"
    for file in (key, certificate):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    path, body = server.asked[0]
    assert path == f"/doze/v1/microvms/{ID}/certificate"
    assert openssl("pkey", "-in", key, "-pubout").stdout == body["publicKey"]
    assert "PRIVATE" not in json.dumps(body)
    said = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert (said["host"], said["key"]) == ("PORT-127.0.0.1", f"{ID}.key")
    before = key.read_text()
    assert token("--cert", "a99", "--out", tmp_path / "sub", cwd=tmp_path).returncode == 0
    assert token("--cert", "a99", cwd=tmp_path).returncode == 0
    assert (tmp_path / "sub.key").exists() and key.read_text() != before


@pytest.mark.parametrize("words, text", [
    (("a99", "--ports", "0"), "no ports"), (("a99", "--ports", "9-8"), "no ports"), (("a99", "--expires", "61"), "--expires"),
    (("a99", "--out", "x"), "--cert"), (("a99", "--cert", "--out", "/nowhere/at/all"), "/nowhere/at")])
def test_the_command_says_what_is_wrong(server, words, text):
    done = token(*words)
    assert done.returncode and text in done.stderr
    assert not [path for path, _ in server.asked if path.endswith("auth-token")]
