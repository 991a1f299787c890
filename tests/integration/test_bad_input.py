"""Wrong input of every kind: a clear error of the service's own, and nothing lost or left."""
import concurrent.futures
import contextlib
import io
import socket
import ssl
import time
import zipfile

import pytest
from botocore.exceptions import ClientError
from rig import BASE_ARN, ROLE_ARN

DOCKERFILE = b"FROM public.ecr.aws/lambda/microvms:al2023-minimal\nCMD [\"sleep\", \"1000\"]\n"


def archive(tmp_path, *entries):
    """A zip of (name, data, mode) entries."""
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, data)
    return path


def failed_build(doze, name, uri):
    """Build it; (code and reason on the build, reason of the version)."""
    arn = doze.image_arn(name)
    doze.create_image(name, uri)
    version = doze.wait_version(arn, "1.0")
    assert version["state"] == "FAILED"
    image = doze.api.get_microvm_image(imageIdentifier=arn)
    assert image["state"] == "CREATE_FAILED" and image["latestFailedImageVersion"] == "1.0"
    build = doze.api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0")["items"][0]
    assert build["buildState"] == "FAILED" if "buildState" in build else build["state"] == "FAILED"
    doze.api.delete_microvm_image(imageIdentifier=arn)
    return build.get("stateReason") or ""


@pytest.mark.parametrize("what, entries, reason", [
    ("no-dockerfile", [("app.py", b"x", 0o100644)], "ARCHIVE_DOCKERFILE_NOT_FOUND"),
    ("climbs", [("Dockerfile", DOCKERFILE, 0o100644), ("../out", b"x", 0o100644)], "ARCHIVE_INVALID"),
    ("absolute", [("Dockerfile", DOCKERFILE, 0o100644), ("/etc/out", b"x", 0o100644)], "ARCHIVE_INVALID"),
    ("below-a-link", [("Dockerfile", DOCKERFILE, 0o100644), ("out", b"/etc", 0o120777), ("out/x", b"x", 0o100644)], "ARCHIVE_INVALID"),
    ("device", [("Dockerfile", DOCKERFILE, 0o100644), ("dev", b"", 0o020644)], "ARCHIVE_INVALID"),
    ("bomb", [("Dockerfile", DOCKERFILE, 0o100644), ("zeros", bytes(300 << 20), 0o100644)], "ARCHIVE_INVALID"),
])
def test_a_hostile_archive_is_refused_by_name(doze, tmp_path, what, entries, reason):
    uri = doze.upload(archive(tmp_path, *entries), f"{what}.zip")
    assert reason in failed_build(doze, f"bad-{what}", uri)


def test_what_is_no_zip_is_refused(doze, tmp_path):
    (tmp_path / "app.zip").write_bytes(b"not a zip" * 100)
    assert "ARCHIVE_INVALID" in failed_build(doze, "bad-zip", doze.upload(tmp_path / "app.zip", "nozip.zip"))


@pytest.mark.parametrize("what, uri, reason", [("key", "s3://apps/missing.zip", "S3_NO_SUCH_KEY"),
                                               ("bucket", "s3://no-such-bucket/app.zip", "S3_NO_SUCH_BUCKET")])
def test_a_missing_object_is_named(doze, tmp_path, what, uri, reason):
    (tmp_path / "x").write_bytes(b"x")
    doze.upload(tmp_path / "x", "x")  # so that the bucket is there
    assert reason in failed_build(doze, f"bad-{what}", uri)


def dockerfile_image(doze, tmp_path, name, text, files=(), **members):
    uri = doze.upload(archive(tmp_path, ("Dockerfile", text.encode(), 0o100644), *files), f"{name}.zip")
    doze.create_image(name, uri, **members)
    return doze.wait_version(doze.image_arn(name), "1.0")


def test_a_failing_step_shows_in_the_log(doze, tmp_path):
    version = dockerfile_image(doze, tmp_path, "bad-step", "FROM public.ecr.aws/lambda/microvms:al2023-minimal\n"
                               "RUN echo before-it && false\n")
    assert version["state"] == "FAILED"
    assert "before-it" in doze.build_log("bad-step")


def test_an_application_that_ends_at_once_fails_the_build(doze, tmp_path):
    version = dockerfile_image(doze, tmp_path, "bad-exit", "FROM public.ecr.aws/lambda/microvms:al2023-minimal\n"
                               'CMD ["sh", "-c", "echo last-words; exit 3"]\n')
    assert version["state"] == "FAILED"
    assert "last-words" in doze.build_log("bad-exit")
    build = doze.api.list_microvm_image_builds(imageIdentifier=doze.image_arn("bad-exit"), imageVersion="1.0")["items"][0]
    assert "ended with exit code 3" in build["stateReason"] and build["stateReason"].endswith("last-words")


