"""Requests of HTTP/2 that cannot be passed on in HTTP/1.1 as they are, for proxy_smuggling_test.py.

A row is (name, fields, pieces, trailers, upstream): the fields as bytes that no encoder would write,
the DATA frames, the fields after them or None, and the body that reaches the application.  REFUSED:
nothing does.  CUT: a request begins there and is never whole.  HEAD stands for the fields of a
request that is in order.
"""
from smuggling_payloads import CUT, EVIL, NAME_BYTES, VALUE_BYTES

REFUSED = None
HEAD = ((":method", "POST"), (":scheme", "https"), (":path", "/p"), (":authority", "{host}"), ("<auth>", ""))


def head(**changes):
    """HEAD with some of its fields changed, or left out where the change is None."""
    return tuple((n, changes.get(n[1:], v)) for n, v in HEAD if changes.get(n[1:], v) is not None)


def refused(name, *fields, pieces=(), start=HEAD, trailers=None):
    return name, (*start, *fields), pieces, trailers, REFUSED


def passed(name, *fields, pieces=(), start=HEAD, trailers=None, body=None):
    return name, (*start, *fields), pieces, trailers, "".join(pieces) if body is None else body


def cut(name, *fields, pieces=(), trailers=None):
    return name, (*HEAD, *fields), pieces, trailers, CUT


