"""What a restart of control finds while machines, priv and the pool do not stand still: nothing that a user was promised is lost."""
import contextlib
import socket
import sqlite3

import pytest

import scripted_monitor as monitors
from control_rig import ALONE, BUILD, Control, wait_for
from ipc_structs import ipc
from script import honest, never, silent_but_done
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

HOOKS = {"port": 9000, "microvmImageHooks": {"ready": "ENABLED"}, "microvmHooks": {"suspend": "ENABLED"}}
CLONES = "[pool]\nper_image=1\nspares=0\n[machine]\nmemory_percent=100\n"


@pytest.fixture(name="rig")
def _rig(request, tmp_path):
    rig = Control(str(tmp_path), settings=getattr(request, "param", ""), machines=True)
    yield rig
    assert rig.process.poll() in (None, 0, -9), "control crashed"
    rig.close()


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="image")
def _image(rig):
    return rig.make_image("app")


class Silent:
    """A machine that does not say hello to the next control."""

    def __init__(self, rig, vm):
        self.rig, self.machine, self.hellos = rig, rig.machine(vm), []
        self.machine.script.always("HELLO", self.hellos.append)

    def speak(self):
        with self.rig.reactor.lock:
            self.machine.script.clear()
            honest(self.hellos[-1])


def restart(rig, seconds=0.0):
    """The adoption goes on for so long."""
    rig.stop(kill=True)
    rig.start(ready=False)
    rig.pass_time(seconds, 0.5)


def comes_back(rig, vm, guest):
    rig.api.resume(vm)
    assert rig.api.state(vm) == "RUNNING" and rig.machine(vm).guest == guest


def save_is_under_way(rig, vm):
    machine = rig.machine(vm)
    machine.script.once("SAVE", monitors.saves_never)
    rig.api.later("suspend", vm)
    wait_for("it is saved", lambda: machine.kept)
    return machine


def test_a_microvm_whose_machine_is_silent_is_not_suspended_until_it_speaks(rig):
    vm = rig.run(rig.make_image("hooked", hooks=HOOKS))
    silent = Silent(rig, vm)
    guest = silent.machine.guest
    restart(rig, 30)
    silent.machine.script.always("HOOK", never)
    silent.machine.script.once("SAVE", monitors.saves_never)
    asked = rig.api.later("suspend", vm)
    rig.pass_time(120, 2)
    assert rig.api.state(vm) == "RUNNING", rig.api.get(vm)["stateReason"]
    with pytest.raises(Refused, match="has not answered"):
        asked.result(5)
    silent.speak()
    rig.settle()
    rig.api.suspend(vm)
    assert rig.api.state(vm) == "SUSPENDED"
    comes_back(rig, vm, guest)


def test_a_drain_leaves_a_silent_machine_for_the_next_start(rig, image):
    vm = rig.run(image)
    silent = Silent(rig, vm)
    restart(rig, 30)
    silent.machine.script.always("SAVE", never)
    asked = rig.api.later("drain")
    rig.pass_time(20)
    assert asked.result(5) == {"suspended": 0, "failed": 1}
    silent.speak()
    rig.settle()
    assert rig.api.state(vm) == "RUNNING" and silent.machine.alive


def test_a_save_that_ends_while_others_are_waited_for_is_kept(rig, image):
    silent, vm = Silent(rig, rig.run(image)), rig.run(image)
    machine = save_is_under_way(rig, vm)
    restart(rig, 3)
    with rig.reactor.lock:
        monitors.dies_saved(machine.kept[0])  # it said hello, and never that it saved
    rig.pass_time(30)
    assert silent.hellos and rig.api.state(vm) == "SUSPENDED", rig.api.get(vm)["stateReason"]
    comes_back(rig, vm, machine.guest)


def test_a_pending_microvm_whose_machine_dies_while_others_are_waited_for_starts_anew(rig):
    hooked = rig.make_image("hooked", hooks={**HOOKS, "microvmHooks": {"run": "ENABLED"}})
    silent = Silent(rig, rig.run(hooked))
    rig.script.always("HOOK", never)
    vm = rig.api.run(hooked)
    wait_for("its hook is called", lambda: rig.machine(vm) and rig.machine(vm).kept)
    machine = rig.machine(vm)
    rig.script.clear()
    restart(rig, 3)
    with rig.reactor.lock:
        machine.die()
    rig.pass_time(30)
    assert silent.hellos
    rig.wait_state(vm, "RUNNING")


