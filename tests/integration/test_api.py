"""The API of the control role through botocore and by hand; see control_rig.py."""
import concurrent.futures
import http.client
import io
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

import pytest

boto3 = pytest.importorskip("boto3")
import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

from control_rig import ACCOUNT, ALONE, KEY, REGION, SECRET, Control, wait_for  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

BASE = f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/build"
CONNECTOR = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
BUILD = dict(baseImageArn=BASE, buildRoleArn=ROLE, codeArtifact={"uri": "s3://apps/app.zip"})
READY = {"port": 9000, "microvmImageHooks": {"ready": "ENABLED"}, "microvmHooks": {"run": "ENABLED"}}


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(scope="module")
def control():
    rig = Control()
    yield rig
    rig.stop()


@pytest.fixture(scope="module")
def api(control):
    return control.client()


def arn_of(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:microvm-image:{name}"


def make_image(control, api, name, **more):
    seen = len(control.image.started)
    made = api.create_microvm_image(name=name, **{**BUILD, **more})
    build = control.image.finish_next(seen)
    wait_for(f"{name} is CREATED", lambda: api.get_microvm_image(
        imageIdentifier=made["imageArn"])["state"] == "CREATED")
    return made["imageArn"], build


def raw(control, method, target, body=b"", headers=(), sign=True, service="lambda", secret=SECRET, region=REGION):
    request = botocore.awsrequest.AWSRequest(method, control.url + target, data=body,
                                             headers=dict(headers))
    if sign:
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, secret), service,
                                region).add_auth(request)
    conn = http.client.HTTPConnection("127.0.0.1", control.port, timeout=20)
    conn.request(method, target, body, dict(request.headers.items()))
    answer = conn.getresponse()
    data = answer.read()
    conn.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data


def refused(call, code, status, text):
    with pytest.raises(ClientError) as error:
        call()
    answer = error.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert answer["Error"]["Message"].startswith(text), answer["Error"]["Message"]
    return answer


def test_an_image_is_created_built_and_shown(control, api):
    seen = len(control.image.started)
    made = api.create_microvm_image(name="hello", **BUILD, tags={"a": "b"}, description="d",
                                    environmentVariables={"KEY": "value"}, hooks=READY)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["state"], made["imageVersion"], made["name"]) == ("CREATING", "1.0", "hello")
    assert made["imageArn"] == arn_of("hello")
    assert made["baseImageVersion"] == "1.0"
    assert made["resources"] == [{"minimumMemoryInMiB": 2048}]
    assert made["egressNetworkConnectors"] == [CONNECTOR + "INTERNET_EGRESS"]
    assert made["tags"] == {"a": "b"}
    arn = made["imageArn"]

    build = wait_for("a build begins", lambda: control.image.started[seen:])[0]
    spec = control.image.specs[build]
    assert (spec["bucket"], spec["key"], spec["name"], spec["version"]) == ("apps", "app.zip", "hello", 1)
    assert spec["environment"] == {"KEY": "value"} and spec["memoryMib"] == 2048
    assert spec["hooks"]["port"] == 9000
    assert spec["hooks"]["ready"] == {"enabled": True, "timeoutMs": 60000}
    assert spec["hooks"]["run"] == {"enabled": True, "timeoutMs": 1000}
    assert spec["hooks"]["suspend"]["enabled"] is False
    version = api.get_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    assert (version["state"], version["status"]) == ("IN_PROGRESS", "INACTIVE")

    control.image.finish(build)
    wait_for("it is CREATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATED")
    image = api.get_microvm_image(imageIdentifier=arn)
    assert image["latestActiveImageVersion"] == "1.0" and image["tags"] == {"a": "b"}
    assert abs(image["createdAt"].timestamp() - time.time()) < 60
    version = api.get_microvm_image_version(imageIdentifier=arn, imageVersion="1")
    assert (version["state"], version["status"]) == ("SUCCESSFUL", "ACTIVE")
    assert version["environmentVariables"] == {"KEY": "value"}
    builds = api.list_microvm_image_builds(imageIdentifier=arn, imageVersion="1.0")["items"]
    assert [b["buildId"] for b in builds] == [build]
    assert builds[0]["architecture"] in ("X86_64", "ARM_64")
    detail = api.get_microvm_image_build(imageIdentifier=arn, imageVersion="1.0", buildId=build)
    assert detail["snapshotBuild"]["memorySnapshotSizeInBytes"] == 300 << 20
    assert [i["name"] for i in api.list_microvm_images(nameFilter="ell")["items"]] == ["hello"]
    assert [v["imageVersion"] for v in api.list_microvm_image_versions(imageIdentifier=arn)["items"]] == ["1.0"]


