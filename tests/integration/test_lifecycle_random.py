"""Many events and faults one upon the other, in an order that nobody thought of: whatever comes, no guest is lost.

Nothing here ends a microVM: no request, no policy, no death of a machine.  DOZE_SEED is the first of the seeds.
"""
import errno
import os
import random

import pytest

import lies
import scripted_monitor as monitors
from control_rig import ALONE, Control, wait_for
from script import never, refuse, twice
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

FIRST = int(os.environ.get("DOZE_SEED", "1"))
SEEDS = int(os.environ.get("DOZE_SEEDS", "4"))
MICROVMS, ROUNDS, STEPS = 8, 4, 12
IDLE = {"maxIdleDurationSeconds": 120, "suspendedDurationSeconds": 28800, "autoResumeEnabled": True}

ANSWERS = [("SAVE", monitors.fails_to_save("INTERNAL")), ("SAVE", monitors.fails_to_save("CAPACITY")),
           ("SAVE", refuse("CONFLICT")), ("SAVE", monitors.saves_never), ("SAVE", monitors.slow_save(40)),
           ("SAVE", monitors.slow_save(200)), ("SAVE", twice), ("CONTINUE", refuse("INTERNAL")), ("CONTINUE", never),
           ("RESTORE", refuse("INTERNAL")), ("RESTORE", refuse("CAPACITY")), ("RESTORE", never), ("RESTORE", twice),
           ("RESUMED", never), ("GET_STATS", never), ("GET_STATS", refuse("INTERNAL"))]
PRIV = [("MACHINE_START", refuse("CAPACITY")), ("MACHINE_START", never), ("MACHINE_END", never),
        ("MACHINE_END", refuse("INTERNAL")), ("MACHINE_LIST", refuse("INTERNAL"))]
LIES = [("COMMIT", lies.FULL), ("COMMIT", lies.IOERR), ("COMMIT", lies.BUSY), ("FSYNC", errno.EIO), ("RENAME", errno.EIO), ("CREATE", errno.ENOSPC), ("MKDIR", errno.ENOSPC),
        ("LINK", errno.ENOSPC), ("MEMFD", errno.EMFILE), ("COMMIT", 1001), ("COMMIT", 1002), ("RENAME", 1001),
        ("RENAME", 1002)]


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


class Walk:
    def __init__(self, place, seed):
        self.random, self.said = random.Random(seed), []
        self.rig = Control(str(place), machines=True)
        image = self.rig.make_image("app")
        self.guests = {}
        for n in range(MICROVMS):
            vm = self.rig.run(image, **(dict(idlePolicy=IDLE) if n % 2 else {}))
            self.guests[vm] = self.rig.machine(vm).guest

    def alive(self):
        code = self.rig.process.poll()
        assert code in (None, -9), f"control crashed: {code}"
        return code is None

    def up(self):
        """Control, whatever became of it."""
        while not self.alive() or "READY" not in self.rig.supervisor.got:
            if not self.alive():
                for channel in (self.rig.supervisor, self.rig.image.channel, self.rig.proxy.channel):
                    channel.close()
                self.rig.start(ready=False)
            self.rig.pass_time(2)
            if not self.alive() or "MACHINE_LIST" in self.rig.priv.script.lasting:
                self.rig.lies.truth()
                self.rig.priv.script.clear()

    def step(self):
        rig, pick = self.rig, self.random.choice
        vm = pick(list(self.guests))
        what = pick(["suspend", "resume", "wake", "answer", "answer", "priv", "lie", "kill", "time", "time", "well"])
        self.said.append(what)
        if what in ("suspend", "resume"):
            rig.api.later(what, vm)
        elif what == "wake":
            rig.proxy.say("WAKE", rig.row(vm)["endpoint"])
        elif what == "answer":
            rig.script.once(*pick(ANSWERS))
        elif what == "priv":
            rig.priv.script.once(*pick(PRIV))
        elif what == "lie":
            call, answer = pick(LIES)
            self.said.append((call, answer))
            rig.lies.tell(call, answer, skip=pick([0, 0, 1, 3]), times=1 if answer > 1000 else pick([0, 1, 2]),
                          who="HELPERS" if call == "RENAME" else "ANYONE")
        elif what == "kill":
            rig.stop(kill=True)
        elif what == "time":
            rig.pass_time(pick([2, 20, 130]), step=pick([1, 4]))
        else:
            rig.lies.truth()
        if self.alive():
            rig.settle()
        self.up()

    def get_well(self):
        rig = self.rig
        rig.lies.truth()
        rig.script.clear()
        rig.priv.script.clear()
        with rig.reactor.lock:
            for ask in rig.priv.kept:
                ask.honest()
            rig.priv.kept.clear()
            for monitor in rig.priv.alive():
                monitor.unstick()
        self.up()
        rig.pass_time(300, step=6)
        if not self.alive():  # killed by a lie that it met right before the truth
            self.up()
            rig.pass_time(300, step=6)

    def check(self):
        rig = self.rig
        assert self.alive(), self.said
        for vm, guest in self.guests.items():
            got = rig.api.get(vm)
            assert got["state"] in ("RUNNING", "SUSPENDED"), (self.said, got["state"], got["stateReason"])
            assert rig.row(vm)["state"] == got["state"], self.said
            try:
                rig.api.resume(vm)
            except Refused as error:
                raise AssertionError((self.said, f"{error}")) from error
            wait_for("its guest runs", lambda vm=vm: rig.machine(vm))
            assert rig.machine(vm).guest == guest, self.said
        assert len(rig.priv.alive()) == MICROVMS, "machines of nobody run"


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_no_guest_is_lost_by_whatever_comes(seed, tmp_path):
    walk = Walk(tmp_path, seed)
    try:
        for _ in range(ROUNDS):
            for _ in range(STEPS):
                walk.step()
            walk.get_well()
            walk.check()
    finally:
        walk.rig.close()
