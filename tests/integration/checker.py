"""One look at everything an instance owns: rows, processes, cgroups, namespaces, links and directories must tell one story."""
import json
import pathlib
import re
import sqlite3
import subprocess


def rows(doze):
    """microvmId -> (state, machine, save) as the store has it."""
    with sqlite3.connect(f"file:{doze.data}/control/doze.db?mode=ro", uri=True, timeout=10) as db:
        return {row[0]: row[1:] for row in db.execute("SELECT id, state, machine, save FROM microvm")}


def machine_processes(doze):
    """The doze-qemu processes of this instance: machine -> pids, and QEMUs without one."""
    found, orphans = {}, []
    named = {p.name for p in (doze.run_dir / "m").iterdir()}
    uids = range(doze.settings["machine"]["uid_first"], doze.settings["machine"]["uid_first"] + doze.settings["machine"]["uid_count"])
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
            if proc.stat().st_uid not in uids or not words[0]:
                continue
        except OSError:
            continue
        if b"--machine" in words:
            machine = words[words.index(b"--machine") + 1].decode()
            found.setdefault(machine, []).append(int(proc.name))
            if machine not in named:
                orphans.append((machine, int(proc.name)))
    return found, orphans


def cgroups(doze):
    while True:
        try:
            return {path.name for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/doze-{doze.name}/*") if path.is_dir()}
        except FileNotFoundError:
            pass  # one went while it was looked at


def link_prefix(instance):
    """What the host's ends of an instance's slots begin with (src/priv/names.c)."""
    value = 2166136261
    for byte in instance.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"dz{value & 0xFFFFF:05x}-"


def slots(doze):
    """(numbers of namespaces, numbers of links)"""
    spaces = {p.name for p in (doze.run_dir / "netns").iterdir()}
    links = subprocess.run(["ip", "-o", "link"], text=True, capture_output=True, check=True).stdout
    return spaces, set(re.findall(rf"^\d+: {link_prefix(doze.name)}(\d+)@", links, re.M))


def faults(doze):
    """What does not fit; empty when all is well.  Settled state only: nothing may be under way."""
    wrong = []
    stats = json.loads(doze.cli("stats").stdout)
    known = {m["machine"] for m in stats["machines"]}
    directories = {p.name for p in (doze.run_dir / "m").iterdir()}
    processes, orphans = machine_processes(doze)
    table = rows(doze)
    bound = {machine for state, machine, _ in table.values() if machine}
    groups = cgroups(doze)
    if orphans:
        wrong.append(f"processes without a directory: {orphans}")
    if set(processes) != directories:
        wrong.append(f"processes {sorted(processes)} != directories {sorted(directories)}")
    if directories != known:
        wrong.append(f"directories {sorted(directories)} != machines that control knows {sorted(known)}")
    if {g for g in groups if g.startswith("m-")} != directories:
        wrong.append(f"cgroups {sorted(groups)} != directories {sorted(directories)}")
    if not bound <= directories:
        wrong.append(f"rows bound to machines that are not there: {bound - directories}")
    spaces, links = slots(doze)
    if spaces != links or len(spaces) < len(directories):
        wrong.append(f"namespaces {sorted(spaces)} != links {sorted(links)} or too few for {len(directories)} machines")
    for microvm, (state, machine, save) in table.items():
        home = doze.data / "control/microvms" / microvm
        saves = sorted(p.name for p in home.iterdir()) if home.exists() else []
        if state == "SUSPENDED" and saves != [f"save-{save}"]:
            wrong.append(f"{microvm} is SUSPENDED with saves {saves}, row says {save}")
        if state == "TERMINATED" and saves:
            wrong.append(f"{microvm} is TERMINATED and left {saves}")
        if state == "RUNNING" and machine not in directories:
            wrong.append(f"{microvm} is RUNNING without a machine")
        if state in ("TERMINATED", "SUSPENDED") and machine:
            wrong.append(f"{microvm} is {state} and bound to {machine}")
    overlays = {p.name for p in (doze.data / "control/machines").iterdir()}
    if not overlays <= directories:
        wrong.append(f"working disks of machines that are gone: {overlays - directories}")
    return wrong
