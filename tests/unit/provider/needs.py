#!/usr/bin/env python3
"""Fail if the provider needs a library, or a function that not both glibc and musl have under a name without a version."""
import subprocess
import sys

ALLOWED = {"__errno_location", "access", "calloc", "close", "environ", "execve", "explicit_bzero", "fcntl", "free", "getrandom", "malloc",
           "memcpy", "memset", "napi_get_node_version", "open", "read", "readlink", "realloc", "stpcpy", "strcat", "strchr", "strcmp", "strcpy", "strlen", "strncmp",
           "strrchr", "strstr"}


def main(path):
    dynamic = subprocess.run(["readelf", "--dynamic", "--wide", path], capture_output=True, text=True, check=True).stdout
    table = subprocess.run(["nm", "--dynamic", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in table.splitlines()]
    wanted = {row[-1] for row in rows if row[0] in "Uw"}
    given = {row[-1] for row in rows if row[0] not in "Uw"}
    bad = [line for line in dynamic.splitlines() if "(NEEDED)" in line] + sorted(wanted - ALLOWED)
    if given != {"OSSL_provider_init"}:
        bad.append(f"it offers {sorted(given)}")
    print("\n".join(bad) or "needs: ok")
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
