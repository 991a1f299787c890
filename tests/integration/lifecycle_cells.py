"""A cell: a microVM in one state, one event, and one answer of the world to what control does then.

The cells of a group share a control, and so the event and the time that passes; what is told to all (the store, priv,
the host) makes a group of its own.  Afterwards the world is well again, and each microVM is either ended for a reason
that its user was told of, or its guest is still there and answers.
"""
import dataclasses
import os
import signal

from control_rig import Control, wait_for
from ipc_structs import ipc
from script import Hold, honest
from scripted_monitor import guest_in
from signed import Refused

IDLE = 60  # the shortest that the service takes
LONG = 28800
SAVES = ("suspend", "idle", "drain")  # events of which each saves something
SAVES_NEED = ("COMMIT", "FSYNC", "RENAME", "CREATE", "MKDIR", "LINK")
TAKES_TIME = ("idle", "lifetime", "suspended too long")
SETTINGS = "[machine]\nstart_at_once=64\n[limits]\nmax_memory_mib=4096000\n"


@dataclasses.dataclass
class Answer:
    """What is answered to whom.  `ends`: it may well be the end of the microVM, in these states."""
    words: dict = dataclasses.field(default_factory=dict)
    priv: dict = dataclasses.field(default_factory=dict)
    lies: dict = dataclasses.field(default_factory=dict)
    states: tuple = ()
    ends: tuple = ()
    seconds: int = 30
    priv_dies: bool = False

    @property
    def of_all(self):
        return bool(self.priv or self.lies or self.priv_dies)


@dataclasses.dataclass
class Cell:
    state: str
    event: str
    name: str
    answer: Answer
    vm: str = ""
    guest: bytes = b""
    hold: Hold = None
    monitor: object = None
    asked: object = None
    problems: list = dataclasses.field(default_factory=list)

    def must_end(self):
        """Somebody was promised that it does; whose request is refused was not."""
        told = self.event == "terminate" and self.asked.done() and not self.asked.exception()
        return (self.state == "TERMINATING" or told or self.event == "lifetime" or
                (self.event == "suspended too long" and self.state == "SUSPENDED"))

    def may_end(self):
        died = self.event == "death" and self.state in ("PENDING", "RUNNING", "SUSPENDING")
        # What has not started may fail to: nothing of a user's is in it yet.
        fails = self.state == "PENDING" and (self.name != "well" or self.event in TAKES_TIME)
        return (self.must_end() or died or fails or self.state in self.answer.ends or
                self.event in ("terminate", "suspended too long"))

    def act(self, ask):
        """What its machine does, while the world is ill."""
        self.answer.words.get(ask.word, honest)(ask)


class HoldSave(Hold):
    """It has begun, and its end is the test's."""

    def __call__(self, ask):
        if ask.actor.begin_save(ask):
            super().__call__(ask)

    def release(self, then=None):
        for ask in self.asks:
            ask.actor.busy = None
        super().release(then)


