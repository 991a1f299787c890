"""The rig itself: what it plays is what control believes, and what it lies about is told."""
import errno

import pytest

import lies
import scripted_monitor as monitors
from control_rig import ALONE, Control, wait_for
from ipc_structs import ipc
from script import Hold, refuse, twice, wrong_size, wrong_tag
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path), machines=True)
    yield rig
    rig.close()


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="image")
def _image(rig):
    return rig.make_image("app")


def test_every_message_has_its_struct():
    assert ipc.words["machine"][ipc.MACHINE_SAVE] == "SAVE"
    for table, rows in ipc.rows.items():
        for name in filter(None, rows):
            assert name in ipc.structs or name == "machine_agent", (table, name)


def test_a_guest_is_the_same_after_suspend_and_resume(rig, image):
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.api.suspend(vm)
    assert rig.api.state(vm) == rig.row(vm)["state"] == "SUSPENDED"
    assert rig.saves(vm) == {"save-1": guest} and not rig.priv.alive()
    rig.api.resume(vm)
    assert rig.machine(vm).guest == guest


def test_machines_outlive_their_control(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)
    rig.restart()
    assert rig.api.state(vm) == "RUNNING" and rig.machine(vm) is machine


def test_hooks_are_answered_by_the_guest(rig):
    image = rig.make_image("hooks", hooks={"port": 9000, "microvmImageHooks": {"ready": "ENABLED"}, "microvmHooks": {
        "run": "ENABLED", "suspend": "ENABLED", "resume": "ENABLED", "terminate": "ENABLED"}})
    vm = rig.run(image)
    first = rig.machine(vm)
    rig.api.suspend(vm)
    rig.api.resume(vm)
    second = rig.machine(vm)
    rig.api.terminate(vm)
    rig.wait_state(vm, "TERMINATED")
    assert first.hooks + second.hooks == ["run", "suspend", "resume", "terminate"]


def test_hours_pass_in_moments(rig, image):
    vm = rig.run(image, maximumDurationInSeconds=3600)
    rig.pass_time(3500, step=60)
    assert rig.api.state(vm) == "RUNNING"
    rig.pass_time(110, step=10)
    rig.wait_state(vm, "TERMINATED")
    assert rig.api.get(vm)["stateReason"] == "MicroVM exceeded maximum lifetime."


def test_an_idle_microvm_is_suspended_and_woken_by_a_request(rig, image):
    vm = rig.run(image, idlePolicy={"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 3600,
                                    "autoResumeEnabled": True})
    rig.pass_time(65)
    rig.wait_state(vm, "SUSPENDED")
    rig.proxy.say("WAKE", rig.row(vm)["endpoint"])
    rig.wait_state(vm, "RUNNING")


def test_a_commit_that_fails_is_an_error_and_no_change(rig, image):
    vm = rig.run(image)
    rig.lies.tell("COMMIT", lies.FULL, text="'SUSPENDING'")
    with pytest.raises(Refused) as error:
        rig.api.suspend(vm)
    assert "full" in error.value.message and rig.lies.told("COMMIT") >= 1
    assert rig.api.state(vm) == rig.row(vm)["state"] == "RUNNING"
    rig.lies.truth()
    rig.api.suspend(vm)
    assert rig.row(vm)["state"] == "SUSPENDED"


def test_a_control_that_dies_at_a_commit_leaves_the_row_or_not(rig, image):
    for answer, state in ((ipc.LIE_DIES_BEFORE, "RUNNING"), (ipc.LIE_DIES_AFTER, "SUSPENDING")):
        vm = rig.run(image)
        rig.lies.tell("COMMIT", answer, text="'SUSPENDING'")
        asked = rig.api.later("suspend", vm)
        rig.process.wait(10)
        assert asked.exception() and rig.row(vm)["state"] == state
        rig.lies.truth()
        rig.restart()
        rig.wait_state(vm, "RUNNING" if state == "RUNNING" else "SUSPENDED")


def test_a_microvm_without_room_on_disk_runs_on(rig, image):
    vm = rig.run(image)
    for call in ("MKDIR", "CREATE", "LINK"):
        rig.lies.tell(call, errno.ENOSPC)
        with pytest.raises(Refused):
            rig.api.suspend(vm)
        rig.lies.truth()
        assert rig.api.state(vm) == "RUNNING" and rig.machine(vm).run == ipc.MACHINE_RUNNING, call


def test_priv_may_refuse(rig, image):
    rig.priv.script.once("MACHINE_START", refuse("CAPACITY", "no slot is free"))
    vm = rig.api.run(image)
    wait_for("it ended", lambda: rig.api.state(vm) == "TERMINATED")
    assert "no slot is free" in rig.api.get(vm)["stateReason"]


@pytest.mark.parametrize("answer", [twice, monitors.floods(300)], ids=["twice", "flood"])
@pytest.mark.parametrize("word", ["RESTORE", "RESUMED", "SAVE"])
def test_answers_too_many_do_no_harm(rig, image, word, answer):
    rig.script.always(word, answer)
    vm = rig.run(image)
    rig.api.suspend(vm)
    rig.script.clear()
    rig.api.resume(vm)
    assert rig.api.state(vm) == "RUNNING"


@pytest.mark.parametrize("word, answer", [("RESTORE", wrong_tag), ("RESTORE", wrong_size),
                                          ("RESUMED", monitors.garbage_agent)])
def test_a_wrong_answer_at_the_start_ends_the_start(rig, image, word, answer):
    rig.script.always(word, answer)
    vm = rig.api.run(image)
    rig.pass_time(70)
    wait_for("it ended", lambda: rig.api.state(vm) == "TERMINATED")
    wait_for("no machine is left", lambda: not rig.priv.alive())


def test_a_held_message_is_answered_when_the_test_says_so(rig, image):
    hold = Hold()
    rig.script.once("SAVE", hold)
    vm = rig.run(image)
    asked = rig.api.later("suspend", vm)
    wait_for("it is asked to save", lambda: hold.asks)
    assert rig.api.state(vm) == "SUSPENDING"
    hold.release()
    asked.result(10)
    assert rig.api.state(vm) == "SUSPENDED"