def test_absent_members_are_null_on_the_wire(control, api):
    make_image(control, api, "nulls")
    status, headers, data = raw(control, "GET", f"/2025-09-09/microvm-images/{arn_of('nulls')}/versions/1.0")
    body = json.loads(data)
    assert status == 200 and headers["content-type"] == "application/json"
    assert headers["x-amzn-requestid"]
    for member in ("hooks", "logging", "description", "cpuConfigurations", "stateReason", "tags",
                   "environmentVariables", "additionalOsCapabilities"):
        assert body[member] is None, member
    for member in ("buildPhaseOverrides", "roleConfiguration", "kmsKeyIdentifier"):
        assert member not in body
    assert body["versionStateTimeBucket"].startswith("SUCCESSFUL#2")
    body = json.loads(raw(control, "GET", "/2025-09-09/microvms")[2])
    assert body["nextToken"] is None
    body = json.loads(raw(control, "GET", f"/2025-09-09/microvm-images/{arn_of('nulls')}")[2])
    assert set(body) == {"createdAt", "id", "imageArn", "latestActiveImageVersion", "latestFailedImageVersion",
                         "name", "state", "tags", "updatedAt"}
    assert body["tags"] == {}


def test_a_failed_build_says_why_everywhere(control, api):
    seen = len(control.image.started)
    arn = api.create_microvm_image(name="broken", **BUILD)["imageArn"]
    build = control.image.finish_next(seen, ok=0, code=b"CONTAINER_BUILD_FAILED", memory_bytes=0,
                                      code_bytes=0, disk_bytes=0,
                                      reason=b"The container image build failed.")
    wait_for("it failed", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATE_FAILED")
    assert api.get_microvm_image(imageIdentifier=arn)["latestFailedImageVersion"] == "1.0"
    detail = api.get_microvm_image_build(imageIdentifier=arn, imageVersion="1.0", buildId=build)
    assert (detail["buildState"], detail["stateReason"]) == ("FAILED", "The container image build failed.")
    assert "snapshotBuild" not in detail
    version = api.get_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    assert (version["state"], version["stateReason"]) == ("FAILED", "The container image build failed.")
    refused(lambda: api.run_microvm(imageIdentifier=arn), "ResourceNotFoundException", 404,
            f"No active version found for MicroVM image {arn}")
    seen = len(control.image.started)
    assert api.update_microvm_image(imageIdentifier=arn, **BUILD)["state"] == "UPDATING"
    control.image.finish_next(seen)
    wait_for("it is UPDATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATED")
    assert api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "2.0"
    api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    wait_for("it is gone", lambda: "latestFailedImageVersion" not in api.get_microvm_image(imageIdentifier=arn))


def test_the_codes_of_the_guide_stand_before_our_sentence(control, api):
    seen = len(control.image.started)
    arn = api.create_microvm_image(name="nokey", **BUILD)["imageArn"]
    control.image.finish_next(seen, ok=0, code=b"S3_NO_SUCH_KEY", reason=b"It does not exist.")
    wait_for("it failed", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATE_FAILED")
    version = api.get_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    assert version["stateReason"] == "S3_NO_SUCH_KEY: It does not exist."


def test_rules_beyond_the_model_have_the_services_sentences(control, api):
    arn, _ = make_image(control, api, "rules")

    def create(name="r2", **more):
        return lambda: api.create_microvm_image(name=name, **{**BUILD, **more})

    for call, text in (
        (create(name="rules"), "A MicroVM image with the name 'rules' already exists in this account"),
        (create(codeArtifact={"uri": "https://x/y"}), "CodeArtifact URI must be a valid S3 URI in the format: s3://<bucket>/<key>"),
        (create(resources=[{"minimumMemoryInMiB": 600}]), "The requested memory size of 600 MiB is not supported by base"),
        (create(baseImageVersion="999"), f"No managed MicroVM Image with arn {BASE} and version 999 is available"),
        (create(baseImageVersion="1.0"), f"No managed MicroVM Image with arn {BASE} and version 1.0"),
        (create(baseImageArn="al2023-1"), "Invalid ARN format: al2023-1"),
        (create(hooks={"port": 1, "microvmHooks": {"run": "ENABLED"}}), "The ready (/ready) MicroVM image hook must be"),
        (create(hooks={"microvmImageHooks": {"ready": "ENABLED"}}), "The hooks port must be"),
        (create(environmentVariables={"AWS_REGION": "x"}), "The environment variables"),
        (create(egressNetworkConnectors=["x"]), "Malformed network connector ARN"),
        (create(egressNetworkConnectors=[CONNECTOR + "NO_EGRESS"]), "Unrecognized managed network connector ARN"),
        (lambda: api.get_microvm_image(imageIdentifier="rules"), "Invalid ARN format: rules"),
        (lambda: api.run_microvm(imageIdentifier="rules"), "Malformed ARN - doesn't start with 'arn:'"),
        (lambda: api.run_microvm(imageIdentifier=arn, runHookPayload="x"), "The run hook must be enabled in the MicroVM image to pass the run hook payload"),
        (lambda: api.run_microvm(imageIdentifier=arn, logging={"cloudWatch": {}}), "Logging cannot be enabled without providing executionRoleArn"),
        (lambda: api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0"), "This is the last version. Please delete the entire image"),
        (lambda: api.list_microvms(nextToken="x"), "The nextToken is not valid."),
    ):
        refused(call, "ValidationException", 400, text)
    for call, text in (
        (lambda: api.get_microvm_image(imageIdentifier=arn_of("no")), f"MicroVMImage not found for MicroVMImageID: {arn_of('no')}"),
        (lambda: api.get_microvm_image_version(imageIdentifier=arn, imageVersion="7.0"), f"MicroVMImage not found for MicroVMImage: {arn}, Version: 7.0"),
        (lambda: api.run_microvm(imageIdentifier=arn_of("no")), f"No active version found for MicroVM image {arn_of('no')}"),
        (lambda: api.run_microvm(imageIdentifier=arn, imageVersion="3.0"), f"No active version found for MicroVM image {arn} and version 3.0"),
        (lambda: api.get_microvm(microvmIdentifier="microvm-x"), "MicroVM not found: microvm-x"),
        (lambda: api.list_tags(Resource=arn_of("no")), "MicroVMImage not found for MicroVMImageID"),
    ):
        refused(call, "ResourceNotFoundException", 404, text)
    refused(lambda: api.get_microvm_image(imageIdentifier=arn.replace("image:rules", "image/rules")),
            "AccessDeniedException", 403, "User: arn:aws:iam::000000000000:user/default is not authorized to perform: "
            f"lambda:GetMicrovmImage on resource: {arn.replace('image:rules', 'image/rules')} because no "
            "resource-based policy allows the lambda:GetMicrovmImage action")


def test_an_update_makes_a_version_and_locks_the_image(control, api):
    arn, _ = make_image(control, api, "update")
    seen = len(control.image.started)
    made = api.update_microvm_image(imageIdentifier=arn, **BUILD, resources=[{"minimumMemoryInMiB": 512}])
    assert (made["imageVersion"], made["latestActiveImageVersion"]) == ("2.0", "1.0")
    assert "tags" not in made
    refused(lambda: api.update_microvm_image_version(imageIdentifier=arn, imageVersion="1.0", status="INACTIVE"),
            "ConflictException", 409, "MicroVM Image is already in state: UPDATING")
    refused(lambda: api.delete_microvm_image(imageIdentifier=arn), "ValidationException", 400,
            f"Cannot delete MicroVM image in its current state: {arn}")
    refused(lambda: api.update_microvm_image(imageIdentifier=arn, **BUILD), "ValidationException", 400,
            f"Cannot update MicroVM Image in its current state: {arn}")
    control.image.finish_next(seen)
    wait_for("it is UPDATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATED")
    record = api.update_microvm_image_version(imageIdentifier=arn, imageVersion="2.0", status="INACTIVE")
    assert (record["status"], record["resources"]) == ("INACTIVE", [{"minimumMemoryInMiB": 512}])
    assert api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "1.0"

    answer = api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    assert (answer["state"], answer["imageVersion"]) == ("DELETING", "1.0")
    wait_for("it is gone", lambda: [v["imageVersion"] for v in api.list_microvm_image_versions(
        imageIdentifier=arn)["items"]] == ["2.0"])
    answer = api.delete_microvm_image(imageIdentifier=arn)
    assert (answer["state"], answer["imageIdentifier"]) == ("DELETING", arn)
    wait_for("the image is gone", lambda: arn not in [i["imageArn"] for i in api.list_microvm_images()["items"]])


def test_what_is_deleted_already_may_be_deleted_again(control, api):
    arn, _ = make_image(control, api, "twice")
    seen = len(control.image.started)
    api.update_microvm_image(imageIdentifier=arn, **BUILD)
    control.image.finish_next(seen)
    wait_for("it is UPDATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATED")
    api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    wait_for("it is gone", lambda: len(api.list_microvm_image_versions(imageIdentifier=arn)["items"]) == 1)
    assert api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")["state"] == "DELETED"
    refused(lambda: api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="9.0"), "ResourceNotFoundException", 404,
            "MicroVMImage not found")
    api.delete_microvm_image(imageIdentifier=arn)
    wait_for("the image is gone", lambda: arn not in [i["imageArn"] for i in api.list_microvm_images()["items"]])
    assert api.delete_microvm_image(imageIdentifier=arn)["state"] == "DELETED"
    assert api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="2.0")["state"] == "DELETED"
    refused(lambda: api.get_microvm_image(imageIdentifier=arn), "ResourceNotFoundException", 404, "MicroVMImage not found")


def rebuild(control, name, **body):
    status, _, data = raw(control, "POST", f"/doze/v1/images/{name}/rebuild", json.dumps(body).encode() if body else b"")
    return status, json.loads(data)


def test_a_rebuild_is_an_update_with_an_earlier_versions_parameters_and_disk(control, api):
    arn, _ = make_image(control, api, "again", hooks=READY, environmentVariables={"KEY": "value"},
                        resources=[{"minimumMemoryInMiB": 512}])
    seen = len(control.image.started)
    status, made = rebuild(control, arn)
    assert (status, made["state"], made["imageVersion"], made["latestActiveImageVersion"]) == (200, "UPDATING", "2.0", "1.0")
    assert made["environmentVariables"] == {"KEY": "value"} and "rebuildOf" not in made
    build = wait_for("a build begins", lambda: control.image.started[seen:])[0]
    spec = control.image.specs[build]
    assert (spec["rebuildOf"], spec["version"], spec["memoryMib"]) == (1, 2, 512)
    assert spec["hooks"]["ready"]["enabled"] and spec["environment"] == {"KEY": "value"}
    status, error = rebuild(control, "again")
    assert (status, error["message"]) == (409, "MicroVM Image is already in state: UPDATING")

    control.new_image_role()  # the same again
    assert wait_for("it builds again", lambda: control.image.started) == [build]
    assert control.image.specs[build] == spec
    control.image.finish(build)
    wait_for("it is UPDATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATED")
    assert api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "2.0"
    shown = json.loads(raw(control, "GET", f"/2025-09-09/microvm-images/{arn}/versions/2.0")[2])
    assert shown["hooks"] == READY and "rebuildOf" not in shown

    api.delete_microvm_image_version(imageIdentifier=arn, imageVersion="1.0")
    wait_for("1.0 is gone", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATED")
    assert rebuild(control, "again", clientToken="r1")[1]["imageVersion"] == "3.0"
    assert rebuild(control, "again", clientToken="r1")[1]["imageVersion"] == "3.0"
    build = wait_for("a build begins", lambda: control.image.started[1:])[0]
    assert control.image.specs[build]["rebuildOf"] == 2
    control.image.finish(build, ok=0, reason=b"no")
    wait_for("it failed", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "UPDATE_FAILED")
    assert api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "2.0"
    status, error = rebuild(control, "again", imageVersion="3.0")
    assert status == 409 and "SUCCESSFUL" in error["message"]
    api.update_microvm_image(imageIdentifier=arn, **BUILD)
    build = wait_for("a build begins", lambda: control.image.started[2:])[0]
    assert "rebuildOf" not in control.image.specs[build]
    control.image.finish(build)


def test_what_cannot_be_rebuilt_is_refused(control, api):
    arn, _ = make_image(control, api, "whole")
    for name in ("nothing", arn_of("nothing")):
        status, error = rebuild(control, name)
        assert (status, error["message"]) == (404, f"There is no image {name}.")
    assert rebuild(control, arn, imageVersion="7.0")[0] == 404
    assert rebuild(control, arn, imageVersion="x")[0] == 404
    assert rebuild(control, arn, imageVersion=" ")[0] == 400
    seen = len(control.image.started)
    api.create_microvm_image(name="never", **BUILD)
    control.image.finish_next(seen, ok=0, reason=b"no")
    wait_for("it failed", lambda: api.get_microvm_image(imageIdentifier=arn_of("never"))["state"] == "CREATE_FAILED")
    status, error = rebuild(control, "never")
    assert status == 409 and error["message"].endswith("update the image from its artifact.")


def test_a_microvm_without_a_machine_ends_with_a_reason(control, api):
    arn, _ = make_image(control, api, "run", hooks=READY)
    policy = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 0, "autoResumeEnabled": True}
    made = api.run_microvm(imageIdentifier=arn, idlePolicy=policy, runHookPayload="hi")
    assert made["state"] == "PENDING" and made["imageVersion"] == "1.0"
    assert made["endpoint"].endswith(f".lambda-microvm.{REGION}.localhost:8443")
    assert made["microvmId"].startswith("microvm-") and made["microvmId"][8:] not in made["endpoint"]
    assert made["ingressNetworkConnectors"] == [CONNECTOR + "HTTP_INGRESS"]
    assert made["egressNetworkConnectors"] == [CONNECTOR + "INTERNET_EGRESS"]
    assert made["maximumDurationInSeconds"] == 28800 and made["idlePolicy"] == policy
    assert "runHookPayload" not in made
    vm = made["microvmId"]
    wait_for("it ended", lambda: api.get_microvm(microvmIdentifier=vm)["state"] == "TERMINATED")
    got = api.get_microvm(microvmIdentifier=vm)
    assert got["stateReason"] and got["terminatedAt"]
    assert api.terminate_microvm(microvmIdentifier=vm)["ResponseMetadata"]["HTTPStatusCode"] == 200
    for call in (api.suspend_microvm, api.resume_microvm):
        refused(lambda: call(microvmIdentifier=vm), "ValidationException", 400,
                f"The MicroVM {vm} has been terminated and its state cannot be changed.")
    refused(lambda: api.create_microvm_auth_token(microvmIdentifier=vm, expirationInMinutes=5,
                                                  allowedPorts=[{"port": 8080}]), "ConflictException", 409, "")
    items = api.list_microvms(imageIdentifier=arn)["items"]
    assert [set(i) for i in items] == [{"microvmId", "state", "imageArn", "imageVersion", "startedAt"}]


def test_a_client_token_is_answered_the_same(control, api):
    arn, _ = make_image(control, api, "token")
    first = api.run_microvm(imageIdentifier=arn, clientToken="t1")
    assert api.run_microvm(imageIdentifier=arn, clientToken="t1")["microvmId"] == first["microvmId"]
    refused(lambda: api.run_microvm(imageIdentifier=arn, clientToken="t1", maximumDurationInSeconds=60),
            "ConflictException", 409, "The clientToken was used before with other parameters.")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: api.run_microvm(imageIdentifier=arn, clientToken="t2")["microvmId"],
                           range(16)))
    assert len(ids) == 1


