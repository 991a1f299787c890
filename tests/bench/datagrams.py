#!/usr/bin/env python3
"""Datagrams a second through a published port, by the proxy alone: bench-datagrams is the machine and the client.

    tests/bench/datagrams.py PROXY_ROLE BENCH_DATAGRAMS	prints the figures
"""
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "platform"))
from proxy_rig import OPEN, PUBLISH, Rig  # noqa: E402

RATES, SECONDS, SIZE = (10000, 50000, 100000), 5, 512


def published(rig):
    """An endpoint of a machine that is yet to come, and its port."""
    endpoint, machine = str(uuid.uuid4()), "m-bench"
    os.makedirs(f"{rig.dir}/run/m/{machine}", exist_ok=True)
    rig.control.set(endpoint, OPEN, machine=machine)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        body = endpoint.encode().ljust(40, b"\0") + struct.pack("=HHIII", port, 514, 1, 1, 0)
        rig.control.send(PUBLISH, body.ljust(56 + 16 * 18, b"\0"), [listener.fileno()])
    time.sleep(0.3)
    return f"{rig.dir}/run/m/{machine}/stream.sock", port


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def dropped_by_kernel(port):
    """Since the socket's buffer was full."""
    with open("/proc/net/udp", encoding="ascii") as file:
        return sum(int(line.split()[-1]) for line in list(file)[1:] if int(line.split()[1].split(":")[1], 16) == port)


def measure(role, tool, rate):
    rig = Rig(role)
    stream, port = published(rig)
    before = cpu(rig.process.pid)
    out = subprocess.run([tool, stream, str(port), str(rate), str(SECONDS), str(SIZE)], check=True, capture_output=True,
                         text=True, timeout=120)
    figures = json.loads(out.stdout)
    figures.update(lost=figures["sent"] - figures["received"], in_socket=dropped_by_kernel(port),
                   cpu_us=(cpu(rig.process.pid) - before) * 1e6 / figures["sent"])
    rig.stop()
    return figures


def bench(role, tool):
    """Per rate: percent lost in all, percent lost since the kernel's buffer was full, the proxy's CPU for each."""
    found = {}
    for rate in RATES:
        got = measure(role, tool, rate)
        found |= {f"lost_percent_{rate}": 100 * got["lost"] / got["sent"],
                  f"lost_in_socket_percent_{rate}": 100 * got["in_socket"] / got["sent"], f"cpu_us_{rate}": got["cpu_us"]}
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    print(json.dumps(bench(*sys.argv[1:3]), indent=1))
