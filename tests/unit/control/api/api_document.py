#!/usr/bin/env python3
"""Fail if docs/api-doze.md and the table of operations differ: api_document.py DUMP_OPS DOCUMENT.

Each operation below /doze/v1/ has a section of its name, whose first paragraph is its method, path and status, and whose
table has a row for each member: name, place, required or optional.
"""
import json
import pathlib
import re
import subprocess
import sys


def sections(text):
    """The documented operations: name -> (method, path, status, {member: (place, required)})."""
    found = {}
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        head = re.match(r"\s*`([A-Z]+) (\S+)` answers (\d+)\.", body)
        rows = re.findall(r"^\| `(\w+)` \| (path|query|body) \| (required|optional) \|", body, re.M)
        found[name.strip()] = (head and head.groups(), {n: (place, must == "required") for n, place, must in rows})
    return found


def operations(program):
    table = json.loads(subprocess.run([program], check=True, capture_output=True).stdout)
    return {name: ((op["method"], op["path"], str(op["status"])),
                   {n: (m["place"], bool(m["required"])) for n, m in op["members"].items()})
            for name, op in table.items() if op["path"].startswith("/doze/")}


def compare(documented, known):
    for name in sorted(known.keys() - documented.keys()):
        yield f"{name} has no section"
    for name in sorted(documented.keys() - known.keys()):
        yield f"{name} is no operation"
    for name in sorted(known.keys() & documented.keys()):
        for what, there, here in zip(("method, path and status", "members"), documented[name], known[name]):
            if there != here:
                yield f"{name}: its {what} are {here}, not {there}"


def main(program, document):
    problems = list(compare(sections(pathlib.Path(document).read_text()), operations(program)))
    print("\n".join(f"{document}: {problem}" for problem in problems) or "api-doze: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else __doc__)
