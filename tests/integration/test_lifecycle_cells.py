"""Every state of a microVM, every event, and every answer of the machine, priv, the store and the host to what control
does then: what the API says, what the store holds and what runs agree afterwards, and no answer of ours destroys what
a user was promised (lifecycle_cells.py).
"""
import concurrent.futures
import errno
import itertools

import pytest

import lies
import scripted_monitor as monitors
from control_rig import ALONE
from ipc_structs import ipc
from lifecycle_cells import Answer, Cell, Group
from script import dies_after, dies_before, never, refuse, silent_but_done, twice, wrong_tag, wrong_type

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

AT_ONCE = 4  # groups
STATES = ("PENDING", "RUNNING", "SUSPENDING", "SUSPENDED", "RESUMING", "TERMINATING")
EVENTS = ("suspend", "resume", "terminate", "idle", "wake", "lifetime", "suspended too long", "death", "restart",
          "drain")
SAVED, STARTED = ("RUNNING", "SUSPENDING"), ("PENDING", "SUSPENDED", "RESUMING")


def saving(action, ends=False, seconds=200, **more):
    return Answer({"SAVE": action, **more}, states=SAVED, ends=SAVED if ends else (), seconds=seconds)


def restoring(action, word="RESTORE", ends=()):
    return Answer({word: action}, states=STARTED, ends=ends, seconds=200)


def store(answer):
    return Answer(lies={"COMMIT": dict(answer=answer)})


def host(call, answer, **how):
    return Answer(lies={call: dict(answer=answer, **how)})


ANSWERS = {
    "well": Answer(states=STATES, seconds=200),
    # A machine that dies, or that is broken into, is lost by its own doing: then an end is allowed.
    "save is refused": saving(monitors.fails_to_save("INTERNAL")),
    "save has no room": saving(monitors.fails_to_save("CAPACITY")),
    "save finds it busy": saving(refuse("CONFLICT")),
    "save is never answered": saving(monitors.saves_never),
    "save takes 150 s": saving(monitors.slow_save(150)),
    "save is answered twice": saving(twice),
    "save is answered to another tag": saving(wrong_tag),
    "save is answered with READY": saving(wrong_type("READY"), ends=True),
    "save is answered with STATS": saving(wrong_type("STATS"), ends=True),
    "save is answered by its end": saving(silent_but_done, ends=True),
    "save finds it dead": saving(dies_before, ends=True),
    "save kills it half way": saving(monitors.dies_while_saving, ends=True),
    "save kills it at the end": saving(monitors.dies_saved, ends=True),
    "save is answered with garbage": saving(monitors.garbage_agent, ends=True),
    "save is drowned": saving(monitors.floods(300)),
    "save and continue are refused": saving(monitors.fails_to_save(), CONTINUE=refuse("CONFLICT")),
    "save is refused and continue never answered": saving(monitors.fails_to_save(), CONTINUE=never),
    "restore is refused": restoring(refuse("INTERNAL")),
    "restore has no room": restoring(refuse("CAPACITY")),
    "restore conflicts": restoring(refuse("CONFLICT")),
    "restore is never answered": restoring(never),
    "restore kills it": restoring(dies_before),
    "restore kills it afterwards": restoring(dies_after, ends=("PENDING",)),
    "restore is answered twice": restoring(twice),
    "restore is answered with STATS": restoring(wrong_type("STATS")),
    "the guest never wakes": restoring(never, "RESUMED"),
    "the guest dies as it wakes": restoring(dies_before, "RESUMED"),
    "the application ends as it wakes": restoring(monitors.application_exits, "RESUMED", ends=STARTED),
    # What is told to all.
    "priv refuses a start": Answer(priv={"MACHINE_START": refuse("CAPACITY")}),
    "priv never starts": Answer(priv={"MACHINE_START": never}),
    "priv refuses an end": Answer(priv={"MACHINE_END": refuse("INTERNAL")}),
    "priv never ends": Answer(priv={"MACHINE_END": never}),
    "priv refuses the list": Answer(priv={"MACHINE_LIST": refuse("INTERNAL")}),
    "priv dies": Answer(priv_dies=True),
    "the store is full": store(lies.FULL),
    "the store's disk is broken": store(lies.IOERR),
    "the store is locked": store(lies.BUSY),
    "control dies before a commit": Answer(lies={"COMMIT": dict(answer=1001, times=1)}),
    "control dies after a commit": Answer(lies={"COMMIT": dict(answer=1002, times=1)}),
    "control dies at a rename": host("RENAME", 1001, who="HELPERS", times=1),
    "control dies after a rename": host("RENAME", 1002, who="HELPERS", times=1),
    "the workers' fsyncs stall": host("FSYNC", 1003, who="HELPERS"),
    "the workers' renames stall": host("RENAME", 1003, who="HELPERS"),
    "the workers' mkdirs stall": host("MKDIR", 1003, who="HELPERS"),
    "no fsync works": host("FSYNC", errno.EIO),
    "the last fsyncs fail": host("FSYNC", errno.EIO, skip=5),
    "no rename works": host("RENAME", errno.EIO, who="HELPERS"),
    "no directory can be made": host("MKDIR", errno.ENOSPC),
    "no file can be made": host("CREATE", errno.ENOSPC),
    "no link can be made": host("LINK", errno.ENOSPC),
    "no memfd can be made": host("MEMFD", errno.EMFILE),
}


def make_cells():
    for event, (name, answer), state in itertools.product(EVENTS, ANSWERS.items(), STATES):
        if state in (answer.states or STATES):
            yield Cell(state, event, name, answer)


def group_of(cell):
    return cell.event, cell.name if cell.answer.of_all else ""


CELLS = sorted(make_cells(), key=group_of)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


def walk(cells, place):
    try:
        Group(cells, place).run()
    except Exception as error:  # pylint: disable=broad-except
        for cell in cells:
            cell.problems.append(f"{type(error).__name__}: {error}")


@pytest.fixture(name="walked", scope="module")
def _walked(request, tmp_path_factory):
    """The groups of the cells that are asked for, a few at a time: most of it is waiting."""
    wanted = {group_of(item.callspec.params["cell"]) for item in request.session.items
              if item.module is request.module}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {key: pool.submit(walk, list(cells), tmp_path_factory.mktemp("cells"))
               for key, cells in itertools.groupby(CELLS, group_of) if key in wanted}


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.state}, {c.event}, {c.name}")
def test_what_was_promised_is_kept(cell, walked):
    walked[group_of(cell)].result()
    assert not cell.problems
