"""Requests out of the official input shapes: one that is right for each operation, and all that is wrong in one place.

A right value comes from `known` by the member's name, else from its shape.  A broken request knows what the constraint
layer must say of it: `names` is the path of the member in the message, or None where another layer may speak first.
"""
import copy
import dataclasses
import json
import random
import urllib.parse

import botocore.loaders

SERVICES = {"lambda-microvms": "", "lambda-core": "/2026-04-04/"}
CAMEL = "lambda-core"  # paths in messages begin with small letters there
WRONG = [None, "", "x", 0, -1, 1.5, 10 ** 30, True, [], {}, [[]], {"": {}}, "\0", "\ud7ff\U0001f600", "a" * 70000]


@dataclasses.dataclass
class Request:
    op: str
    what: str
    method: str
    path: str
    body: bytes
    names: str = None  # the member that the constraint layer must name


def load():
    """(service, model, name of the operation, the operation) of all that belong to microVMs."""
    for service, prefix in SERVICES.items():
        model = botocore.loaders.Loader().load_service_model(service, "service-2")
        for name, op in model["operations"].items():
            if op["http"]["requestUri"].startswith(prefix):
                yield service, model, name, op


class Shapes:
    def __init__(self, service, model, op, known):
        self.service, self.shapes, self.op, self.known = service, model["shapes"], op, known
        self.input = self.shapes[op["input"]["shape"]]

    # Right.

    def right(self, name, shape, depth=0):
        if name in self.known:
            value = self.known[name]
            return copy.deepcopy(value() if callable(value) else value)
        shape = self.shapes[shape]
        kind = shape["type"]
        if kind == "structure":
            members = shape["members"]
            if shape.get("union"):
                members = dict([next(iter(members.items()))])
            return {m: self.right(m, of["shape"], depth + 1) for m, of in members.items()}
        if kind == "list":
            return [self.right(name + "[]", shape["member"]["shape"], depth + 1)]
        if kind == "map":
            return {"k": "v"}
        if kind == "boolean":
            return True
        if kind in ("integer", "long"):
            return max(shape.get("min", 1), 1)
        return shape["enum"][0] if "enum" in shape else "a" * max(shape.get("min", 1), 1)

    def whole(self):
        return {m: self.right(m, of["shape"]) for m, of in self.input["members"].items() if m not in self.known.get("", ())}

    # Broken: (what, path of members, a function of the value, whether the constraint layer must name it).

    def broken(self):
        yield from self._broken_members(self.input, ())

    def _broken_members(self, shape, at):
        for member, of in shape["members"].items():
            where = at + (member,)
            if member in self.known.get("", ()):
                continue
            if member in shape.get("required", ()) and of.get("location") != "uri":
                yield "is missing", where, None, True
            for i, wrong in enumerate(WRONG):
                yield f"is wrong[{i}]", where, lambda _, wrong=wrong: wrong, False
            yield from self._broken_value(self.shapes[of["shape"]], where)

    def _broken_value(self, shape, at):
        kind, low, high = shape["type"], shape.get("min"), shape.get("max")
        if kind == "structure":
            yield "has a member that nobody knows", at, lambda v: {**v, "nobody": {"knows": [1]}}, False
            yield from self._broken_members(shape, at)
        elif kind in ("integer", "long"):
            yield from self._bounds(at, low, high, lambda n: n)
        elif kind == "list":
            yield from self._bounds(at, low, high, lambda n: None if n < 0 else n, lists=True)
        elif kind == "string":
            yield from self._bounds(at, low, high, lambda n: "a" * n, texts=True)
            if "enum" in shape:
                yield "is no such word", at, lambda _: "NO_SUCH_WORD", True
            if "pattern" in shape:
                yield "breaks its pattern", at, lambda v: f"{v} \u2028\t!", True
        elif kind == "map":
            yield "has wrong values", at, lambda v: {**v, "x": {"y": 1}}, False
            yield "has many keys", at, lambda v: {f"k{i}": "v" for i in range(500)}, False

    @staticmethod
    def _bounds(at, low, high, make, lists=False, texts=False):
        for word, n, wrong in (("below its least", low - 1 if low is not None else None, True), ("at its least", low, False),
                               ("at its most", high, False), ("above its most", high + 1 if high is not None else None, True)):
            if n is None or (n < 0 and (lists or texts)) or n > 100000 and texts:
                continue
            if lists:
                yield f"is {word}", at, lambda v, n=n: (v * (n + 1))[:n], wrong
            else:
                yield f"is {word}", at, lambda _, n=n: make(n), wrong

    def name_of(self, where):
        where = (self.input["members"][where[0]].get("locationName", where[0]), *where[1:])
        if self.service == CAMEL:
            where = [m[0].lower() + m[1:] for m in where]
        return ".".join(where)

    # On the wire.

    def request(self, name, what, members, names=None, body=None):
        path, query, rest = self.op["http"]["requestUri"].split("?")[0], [], {}
        for member, value in members.items():
            of = self.input["members"].get(member, {})
            wire, place = of.get("locationName", member), of.get("location")
            if place == "uri":
                text = value if isinstance(value, str) else json.dumps(value)
                path = path.replace("{" + wire + "}", urllib.parse.quote(text, safe="", errors="surrogatepass"))
            elif place == "querystring":
                for each in value if isinstance(value, list) else [value]:
                    text = each if isinstance(each, str) else json.dumps(each)
                    query.append((wire, urllib.parse.quote(text, safe="")))
            else:
                rest[wire] = value
        if query:
            path += "?" + "&".join(f"{k}={v}" for k, v in sorted(query))
        has_body = self.op["http"]["method"] not in ("GET", "DELETE")
        return Request(name, what, self.op["http"]["method"], path,
                       body if body is not None else json.dumps(rest).encode() if has_body else b"", names)


