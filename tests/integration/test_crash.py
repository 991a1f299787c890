"""Kills at seeded moments of a mixed load; after each, one look at everything doze owns.

30 kills; 200 with DOZE_LONG=1 (./check --long).  The seed is printed and may be given as DOZE_SEED.
"""
import contextlib
import http.client
import os
import random
import signal
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from checker import faults, machine_processes
from rig import wait_for

KILLS = int(os.environ.get("DOZE_KILLS", 200 if os.environ.get("DOZE_LONG") else 30))
POLICY = {"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}
SETTLED = ("RUNNING", "SUSPENDED", "TERMINATED")
# What a client may hear of a kill: an error, no answer, or half of one.
KILLED = (ClientError, BotoCoreError, OSError, http.client.HTTPException, AssertionError)


class Load:
    """Runs, calls, suspends, resumes and ends microVMs, and remembers what was acknowledged."""

    def __init__(self, doze, arn, seed):
        self.doze, self.arn, self.random = doze, arn, random.Random(seed)
        self.counts = {}  # microvm -> highest n answered
        self.ended = set()
        self.vms = {}
        self.stopping = threading.Event()
        self.thread = None

    def work(self):
        while not self.stopping.is_set():
            with contextlib.suppress(*KILLED, ValueError):
                self.step()
            time.sleep(0.02)

    def step(self):
        api = self.doze.api
        alive = [m for m in self.vms if m not in self.ended]
        if len(alive) < 4:
            vm = api.run_microvm(imageIdentifier=self.arn, idlePolicy=POLICY)
            self.vms[vm["microvmId"]] = vm
            return
        microvm = self.random.choice(alive)
        what = self.random.choice(("call", "call", "suspend", "resume", "end"))
        if what == "call":
            n = self.doze.call(self.vms[microvm], timeout=20)["n"]
            self.counts[microvm] = max(n, self.counts.get(microvm, 0))
        elif what == "suspend":
            api.suspend_microvm(microvmIdentifier=microvm)
        elif what == "resume":
            api.resume_microvm(microvmIdentifier=microvm)
        else:
            api.terminate_microvm(microvmIdentifier=microvm)
            self.ended.add(microvm)

    def __enter__(self):
        self.stopping.clear()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(60)


def victims(doze, rng):
    """(what, pid) of one of: a role, dozed itself, a doze-qemu, a QEMU."""
    kind = rng.choice(("control", "proxy", "objects", "image", "priv", "dozed", "machine", "qemu"))
    if kind == "dozed":
        return kind, doze.pid()
    if kind not in ("machine", "qemu"):
        return kind, doze.role_pid(kind)
    pids = [pid for pids in machine_processes(doze)[0].values() for pid in pids]
    if not pids:
        return kind, 0
    pid = rng.choice(sorted(pids))
    if kind == "qemu":
        with contextlib.suppress(OSError):
            children = open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()
            pid = int(children[0]) if children else pid
    return kind, pid


def states(doze):
    found, token = {}, None
    while True:
        page = doze.api.list_microvms(maxResults=50, **({"nextToken": token} if token else {}))
        found.update({item["microvmId"]: item["state"] for item in page["items"]})
        token = page.get("nextToken")
        if not token:
            return found


def settled(doze):
    with contextlib.suppress(ClientError, BotoCoreError, OSError):
        return all(state in SETTLED for state in states(doze).values())
    return False


def test_after_any_kill_every_row_is_true_and_nothing_is_orphaned(doze, images):
    seed = int(os.environ.get("DOZE_SEED", time.time()))
    print(f"DOZE_SEED={seed}")
    rng = random.Random(seed)
    arn = images["counter"]
    load = Load(doze, arn, seed)
    for i in range(KILLS):
        with load:
            time.sleep(rng.uniform(0.1, 1.5))
            what, pid = victims(doze, rng)
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if what == "dozed":
            wait_for("the roles died with their supervisor",
                     lambda: not any(doze.role_pid(r) for r in ("control", "priv", "proxy", "image", "objects")), 20)
            doze.up()
        check(doze, load, f"kill {i} of {what}, seed {seed}")
    for microvm in load.vms:
        doze.api.terminate_microvm(microvmIdentifier=microvm)


def check(doze, load, when):
    wait_for(f"all is settled after {when}", lambda: settled(doze), 120, 0.2)
    deadline = time.monotonic() + 30
    while wrong := faults(doze):
        assert time.monotonic() < deadline, f"{when}: {wrong}"
        time.sleep(0.3)
    now = states(doze)
    for microvm in load.vms:
        assert microvm in now, f"{when}: {microvm} is lost"
    for microvm in load.ended:
        assert now[microvm] == "TERMINATED", f"{when}: {microvm} was ended and is {now[microvm]}"
    for microvm, n in list(load.counts.items()):
        if now[microvm] == "TERMINATED":
            load.counts.pop(microvm)
            load.ended.add(microvm)
        elif now[microvm] == "SUSPENDED":
            got = doze.call(load.vms[microvm])["n"]
            assert got > n, f"{when}: {microvm} forgot: {got} after {n}"
            load.counts[microvm] = got
    for microvm, state in now.items():
        if state == "TERMINATED" and microvm in load.vms:
            load.ended.add(microvm)


def test_running_microvms_outlive_a_restart_of_dozed(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.token(vm["microvmId"])
    assert doze.call(vm, token=token)["n"] == 1
    before = machine_processes(doze)[0]
    doze.down("--keep")
    assert not doze.alive()
    doze.up()
    assert doze.state(vm["microvmId"]) == "RUNNING"
    assert doze.call(vm, token=token)["n"] == 2
    after = machine_processes(doze)[0]
    assert any(pids == before.get(machine) for machine, pids in after.items())


@pytest.mark.parametrize("role", ["control", "proxy", "objects", "image", "priv"])
def test_a_role_that_dies_comes_back_and_serves(doze, images, microvms, role):
    vm = microvms(images["counter"], idlePolicy=POLICY)
    assert doze.call(vm)["n"] == 1
    pid = doze.role_pid(role)
    os.kill(pid, signal.SIGKILL)
    wait_for(f"{role} is back", lambda: doze.role_pid(role) not in (0, pid), 20)

    def works():
        with contextlib.suppress(*KILLED):
            return doze.call(vm)["n"] >= 2
        return False
    wait_for(f"requests are served after {role} died", works, 30, 0.2)
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    assert doze.call(vm)["n"] >= 3