def test_an_unknown_base_fails_in_seconds_and_names_the_way_out(doze, tmp_path):
    begin = time.monotonic()
    version = dockerfile_image(doze, tmp_path, "bad-base", "FROM registry.invalid/nobody/nothing:1\nCMD [\"x\"]\n")
    assert version["state"] == "FAILED" and time.monotonic() - begin < 30
    assert "doze base import" in doze.build_log("bad-base")


# It fails in the way that its run is told of.
HOOK_SERVER = b"""
import http.server, json, time
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        name = self.path.rsplit('/', 1)[1]
        kind = json.loads(body)['runHookPayload'] if name == 'run' else None
        if name == 'run' and kind == 'never':
            time.sleep(1000)
        if name == 'run' and kind == 'garbage':
            self.wfile.write(b'\\0\\1\\2 this is no HTTP\\r\\n\\r\\n')
            self.close_connection = True
            return
        self.send_response(500 if name == 'run' and kind == '500' else 200)
        self.send_header('content-length', '0')
        self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', 9000), H).serve_forever()
"""


@pytest.fixture(name="hooked", scope="module")
def _hooked(doze, tmp_path_factory):
    version = dockerfile_image(
        doze, tmp_path_factory.mktemp("hooked"), "hooked",
        "FROM public.ecr.aws/lambda/microvms:al2023-minimal\nRUN dnf install -y python3\n"
        'COPY hooks.py /\nCMD ["python3", "/hooks.py"]\n', [("hooks.py", HOOK_SERVER, 0o100644)],
        hooks={"port": 9000, "microvmImageHooks": {"ready": "ENABLED"},
               "microvmHooks": {"run": "ENABLED", "runTimeoutInSeconds": 2}})
    assert version["state"] == "SUCCESSFUL", doze.build_log("hooked")
    return doze.image_arn("hooked")


@pytest.mark.parametrize("kind, reason", [("500", "Run lifecycle hook returned HTTP status 500"), ("never", "timed out after 2 seconds"),
                                          ("garbage", "Run lifecycle hook")])
def test_a_run_hook_that_fails_ends_the_microvm_with_the_reason(doze, microvms, hooked, kind, reason):
    vm = microvms(hooked, runHookPayload=kind)
    doze.wait_state(vm["microvmId"], "TERMINATED", 30)
    assert reason in doze.api.get_microvm(microvmIdentifier=vm["microvmId"])["stateReason"]


# The API.

@pytest.mark.parametrize("members, status, code, text", [
    ({}, 400, "ValidationException", "Malformed ARN - doesn't start with 'arn:'"),
    ({"imageIdentifier": "arn:aws:lambda:us-east-1:000000000000:microvm-image:nobody"}, 404, "ResourceNotFoundException",
     "No active version found for MicroVM image arn:aws:lambda:us-east-1:000000000000:microvm-image:nobody"),
])
def test_run_refuses_what_is_not_there(doze, members, status, code, text):
    with pytest.raises(ClientError) as caught:
        doze.api.run_microvm(**{"imageIdentifier": "nobody", **members})
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)
    assert text in answer["Error"]["Message"]


def test_all_violations_are_told_at_once(doze):
    from botocore.config import Config
    import boto3
    raw = boto3.client("lambda-microvms", region_name="us-east-1", endpoint_url=doze.environment["AWS_ENDPOINT_URL_LAMBDA_MICROVMS"],
                       verify=doze.environment["AWS_CA_BUNDLE"], config=Config(parameter_validation=False),
                       aws_access_key_id=doze.environment["AWS_ACCESS_KEY_ID"],
                       aws_secret_access_key=doze.environment["AWS_SECRET_ACCESS_KEY"])
    with pytest.raises(ClientError) as caught:
        raw.create_microvm_image(name="x")
    assert caught.value.response["Error"]["Message"].startswith("3 validation errors detected: Value null at 'baseImageArn'")


def test_a_key_of_the_callers_own_is_refused_not_ignored(doze):
    with pytest.raises(ClientError) as caught:
        doze.create_image("keyed", "s3://apps/app.zip", kmsKeyIdentifier="alias/mine")
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException" and "kmsKeyIdentifier" in error["Message"]


def test_a_wrong_secret_is_refused(doze):
    import boto3
    bad = boto3.client("lambda-microvms", region_name="us-east-1", endpoint_url=doze.environment["AWS_ENDPOINT_URL_LAMBDA_MICROVMS"],
                       verify=doze.environment["AWS_CA_BUNDLE"], aws_secret_access_key="wrong",
                       aws_access_key_id=doze.environment["AWS_ACCESS_KEY_ID"])
    with pytest.raises(ClientError) as caught:
        bad.list_microvms()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_s3_refuses_a_wrong_secret_and_names_what_is_missing(doze):
    import boto3
    bad = boto3.client("s3", region_name="us-east-1", endpoint_url=doze.environment["AWS_ENDPOINT_URL_S3"],
                       verify=doze.environment["AWS_CA_BUNDLE"], aws_secret_access_key="wrong",
                       aws_access_key_id=doze.environment["AWS_ACCESS_KEY_ID"])
    with pytest.raises(ClientError) as caught:
        bad.list_buckets()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    with pytest.raises(ClientError) as caught:
        doze.s3.get_object(Bucket="no-such-bucket", Key="x")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"


