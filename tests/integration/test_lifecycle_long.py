"""What takes a microVM's life to its limits: saves and drains that last, clocks that jump, helpers that fail.  The table of
test_lifecycle_cells.py walks all states; here each case has its own end."""
import errno
import os

import pytest

import lies
import scripted_monitor as monitors
from control_rig import ALONE, BUILD, Control, wait_for
from ipc_structs import ipc
from script import Hold, honest, refuse
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

MIB = 1 << 20


@pytest.fixture(name="rig")
def _rig(tmp_path):
    rig = Control(str(tmp_path), machines=True)
    yield rig
    assert rig.process.poll() in (None, 0, -9), "control crashed"
    rig.close()


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="image")
def _image(rig):
    return rig.make_image("app")


def pass_until(rig, what, condition, seconds, step=1.0):
    """Time passes for the role until it is so."""
    for _ in range(int(seconds / step)):
        if condition():
            return
        rig.pass_time(step, step)
    assert condition(), f"not within {seconds} s of the role's time: {what}"


def comes_back(rig, vm, guest):
    rig.api.resume(vm)
    assert rig.api.state(vm) == "RUNNING" and rig.machine(vm).guest == guest


@pytest.mark.parametrize("seconds, step", [(121, 1), (1800, 10)], ids=["121 s", "30 min"])
def test_a_save_takes_as_long_as_it_makes_progress(rig, image, seconds, step):
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.script.always("SAVE", monitors.slow_save(seconds))
    asked = rig.api.later("suspend", vm)
    wait_for("it is SUSPENDING", lambda: rig.api.state(vm) == "SUSPENDING")
    pass_until(rig, "the save ends", lambda: rig.saves(vm), seconds + 60, step)
    asked.result(10)
    assert rig.api.state(vm) == "SUSPENDED" and rig.saves(vm).popitem()[1] == guest
    comes_back(rig, vm, guest)


def test_a_save_that_stands_still_loses_nothing(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)
    rig.script.once("SAVE", monitors.saves_never)
    rig.api.later("suspend", vm)
    wait_for("it saves", lambda: machine.kept)
    rig.pass_time(900, step=10)
    assert machine.alive and rig.api.state(vm) in ("SUSPENDING", "RUNNING")
    with rig.reactor.lock:
        machine.unstick()
    pass_until(rig, "it is SUSPENDED", lambda: rig.api.state(vm) == "SUSPENDED", 300, 5)
    comes_back(rig, vm, machine.guest)


@pytest.mark.parametrize("call, answer, more", [
    ("MKDIR", ipc.LIE_STALLS, {"who": "HELPERS"}), ("FSYNC", ipc.LIE_STALLS, {"who": "HELPERS"}),
    ("RENAME", ipc.LIE_STALLS, {"who": "HELPERS"}), ("FSYNC", errno.EIO, {}), ("FSYNC", errno.EIO, {"skip": 5}),
    ("FSYNC", errno.EIO, {"skip": 6}), ("RENAME", errno.EIO, {"who": "HELPERS"}), ("CREATE", errno.ENOSPC, {}),
], ids=["mkdir stalls", "fsync stalls", "rename stalls", "no fsync", "directory's fsync", "last fsync", "no rename",
        "no room"])
def test_what_fails_on_the_way_to_disk_is_tried_again(rig, image, call, answer, more):
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.lies.tell(call, answer, **more)
    asked = rig.api.later("suspend", vm)
    rig.pass_time(60, step=2)
    row = rig.row(vm)
    assert row["state"] not in ("TERMINATING", "TERMINATED"), row["reason"]
    assert rig.saves(vm) or rig.machine(vm), "neither its save nor its machine is there"
    assert rig.lies.told(call), "nobody was lied to"
    rig.lies.truth()
    rig.pass_time(60, step=2)
    if asked.done() and asked.exception():
        rig.api.suspend(vm)  # it was refused and runs on
    pass_until(rig, "it is SUSPENDED", lambda: rig.api.state(vm) == "SUSPENDED", 60)
    comes_back(rig, vm, guest)


