"""The S3 role as boto3 sees it: what it signs by its defaults, and what it asks about a bucket."""
import http.client
import os
import pathlib
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

from rig import ROOT, wait_for

SERVER = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build-check/gcc")) / "tests/unit/objects/test_objects_serve"
KEY, SECRET = "AKIDCLIENT", "secret"

if not SERVER.exists():
    pytest.skip(f"{SERVER} is not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


def certificate(scratch):
    """Key and certificate in one file, and the certificate for who checks it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", scratch / "key", "-out",
                    scratch / "crt"], check=True, capture_output=True)
    (scratch / "pem").write_text((scratch / "key").read_text() + (scratch / "crt").read_text())
    return scratch / "pem", str(scratch / "crt")


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("s3")
    pem, ca = certificate(scratch)
    (scratch / "credentials").write_text(f"[a]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([SERVER, str(port), scratch / "data", pem, scratch / "credentials"], stderr=subprocess.DEVNULL) as role:

        def client(region="us-east-1", **config):
            return boto3.client("s3", region_name=region, endpoint_url=f"https://127.0.0.1:{port}", verify=ca,
                                aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                                config=botocore.config.Config(retries={"max_attempts": 1}, **config))

        def serves():
            try:
                return client().list_buckets()
            except botocore.exceptions.EndpointConnectionError:
                return None

        wait_for("the role serves", serves)
        client().create_bucket(Bucket="apps")
        client.ca = ca
        yield client
        role.kill()


def fetch(client, url, method="GET", body=None, **headers):
    request = urllib.request.Request(url, body, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=client.ca), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_reads_and_writes_in_either_version(client, version):
    s3 = client(signature_version=version)
    put = s3.generate_presigned_url("put_object", {"Bucket": "apps", "Key": f"a b+{version}.txt", "ContentType": "text/x"})
    assert ("AWSAccessKeyId" in put) == (version == "s3")
    assert fetch(client, put, "PUT", b"hello", content_type="text/x")[0] == 200
    get = s3.generate_presigned_url("get_object", {"Bucket": "apps", "Key": f"a b+{version}.txt",
                                                   "ResponseContentDisposition": 'attachment; filename="x"'})
    assert fetch(client, get) == (200, b"hello")
    status, why = fetch(client, get.replace("apps", "appz"))
    assert (status, b"SignatureDoesNotMatch" in why) == (403, True)


def test_a_presigned_url_by_the_defaults_of_boto3_works(client):
    client().put_object(Bucket="apps", Key="by-default", Body=b"x")
    assert fetch(client, client().generate_presigned_url("get_object", {"Bucket": "apps", "Key": "by-default"})) == (200, b"x")


def test_a_signature_for_another_region_is_refused_and_names_ours(client):
    url = client("eu-west-1", signature_version="s3v4").generate_presigned_url("list_objects_v2", {"Bucket": "apps"})
    status, why = fetch(client, url)
    assert status == 403 and b"<Region>us-east-1</Region>" in why and b"'eu-west-1' is wrong" in why


def test_a_bucket_and_its_objects_have_an_owner_and_no_tags(client):
    s3 = client()
    s3.put_object(Bucket="apps", Key="owned", Body=b"")
    for acl in (s3.get_bucket_acl(Bucket="apps"), s3.get_object_acl(Bucket="apps", Key="owned")):
        assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"]
        assert acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
    assert s3.get_object_tagging(Bucket="apps", Key="owned")["TagSet"] == []
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket="apps")
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchKey"):
        s3.get_object_tagging(Bucket="apps", Key="absent")
    with pytest.raises(botocore.exceptions.ClientError, match="NotImplemented"):
        s3.put_object_tagging(Bucket="apps", Key="owned", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})


def form_of(fields, data, name="pic.txt"):
    """A browser's body for a form with a file, and its Content-Type."""
    parts = [f'--XyZ\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    parts.append(f'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode() + data + b"\r\n")
    return b"".join(parts) + b'--XyZ\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n--XyZ--\r\n'


def post(client, url, fields, data, **more):
    return fetch(client, url, "POST", form_of(fields, data, **more), content_type="multipart/form-data; boundary=XyZ")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_form_puts_a_file_where_its_policy_allows_it(client, version):
    s3 = client(signature_version=version)
    fields = {"Content-Type": "text/x", "x-amz-meta-by": "form", "success_action_status": "201"}
    made = s3.generate_presigned_post("apps", f"up-{version}/${{filename}}", Fields=fields, ExpiresIn=60, Conditions=[
        {"x-amz-meta-by": "form"}, ["starts-with", "$Content-Type", "text/"], {"success_action_status": "201"}, ["content-length-range", 3, 200000]])
    assert made["url"].endswith("/apps") and ("AWSAccessKeyId" in made["fields"]) == (version == "s3")
    data = b"\r\n--Xy" + os.urandom(150000) + b"\r\n--XyY\r\n"  # with what looks like a delimiter
    status, answer = post(client, made["url"], made["fields"], data)
    assert status == 201 and f"<Key>up-{version}/pic.txt</Key>".encode() in answer, answer
    s3 = client()
    found = s3.get_object(Bucket="apps", Key=f"up-{version}/pic.txt")
    assert found["Body"].read() == data and found["ContentType"] == "text/x" and found["Metadata"] == {"by": "form"}
    refused = {
        "a short file": ({}, b"ab", {}, 400, b"EntityTooSmall"),
        "a long file": ({}, bytes(200001), {}, 400, b"EntityTooLarge"),
        "another key": ({"key": "elsewhere/x"}, b"abc", {}, 403, b"Policy Condition failed"),
        "another type": ({"Content-Type": "image/png"}, b"abc", {}, 403, b"Policy Condition failed"),
        "one field more": ({"x-amz-meta-more": "1"}, b"abc", {}, 403, b"Extra input fields: x-amz-meta-more"),
        "another policy": ({"policy": made["fields"]["policy"].replace("e", "f", 1)}, b"abc", {}, 403, b"SignatureDoesNotMatch"),
        "no policy": ({"policy": ""}, b"abc", {}, 403, b"AccessDenied"),
        "a file's name that leads out": ({}, b"abc", {"name": "x" * 1100}, 400, b"InvalidArgument"),
    }
    for why, (changed, body, more, status, code) in refused.items():
        got = post(client, made["url"], {**made["fields"], **changed}, body, **more)
        assert got[0] == status and code in got[1], (why, got)
    assert s3.list_objects_v2(Bucket="apps", Prefix=f"up-{version}/")["KeyCount"] == 1
    assert "Contents" not in s3.list_objects_v2(Bucket="apps", Prefix="elsewhere/")


def test_a_form_by_the_defaults_of_boto3_works_and_ends_with_its_time(client):
    made = client().generate_presigned_post("apps", "by-form")
    assert post(client, made["url"], made["fields"], b"x")[0] == 204
    assert client().get_object(Bucket="apps", Key="by-form")["Body"].read() == b"x"
    late = client().generate_presigned_post("apps", "by-form", ExpiresIn=-5)
    assert b"Policy expired" in post(client, late["url"], late["fields"], b"y")[1]
    other = client().generate_presigned_post("absent", "by-form")
    assert b"NoSuchBucket" in post(client, other["url"], other["fields"], b"y")[1]
    assert b"Policy Condition failed" in post(client, made["url"].replace("apps", "absent"), made["fields"], b"y")[1]
    moved = client().generate_presigned_post("apps", "by-form", Fields={"success_action_redirect": "https://a.example/x?y=1"},
                                             Conditions=[{"success_action_redirect": "https://a.example/x?y=1"}])
    body = form_of(moved["fields"], b"z")
    connection = http.client.HTTPSConnection(made["url"].split("/")[2], context=ssl.create_default_context(cafile=client.ca))
    connection.request("POST", "/apps", body, {"Content-Type": 'multipart/form-data; boundary="XyZ"'})
    answer = connection.getresponse()
    assert answer.status == 303 and answer.headers["Location"].startswith("https://a.example/x?y=1&bucket=apps&key=by-form&etag=%22")
    connection.close()


@pytest.mark.parametrize("body", [b"", b"--XyZ--\r\n", b"junk", b"--XyZ\r\n\r\nx\r\n--XyZ--", b"--XyZ\r\n" + b"a" * 5000, form_of({}, b"x")[:-80]])
def test_a_form_that_is_none_is_refused(client, body):
    url = client().generate_presigned_post("apps", "x")["url"]
    status, why = fetch(client, url, "POST", body, content_type="multipart/form-data; boundary=XyZ")
    assert status in (400, 403) and (b"MalformedPOSTRequest" in why or b"AccessDenied" in why), why