def test_a_token_survives_a_crash_and_a_build_goes_on(tmp_path):
    rig = Control(str(tmp_path))
    try:
        api = rig.client()
        made = api.create_microvm_image(name="crash", **BUILD, clientToken="c1")
        wait_for("it builds", lambda: rig.image.started)
        rig.stop(kill=True)
        rig.start()
        api = rig.client()
        again = api.create_microvm_image(name="crash", **BUILD, clientToken="c1")
        assert (again["imageArn"], again["createdAt"]) == (made["imageArn"], made["createdAt"])
        build = wait_for("it builds again", lambda: rig.image.started)[0]
        rig.new_image_role()
        assert wait_for("and again", lambda: rig.image.started) == [build]
        rig.image.finish(build)
        wait_for("it is CREATED", lambda: api.get_microvm_image(imageIdentifier=made["imageArn"])["state"] == "CREATED")
        rig.image.hold_removes = True
        api.delete_microvm_image(imageIdentifier=made["imageArn"])
        wait_for("its files should go", lambda: rig.image.removed)
        rig.stop(kill=True)
        rig.start()
        wait_for("they went", lambda: not rig.client().list_microvm_images()["items"])
        again = rig.client().create_microvm_image(name="crash", **BUILD, clientToken="c1")
        assert again["createdAt"] != made["createdAt"]  # a token whose image is gone is forgotten
    finally:
        rig.stop()