def test_the_stores_log_has_room_before_the_disk_is_full(rig, image):
    """Whatever happens on a full disk is written to blocks that the log has already."""
    log = os.path.join(rig.dir, "data/control/doze.db-wal")
    assert os.stat(log).st_blocks * 512 >= 5 * MIB
    vm = rig.run(image)
    rig.api.suspend(vm)
    assert os.stat(log).st_size < 5 * MIB
    rig.restart()
    assert os.stat(log).st_blocks * 512 >= 5 * MIB


@pytest.mark.parametrize("ends", ["control dies", "control ends"])
def test_what_could_not_be_saved_runs_on_after_a_restart_too(rig, image, ends):
    """On a full disk the row that says so cannot be written either, until there is room."""
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.script.once("SAVE", monitors.fails_to_save("CAPACITY"))
    rig.lies.tell("COMMIT", lies.FULL, skip=1)
    with pytest.raises(Refused, match="runs on"):
        rig.api.suspend(vm)
    assert rig.row(vm)["state"] == "SUSPENDING" and rig.api.state(vm) == "RUNNING"
    rig.pass_time(5)
    rig.lies.truth()
    rig.pass_time(2)
    assert rig.row(vm)["state"] == "RUNNING"
    rig.stop(kill=ends == "control dies")
    rig.restart()
    rig.pass_time(30)
    assert rig.api.state(vm) == "RUNNING" and rig.machine(vm).guest == guest
    rig.api.suspend(vm)
    assert rig.api.state(vm) == "SUSPENDED"


def test_a_complete_save_is_kept_until_a_newer_one_is_durable(rig, image):
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.api.suspend(vm)
    whole = rig.saves(vm)
    assert list(whole.values()) == [guest]
    comes_back(rig, vm, guest)
    rig.pass_time(30)
    assert rig.saves(vm) == whole, "while it runs"
    saving = Hold()
    rig.script.once("SAVE", saving)
    rig.api.later("suspend", vm)
    wait_for("it is saved anew", lambda: saving.asks)
    rig.pass_time(30)
    assert rig.saves(vm) == whole, "while the newer one is written"
    saving.release(monitors.dies_while_saving)
    rig.pass_time(30)
    assert rig.api.state(vm) == "TERMINATED"  # its machine died: that is an end, and not ours


def test_a_drain_waits_for_a_save_that_makes_progress(rig, image):
    vms = [rig.run(image) for _ in range(6)]
    guests = {vm: rig.machine(vm).guest for vm in vms}
    rig.script.always("SAVE", monitors.slow_save(400))
    rig.say_stop()
    pass_until(rig, "control is gone", lambda: rig.process.poll() is not None, 1200, 5)
    assert rig.process.wait() == 0
    assert {rig.row(vm)["state"] for vm in vms} == {"SUSPENDED"}
    rig.script.clear()
    rig.start()
    for vm in vms:
        comes_back(rig, vm, guests[vm])


def test_a_second_stop_does_not_disturb_the_drain_of_the_first(rig, image):
    vms = [rig.run(image) for _ in range(2)]
    rig.script.always("SAVE", monitors.slow_save(30))
    for _ in range(3):
        rig.say_stop()
        rig.pass_time(3)
    asked = rig.api.later("resume", vms[0])
    pass_until(rig, "control is gone", lambda: rig.process.poll() is not None, 120)
    assert rig.process.wait() == 0 and asked.exception(10)
    assert {rig.row(vm)["state"] for vm in vms} == {"SUSPENDED"}


def test_a_drain_that_ends_late_frees_nothing_too_early(rig, image):
    vms = [rig.run(image) for _ in range(3)]
    machines = [rig.machine(vm) for vm in vms]
    rig.script.always("SAVE", monitors.saves_never)
    drained = rig.api.later("drain")
    wait_for("they are saved", lambda: all(machine.kept for machine in machines))
    rig.pass_time(285, step=5)
    with rig.reactor.lock:
        for machine in machines:
            machine.unstick()
    rig.pass_time(30)
    assert rig.process.poll() is None
    assert drained.result(5)
    for vm, machine in zip(vms, machines):
        pass_until(rig, "it is SUSPENDED", lambda vm=vm: rig.api.state(vm) == "SUSPENDED", 60)
        comes_back(rig, vm, machine.guest)


