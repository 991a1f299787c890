"""Changes to one image that meet while the store is writing: each caller hears of its own, and no memory is freed too early."""
import concurrent.futures

import pytest

import lies
from control_rig import ALONE, BUILD, Control, wait_for
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path), machines=True)
    yield rig
    assert rig.process.poll() is None, "control crashed"
    rig.close()


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


def told(future):
    """True: made; False: refused."""
    try:
        future.result(10)
        return True
    except Refused:
        return False


def agree(rig, name, arn):
    rows = rig.rows("image WHERE name = ?", name)
    try:
        state = rig.api.image(arn)["state"]
    except Refused as error:
        assert error.status == 404
        state = None
    assert state == (rows[0]["state"] if rows else None)
    return state


def test_a_creation_that_fails_takes_what_was_on_its_way_with_it(rig):
    arn = "arn:aws:lambda:us-east-1:000000000000:microvm-image:new"
    rig.lies.tell("COMMIT", lies.FULL)
    with rig.lies.commits_held():
        made = rig.api.later("create_image", "new", **BUILD)
        wait_for("it is being written", lambda: rig.lies.page.writing)
        tagged = [rig.api.later("tag", arn, a=str(n)) for n in range(4)]
        concurrent.futures.wait(tagged, 0.2)
    assert not told(made) and not any([told(t) for t in tagged])
    rig.lies.truth()
    assert agree(rig, "new", arn) is None
    rig.api.create_image("new", **BUILD)
    rig.settle()
    assert agree(rig, "new", arn) == "CREATING"


def test_an_image_is_not_seen_before_it_is_durable(rig):
    arn = "arn:aws:lambda:us-east-1:000000000000:microvm-image:new"
    with rig.lies.commits_held():
        made = rig.api.later("create_image", "new", **BUILD)
        wait_for("it is being written", lambda: rig.lies.page.writing)
        with pytest.raises(Refused) as error:
            rig.api.image(arn)
        assert error.value.status == 404
        again = rig.api.later("create_image", "new", **BUILD)  # but its name is taken
        concurrent.futures.wait([again], 0.2)
    assert told(made) and not told(again)


def test_a_change_that_fails_does_not_undo_the_next_one(rig):
    arn = rig.make_image("app")
    rig.lies.tell("COMMIT", lies.FULL, text='{"first":"1"}')
    with rig.lies.commits_held():
        first = rig.api.later("tag", arn, first="1")
        wait_for("it is being written", lambda: rig.lies.page.writing)
        second = rig.api.later("tag", arn, second="2")
        concurrent.futures.wait([second], 0.2)
    said = told(first), told(second)
    rig.lies.truth()
    tags = rig.api.tags(arn)
    assert ("first" in tags, "second" in tags) == said
    rig.restart()
    assert rig.api.tags(arn) == tags


def test_a_build_that_ends_while_its_start_is_written_is_settled(rig):
    with rig.lies.commits_held():
        made = rig.api.later("create_image", "quick", **BUILD)
        wait_for("it is being written", lambda: rig.lies.page.writing)
    arn = made.result(10)
    wait_for("a build begins", lambda: rig.image.started)
    with rig.lies.commits_held():
        rig.image.finish(rig.image.started[0])
        rig.settle()
        assert rig.api.image(arn)["state"] == "CREATING", "it is shown before it is durable"
    wait_for("it is CREATED", lambda: rig.api.image(arn)["state"] == "CREATED")
    rig.restart()
    assert rig.api.image(arn)["state"] == "CREATED"


def test_a_deletion_that_is_on_its_way_refuses_a_run(rig):
    arn = rig.make_image("app")
    with rig.lies.commits_held():
        deleted = rig.api.later("delete_image", arn)
        wait_for("it is being written", lambda: rig.lies.page.writing)
        run = rig.api.later("run", arn)
        concurrent.futures.wait([run], 0.2)
    assert told(deleted) != told(run)
    rig.pass_time(5)
    state = agree(rig, "app", arn)
    assert state is None if told(deleted) else state == "CREATED"
