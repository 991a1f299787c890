"""Answers that two readers may read in two ways, for proxy_smuggling_answers_test.py.

A row is (name, what the application says).  EVIL is the answer that it would like somebody to get
who asked for something else.
"""
from h2_client import DATA, END_HEADERS, END_STREAM, HEADERS, frame, literal
from smuggling_payloads import NAME_BYTES, VALUE_BYTES

EVIL = "HTTP/1.1 200 OK\r\nx-smuggled: 1\r\ncontent-length: 4\r\n\r\nevil"
TE = "transfer-encoding: chunked\r\n"


def answer(fields="", body="", line="HTTP/1.1 200 OK"):
    return f"{line}\r\n{fields}\r\n{body}"


def cl(n):
    return f"content-length: {n}\r\n"


HTTP1 = [
    ("an answer more than was asked for", answer(cl(2), "ok" + EVIL)),
    ("two answers more", answer(cl(2), "ok" + EVIL + EVIL)),
    *[(f"a body for {line!r}", answer(cl(len(EVIL)), EVIL, line)) for line in ("HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 205 Reset Content")],
    *[(f"chunks for {line!r}", answer(TE, "4\r\nevil\r\n0\r\n\r\n" + EVIL, line)) for line in ("HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified")],
    *[(f"an interim answer with a body, {line!r}", answer(cl(len(EVIL)) + fields, answer(cl(2), "ok") + EVIL, line))
      for line in ("HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints", "HTTP/1.1 199 X") for fields in ("", TE)],
    *[(f"{line!r} to who asked for nothing of the kind", answer(fields, EVIL, line))
      for line in ("HTTP/1.1 101 Switching Protocols",) for fields in ("", "connection: upgrade\r\nupgrade: websocket\r\n", "connection: upgrade\r\nupgrade: h2c\r\n")],
    *[(f"both lengths, {n}", answer(first + second, "0\r\n\r\n" + EVIL)) for n in (0, 5, 500) for first, second in ((cl(n), TE), (TE, cl(n)))],
    *[(f"CL {value!r}", answer(f"content-length:{value}\r\n", "abc" + EVIL))
      for value in (" +3", " -3", " 0x3", " 3 3", " 3,4", " 3;", " 3\0", " 3\x0b", "\r\n 3", " x", "", " 18446744073709551619", " 3\r\ncontent-length: 4")],
    *[(f"TE {value!r}", answer(f"transfer-encoding:{value}\r\n", "0\r\n\r\n" + EVIL))
      for value in (" xchunked", " gzip, chunked", " chunked, chunked", " chunked, identity", " identity", " chunked\x0b", " \0chunked", "\r\n chunked", "",
                    " chunked\r\ntransfer-encoding: x", ' "chunked"')],
    ("TE in HTTP/1.0", answer(TE, "0\r\n\r\n" + EVIL, "HTTP/1.0 200 OK")),
    ("TE with space before its colon", answer("transfer-encoding : chunked\r\n" + cl(5), "0\r\n\r\n" + EVIL)),
    *[(f"chunk {text!r}", answer(TE, text + EVIL))
      for text in ("0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n",
                   "3;\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc", "3\r\nabc\r\n0\n\r\n", "3\r\nabc\r\n0\r\n\n",
                   "3\r\nabc\r\n0\r\nX : y\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\rZ: y\r\n\r\n",
                   "3\r\nabc\r\n0\r\ncontent-length: 9\r\n\r\n", "3\r\nabc\r\n0\r\nset-cookie: a=1\r\n\r\n")],
    *[(f"a name with {c!r}", answer(f"x{c}content-length: 4\r\n" + cl(2), "ok")) for c in NAME_BYTES],
    *[(f"a value with {c!r}", answer(f"x: a{c}content-length: 4\r\n" + cl(2), "ok")) for c in VALUE_BYTES],
    *[(f"a line {text!r}", answer(f"{text}\r\n" + cl(2), "ok")) for text in ("x", ": y", " x: y", "x: a\r\n b", "x: a\r\n\tcontent-length: 9", "x: a\rb: c", "x: a\nb: c")],
    *[(f"the line {line!r}", answer(cl(2), "ok", line))
      for line in ("HTTP/1.1 200", "HTTP/1.1  200 OK", "HTTP/2 200 OK", "HTTP/2.0 200 OK", "HTTP/1.1 099 X", "HTTP/1.1 1000 X", "HTTP/1.1 20 OK", "HTTP/1.1 2x0 OK",
                   "ICY 200 OK", "http/1.1 200 OK", " HTTP/1.1 200 OK", "HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\nx: y", "HTTP/1.1\t200 OK", "", "\r\n")],
    ("bare LFs", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok" + EVIL),
]


def h2(*fields, body=None, more=b""):
    """(frames of stream 1) a head of these fields as bytes, a body, and what follows."""
    def of(stream):
        head = b"".join(literal(*f) for f in fields)
        out = frame(HEADERS, END_HEADERS | (END_STREAM if body is None and not more else 0), stream, head)
        if body is not None:
            out += frame(DATA, 0 if more else END_STREAM, stream, body)
        return out + (frame(HEADERS, END_HEADERS | END_STREAM, stream, more) if more else b"")
    return of


OK = (":status", "200")
HTTP2 = [
    *[(f"CL {value!r}", h2(OK, ("content-length", value), body=b"abc"))
      for value in ("0", "2", "4", "+3", "3,3", "3 3", "x", "", "3\0", "3\r\n", "18446744073709551619")],
    ("CL twice", h2(OK, ("content-length", "3"), ("content-length", "4"), body=b"abc")),
    ("CL and no body", h2(OK, ("content-length", "3"))),
    *[(f"{name}: {value!r}", h2(OK, (name, value), body=b"0\r\n\r\n" + EVIL.encode()))
      for name, value in (("transfer-encoding", "chunked"), ("Transfer-Encoding", "chunked"), ("connection", "close"), ("upgrade", "h2c"), ("keep-alive", "x"),
                          ("transfer-encoding ", "chunked"), ("\ttransfer-encoding", "chunked"), ("te", "chunked"), ("proxy-connection", "x"))],
    *[(f"value {value!r}", h2(OK, ("x", value), body=b"abc"))
      for value in ("a\r\ntransfer-encoding: chunked", "a\r\n\r\nevil", "a\nb", "a\rb", "a\0b", "\r\n", " a", "a ")],
    *[(f"name {name!r}", h2(OK, (name, "1"), body=b"abc")) for name in ("x: a\r\ny", "x\r\n", "x y", "", ":x", "x:", "X", ":path", "x\0")],
    *[(f"status {value!r}", h2((":status", value), body=b"abc"))
      for value in ("200\r\nx: y", "2 0", "99", "1000", "", "-20", "200 OK", "101", "100", "0x8")],
    ("no status", h2(("x", "1"), body=b"abc")), ("two statuses", h2(OK, (":status", "500"), body=b"abc")),
    ("the status last", h2(("x", "1"), OK, body=b"abc")),
    *[(f"a body for {status}", h2((":status", status), ("content-length", "3"), body=b"abc")) for status in ("204", "304", "205")],
    *[(f"trailers {name!r}: {value!r}", h2(OK, body=b"abc", more=literal(name, value)))
      for name, value in ((":status", "200"), ("x", "a\r\nb: c"), ("x\r\ny", "a"), ("X", "a"), ("connection", "close"), ("transfer-encoding", "chunked"),
                          ("content-length", "9"), ("x y", "a"), ("x", "a\0"), ("set-cookie", "a=1"))],
    *[(f"a name with {c!r}", h2(OK, (f"x{c}y", "1"), body=b"abc")) for c in NAME_BYTES],
    *[(f"a value with {c!r}", h2(OK, ("x", f"a{c}content-length: 4"), body=b"abc")) for c in VALUE_BYTES],
]
