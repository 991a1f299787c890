"""Accounts and keys as their people use them: the command line, the AWS tools, S3."""
import io
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rig import wait_for

TENANT = "222222222222"


def pair(text):
    """As `doze key create` prints it."""
    lines = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    return lines["aws_access_key_id"], lines["aws_secret_access_key"]


def client(doze, service, key, token=None):
    return boto3.client(service, region_name=doze.environment["AWS_REGION"], verify=doze.environment["AWS_CA_BUNDLE"],
                        endpoint_url=doze.environment["AWS_ENDPOINT_URL_" + {"s3": "S3", "sts": "STS"}.get(service, "LAMBDA_MICROVMS")],
                        aws_access_key_id=key[0], aws_secret_access_key=key[1], aws_session_token=token,
                        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


def refused(call, code):
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == code, error.value


def test_an_account_and_its_keys_work_with_the_command_line_and_s3(doze, tmp_path):
    (tmp_path / "ci.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::tenant-apps/*"},
        {"Sid": "Lists", "Effect": "Allow", "Action": "lambda:List*", "Resource": "*"}]}))
    (tmp_path / "bad.json").write_text('{"Version": "2012-10-17",\n "Statement": {"Effect": "Maybe"}}')
    doze.cli("account", "create", "tenant", "--id", TENANT)
    assert TENANT in doze.cli("account", "ls").stdout
    admin = pair(doze.cli("key", "create", "admin", "--account", TENANT).stdout)
    ci = pair(doze.cli("key", "create", "ci", "--policy", str(tmp_path / "ci.json"), "--account", TENANT, "--expires", "1h").stdout)
    bad = doze.cli("key", "create", "bad", "--policy", str(tmp_path / "bad.json"), check=False)
    assert bad.returncode == 1 and 'line 2: an Effect is "Allow" or "Deny"' in bad.stderr
    s3, mine = client(doze, "s3", admin), client(doze, "s3", ci)
    wait_for("the S3 endpoint knows the keys", lambda: s3.list_buckets()["Buckets"] == [])
    s3.create_bucket(Bucket="tenant-apps")
    mine.put_object(Bucket="tenant-apps", Key="a", Body=io.BytesIO(b"bytes"))
    assert mine.get_object(Bucket="tenant-apps", Key="a")["Body"].read() == b"bytes"
    refused(lambda: mine.list_objects_v2(Bucket="tenant-apps"), "AccessDenied")
    doze.upload(tmp_path / "ci.json", "accounts/ci.json")  # to a bucket of the server's own account
    refused(lambda: s3.get_object(Bucket="apps", Key="accounts/ci.json"), "AccessDenied")
    refused(lambda: doze.s3.get_object(Bucket="tenant-apps", Key="a"), "AccessDenied")
    api = client(doze, "lambda-microvms", ci)
    assert api.list_microvm_images()["items"] == []
    refused(lambda: api.get_microvm_image(imageIdentifier=doze.image_arn("none").replace(doze.image_arn("none").split(":")[4], TENANT)),
            "AccessDeniedException")
    said = doze.cli("key", "explain", "ci", "lambda:ListMicrovms", "--account", TENANT)
    assert said.stdout == "allowed by statement 2 (Lists)\n"
    assert doze.cli("key", "explain", "ci", "lambda:RunMicrovm", "--account", TENANT, check=False).returncode == 1
    session = client(doze, "sts", admin).get_session_token()["Credentials"]
    short = client(doze, "s3", (session["AccessKeyId"], session["SecretAccessKey"]), session["SessionToken"])
    wait_for("the session is known there", lambda: short.list_buckets()["Buckets"][0]["Name"] == "tenant-apps")
    next_pair = pair(doze.cli("key", "rotate", "ci", "--overlap", "0", "--account", TENANT).stdout)
    refused(api.list_microvms, "ExpiredTokenException")
    assert client(doze, "lambda-microvms", next_pair).list_microvms()["items"] == []
    doze.cli("key", "rm", "ci", "--account", TENANT)
    refused(client(doze, "lambda-microvms", next_pair).list_microvms, "UnrecognizedClientException")
    s3.delete_object(Bucket="tenant-apps", Key="a")
    s3.delete_bucket(Bucket="tenant-apps")
    doze.cli("account", "rm", TENANT)
    refused(client(doze, "lambda-microvms", admin).list_microvms, "UnrecognizedClientException")


def test_what_a_build_of_another_account_names_it_cannot_have(doze, tmp_path):
    doze.cli("account", "create", "thief", "--id", "333333333333")
    thief = pair(doze.cli("key", "create", "thief", "--account", "333333333333").stdout)
    (tmp_path / "app.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    uri = doze.upload(tmp_path / "app.zip", "accounts/app.zip")
    api = client(doze, "lambda-microvms", thief)
    account = "333333333333"
    made = api.create_microvm_image(
        name="stolen", baseImageArn=f"arn:aws:lambda:{doze.environment['AWS_REGION']}:aws:microvm-image:al2023-1",
        buildRoleArn=f"arn:aws:iam::{account}:role/build", codeArtifact={"uri": uri or "s3://apps/accounts/app.zip"})
    arn = made["imageArn"]
    wait_for("the build has ended", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATE_FAILED", seconds=120)
    version = api.get_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    assert version["stateReason"].startswith("S3_ACCESS_DENIED"), version["stateReason"]
    api.delete_microvm_image(imageIdentifier=arn)
    wait_for("it is gone", lambda: not api.list_microvm_images()["items"])
    doze.cli("account", "rm", account)