def test_after_a_drain_without_a_stop_microvms_run_again(rig, image):
    vm = rig.run(image, idlePolicy={"maxIdleDurationSeconds": 28800, "suspendedDurationSeconds": 28800,
                                    "autoResumeEnabled": True})
    asked = rig.api.later("drain")
    rig.pass_time(5)
    assert asked.result(5) == {"suspended": 1, "failed": 0}
    rig.run(image)
    rig.proxy.say("WAKE", rig.row(vm)["endpoint"])
    rig.wait_state(vm, "RUNNING")


def test_a_build_whose_spec_found_no_memory_begins_by_itself(rig):
    seen = len(rig.image.started)
    rig.lies.tell("MEMFD", errno.EMFILE)
    image = rig.api.create_image("late", **BUILD)
    rig.settle()
    assert not rig.image.started[seen:]
    rig.lies.truth()
    rig.pass_time(120, step=5)
    rig.image.finish_next(seen)
    wait_for("it is CREATED", lambda: rig.api.image(image)["state"] == "CREATED")


def test_priv_that_cannot_list_is_asked_again(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)
    rig.stop(kill=True)
    rig.priv.script.always("MACHINE_LIST", refuse("INTERNAL", "no memory"))
    rig.start(ready=False)
    rig.pass_time(20)
    assert rig.process.poll() is None, "control gave up"
    rig.priv.script.clear()
    pass_until(rig, "control is ready", lambda: "READY" in rig.supervisor.got, 60)
    assert rig.api.state(vm) == "RUNNING" and rig.machine(vm) is machine


def test_a_microvm_that_ended_outlives_its_image(rig, image):
    vm = rig.run(image)
    before = rig.api.get(vm)
    rig.api.terminate(vm)
    wait_for("it is TERMINATED", lambda: rig.api.state(vm) == "TERMINATED")
    rig.api.delete_image(image)
    wait_for("the image is gone", lambda: not rig.api.call("GET", "/2025-09-09/microvm-images")["items"])
    for _ in range(2):
        got = rig.api.get(vm)
        assert (got["state"], got["imageArn"], got["imageVersion"]) == ("TERMINATED", before["imageArn"], before["imageVersion"])
        assert [i["microvmId"] for i in rig.api.call("GET", "/2025-09-09/microvms")["items"]] == [vm]
        rig.api.terminate(vm)
        rig.restart()


@pytest.mark.parametrize("call", ["SENDMSG", "RECVMSG"])
def test_a_host_short_of_memory_loses_no_machine(rig, image, call):
    vm = rig.run(image)
    guest = rig.machine(vm).guest
    rig.lies.tell(call, errno.ENOMEM, times=20)
    asked = rig.api.later("suspend", vm)
    wait_for("it was short", lambda: rig.lies.told(call) == 20)
    asked.result(10)
    wait_for("it is SUSPENDED", lambda: rig.api.state(vm) == "SUSPENDED")
    comes_back(rig, vm, guest)


def test_a_machine_that_says_hello_late_is_not_lost(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)
    late = []
    rig.script.always("HELLO", late.append)
    rig.stop(kill=True)
    rig.start(ready=False)
    rig.pass_time(90, step=2)
    with rig.reactor.lock:
        rig.script.clear()
        honest(late[-1])
    pass_until(rig, "control is ready", lambda: "READY" in rig.supervisor.got, 60)
    assert machine.alive and rig.api.state(vm) == "RUNNING"


