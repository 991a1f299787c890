#!/usr/bin/env python3
"""Instructions that the proxy needs for one request, as callgrind counts them: a busy machine has the same.

    tests/bench/instructions.py PROXY_ROLE BENCH_UNFILTERED BENCH_BACKEND   fails if a shape needs more than was recorded

A run with few requests is taken off one with many, so that start and end do not count, and neither do connections of
the shapes that keep them.  Callgrind's files of the long runs stay in the folder that CALLGRIND_KEEP names."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from proxy import run
from proxy_peers import ROOT, Peers

RECORD = ROOT / "docs/bench/proxy-instructions.json"
MORE = 1.06  # than recorded: what a patch may cost without a word
SHAPES = {  # name -> what h2load is told, requests of the short and of the long run; "{n}" is their number
    "h1-keepalive": (["--h1", "-c8", "-n{n}"], 200, 1200),
    "h2-100-streams": (["-c1", "-m100", "-n{n}"], 400, 2400),
    "tls-each": (["--h1", "-c{n}", "-n{n}"], 10, 40),
}
PACKAGES = ("libc6", "libssl3", "libnghttp2-14", "libuv1")
WRAPPER = """#!/bin/sh
[ "$1" = mint ] && exec {role} "$@"
unset MALLOC_PERTURB_ # meson's: it has the allocator fill what it gives
LD_PRELOAD={unfiltered} exec valgrind -q --tool=callgrind --callgrind-out-file={out} {role} 2>{out}.err
"""


def total(out):
    return int(re.search(r"(?m)^(?:summary|totals): (\d+)", pathlib.Path(out).read_text(errors="replace"))[1])


def count(tools, words, n, keep):
    role, unfiltered, backend = (os.path.abspath(tool) for tool in tools)
    with tempfile.TemporaryDirectory() as folder:
        out, wrapper = keep or f"{folder}/out", pathlib.Path(folder) / "role"
        wrapper.write_text(WRAPPER.format(role=role, unfiltered=unfiltered, out=out))
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        peers = Peers(wrapper, backend, only=["doze"])
        try:
            said = run(["h2load", "-t1", *(word.format(n=n) for word in words), *peers.auth(), peers.url("doze", "/1")])
            assert f"{n} succeeded" in said and f"{n} 2xx" in said, said
        finally:
            peers.close()
        return total(out)


def bench(tools, only=()):
    """{shape: instructions for a request}"""
    found, keep = {}, os.environ.get("CALLGRIND_KEEP")
    for shape, (words, few, many) in SHAPES.items():
        if only and shape not in only:
            continue
        whole = count(tools, words, many, keep and os.path.join(keep, shape))
        found[shape] = round((whole - count(tools, words, few, None)) / (many - few))
    return found


def toolchain(role):
    """What the figures depend on beside our code."""
    comment = subprocess.run(["readelf", "-p", ".comment", role], check=True, capture_output=True, text=True).stdout
    versions = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES],
                              check=False, capture_output=True, text=True).stdout
    with open("/proc/cpuinfo", encoding="ascii") as file:
        vectors = sorted(set(re.findall(r"\b(?:avx2|aes|sha_ni|asimd)\b", file.read())))
    return {"compiler": re.findall(r"\]\s+(.*)", comment), 
            "packages": versions.split("\n")[:-1], "cpu": vectors}


def check(tools):
    """77: nothing can be said here."""
    if not shutil.which("valgrind") or not shutil.which("h2load"):
        print("valgrind or h2load is not installed")
        return 77
    record = json.loads(RECORD.read_text())
    if record["toolchain"] != toolchain(tools[0]):
        print(f"recorded with {record['toolchain']}, and here is {toolchain(tools[0])}")
        return 77
    found, bad = bench(tools), 0
    for shape, n in found.items():
        was = record["figures"][shape]
        print(f"{shape:16} {n:9,} instructions for a request, recorded {was:9,}: {n / was - 1:+.1%}")
        bad |= n > was * MORE
    if bad:
        print("If that is the price of something, record it: tests/bench/run instructions report")
    return int(bad)


if __name__ == "__main__":
    sys.exit(check(sys.argv[1:]))