@pytest.mark.parametrize("rig", [CLONES], indirect=True, ids=["clones"])
def test_a_clone_of_a_build_that_ends_while_machines_are_waited_for_keeps_its_disk(rig, image):
    silent = Silent(rig, rig.run(image))
    built = rig.api.create_image("built", **BUILD)
    restart(rig)
    rig.image.finish_next(0)
    rig.pass_time(60)
    assert silent.hellos
    wait_for("it is CREATED", lambda: rig.api.image(built)["state"] == "CREATED")
    rig.pass_time(10)
    vm = rig.run(built)
    rig.api.suspend(vm)
    assert rig.api.state(vm) == "SUSPENDED"


def test_a_list_that_a_new_priv_begins_again_takes_each_machine_once(rig, image):
    vm = rig.run(image)
    machine = rig.machine(vm)

    def half_a_list(ask):
        rig.priv.channel.say("MACHINE_ITEM", tag=ask.tag, **rig.priv._item(machine))
        rig.priv.die()
    rig.stop(kill=True)
    rig.priv.script.once("MACHINE_LIST", half_a_list)
    rig.start(ready=False)
    rig.settle()
    rig.new_priv()
    rig.pass_time(30)
    assert machine.alive and rig.api.state(vm) == "RUNNING"
    assert machine.asked.count("HELLO") == 2, "it was connected to twice"


def test_a_terminate_ends_a_machine_that_is_silent_after_a_restart(rig, image):
    vm = rig.run(image)
    rig.priv.script.always("MACHINE_END", never)
    rig.api.later("terminate", vm)
    wait_for("it is TERMINATING", lambda: rig.row(vm)["state"] == "TERMINATING")
    silent = Silent(rig, vm)
    rig.priv.script.clear()
    restart(rig, 40)
    assert silent.hellos and rig.api.state(vm) == "TERMINATED"


@pytest.mark.parametrize("rig", [CLONES], indirect=True, ids=["clones"])
def test_a_clone_whose_guest_answers_runs_even_if_its_continue_is_not_answered(rig, image):
    rig.pass_time(10)
    clone = rig.priv.alive()[0]
    assert clone.run == ipc.MACHINE_PAUSED
    rig.script.always("CONTINUE", silent_but_done)
    vm = rig.run(image)
    assert rig.machine(vm) is clone
    rig.pass_time(30)
    assert rig.api.state(vm) == "RUNNING" and clone.alive


def test_the_hook_is_called_again_after_a_machine_that_was_found_paused_ran_on(rig):
    vm = rig.run(rig.make_image("hooked", hooks=HOOKS))
    machine = save_is_under_way(rig, vm)
    assert machine.hooks == ["suspend"]
    with rig.reactor.lock:
        machine.busy = None  # it failed, and its owner is gone
        machine.kept.clear()
    machine.script.once("SAVE", monitors.fails_to_save())
    rig.restart()
    rig.wait_state(vm, "RUNNING")
    rig.api.suspend(vm)
    assert machine.hooks == ["suspend"] * 2


@pytest.mark.parametrize("how", ["state = 'HIBERNATED'", "version = 99"], ids=["unknown state", "no such version"])
def test_a_row_that_cannot_be_understood_keeps_what_belongs_to_it(rig, image, how):
    asleep, awake = rig.run(image), rig.run(image)
    rig.api.suspend(asleep)
    machine = rig.machine(awake)
    rig.stop(kill=True)
    with contextlib.closing(sqlite3.connect(f"{rig.dir}/data/control/doze.db")) as db:
        db.execute(f"UPDATE microvm SET {how}")
        db.commit()
    rig.start()
    rig.pass_time(90, 2)
    assert rig.saves(asleep) and machine.alive
    assert rig.row(asleep) and rig.row(awake)


def test_a_machine_whose_queue_is_full_is_connected_to_later(rig, image):
    vm = rig.run(image)
    machine, waiting = rig.machine(vm), []
    rig.stop(kill=True)
    with rig.reactor.lock:
        rig.reactor.poll.unregister(machine.listener)
        machine.listener.listen(1)
    with contextlib.suppress(BlockingIOError):
        while len(waiting) < 10:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
            waiting[-1].connect(f"{machine.dir}/machine.sock")
    rig.start(ready=False)
    rig.pass_time(60, 20)
    assert rig.api.state(vm) == "RUNNING" and machine.alive
    with rig.reactor.lock:
        for each in waiting[:-1]:
            machine.listener.accept()[0].close()
            each.close()
        rig.reactor.add(machine.listener, machine._accept)
    rig.pass_time(5, 1)
    rig.api.suspend(vm)
    assert rig.api.state(vm) == "SUSPENDED" and rig.saves(vm)