def put(members, where, change):
    """The members with one of them changed; None: it is not there, or cannot be changed so."""
    members = copy.deepcopy(members)
    at = members
    for step in where[:-1]:
        at = at.get(step) if isinstance(at, dict) else None
    if not isinstance(at, dict) or where[-1] not in at:
        return None
    if change is None:
        del at[where[-1]]
    else:
        at[where[-1]] = change(at[where[-1]])
    return members


# Bodies that are no right JSON, by what their text becomes.
BODIES = {
    "is empty": lambda text: b"",
    "is no JSON": lambda text: b"<xml/>",
    "is cut off": lambda text: text[:-2],
    "is a list": lambda text: b"[" + text + b"]",
    "is a text": lambda text: b'"x"',
    "is null": lambda text: b"null",
    "has a second object behind it": lambda text: text + text,
    "has its keys twice": lambda text: text[:-1] + b"," + text[1:] if len(text) > 2 else text,
    "is nested deeply": lambda text: text[:-1] + b',"deep":' + b"[" * 20000 + b"]" * 20000 + b"}" if len(text) > 2 else text,
    "is nested deeply in objects": lambda text: b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "is of wrong UTF-8": lambda text: text.replace(b"a", b"\xff\xfe"),
    "has half a surrogate": lambda text: text.replace(b'":', b'\\ud800":'),
    "has a NUL": lambda text: text.replace(b'": "', b'": "\\u0000'),
    "has a bare NUL": lambda text: text.replace(b'": "', b'": "\0'),
    "has a huge number": lambda text: text[:-1] + b',"n":1e999}' if len(text) > 2 else b'{"n":1e999}',
    "has a long number": lambda text: text[:-1] + b',"n":' + b"9" * 5000 + b"}" if len(text) > 2 else b"9" * 5000,
    "has a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "is too long": lambda text: text + b" " * (1 << 20),
}


def requests(known, seed, share=1.0):
    """All broken requests, or a share of them by this seed, each after a right one of its operation."""
    rng = random.Random(seed)
    for service, model, name, op in load():
        shapes = Shapes(service, model, op, {**known.get("*", {}), **known.get(name, {})})
        whole = shapes.whole()
        yield shapes.request(name, "right", whole)
        for what, where, change, strict in shapes.broken():
            members = put(shapes.whole(), where, change)
            if members is not None and rng.random() < share:
                in_path = shapes.input["members"][where[0]].get("location") == "uri"
                names = shapes.name_of(where) if strict and not in_path else None
                yield shapes.request(name, f"{'.'.join(where)} {what}", members, names)
        for what, change in BODIES.items():
            right = shapes.request(name, what, shapes.whole())
            if right.body and rng.random() < max(share, 0.3):
                yield shapes.request(name, f"its body {what}", shapes.whole(), body=change(right.body))