class Group:
    def __init__(self, cells, place):
        self.cells, self.event, self.answer = cells, cells[0].event, cells[0].answer
        self.rig = Control(str(place), SETTINGS, machines=True)
        self.by_guest, self.ill = {}, False

    # One state after the other.

    def _members(self):
        idle = {"maxIdleDurationSeconds": IDLE if self.event == "idle" else LONG,
                "suspendedDurationSeconds": 60 if self.event == "suspended too long" else LONG,
                "autoResumeEnabled": True}
        return dict(idlePolicy=idle, maximumDurationInSeconds=60 if self.event == "lifetime" else LONG)

    def _hold(self, cell, script, word, hold=Hold):
        cell.hold = hold()
        script.once(word, cell.hold)

    def _held(self, cell):
        wait_for(f"{cell.state} is reached", lambda: cell.hold.asks)
        cell.monitor = cell.hold.asks[0].actor

    def bring(self, cell, image):
        rig = self.rig
        if cell.state == "PENDING":
            self._hold(cell, rig.script, "RESTORE")
            cell.vm = rig.api.run(image, **self._members())
            self._held(cell)
            return
        cell.vm = rig.run(image, **self._members())
        cell.monitor = rig.machine(cell.vm)
        cell.guest = cell.monitor.guest
        self.by_guest[cell.guest] = cell
        if cell.state == "SUSPENDING":
            self._hold(cell, cell.monitor.script, "SAVE", HoldSave)
            rig.api.later("suspend", cell.vm)
            self._held(cell)
        elif cell.state in ("SUSPENDED", "RESUMING"):
            rig.api.suspend(cell.vm)
        elif cell.state == "TERMINATING":
            self._hold(cell, rig.priv.script, "MACHINE_END")
            rig.api.terminate(cell.vm)
            wait_for("it is to end", lambda: cell.hold.asks)
        if cell.state == "RESUMING":
            self._hold(cell, rig.script, "RESTORE")
            rig.api.later("resume", cell.vm)
            self._held(cell)

    # The event, in an ill world.

    def _dispatch(self, ask):
        """Every machine's messages: which cell it is, its guest says."""
        guest = ask.actor.guest
        if ask.word == "RESTORE" and ask.body.from_save:
            guest = self.guest_of(ask)
        cell = self.by_guest.get(guest)
        if self.ill and cell:
            cell.act(ask)
        else:
            honest(ask)

    @staticmethod
    def guest_of(ask):
        return guest_in(os.pread(ask.fds[ipc.RESTORE_FD_SAVE_STATE], 200, 0))

    def fall_ill(self):
        self.ill = True
        for word in ("RESTORE", "SAVE", "PAUSE", "CONTINUE", "RESUMED", "HOOK", "GET_STATS"):
            self.rig.script.always(word, self._dispatch)
        for word, action in self.answer.priv.items():
            self.rig.priv.script.always(word, action)
        for call, how in self.answer.lies.items():
            self.rig.lies.tell(call, **how)

    def happen(self):
        rig = self.rig
        calls = {"suspend": "suspend", "resume": "resume", "terminate": "terminate"}
        if self.event in calls:
            for cell in self.cells:
                cell.asked = rig.api.later(calls[self.event], cell.vm)
        elif self.event == "wake":
            for cell in self.cells:
                rig.proxy.say("WAKE", rig.row(cell.vm)["endpoint"])
        elif self.event == "death":
            for cell in self.cells:
                if cell.monitor and cell.state != "SUSPENDED":
                    cell.monitor.die()
        elif self.event == "restart":
            self.start_again(kill=True)
        elif self.event == "drain":
            rig.say_stop()
        elif self.event in TAKES_TIME:
            rig.pass_time(65, step=5)
        if self.answer.priv_dies:
            rig.priv.die()
        if not self.dead():
            rig.settle()

    def dead(self):
        return self.rig.process.poll() is not None

    def start_again(self, kill=False):
        """It may die once more, for the reason that it died of."""
        rig = self.rig
        if kill:
            rig.stop(kill=True)
        ends = (0, 1, -signal.SIGKILL) if self.event == "drain" else (0, -signal.SIGKILL)  # 1: not all are suspended
        if rig.process.wait() not in ends:
            self.cells[0].problems.append(f"control crashed: {rig.process.code}")
        for channel in (rig.supervisor, rig.image.channel, rig.proxy.channel):
            channel.close()
        rig.start(ready=False)
        if not (self.ill and "MACHINE_LIST" in self.answer.priv):  # without a list it cannot be ready
            wait_for("it is ready or dead", lambda: "READY" in rig.supervisor.got or self.dead())

    def let_go(self):
        for cell in self.cells:
            if cell.hold:
                cell.hold.release(cell.act if cell.hold.asks and cell.hold.asks[0].actor is cell.monitor else None)

    def pass_ill(self):
        for _ in range(3):
            if not self.dead():
                self.rig.pass_time(self.answer.seconds, step=2)
            if not self.dead() or self.event == "drain":
                return
            self.start_again()

    def get_well(self):
        rig = self.rig
        self.ill = False
        rig.lies.truth()
        rig.priv.script.clear()
        if self.answer.priv_dies and not self.dead():
            rig.new_priv()
        with rig.reactor.lock:
            for ask in rig.priv.kept:
                ask.honest()
            rig.priv.kept.clear()
            for monitor in rig.priv.alive():
                monitor.unstick()
        if self.event == "drain" and not self.dead():
            rig.pass_time(40, step=2)
        for _ in range(2):  # it may have been on its way to its death
            if self.dead():
                self.start_again()
            rig.pass_time(75, step=6)
        wait_for("control is ready", lambda: "READY" in rig.supervisor.got)

    # What is left.

    def check(self, cell):
        rig = self.rig
        for _ in range(20):  # what is on its way has a moment to arrive
            got, row = rig.api.get(cell.vm), rig.row(cell.vm)
            state = got["state"]
            if state == row["state"]:
                break
            rig.settle()
        if state != row["state"]:
            cell.problems.append(f"the API says {state}, the store {row['state']}")
        machine, saves = rig.machine(cell.vm), rig.saves(cell.vm)
        if state == "TERMINATED":
            if not cell.may_end():
                cell.problems.append(f"it was ended: {got['stateReason']}")
            for _ in range(20):  # a worker removes them after the row is there
                if not (machine or saves):
                    break
                rig.settle()
                machine, saves = rig.machine(cell.vm), rig.saves(cell.vm)
            if machine or saves:
                cell.problems.append("it is TERMINATED and its machine or its save is still there")
        elif cell.must_end():
            cell.problems.append(f"it should be TERMINATED and is {state}")
        elif state == "RUNNING":
            if not machine or (cell.guest and machine.guest != cell.guest) or machine.run != ipc.MACHINE_RUNNING:
                cell.problems.append(f"it is RUNNING without its guest: {machine and machine.run}")
        elif state == "SUSPENDED":
            if cell.guest and cell.guest not in saves.values():
                cell.problems.append(f"it is SUSPENDED without a whole save: {saves}")
        else:
            cell.problems.append(f"it stays {state}, long after the world got well")
        if cell.asked and not cell.asked.done():
            cell.problems.append(f"the caller of {cell.event} has no answer")
        return state

    def check_all(self):
        rig = self.rig
        alive = {cell.vm for cell in self.cells if self.check(cell) != "TERMINATED"}
        resumed = {vm: rig.api.later("resume", vm) for vm in alive}
        rig.pass_time(10, step=2)
        for cell in self.cells:
            if cell.vm in alive and not cell.problems:
                self.check_back(cell, resumed[cell.vm])
        owned = {rig.machine(cell.vm) for cell in self.cells}
        for call in self.answer.lies:
            if self.event in SAVES and call in SAVES_NEED and not rig.lies.told(call):
                self.cells[0].problems.append(f"nobody was lied to: {call} was not called")
        strays = [monitor.name for monitor in rig.priv.alive() if monitor not in owned]
        if strays:
            self.cells[0].problems.append(f"machines of nobody run: {strays}")

    def check_back(self, cell, resumed):
        try:
            resumed.result(5)
        except (Refused, OSError, TimeoutError) as error:
            cell.problems.append(f"it cannot be resumed: {error}")
            return
        machine = self.rig.machine(cell.vm)
        if not machine or (cell.guest and machine.guest != cell.guest):
            cell.problems.append("another guest came back")

    def run(self):
        image = self.rig.make_image("app")
        try:
            for cell in self.cells:
                self.bring(cell, image)
            self.fall_ill()
            self.happen()
            self.let_go()
            self.pass_ill()
            self.get_well()
            self.check_all()
        finally:
            self.rig.close()
