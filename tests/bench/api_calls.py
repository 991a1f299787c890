"""Signed calls that the control role answers in a second, on one core, while its store has many rows.

The role has a core of its own, and the client (bench-calls, in C) another one; its connections stay open, and are TLS as
they are in a daemon."""
import json
import os
import pathlib
import subprocess

import control_rig
from signed import V

CONNECTIONS, SECONDS = 16, 5


def cores():
    """One for the role, one for the client; the same one where there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def calls(rig, tool, method, body, paths):
    """(calls a second, the role's CPU time for each in us)"""
    role = rig.process.pid
    words = [tool, rig.port, rig.ca, control_rig.REGION, method, body, CONNECTIONS, SECONDS]
    before = cpu_seconds(role)
    said = subprocess.run([str(word) for word in words], input="\n".join(paths), text=True, check=True, stdout=subprocess.PIPE,
                          env={"AWS_ACCESS_KEY_ID": control_rig.KEY, "AWS_SECRET_ACCESS_KEY": control_rig.SECRET},
                          preexec_fn=lambda: os.sched_setaffinity(0, {cores()[1]})).stdout
    figures = json.loads(said)
    return figures["calls"] / figures["seconds"], (cpu_seconds(role) - before) / figures["calls"] * 1e6


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pin(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cores()[0]})


def bench(rig, tool, vms, times=3):
    """Name -> samples.  @vms are microVMs of the store; a token is made for one that runs."""
    running = rig.run(rig.make_image("runs"))
    shapes = {"get_microvm": ("GET", "", [f"{V}/microvms/{vm}" for vm in vms]),
              "create_auth_token": ("POST", '{"expirationInMinutes":5,"allowedPorts":[{"port":8080}]}', [f"{V}/microvms/{running}/auth-token"])}
    pin(rig.process.pid)
    figures = {}
    for _ in range(times):
        for name, shape in shapes.items():
            rate, cpu = calls(rig, tool, *shape)
            figures.setdefault(f"{name}_per_s", []).append(rate)
            figures.setdefault(f"{name}_cpu_us", []).append(cpu)
    return figures
