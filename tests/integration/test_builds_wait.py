"""A build that cannot begin, or whose end cannot be written, waits; nobody who asks for something else does (lies.py)."""
import errno

import pytest

import lies
from control_rig import ALONE, BUILD, Control, wait_for
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path))
    yield rig
    assert rig.process.poll() is None, "control is gone"
    rig.close()


def test_the_result_of_a_build_waits_for_the_store_and_requests_do_not(rig):
    arn = rig.api.create_image("result", **BUILD)
    build = wait_for("it builds", lambda: rig.image.started)[0]
    rig.lies.tell("COMMIT", lies.FULL)
    rig.image.finish(build)
    wait_for("the result came", lambda: rig.lies.told("COMMIT"))
    with pytest.raises(Refused) as refused:
        rig.api.tag(arn, a="b")
    assert "full" in refused.value.message
    assert rig.api.image(arn)["state"] == "CREATING"
    rig.lies.truth()
    wait_for("it is CREATED", lambda: rig.api.image(arn)["state"] == "CREATED")


def test_a_build_that_finds_no_memory_begins_when_there_is_some(rig):
    rig.lies.tell("MEMFD", errno.ENOMEM)
    arn = rig.api.create_image("memory", **BUILD)
    wait_for("it was tried", lambda: rig.lies.told("MEMFD"))
    assert not rig.image.started and rig.api.image(arn)["state"] == "CREATING"
    rig.lies.truth()
    rig.image.finish(wait_for("it builds", lambda: rig.image.started)[0])
    wait_for("it is CREATED", lambda: rig.api.image(arn)["state"] == "CREATED")