def test_builds_wait_for_each_other_and_can_be_cancelled(control, api):
    seen = len(control.image.started)
    arns = [api.create_microvm_image(name=f"queue{i}", **BUILD)["imageArn"] for i in range(4)]
    wait_for("two begin", lambda: len(control.image.started) == seen + 2)
    waiting = api.list_microvm_image_builds(imageIdentifier=arns[3], imageVersion="1.0")["items"][0]
    assert waiting["buildState"] == "PENDING"
    assert raw(control, "POST", f"/doze/v1/builds/{waiting['buildId']}/cancel")[0] == 200
    assert api.get_microvm_image(imageIdentifier=arns[3])["state"] == "CREATE_FAILED"
    assert raw(control, "POST", f"/doze/v1/builds/{control.image.started[seen]}/cancel")[0] == 200
    wait_for("the role is told", lambda: control.image.cancelled == [control.image.started[seen]])
    cancelled = api.get_microvm_image_version(imageIdentifier=arns[0], imageVersion="1.0")
    assert (cancelled["state"], cancelled["stateReason"]) == ("FAILED", "The build was cancelled.")
    for i in range(3):
        control.image.finish_next(seen + i)  # the result of the first comes too late
    for arn in arns[1:3]:
        wait_for("it is CREATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATED")
    assert api.get_microvm_image(imageIdentifier=arns[0])["state"] == "CREATE_FAILED"
    wait_for("its files go", lambda: [r for r in control.image.removed if r[1] == 1])


