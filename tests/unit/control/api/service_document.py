#!/usr/bin/env python3
"""Fail if the table of operations in docs/service.md (section 25) and that of the program differ: service_document.py DUMP_OPS DOCUMENT.

Each operation of the service has one row, with its members in their order and a word on what differs.
"""
import json
import pathlib
import re
import subprocess
import sys


def documented(text):
    rows = re.findall(r"^\| (\w+) \| (.*?) \| (.+) \|$", text.partition("\n## 25. ")[2], re.M)
    return [(name, re.findall(r"`(\w+)`", members), differs) for name, members, differs in rows if name != "Operation"]


def known(program):
    table = json.loads(subprocess.run([program], check=True, capture_output=True).stdout)
    return {name: list(op["members"]) for name, op in table.items() if not op["path"].startswith("/doze/")}


def problems(rows, ops):
    for name in ops.keys() - {name for name, *_ in rows}:
        yield f"{name} has no row"
    for name, members, differs in rows:
        if name not in ops:
            yield f"{name} is no operation"
        elif members != ops[name]:
            yield f"{name}: its members are {ops[name]}, not {members}"
        if not differs.strip():
            yield f"{name}: it says not whether anything differs"
    if len(rows) != len({name for name, *_ in rows}):
        yield "an operation has two rows"


def main(program, document):
    found = list(problems(documented(pathlib.Path(document).read_text()), known(program)))
    print("\n".join(f"{document}: {problem}" for problem in found) or "service: ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else __doc__)
