"""Applications that take only what can be read in one way, and keep every byte that reaches them.

Both answer a request with its target, so that an answer to another request shows.  What they cannot
take in the strictest reading is a fault; what ends before it is whole is a cut.
"""
import re
import sys
import threading

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-hpack, for whichever Python runs this
import hpack  # noqa: E402

from h2_client import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE,  # noqa: E402
                       PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame)

NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+\Z")
VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?\Z")
LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (/[!-\"$-~]*|\*) HTTP/1\.1\Z")
HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host"}


class Fault(Exception):
    pass


def demand(fact, text):
    if not fact:
        raise Fault(text)


class Request:
    def __init__(self, method, target, fields, body, conn):
        self.method, self.target, self.fields, self.body, self.conn = method, target, fields, body, conn


class Record:
    """What reached an application; one lock, because each of its connections is a thread."""

    def __init__(self):
        self.requests, self.faults, self.cuts, self.lock = [], [], 0, threading.Lock()

    def take(self, request):
        with self.lock:
            self.requests.append(request)

    def answer(self, request):
        return request.target

    def fault(self, text, data):
        with self.lock:
            self.faults.append((text, bytes(data)))

    def cut(self):
        with self.lock:
            self.cuts += 1


class Reader:
    """Lines and bodies of a Wire, each byte kept."""

    def __init__(self, w):
        self.w, self.raw = w, b""

    def line(self):
        while b"\n" not in self.w.left:
            self.w.more()
        line, self.w.left = self.w.left.split(b"\n", 1)
        self.raw += line + b"\n"
        demand(line.endswith(b"\r") and b"\r" not in line[:-1] and b"\0" not in line, "a line with another end")
        return line[:-1].decode("latin1")

    def exactly(self, n):
        data = self.w.exactly(n)
        self.raw += data
        return data


def check_fields(fields, version):
    for name, value in fields:
        demand(NAME.match(name) and VALUE.match(value), f"the field {name!r}: {value!r}")
    names = [name for name, _ in fields]
    for name in ("host", "content-length", "transfer-encoding", "upgrade", "expect"):
        demand(names.count(name) <= 1, f"{name} comes twice")
    demand(not any(name.startswith("x-aws-proxy") for name in names), "our own field")
    if version == 2:
        demand(not HOP & set(names), "a field of HTTP/1.1")
    else:
        demand(names.count("host") == 1, "no host")
        demand(not {"content-length", "transfer-encoding"} <= set(names), "two lengths")
        demand(dict(fields).get("upgrade", "websocket") == "websocket", "an upgrade that hides what follows")
    length = dict(fields).get("content-length")
    demand(length is None or str(int(length)) == length, f"the length {length!r}")


def read_body(r, fields):
    if "content-length" in fields:
        return r.exactly(int(fields["content-length"]))
    if "transfer-encoding" not in fields:
        return b""
    demand(fields["transfer-encoding"] == "chunked", "another transfer-encoding")
    body, size = b"", 1
    while size:
        line = r.line()
        size = int(line, 16)
        demand(line == f"{size:x}", f"the chunk size {line!r}")
        if size:
            body += r.exactly(size)
            demand(r.exactly(2) == b"\r\n", "a chunk without its end")
    while r.line():
        pass
    return body


def talk_record(app, w):
    """HTTP/1.1: each message is put together again from what was read of it, and must be what came."""
    record, number = app.record, app.conns
    while True:
        r = Reader(w)
        try:
            line = r.line()
            match = LINE.match(line)
            demand(match, f"the request line {line!r}")
            fields = [tuple(text.split(": ", 1)) if ": " in text else (text, None) for text in iter(r.line, "")]
            demand(all(value is not None for _, value in fields), "a line that is no field")
            check_fields(fields, 1)
            again = "".join([line, "\r\n", *[f"{n}: {v}\r\n" for n, v in fields], "\r\n"]).encode("latin1")
            demand(again == r.raw, "the head reads in another way")
            body = read_body(r, dict(fields))
        except EOFError:
            if r.raw or w.left:
                record.cut()
            raise
        except (Fault, ValueError) as e:
            record.fault(str(e), r.raw + w.left)
            return
        request = Request(match[1], match[2], dict(fields), body, number)
        record.take(request)
        text = record.answer(request)
        w.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n\r\n{'' if request.method == 'HEAD' else text}")


class Stream:
    def __init__(self, fields):
        self.fields, self.body = fields, b""


def talk_record_h2(app, w):
    """HTTP/2 without TLS: a stream is taken when it is whole and as long as it says."""
    record, number, streams, decoder, encoder = app.record, app.conns, {}, hpack.Decoder(), hpack.Encoder()
    seen = w.exactly(len(PREFACE))
    if seen != PREFACE:
        record.fault("no preface", seen)
        return
    w.send(frame(SETTINGS, 0, 0))
    try:
        while True:
            head = w.exactly(9)
            kind, flags, stream, data = head[3], head[4], int.from_bytes(head[5:], "big"), w.exactly(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                w.send(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                w.send(frame(PING, ACK, 0, data))
            elif kind == HEADERS:
                demand(flags & END_HEADERS and not flags & 0x28, "a head in pieces")
                fields = [(n.decode("latin1"), v.decode("latin1")) for n, v in decoder.decode(data, raw=True)]
                if stream in streams:
                    demand(flags & END_STREAM and not any(n.startswith(":") for n, _ in fields), "trailers that are none")
                    check_fields(fields, 2)
                else:
                    streams[stream] = Stream(fields)
            elif kind == DATA:
                demand(not flags & 8, "padding")
                streams[stream].body += data
                if data:
                    w.send(frame(WINDOW_UPDATE, 0, 0, len(data).to_bytes(4, "big")))
            elif kind == RST_STREAM:
                if streams.pop(stream, None):
                    record.cut()
            demand(kind not in (CONTINUATION, PRIORITY), "a frame that nobody expects")
            if kind == GOAWAY:
                return
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                request = take_stream(streams.pop(stream), number)
                record.take(request)
                text = record.answer(request).encode("latin1")
                block = encoder.encode([(":status", "200"), ("content-length", str(len(text)))])
                empty = request.method == "HEAD"
                w.send(frame(HEADERS, END_HEADERS | (END_STREAM if empty else 0), stream, block))
                if not empty:
                    w.send(frame(DATA, END_STREAM, stream, text))
    except EOFError:
        for _ in streams:
            record.cut()
        raise
    except (Fault, ValueError, KeyError) as e:
        record.fault(repr(e), head + data)


def take_stream(s, number):
    pseudo = [(n, v) for n, v in s.fields if n.startswith(":")]
    fields = s.fields[len(pseudo):]
    demand([n for n, _ in pseudo] == [":method", ":scheme", ":authority", ":path"] or
           sorted(n for n, _ in pseudo) == [":authority", ":method", ":path", ":scheme"], f"pseudo-headers {pseudo!r}")
    at = dict(pseudo)
    demand(LINE.match(f"{at[':method']} {at[':path']} HTTP/1.1"), f"the request {pseudo!r}")
    demand(VALUE.match(at[":authority"]) and at[":scheme"] in ("http", "https"), f"pseudo-headers {pseudo!r}")
    check_fields(fields, 2)
    length = dict(fields).get("content-length")
    demand(length is None or int(length) == len(s.body), f"{len(s.body)} bytes of {length}")
    return Request(at[":method"], at[":path"], dict(fields), s.body, number)