def test_pages_hold_no_more_than_asked_and_end_with_null(control, api):
    made = {make_image(control, api, f"page{i}")[0] for i in range(5)}
    found, pages = [], 0
    for page in api.get_paginator("list_microvm_images").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["items"]) <= 2
        found += [i["imageArn"] for i in page["items"]]
        pages += 1
    assert made <= set(found) and len(found) == len(set(found)) and pages == (len(found) + 1) // 2
    assert found[0] == arn_of("page4")  # newest first
    first = api.list_microvm_images(maxResults=1, nameFilter="page1")
    assert first["items"] == [] and first["nextToken"]  # the page comes before the filter


def test_managed_images_are_listed(api):
    assert [i["imageArn"] for i in api.list_managed_microvm_images()["items"]] == [BASE]
    items = api.list_managed_microvm_image_versions(imageIdentifier=BASE)["items"]
    assert [(i["imageVersion"], i["status"]) for i in items] == [("1", "AVAILABLE"), ("0", "AVAILABLE")]
    refused(lambda: api.list_managed_microvm_image_versions(imageIdentifier=arn_of("x")),
            "ResourceNotFoundException", 404, "")


def test_tags_are_merged_and_removed(control, api):
    arn, _ = make_image(control, api, "tags", tags={"a": "1"})
    assert api.tag_resource(Resource=arn, Tags={"b": "2"})["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert api.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "2"}
    api.untag_resource(Resource=arn, TagKeys=["a", "zzz"])
    assert api.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_arm64_is_built_for_this_host_with_a_warning(control, api):
    seen = len(control.image.started)
    made = api.create_microvm_image(name="arm", **BUILD, cpuConfigurations=[{"architecture": "ARM_64"}])
    spec = control.image.specs[control.image.finish_next(seen)]
    assert made["cpuConfigurations"] == [{"architecture": spec["architecture"]}]
    if spec["architecture"] == "X86_64":
        assert "ARM_64" in spec["warnings"][0]


@pytest.mark.parametrize("how, status, kind", [
    (dict(sign=False), 403, "MissingAuthenticationTokenException"),
    (dict(secret="wrong"), 403, "InvalidSignatureException"),
    (dict(service="s3"), 403, "InvalidSignatureException"),
    (dict(region="eu-west-1"), 403, "InvalidSignatureException"),
])
def test_who_does_not_sign_is_denied(control, how, status, kind):
    got, headers, body = raw(control, "GET", "/2025-09-09/microvms", **how)
    assert (got, headers["x-amzn-errortype"]) == (status, kind)
    assert json.loads(body)["message"]


def test_an_unknown_key_is_denied(control):
    refused(lambda: control.client(key="AKIDNOBODY").list_microvms(), "UnrecognizedClientException", 403,
            "The security token included in the request is invalid.")


def test_bad_requests_are_told_apart(control):
    status, headers, body = raw(control, "POST", "/2025-09-09/microvms", b"{")
    assert (status, headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert "Message" in json.loads(body)
    status, headers, body = raw(control, "GET", "/2025-09-09/nothing")
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    status, headers, body = raw(control, "POST", "/2025-09-09/microvm-images", b"{}")
    assert json.loads(body)["message"].startswith("4 validation errors detected: Value null at 'name'")
    status, headers, body = raw(control, "POST", "/2025-09-09/microvms", b" " * (1 << 20) + b"{}")
    assert status == 413
    # chunked, without a length
    conn = http.client.HTTPConnection("127.0.0.1", control.port, timeout=20)
    request = botocore.awsrequest.AWSRequest("POST", control.url + "/2025-09-09/microvms",
                                             data=b"{}", headers={})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "lambda", REGION).add_auth(request)
    conn.request("POST", "/2025-09-09/microvms", iter([b"{", b"}"]), dict(request.headers.items()),
                 encode_chunked=True)
    answer = conn.getresponse()
    assert answer.status == 400 and b"imageIdentifier" in answer.read()


def test_errors_have_the_members_of_the_service(control):
    status, _, body = raw(control, "GET", "/2025-09-09/microvms/microvm-0")
    assert (status, json.loads(body)) == (404, {"message": "MicroVM not found: microvm-0",
                                                "resourceId": None, "resourceType": None})


def test_the_aws_cli_works_over_tls(tmp_path):
    aws = pathlib.Path(sys.prefix) / "bin/aws"
    if not aws.exists():
        pytest.skip("there is no aws beside this python")
    rig = Control(str(tmp_path), tls=True)
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                   "AWS_CA_BUNDLE": rig.ca, "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION}

    def run(*words):
        return subprocess.run([aws, "--endpoint-url", rig.url, "--output", "json", *words], env=environment,
                              capture_output=True, text=True, timeout=60, check=False)

    try:
        made = run("lambda-microvms", "create-microvm-image", "--name", "cli", "--base-image-arn", BASE,
                   "--build-role-arn", ROLE, "--code-artifact", "uri=s3://apps/app.zip")
        assert made.returncode == 0, made.stderr
        arn = json.loads(made.stdout)["imageArn"]
        rig.image.finish_next(0)
        got = run("lambda-microvms", "get-microvm-image", "--image-identifier", arn)
        assert json.loads(got.stdout)["latestActiveImageVersion"] == "1.0", got.stderr
        bad = run("lambda-microvms", "get-microvm", "--microvm-identifier", "x")
        assert bad.returncode != 0 and "MicroVM not found: x" in bad.stderr
        who = run("sts", "get-caller-identity")
        assert json.loads(who.stdout)["Account"] == ACCOUNT, who.stderr
    finally:
        rig.stop()


def test_quotas_answer_402(tmp_path):
    rig = Control(str(tmp_path), "[limits]\nmax_memory_mib=2048\nmax_images=1\n")
    try:
        api = rig.client()
        arn, _ = make_image(rig, api, "big", resources=[{"minimumMemoryInMiB": 4096}])
        answer = refused(lambda: api.run_microvm(imageIdentifier=arn), "ServiceQuotaExceededException", 402,
                         "The base maximum allocated memory limit has been reached for this account.")
        assert answer["resourceId"] is None if "resourceId" in answer else True
        refused(lambda: api.create_microvm_image(name="two", **BUILD), "ServiceQuotaExceededException", 402, "")
    finally:
        rig.stop()


def test_the_caller_is_named(control):
    who = control.client("sts").get_caller_identity()
    assert (who["Account"], who["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/default")
    with pytest.raises(ClientError) as error:
        control.client("sts", secret="wrong").get_caller_identity()
    assert error.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    with pytest.raises(ClientError) as error:
        control.client("sts").get_federation_token(Name="nobody")
    assert error.value.response["Error"]["Code"] == "InvalidAction"


def test_logs_are_read_from_an_offset_and_waited_for(control, api):
    seen = len(control.image.started)
    api.create_microvm_image(name="log", **BUILD)
    build = wait_for("it builds", lambda: control.image.started[seen:])[0]
    target = f"/doze/v1/builds/{build}/log"
    assert raw(control, "GET", target)[2] == b""
    with open(f"{control.dir}/log/builds/{build}.log", "wb", buffering=0) as log:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(raw, control, "GET", target + "?wait=20")
            time.sleep(0.3)
            log.write(b"step one\n")
            status, headers, body = waiting.result()
        assert (status, body, headers["x-doze-next"]) == (200, b"step one\n", "9")
        assert headers["x-doze-state"] == "IN_PROGRESS"
        control.image.step(build, "build", 2, 9)
        log.write(b"step two\n")
        status, headers, body = raw(control, "GET", target + "?from=9")
        assert body == b"step two\n"
        wait_for("the step is shown", lambda: raw(control, "GET", target)[1].get("x-doze-step") == "build 2/9")
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(raw, control, "GET", target + "?from=18&wait=20")
            time.sleep(0.3)
            control.image.finish(build)
            status, headers, body = waiting.result()
        assert (body, headers["x-doze-state"]) == (b"", "SUCCESSFUL") and time.monotonic() - begin < 10
    assert raw(control, "GET", "/doze/v1/builds/none/log")[0] == 404


def test_our_own_operations_answer(control, api):
    arn, _ = make_image(control, api, "ports")
    for name in ("ports", arn):
        body = json.loads(raw(control, "GET", f"/doze/v1/images/{name}/ports")[2])
        assert body == {"imageVersion": "1.0", "ports": [8080], "listening": [8080]}
    env = json.loads(raw(control, "GET", "/doze/v1/env")[2])
    assert (env["apiPort"], env["endpointPort"], env["region"]) == (control.port, 8443, REGION)
    assert env["ca"].startswith("-----BEGIN")
    stats = json.loads(raw(control, "GET", "/doze/v1/stats")[2])
    assert stats["microvms"]["RUNNING"] == 0 and stats["host"]["memoryBytes"] > 0
    assert stats["pool"]["ready"] == 0 and isinstance(stats["machines"], list)


@pytest.mark.parametrize("size", [0, 10, 3 << 20])
def test_a_base_is_imported_and_listed(control, size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    status, _, body = raw(control, "POST", f"/doze/v1/bases/example.com%2Fbase%3A{size}", io.BytesIO(data).read(),
                          {"x-amz-content-sha256": __import__("hashlib").sha256(data).hexdigest()})
    assert (status, json.loads(body)) == (201, {"name": f"example.com/base:{size}"})
    assert control.image.bases[f"example.com/base:{size}".encode()] == (size, data[:1 << 20])
    bases = {b["name"]: b for b in json.loads(raw(control, "GET", "/doze/v1/bases")[2])["items"]}
    assert bases[f"example.com/base:{size}"]["sizeInBytes"] == size
    status, headers, _ = raw(control, "POST", "/doze/v1/bases/bad", data + b"x",
                             {"x-amz-content-sha256": "0" * 64}, sign=True)
    assert status == 403


LONG_NAME = "registry.example.com:5000/" + "a/" * 100 + "base:" + "1" * 128 + "@sha256:" + "0" * 64


@pytest.mark.parametrize("name", ["node:22", "example.com:5000/team/base:1", LONG_NAME])
def test_a_base_is_pulled_and_removed_by_any_legal_name(control, name):
    path = "/doze/v1/bases/" + urllib.parse.quote(name, safe="")
    status, _, body = raw(control, "POST", path + "/pull")
    assert (status, json.loads(body)) == (200, {"name": name})
    assert name in [base["name"] for base in json.loads(raw(control, "GET", "/doze/v1/bases")[2])["items"]]
    assert raw(control, "DELETE", path)[::2] == (200, b"{}")
    status, headers, _ = raw(control, "DELETE", path)
    assert (status, headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


def test_a_client_that_leaves_harms_nobody(control, api):
    seen = len(control.image.started)
    api.create_microvm_image(name="leave", **BUILD)
    build = wait_for("it builds", lambda: control.image.started[seen:])[0]
    for target in (f"/doze/v1/builds/{build}/log?wait=20", "/2025-09-09/microvms"):
        request = botocore.awsrequest.AWSRequest("GET", control.url + target)
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "lambda", REGION).add_auth(request)
        conn = http.client.HTTPConnection("127.0.0.1", control.port)
        conn.request("GET", target, headers=dict(request.headers.items()))
        conn.close()
    control.image.finish(build)
    assert api.list_microvms()["ResponseMetadata"]["HTTPStatusCode"] == 200
