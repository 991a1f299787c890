#!/usr/bin/env python3
"""A boot on doze-qemu, as its owner watches it: how far it is, where it stands, and that QEMU is an ordinary process
again when the guest speaks.  In place of QEMU stands a script that hangs at each point.

Usage: boot_test.py DOZE-QEMU DOZE-INIT APP.  Needs root."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from machine_driver import Ended, Fault, may_hurry  # noqa: E402
from machine_test import Test  # noqa: E402

# It reads its control connection's number out of its own command line.
QEMU = """#!/usr/bin/python3
import json, socket, sys, time
mode = open(sys.argv[0] + ".mode").read()
words = [w for w in sys.argv if w.startswith("socket,id=qmp,fd=")]
qmp = socket.socket(fileno=int(words[0].rpartition("=")[2]))
def hang():
    while mode == "spins":
        pass
    time.sleep(1000)
if mode == "says nothing":
    hang()
qmp.sendall(b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}\\n')
if mode == "only greets":
    hang()
data = b""
while True:
    data += qmp.recv(65536)
    while data:
        ask, end = json.JSONDecoder().raw_decode(data.decode())
        data = data[end:].lstrip()
        if ask["execute"] == "cont" and mode == "does not begin" or ask["execute"].startswith("human"):
            hang()
        qmp.sendall(json.dumps({"return": [] if ask["execute"] == "qom-get" else {}}).encode() + b"\\n")
        if ask["execute"] == "cont":
            if mode == "spins":
                hang()
"""
MODES = {"says nothing": "request under way: boot", "only greets": "request under way: boot",
         "does not begin": "request under way: boot", "runs": "request under way: none",
         "spins": "request under way: none"}


def wait_until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def begun(t):
    """A machine that has said HELLO, and was urgent before."""
    m = t.machine()
    t.begin_boot(m)
    wait_until("QEMU's threads are there", lambda: m.children() and len(os.listdir(f"/proc/{m.qemu()}/task")) > 2)
    assert not may_hurry() or os.SCHED_RR in m.policies(), m.policies()
    try:
        m.await_frame("HELLO", 120)
    except Ended as end:  # as in machine_test.py
        assert "the timer was measured wrong" in str(end), end
        return None
    return m


def qemu_is_urgent_until_the_guest_speaks(t):
    m = next(filter(None, (begun(t) for _ in range(8))))
    assert m.policies() == {os.SCHED_OTHER}, m.policies()
    assert os.sched_getscheduler(m.process) == os.SCHED_OTHER
    t.booted = m


def a_guest_that_runs_is_explained_by_its_registers_and_its_console(t):
    text = t.booted.explain()
    for words in ("request under way: none", "state S, ran ", "# info registers -a", "RIP=", "# info lapic", "LVTT"):
        assert words in text, text
    assert "does not answer" not in text


def progress_grows_with_what_the_guest_does(t):
    before = t.booted.progress()
    t.booted.say("START", ("ARG", "/app"), ("WORKDIR", "/"))
    t.booted.await_frame("LISTEN", 60)
    after = t.booted.progress()
    assert after["cpu_ns"] > before["cpu_ns"] > 0 and after["n_blocked"] < 4, (before, after)


def wherever_qemu_hangs_its_machine_explains_it(t):
    qemu = t.dir / "qemu"
    qemu.write_text(QEMU)
    qemu.chmod(0o755)
    for mode, words in MODES.items():
        (t.dir / "qemu.mode").write_text(mode)
        m = t.machine(qemu=str(qemu))
        t.begin_boot(m)
        if "none" in words:
            wait_until(f"QEMU {mode}", lambda: m.receive(20)[0] == "READY")
        wait_until("it runs", lambda: m.children() and m.progress()["cpu_ns"] > 0)
        begin = time.monotonic()
        text = m.explain()
        assert words in text and "thread" in text, (mode, text)
        assert "QEMU does not answer." in text, (mode, text)
        assert time.monotonic() - begin < 15, mode
        if mode == "spins":
            first = m.progress()
            wait_until("its time grows", lambda: m.progress()["cpu_ns"] > first["cpu_ns"] + 50e6)
        try:  # QEMU still owes its answer to the first
            m.explain()
            raise AssertionError(f"two explanations at once: {mode}")
        except Fault as fault:
            assert "already" in str(fault), fault
        m.kill()


def main():
    if os.geteuid():
        print("needs root")
        return 77
    t = Test(*map(os.path.abspath, sys.argv[1:4]))
    try:
        for check in (qemu_is_urgent_until_the_guest_speaks, a_guest_that_runs_is_explained_by_its_registers_and_its_console,
                      progress_grows_with_what_the_guest_does, wherever_qemu_hangs_its_machine_explains_it):
            check(t)
            print("ok", check.__name__.replace("_", " "), flush=True)
    finally:
        t.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