def test_an_image_name_is_taken_once(doze, images):
    _ = images["node-hello"]
    with pytest.raises(ClientError) as caught:
        doze.api.create_microvm_image(name="node-hello", codeArtifact={"uri": "s3://apps/x.zip"}, baseImageArn=BASE_ARN,
                                      buildRoleArn=ROLE_ARN)
    assert caught.value.response["Error"]["Message"] == \
        "A MicroVM image with the name 'node-hello' already exists in this account"


# The endpoint.

@pytest.fixture(scope="module")
def server(doze, images):
    vm = doze.api.run_microvm(imageIdentifier=images["counter"])
    doze.call(vm)
    yield vm
    doze.api.terminate_microvm(microvmIdentifier=vm["microvmId"])


def test_tokens_that_do_not_fit_are_denied_in_the_documented_words(doze, images, server, microvms):
    other = microvms(images["counter"])
    good = doze.token(server["microvmId"])
    missing, denied, port = b"Request missing authentication", b"Token authentication failed", b"Access to port denied"
    for token, wanted in ((None, missing), ("", missing), ("garbage", missing), (good[:-9], denied), (good[:40], missing),
                          (doze.token(other["microvmId"]), denied), (doze.token(server["microvmId"], 81), port)):
        status, headers, body = doze.request(server["endpoint"], "/state", token)
        assert (status, body) == (403, wanted) or (token and token != good and status == 403 and body in (missing, denied))
        assert headers["cache-control"] == "private, no-store"
    assert doze.request(server["endpoint"], "/state", good)[0] == 200


def test_an_unknown_host_and_a_bad_port_are_told(doze, server):
    unknown = "00000000-0000-4000-8000-000000000000" + server["endpoint"][36:]
    assert doze.request(unknown, "/", doze.token(server["microvmId"]))[::2] == (403, b"Token authentication failed")
    token = doze.token(server["microvmId"])
    assert doze.request(server["endpoint"], "/", token, port="nine")[0] == 400
    assert doze.request(server["endpoint"], "/", token, port=70000)[0] == 400


@pytest.fixture(scope="module", autouse=True)
def never_opened(doze, server):
    """The answer of a port that never opens, which is waited for as long as requests are held, beside the other tests."""
    def ask():
        return doze.request(server["endpoint"], "/", doze.token(server["microvmId"], 1234), 1234)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        yield pool.submit(ask)


def test_a_port_without_a_listener_is_an_empty_502(never_opened):
    status, headers, body = never_opened.result()
    assert (status, body) == (502, b"")
    assert "nothing has listened there since the microVM's start" in headers["x-doze-reason"]


def raw_answer(doze, endpoint, data, timeout=10):
    sock, _ = doze.open_endpoint(endpoint, timeout)
    with contextlib.closing(sock):
        sock.sendall(data)
        got = io.BytesIO()
        with contextlib.suppress(socket.timeout, ssl.SSLError, ConnectionError):
            while piece := sock.recv(65536):
                got.write(piece)
                if b"\r\n\r\n" in got.getvalue():
                    break
        return got.getvalue()


@pytest.mark.parametrize("shape", [
    "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "content-length: +5\r\n\r\nhello",
    "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "x-a: b\r\n folded\r\n\r\n",
    "x-a: b\n\r\n",
    "x a: b\r\n\r\n",
    "x-a: b\0c\r\n\r\n",
    "host: other\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
])
def test_smuggling_shapes_are_refused_and_reach_nobody(doze, server, shape):
    token = doze.token(server["microvmId"])
    before = doze.call(server, "/state", token=token)["n"]
    head = f"POST / HTTP/1.1\r\nhost: {server['endpoint']}\r\nx-aws-proxy-auth: {token}\r\n"
    answer = raw_answer(doze, server["endpoint"], (head + shape).encode("latin-1"))
    assert answer == b"" or answer.split()[1] in (b"400", b"501", b"502"), answer
    assert doze.call(server, "/state", token=token)["n"] == before


def test_ten_thousand_idle_connections_leave_room_for_a_request(doze, server):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(10000, hard - 500)
    host, _, port = server["endpoint"].partition(":")
    idle = []
    try:
        for i in range(n):  # several addresses: one has too few ports
            sock = socket.socket()
            sock.bind((f"127.0.1.{1 + i // 5000}", 0))
            sock.connect(("127.0.0.1", int(port or 443)))
            idle.append(sock)
        assert doze.call(server, "/state")["n"] >= 1, host
    finally:
        for sock in idle:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert doze.call(server, "/state")["n"] >= 1
