"""The messages between our processes as ctypes structures and names, out of the C headers themselves.

The built program dump_ipc (tests/unit/control) prints them.  `ipc.MACHINE_SAVE` is a number, `ipc.machine_saved` a
structure; a message of the table `machine` is also known by its word: "SAVE".
"""
import ctypes as c
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build")) / "tests/unit/control"
ALONE, DUMP = BUILT / "control_alone", BUILT / "dump_ipc"
KINDS = {"char": c.c_char, "uint8": c.c_uint8, "uint16": c.c_uint16, "uint32": c.c_uint32, "int32": c.c_int32,
         "uint64": c.c_uint64, "int64": c.c_int64}


class Ipc:
    def __init__(self):
        self.enums, self.rows, self.structs = {}, {}, {}
        sizes, members = {}, {}
        dump = subprocess.run([DUMP], check=True, capture_output=True).stdout
        for line in map(json.loads, dump.splitlines()):
            if "constant" in line:
                setattr(self, line["constant"], line["value"])
                self.enums.setdefault(line["enum"], {})[line["constant"]] = line["value"]
            elif "struct" in line:
                sizes[line["struct"]] = line["size"]
            elif "member" in line:
                members.setdefault(line["of"], []).append(line)
            else:
                self.rows[line["rows"]] = line["structs"]
        for name in sizes:
            self._struct(name, sizes, members)
        self.words = {table: self._words(table) for table in self.rows}

    def _words(self, table):
        prefix = f"{table.upper()}_"
        return {value: name.removeprefix(prefix) for name, value in self.enums[f"{table}_type"].items()
                if name != f"{prefix}NUM_TYPES"}

    def _struct(self, name, sizes, members):
        if name in self.structs:
            return self.structs[name]
        fields = []
        for m in members[name]:
            kind = m["kind"]
            one = self._struct(kind.split()[1], sizes, members) if kind.startswith("struct ") else KINDS[kind]
            n = m["size"] // c.sizeof(one)
            fields.append((m["member"], one * n if n > 1 else one))
        made = type(name, (c.Structure,), {"_fields_": fields})
        for m in members[name]:
            assert getattr(made, m["member"]).offset == m["offset"], f"{name}.{m['member']} is not where C has it"
        assert c.sizeof(made) == sizes[name], f"struct {name} is not as large as C's"
        self.structs[name] = made
        setattr(self, name, made)
        return made

    def word(self, table, number):
        return self.words[table].get(number, str(number))

    def number(self, table, word):
        return getattr(self, f"{table.upper()}_{word}")

    def body(self, table, number, data):
        """The structure of a message; its bytes where there is none."""
        made = self.structs.get(self.rows[table][number])
        return made.from_buffer_copy(data) if made and len(data) >= c.sizeof(made) else data

    def make(self, table, word, **members):
        """The bytes of a message."""
        made = self.structs.get(self.rows[table][self.number(table, word)])
        return bytes(made(**members)) if made else members.get("data", b"")


ipc = Ipc() if DUMP.exists() else None
