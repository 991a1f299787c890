#!/usr/bin/env python3
"""tools/check-layers refuses what it should, shown by small trees; usage: check_layers.py TOOL"""
import pathlib
import subprocess
import sys
import tempfile

CASES = (  # what a tree includes, and what is said of it
    ({}, "layers: ok"),
    ({"net/conn.c": "base/base"}, "layers: ok"),
    ({"base/base.c": "net/conn"}, "base/ must not know net/"),
    ({"control/pool/pool.c": "control/store/store"}, "layers: ok"),
    ({"control/store/store.c": "control/pool/pool"}, "control/store must not know control/pool"),
    ({"control/images/images.c": "control/api/call"}, "control/images must not know control/api"),
    ({"net/dial.c": "net/chan_uv"}, "net/dial must not know net/chan_uv"),
    ({"net/conn_new.c": "net/conn"}, "layers: ok"),
    ({"net/conn_new.c": "net/http"}, "net/conn|conn_* must not know net/http|http_*"),
    ({"net/new.c": "net/chan_uv"}, "net/new has no room in the table ROOMS"),
    ({"base/a.h": "base/b", "base/b.c": "base/c", "base/c.h": "base/a"}, "these know each other: base/a -> base/b, base/b -> base/c"),
    ({"base/a.c": "base/a"}, "layers: ok"),
)
HEADERS = ("base/base", "net/conn", "net/http", "net/chan_uv", "control/store/store", "control/pool/pool", "control/api/call", "base/a", "base/b",
           "base/c")


def said(tool, tree):
    with tempfile.TemporaryDirectory() as root:
        for name in [h + ".h" for h in HEADERS] + list(tree):
            file = pathlib.Path(root) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f'#include "{tree[name]}.h"\n' if name in tree else "")
        result = subprocess.run([tool, root], capture_output=True, text=True)
        return result.stdout.splitlines()


for tree, want in CASES:
    got = said(sys.argv[1], tree)
    assert len(got) == 1 and want in got[0], (tree, want, got)
