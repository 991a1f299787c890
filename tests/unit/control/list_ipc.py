#!/usr/bin/env python3
"""Lists what the headers of messages declare, for dump_ipc.c: names alone; the compiler knows the rest.

usage: list_ipc.py HEADER ...
"""
import re
import sys

SKIP = {"ipc_row", "ipc_msg", "chan", "err"}  # no messages: they hold pointers


def bodies(kind, text):
    return re.findall(rf"^{kind} (\w+)\s*{{(.*?)}};", text, re.S | re.M)


def list_struct(name, body):
    print(f"STRUCT({name})")
    for line in filter(None, (part.strip() for part in body.split(";"))):
        kind, names = re.fullmatch(r"((?:struct )?\w+)\s+(.*)", line, re.S).groups()
        for member in re.findall(r"(\w+)(?:\[[^\]]*\])?(?:,|$)", names):
            nested = kind.startswith("struct ")
            print(f"NESTED({name}, {member}, {kind.split()[1]})" if nested else f"MEMBER({name}, {member})")


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        for name in re.findall(r"^#define (\w+)\s+\d+\s*$", text, re.M):
            print(f"CONSTANT({name})")
        for name, body in bodies("enum", text):
            for word in re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|\s*$)", body):
                print(f"VALUE({name}, {word})")
        for name, body in bodies("struct", text):
            if name not in SKIP:
                list_struct(name, body)
        for name in re.findall(r"^extern const struct ipc_row (\w+)_rows\[", text, re.M):
            print(f"ROWS({name})")


main()