@pytest.mark.parametrize("step", [3600, -3600], ids=["forward", "back"])
def test_a_step_of_the_wall_clock_suspends_and_ends_nothing(rig, image, step):
    policy = {"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 600, "autoResumeEnabled": True}
    running, sleeping, short = (rig.run(image, idlePolicy=policy), rig.run(image, idlePolicy=policy),
                                rig.run(image, maximumDurationInSeconds=600))
    rig.api.suspend(sleeping)
    rig.lies.step_wall_clock(step)
    rig.pass_time(10)
    assert [rig.api.state(vm) for vm in (running, sleeping, short)] == ["RUNNING", "SUSPENDED", "RUNNING"]
    rig.pass_time(650, step=10)
    rig.settle()
    assert [rig.api.state(vm) for vm in (running, sleeping, short)] == ["SUSPENDED", "TERMINATED", "TERMINATED"]


def test_a_log_is_followed_over_its_rotation(rig, image):
    vm = rig.run(image)
    log = f"{rig.dir}/log/microvms/{vm}.log"
    with open(log, "wb") as file:
        file.truncate(64 * MIB)
    rig.machine(vm).say_log(b"after the turn\n")
    wait_for("it turned", lambda: os.path.exists(log + ".1") and os.path.getsize(log) < MIB)
    path = f"/doze/v1/microvms/{vm}/log?from={64 * MIB}&wait=1"
    asked = rig.api.later("raw", "GET", path)
    rig.pass_time(3)
    status, headers, data = asked.result(5)
    if not data:  # a marker that it begins anew is an answer too
        status, headers, data = rig.api.raw("GET", f"/doze/v1/microvms/{vm}/log?from={headers['x-doze-next']}")
    assert status == 200 and data.endswith(b"after the turn\n") and int(headers["x-doze-next"]) < MIB


def test_a_stop_before_it_is_known_what_runs_suspends_it_all_the_same(rig, image):
    vm = rig.run(image)
    rig.stop(kill=True)
    listing = Hold()
    rig.priv.script.once("MACHINE_LIST", listing)
    rig.start(ready=False)
    wait_for("control asks what runs", lambda: listing.asks)
    rig.say_stop()
    rig.pass_time(3)
    assert rig.process.poll() is None, "control ended before it knew what runs"
    listing.release()
    assert rig.process.wait(20) == 0
    assert rig.row(vm)["state"] == "SUSPENDED" and rig.saves(vm)
    rig.start()


def test_half_a_header_is_no_checkpoint(rig, image):
    vm = rig.run(image)
    rig.machine(vm).script.always("SAVE", monitors.dies_in_the_header)
    with pytest.raises(Refused):
        rig.api.suspend(vm)
    assert rig.api.state(vm) == "TERMINATED" and "before it was saved" in rig.api.get(vm)["stateReason"]


def test_what_a_stop_suspended_wakes_on_a_request_whatever_its_policy(rig, image):
    drained, asked = rig.run(image), rig.run(image)
    rig.api.suspend(asked)
    assert rig.stop(drain=True) == 0
    rig.start()
    assert rig.api.state(drained) == rig.api.state(asked) == "SUSPENDED"
    for vm in (drained, asked):
        rig.proxy.say("WAKE", rig.row(vm)["endpoint"])
    rig.wait_state(drained, "RUNNING")
    assert rig.api.state(asked) == "SUSPENDED" and "dozeDrained" not in rig.api.get(drained)
    rig.restart()  # the row of a microVM that woke says no more that a stop suspended it
    rig.api.suspend(drained)  # this time it was asked for
    rig.proxy.say("WAKE", rig.row(drained)["endpoint"])
    rig.pass_time(3)
    assert rig.api.state(drained) == "SUSPENDED"


def test_a_flood_of_one_machine_leaves_the_others_alone(rig, image):
    loud, other = rig.run(image), rig.run(image)
    rig.script.always("SAVE", monitors.floods(5000))
    asked = rig.api.later("suspend", loud)
    for _ in range(20):
        assert rig.api.state(other) == "RUNNING"
    asked.result(20)
    assert rig.api.state(loud) == "SUSPENDED"


def test_a_suspend_without_room_says_so_and_runs_on(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)
    rig.script.once("SAVE", monitors.fails_to_save("CAPACITY"))
    with pytest.raises(Refused) as error:
        rig.api.suspend(vm)
    assert "Free some space" in error.value.message
    assert rig.api.state(vm) == "RUNNING" and machine.run == ipc.MACHINE_RUNNING
