"""A store that refuses every commit (lies.py), while images are asked for and built: the API shows what a restart finds."""
import contextlib

import pytest

boto3 = pytest.importorskip("boto3")
from botocore.exceptions import ClientError  # noqa: E402

import lies  # noqa: E402
from control_rig import ACCOUNT, ALONE, REGION, Control, wait_for  # noqa: E402
from ipc_structs import ipc  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

BUILD = dict(baseImageArn=f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1", buildRoleArn=f"arn:aws:iam::{ACCOUNT}:role/build",
             codeArtifact={"uri": "s3://apps/app.zip"})


@pytest.fixture(autouse=True)
def _daemon_lives(rig):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert rig.process.poll() is None, "control is gone"


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path))
    yield rig
    rig.close()


@pytest.fixture(name="code", params=[lies.FULL, lies.IOERR, lies.BUSY], ids=["full", "broken", "busy"])
def _code(request):
    return request.param


@contextlib.contextmanager
def refusing(rig, code):
    rig.lies.tell("COMMIT", code)
    yield
    assert rig.lies.told("COMMIT")
    rig.lies.truth()


def view(rig, arn):
    api = rig.client()
    keep = ("state", "latestActiveImageVersion", "latestFailedImageVersion", "tags", "updatedAt")
    image = api.get_microvm_image(imageIdentifier=arn)
    versions = api.list_microvm_image_versions(imageIdentifier=arn)["items"]
    return {k: image.get(k) for k in keep}, [(v["imageVersion"], v["state"], v["status"], v["updatedAt"]) for v in versions]


def after_a_crash(rig, arn):
    before = view(rig, arn)
    rig.stop(kill=True)
    rig.start()
    assert view(rig, arn) == before


def refused(call):
    with pytest.raises(ClientError) as e:
        call()
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def created(rig, name):
    api = rig.client()
    seen = len(rig.image.started)
    arn = api.create_microvm_image(name=name, **BUILD)["imageArn"]
    rig.image.finish_next(seen)
    wait_for("it is CREATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATED")
    return arn


def test_requests_are_refused_and_nothing_has_changed(rig, code):
    arn, api = created(rig, "requests"), rig.client()
    before = view(rig, arn)
    with refusing(rig, code):
        refused(lambda: api.create_microvm_image(name="other", **BUILD))
        refused(lambda: api.update_microvm_image(imageIdentifier=arn, **BUILD))
        refused(lambda: api.tag_resource(Resource=arn, Tags={"a": "b"}))
        refused(lambda: api.update_microvm_image_version(imageIdentifier=arn, imageVersion="1.0", status="INACTIVE"))
        refused(lambda: api.delete_microvm_image(imageIdentifier=arn))
        assert view(rig, arn) == before
    after_a_crash(rig, arn)
    assert [i["name"] for i in rig.client().list_microvm_images()["items"]] == ["requests"]
    assert rig.client().create_microvm_image(name="other", **BUILD)["imageVersion"] == "1.0"


def test_the_result_of_a_build_waits_for_the_store(rig, code):
    api = rig.client()
    arn = api.create_microvm_image(name="result", **BUILD)["imageArn"]
    build = wait_for("it builds", lambda: rig.image.started)[0]
    with refusing(rig, code):
        rig.image.finish(build)
        refused(lambda: api.tag_resource(Resource=arn, Tags={"a": "b"}))
        assert view(rig, arn)[0]["state"] == "CREATING"
    wait_for("it is CREATED", lambda: view(rig, arn)[0]["state"] == "CREATED")
    after_a_crash(rig, arn)


def test_a_crash_before_the_result_is_durable_builds_again(rig, code):
    api = rig.client()
    arn = api.create_microvm_image(name="again", **BUILD)["imageArn"]
    build = wait_for("it builds", lambda: rig.image.started)[0]
    with refusing(rig, code):
        rig.image.finish(build)
        refused(lambda: api.tag_resource(Resource=arn, Tags={"a": "b"}))
        shown = view(rig, arn)
        rig.stop(kill=True)
    rig.start()
    assert view(rig, arn) == shown
    rig.image.finish(wait_for("it builds again", lambda: rig.image.started)[0])
    wait_for("it is CREATED", lambda: view(rig, arn)[0]["state"] == "CREATED")


def test_a_control_that_dies_while_it_writes_a_result_knows_it_or_builds_again(rig):
    for answer, state in ((ipc.LIE_DIES_BEFORE, "CREATING"), (ipc.LIE_DIES_AFTER, "CREATED")):
        seen = len(rig.image.started)
        arn = rig.client().create_microvm_image(name=state, **BUILD)["imageArn"]
        build = wait_for("it builds", lambda: rig.image.started[seen:])[0]
        rig.lies.tell("COMMIT", answer, text="'SUCCESSFUL'")
        rig.image.finish(build)
        rig.process.wait(10)
        rig.lies.truth()
        rig.start()
        assert view(rig, arn)[0]["state"] == state
        if state == "CREATING":
            rig.image.finish(wait_for("it builds again", lambda: rig.image.started)[0])
            wait_for("it is CREATED", lambda: view(rig, arn)[0]["state"] == "CREATED")


def test_a_build_that_finds_no_memory_begins_when_there_is_some(rig):
    rig.lies.tell("MEMFD", 12)
    arn = rig.client().create_microvm_image(name="memory", **BUILD)["imageArn"]
    wait_for("it was tried", lambda: rig.lies.told("MEMFD"))
    assert not rig.image.started and view(rig, arn)[0]["state"] == "CREATING"
    rig.lies.truth()
    rig.image.finish(wait_for("it builds", lambda: rig.image.started)[0])
    wait_for("it is CREATED", lambda: view(rig, arn)[0]["state"] == "CREATED")