ROWS = [
    *[cut(f"H2.CL {n} for {pieces!r}", ("content-length", str(n)), pieces=pieces)
      for n, pieces in ((0, (EVIL,)), (3, ("abc" + EVIL,)), (3, ("abc", EVIL)), (5, ("abc",)), (999, (EVIL,)), (1, ("", "ab")))],
    *[refused(f"H2.CL {value!r}", ("content-length", value), pieces=("abc",))
      for value in ("+3", "-3", "0x3", "3,3", "3, 3", "3 3", "", "x", "3\0", "3\r\n", "3;", "18446744073709551619", "9223372036854775808")],
    refused("H2.CL twice", ("content-length", "3"), ("content-length", "3"), pieces=("abc",)),
    refused("H2.CL twice, and they differ", ("content-length", "3"), ("content-length", "4"), pieces=("abc",)),
    refused("H2.CL of a request that has ended", ("content-length", "3")),
    refused("H2.CL in capitals", ("Content-Length", "3"), pieces=("abc",)),
    passed("H2.0", ("content-length", str(len(EVIL))), pieces=(EVIL,)),
    passed("H2 without a length", pieces=(EVIL, "0\r\n\r\n", EVIL)),
    passed("H2.CL zero", ("content-length", "0")),
    passed("H2 GET with a body", pieces=(EVIL,), start=head(method="GET")),
    passed("H2 chunks are bytes", pieces=("0\r\n\r\n" + EVIL,)),
    *[refused(f"H2.TE {name!r}: {value!r}", (name, value), pieces=("0\r\n\r\n" + EVIL,))
      for name, value in (("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("transfer-encoding", ""),
                          ("Transfer-Encoding", "chunked"), ("transfer-encoding ", "chunked"), (" transfer-encoding", "chunked"),
                          ("\ttransfer-encoding", "chunked"), ("transfer-encoding:", "chunked"), ("transfer-encoding\0", "chunked"),
                          ("transfer-encoding\r\n", "chunked"), ("te", "chunked"), ("te", "trailers, chunked"), ("connection", "close"),
                          ("connection", "transfer-encoding"), ("keep-alive", "timeout=1"), ("proxy-connection", "x"), ("upgrade", "h2c"),
                          ("upgrade", "websocket"), ("transfer-encoding\xa0", "chunked"))],
    *[refused(f"H2.CRLF value {value!r}", ("x", value), pieces=("0\r\n\r\n" + EVIL,))
      for value in ("a\r\ntransfer-encoding: chunked", "a\r\n\r\n" + EVIL, "a\ntransfer-encoding: chunked", "a\rb", "a\r\n b", "\r\n", "a\r\n", "\na")],
    *[refused(f"H2.CRLF name {name!r}", (name, "chunked"), pieces=("0\r\n\r\n" + EVIL,))
      for name in ("x: a\r\ntransfer-encoding", "x\r\n", "\r\nx", "x\ny", "x\ry", "x: y", "x:", "", " ", "x y", ":x", ":path ", "::path")],
    *[refused(f"H2.CRLF :{which} {value!r}", pieces=(EVIL,), start=head(**{which: value}))
      for which, values in {
          "method": ("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", "GET /smuggled HTTP/1.1", "GET ", " GET", "", "G\nET", "G\0ET", "CONNECT", "GET:", "X" * 40),
          "path": ("/ HTTP/1.1\r\nHost: x\r\n\r\n", "/p HTTP/1.1", "/p q", "/p\tq", "/p\nq", "/p\rq", "/\0", "p", "", "*", "http://smuggled/p", "smuggled:80",
                   "/\x7f", "/\x80", "/p#f", "\\p", "?q"),
          "authority": ("smuggled\r\nx: y", "{host}/p", "x@{host}", "{host} smuggled", "{host}, smuggled", "{host}\0", "{host}\n", "", "http://{host}", "{host}#"),
          "scheme": ("https://smuggled/?", "https\r\nx: y", "", "ftp", "http /smuggled HTTP/1.1\r\nx: ", "https ")}.items()
      for value in values],
    *[refused(f"without :{name}", start=head(**{name: None})) for name in ("method", "path", "scheme", "authority")],
    *[refused(f":{name} twice", start=((f":{name}", dict(HEAD)[f":{name}"]), *HEAD)) for name in ("method", "path", "scheme", "authority")],
    *[refused(f":{name} after a field", ("x", "1"), (f":{name}", dict(HEAD)[f":{name}"]), start=head(**{name: None}))
      for name in ("method", "path", "scheme", "authority")],
    *[refused(f"the pseudo-header {name!r}", start=((name, "x"), *HEAD)) for name in (":status", ":x", ":", ":Path", ":path\0", ":protocol")],
    refused("Host and :authority disagree", ("host", "smuggled")),
    refused("Host twice", ("host", "{host}"), ("host", "{host}")),
    refused("Host twice without :authority", ("host", "{host}"), ("host", "smuggled"), start=head(authority=None)),
    refused("Host with a line", ("host", "{host}\r\nx: y"), start=head(authority=None)),
    passed("Host agrees", ("host", "{host}"), pieces=("abc",)),
    passed("Host alone", ("host", "{host}"), pieces=("abc",), start=head(authority=None)),
    *[refused(f"a name with {c!r}", (f"x{c}y", "1"), pieces=("abc",)) for c in [*NAME_BYTES, "\n", ":", "A", "Z"]],
    *[refused(f"a value with {c!r}", ("x", f"a{c}transfer-encoding: chunked"), pieces=("abc",)) for c in VALUE_BYTES],
    *[refused(f"a cookie with {c!r}", ("cookie", "a=1"), ("cookie", f"b{c}=2"), pieces=("abc",)) for c in "\r\n\0"],
    passed("cookies in pieces", ("cookie", "a=1"), ("x", "1"), ("cookie", "b=2"), pieces=("abc",)),
    *[refused(f"the value {value!r}", ("x", value), pieces=("abc",)) for value in (" a", "a ", "\ta", "a\t")],
    passed("a name with an underscore", ("transfer_encoding", "chunked"), ("content_length", "0"), pieces=("abc",)),
    passed("Expect", ("expect", "100-continue"), ("content-length", "3"), pieces=("abc",)),
    refused("another expectation", ("expect", "x"), ("content-length", "3"), pieces=("abc",)),
    *[cut(f"trailers {fields!r}", pieces=("abc",), trailers=fields)
      for fields in (((":path", "/smuggled"),), (("x", "a\r\nb: c"),), (("x\r\ny", "a"),), (("X", "a"),), (("x", "a\0"),), (("connection", "close"),),
                     (("transfer-encoding", "chunked"),), (("x y", "a"),), (("", "a"),), (("content-length", "9"),))],
    *[passed(f"trailers {fields!r}", pieces=("abc",), trailers=fields)
      for fields in ((("x-sum", "1"),), (("host", "smuggled"), ("cookie", "a=1")))],
    *[refused(f"a WebSocket with {fields!r}", *fields, start=((":protocol", "websocket"), *head(method="CONNECT")), pieces=(EVIL,))
      for fields in ((("content-length", str(len(EVIL))),), (("sec-websocket-key", "x"),), (("transfer-encoding", "chunked"),))],
    refused("a WebSocket that has ended", start=((":protocol", "websocket"), *head(method="CONNECT"))),
    refused("a tunnel of another protocol", start=((":protocol", "connect-udp"), *head(method="CONNECT")), pieces=(EVIL,)),
    refused("a tunnel with another method", start=((":protocol", "websocket"), *HEAD), pieces=(EVIL,)),
    refused("CONNECT without a protocol", start=((":method", "CONNECT"), (":authority", "{host}"), ("<auth>", "")), pieces=(EVIL,)),
]
