"""Requests that two readers may read in two ways, for proxy_smuggling_test.py.

A row is (name, bytes, statuses, upstream).  `statuses` is what the client hears, in order; after the
last one the connection has ended, or serves its next request.  `upstream` is the body of the one request
that reaches the application, or None: then none does.  CUT: one begins and is never whole.

<auth> is where the fields stand that lead to the application, and <host+auth> with Host before
them.  EVIL is the request that an attacker would like somebody to read where there is none; it has
no token.
"""
EVIL = "GET /smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n"
CHUNKED = f"{len(EVIL):x}\r\n{EVIL}\r\n0\r\n\r\n"
CUT = "cut"
TE = "Transfer-Encoding: chunked\r\n"


def cl(n):
    return f"Content-Length: {n}\r\n"


def post(fields, body="", line="POST /p HTTP/1.1"):
    return f"{line}\r\n<host+auth>{fields}\r\n{body}"


def refused(name, text, status=400):
    return name, text, (status,), None


def passed(name, text, body="", *then):
    return name, text, (200, *then), body


def cut(name, text):
    return name, text, (), CUT


def each(family, make, texts, status=400):
    return [refused(f"{family} {what!r}", make(what), status) for what in texts]


# Both lengths in one head, in both orders: whichever reader is behind us, it never has to choose.
BOTH = [refused(f"{family} {order}", post(first + second, body))
        for family, n, body in (("CL.TE", len("0\r\n\r\n" + EVIL), "0\r\n\r\n" + EVIL), ("TE.CL", 4, CHUNKED),
                                ("CL.TE with no rest", 5, "0\r\n\r\n"), ("CL.TE with zero", 0, CHUNKED))
        for order, first, second in (("CL first", cl(n), TE), ("TE first", TE, cl(n)))]

TE_TE = [
    *[refused(f"TE.TE {value!r}{' and CL' * bool(length)}", post(f"{length}Transfer-Encoding:{value}\r\n", "0\r\n\r\n" + EVIL),
              400 if length or "\r\n" in value or set(value) & set("\x0b\x0c\0\x01") else 501)
      for length in ("", cl(len("0\r\n\r\n" + EVIL)))
      for value in (" xchunked", " chunked, identity", " identity, chunked", " chunked, chunked", " gzip, chunked",
                    " chunked;q=1", ' "chunked"', " 'chunked'", " \x0bchunked", " chunked\x0b", " \x0cchunked", " chunked\0", " \0chunked",
                    "\r\n chunked", " x\r\n\tchunked", " \xa0chunked", " chunked\xa0", " \x85chunked", " ,chunked", " chunked,",
                    " cow", " identity", " deflate", " chunked\x01", " chunk", " chunked chunked", " chu\u00f1ked".encode().decode("latin1"), "")],
    *[refused(f"TE.TE twice, {pair!r}", post("".join(f"Transfer-Encoding: {v}\r\n" for v in pair), "0\r\n\r\n" + EVIL))
      for pair in (("chunked", "chunked"), ("chunked", "cow"), ("cow", "chunked"), ("identity", "chunked"), ("chunked", "identity"))],
    *each("TE.TE the name", lambda name: post(f"{name}: chunked\r\n" + cl(5), "0\r\n\r\n"),
          ("Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "\tTransfer-Encoding", "Transfer Encoding",
           "Transfer-Encoding\0", "\0Transfer-Encoding", "Transfer-Encoding\xa0", "X: X\nTransfer-Encoding", "X: X\rTransfer-Encoding",
           "Transfer-Encoding\r\n", "Transfer-Encoding\x0b", "(Transfer-Encoding)", "Transfer-Encoding\x7f")),
    *[passed(f"TE.TE chunked as {text!r}", post(text + "\r\n", CHUNKED), EVIL)
      for text in ("Transfer-Encoding:chunked", "tRANSFER-eNCODING: chunked", "Transfer-Encoding: CHUNKED",
                   "Transfer-Encoding: \t chunked  ")],
    refused("TE.TE a tab behind it", post("Transfer-Encoding: chunked\t\r\n", CHUNKED)),
    *[passed(f"TE.TE no framing in {text!r}", post(f"{text}\r\n" + cl(5), "0\r\n\r\n"), "0\r\n\r\n")
      for text in ("Transfer_Encoding: chunked", "X-Transfer-Encoding: chunked", "Content-Encoding: chunked",
                   "Transfer-Encoding-: chunked", "TE: chunked", "Transfer.Encoding: chunked")],
    refused("TE in HTTP/1.0", post(TE, CHUNKED, "POST /p HTTP/1.0")),
]

LENGTHS = [
    *each("CL", lambda value: post(f"Content-Length:{value}\r\n", "abc" + EVIL),
          (" +3", " -3", " -0", " 0x3", " 3e0", " 3.0", " 3 3", " 3,3", " 3, 3", " 3,", " ,3", " 3;", ' "3"', " 3_0", " \x0b3", " 3\0",
           " \0003", "\r\n 3", " 3\r\n 0", " 3\xa0", " \u0663".encode().decode("latin1"), " x", "", " ", " 18446744073709551619",
           " 9223372036854775808", " 0000000000000000003", " 3\x7f", " 99999999999999999999999999")),
    *[refused(f"CL twice, {pair!r}", post("".join(f"Content-Length: {v}\r\n" for v in pair), "abc" + EVIL))
      for pair in ((3, 3), (0, 3), (3, 0), (3, 4), (3, "x"), ("", 3))],
    refused("CL twice, in two cases", post("Content-Length: 3\r\ncontent-length: 3\r\n", "abc")),
    *each("CL the name", lambda name: post(f"{name}: 3\r\n", "abc"),
          ("Content-Length ", "Content-Length\t", " Content-Length", "Content Length", "Content-Length\0", "Content-Length\r\n",
           "X: X\nContent-Length", "X: X\rContent-Length", "\xa0Content-Length")),
    *[passed(f"CL as {text!r}", post(text + "\r\n", "abc"), "abc")
      for text in ("Content-Length:3", "cONTENT-lENGTH: 3", "Content-Length: 003", "Content-Length: \t 3  ")],
    refused("CL with a tab behind it", post("Content-Length: 3\t\r\n", "abc")),
    *[passed(f"CL no framing in {text!r}", post(text + "\r\n", EVIL), "", 403)
      for text in ("Content_Length: 44", "X-Content-Length: 44", "Content.Length: 44")],
]

# A body that one of two readers does not expect.
NONE = [
    *[passed(f"CL.0 {method}", post(cl(len(EVIL)), EVIL, f"{method} /p HTTP/1.1"), EVIL)
      for method in ("POST", "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE", "PURGE")],
    *[passed(f"TE.0 {method}", post(TE, CHUNKED, f"{method} /p HTTP/1.1"), EVIL)
      for method in ("POST", "GET", "OPTIONS", "DELETE", "HEAD")],
    passed("TE.0 OPTIONS *", post(TE, CHUNKED, "OPTIONS * HTTP/1.1"), EVIL),
    passed("0.CL an answer and then EVIL", post("", EVIL), "", 403),
    passed("0.CL zero and then EVIL", post(cl(0), EVIL), "", 403),
    passed("0.CL chunked nothing and then EVIL", post(TE, "0\r\n\r\n" + EVIL), "", 403),
    passed("0.CL GET and then EVIL", post("", EVIL, "GET /p HTTP/1.1"), "", 403),
    passed("0.CL HTTP/1.0 ends it", post("", EVIL, "POST /p HTTP/1.0"), ""),
    passed("0.CL HTTP/1.0 with a length", post(cl(3), "abc" + EVIL, "POST /p HTTP/1.0"), "abc"),
    passed("0.CL close ends it", post("Connection: close\r\n" + cl(3), "abc" + EVIL), "abc"),
    ("Expect and a body at once", post("Expect: 100-continue\r\n" + cl(len(EVIL)), EVIL), (100, 200), EVIL),
    ("Expect and chunks at once", post("Expect: 100-continue\r\n" + TE, CHUNKED), (100, 200), EVIL),
    passed("Expect without a body", post("Expect: 100-continue\r\n", EVIL), "", 403),
    *[refused(f"Expect {value!r}", post(f"Expect:{value}\r\n" + cl(len(EVIL)), EVIL), 417)
      for value in (" y 100-continue", " 100-continue, 100-continue", " 100", "", " 200-ok", " 100-continue\r\nExpect: 100-continue")],
    refused("Expect folded", post("Expect:\r\n 100-continue\r\n" + cl(len(EVIL)), EVIL)),
    *[passed(f"hop fields {value!r}", post(f"Connection: {value}\r\nCookie: a=1\r\n" + cl(len(EVIL)), EVIL), EVIL)
      for value in ("content-length", "Content-Length, transfer-encoding", "host", "x-amzn-requestid, host", "cookie", "keep-alive",
                    "upgrade", "x-aws-proxy-auth", ",,,", "keep-alive, content-length")],
    passed("hop fields, chunked", post("Connection: transfer-encoding\r\n" + TE, CHUNKED), EVIL),
    passed("Proxy-Connection and Keep-Alive", post("Proxy-Connection: close\r\nKeep-Alive: timeout=9\r\n" + cl(3), "abc"), "abc"),
]

CHUNKS = [
    *[passed(f"chunk {text!r}", post(TE, text), "abc")
      for text in ("3\r\nabc\r\n0\r\n\r\n", "03\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\n\r\n", '3;x="y;z"\r\nabc\r\n0;x\r\n\r\n',
                   "1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", "3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n", "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
                   "3;x\r\nabc\r\n0\r\n\r\n",
                   f"3;{'x' * 900}\r\nabc\r\n0\r\n\r\n")],
    *[cut(f"chunk {text!r}", post(TE, text + EVIL))
      for text in ("0x3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "g\r\n", "\r\n", "3\nabc\r\n0\r\n\r\n",
                   "3\r\nabc\n0\r\n\r\n", "3\r\nabcX\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
                   "3\r\nabc\r\r\n0\r\n\r\n", "3\rabc\r\n0\r\n\r\n", "3\r\n\nabc\r\n0\r\n\r\n", "3\r\r\nabc\r\n0\r\n\r\n",
                   "3;\nabc\r\n0\r\n\r\n", "3;x\nabc\r\n0\r\n\r\n", "3;x\rabc\r\n0\r\n\r\n", '3;x="\n"\r\nabc\r\n0\r\n\r\n', "3;x=\0\r\nabc\r\n0\r\n\r\n",
                   "3\xa0\r\nabc\r\n0\r\n\r\n", "3\0\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "3\t\r\nabc\r\n0\r\n\r\n",
                   "3 ;x\r\nabc\r\n0\r\n\r\n", "3 3\r\nabc\r\n0\r\n\r\n", "3,3\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc", "10000000000000003\r\nabc\r\n0\r\n\r\n",
                   "3\r\nabc\r\n0\n\r\n", "3\r\nabc\r\n0\r\n\n", "3\r\nabc\r\n0\r\nX: y\r\n\n", "3\r\nabc\r\n0\n\n", "3\r\nabc\r\n0\r\nX\r\n\r\n",
                   "3\r\nabc\r\n0\r\nX : y\r\n\r\n", "3\r\nabc\r\n0\r\n X: y\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\n\r\n", "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n",
                   "3\r\nabc\r\n0\r\nX: y\0\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\rZ: y\r\n\r\n", "3\r\nabc\r\n0\r\n: y\r\n\r\n", "3\r\nabc\r\n0\r\nX\0: y\r\n\r\n",
                   "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n",
                   f"3;{'x' * 9000}\r\nabc\r\n0\r\n\r\n", f"3\r\nabc\r\n0\r\nX: {'y' * 9000}\r\n\r\n")],
]

NAME_BYTES = [c for c in map(chr, range(256)) if not (c.isascii() and c.isalnum()) and c not in "!#$%&'*+-.^_`|~:\n"]
VALUE_BYTES = [c for c in map(chr, [*range(32), 127]) if c != "\t"]
HEADS = [
    *each("a name with", lambda c: post(f"X{c}Y: 1\r\n" + cl(3), "abc"), NAME_BYTES),
    *each("a name that ends with", lambda c: post(f"Content-Length{c}: 3\r\n", "abc"), NAME_BYTES),
    *each("a name that begins with", lambda c: post(f"{c}Content-Length: 3\r\n", "abc"), NAME_BYTES),
    *each("a value with", lambda c: post(f"X: a{c}Content-Length: 3\r\n" + cl(3), "abc"), VALUE_BYTES),
    *each("a value that ends with", lambda c: post(f"X: a{c}\r\n" + cl(3), "abc"), VALUE_BYTES),
    *each("a value that begins with", lambda c: post(f"X:{c}a\r\n" + cl(3), "abc"), VALUE_BYTES),
    *each("a line", lambda text: post(f"{text}\r\n" + cl(3), "abc"), ("X", ": y", ":", " ", "\t", " X: y", "X y", "\0")),
    *each("obs-fold", lambda text: post(f"{text}\r\n" + cl(3), "abc"),
          ("X: a\r\n b", "X: a\r\n\tb", "X:\r\n b", "X: a\r\n ", "X: a\r\n Transfer-Encoding: chunked")),
    refused("obs-fold of the first field", "POST /p HTTP/1.1\r\n X: y\r\n<host+auth>\r\n"),
    refused("obs-fold of the request line", "POST /p HTTP/1.1\r\n\t<host+auth>\r\n"),
    refused("bare LF ends the head", "POST /p HTTP/1.1\r\n<host+auth>Content-Length: 3\n\nabc" + EVIL),
    refused("bare LF ends the request line", "POST /p HTTP/1.1\n<host+auth>\r\n"),
    refused("bare CR ends the request line", "POST /p HTTP/1.1\r<host+auth>\r\n"),
    refused("a CR before the last line", "POST /p HTTP/1.1\r\n<host+auth>\r\r\n"),
    passed("bytes above 0x7f", post("X: \x80\xff\xa0y\r\n" + cl(3), "abc"), "abc"),
    passed("a tab within", post("X: a\tb\r\n" + cl(3), "abc"), "abc"),
]

LINES = [
    *each("target", lambda text: post("", line=f"POST {text} HTTP/1.1"),
          ("p", "", "*", "?q", "#", "/p#f", "/p q", "/p\tq", "/p\x0bq", "/\0", "/\x7f", "/\x80", "/p\rX", "http:/p", "http://", "http:///p", "smuggled:80",
           "ftp://smuggled/p", "http://smuggled/p", "https://smuggled/p", "http://smuggled@/p", "http://x:y@smuggled/p", "http://smuggled\\/p",
           "\\p")),
    *each("version", lambda text: post("", line=f"POST /p {text}"), ("HTTP", "http/1.1", "HTTPS/1.1", "HTP/1.1", "XHTTP/1.1", "\xa0HTTP/1.1")),
    *each("version", lambda text: post("", line=f"POST /p {text}"),
          ("HTTP/1.2", "HTTP/1.10", "HTTP/2.0", "HTTP/2", "HTTP/1", "HTTP/0.9", "HTTP/1.1x", "HTTP/1,1", "HTTP/x1", "HTTP/01.1", "HTTP/1.1\t"), 505),
    *each("request line", lambda text: post("", line=text),
          ("POST /p", "POST", "POST  /p HTTP/1.1", "POST /p  HTTP/1.1", "POST /p HTTP/1.1 ", " POST /p HTTP/1.1", "\tPOST /p HTTP/1.1",
           "POST\t/p HTTP/1.1", "POST /p\tHTTP/1.1", "POST /p HTTP/1.1 HTTP/1.1", "POST /p x HTTP/1.1", "PO\0ST /p HTTP/1.1", "P(ST /p HTTP/1.1",
           "POST\x0b /p HTTP/1.1", "\x16\x03\x01 /p HTTP/1.1", ":POST /p HTTP/1.1", "P\xf6ST /p HTTP/1.1")),
    refused("a method too long", post("", line="X" * 99 + " /p HTTP/1.1"), 501),
    refused("CONNECT", post("", line="CONNECT smuggled:80 HTTP/1.1"), 501),
    refused("CONNECT with a body", post(cl(len(EVIL)), EVIL, "CONNECT smuggled:80 HTTP/1.1"), 501),
    refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EVIL, 505),
    passed("an absolute target that agrees", post(cl(3), "abc", "POST https://{host}/p HTTP/1.1"), "abc"),
    passed("an absolute target in other letters", post(cl(3), "abc", "POST HTTP://{HOST}/p HTTP/1.1"), "abc"),
    refused("an absolute target of another port", post(cl(3), "abc", "POST https://{host}:1/p HTTP/1.1")),
    refused("an absolute target without a path", post("", line="POST http://{host}?q HTTP/1.1")),
    *[passed(f"an empty line first, {n}", "\r\n" * n + post(cl(3), "abc"), "abc") for n in (1, 2)],
]

HOSTS = [
    *each("Host twice", lambda text: post(f"{text}\r\n" + cl(3), "abc"), ("Host: {host}", "Host: smuggled", "hOST: {host}", "Host:", "Host: {HOST}")),
    *each("Host", lambda text: "POST /p HTTP/1.1\r\n<auth>" + f"Host:{text}\r\n\r\n",
          ("", " ", " {host}, smuggled", " smuggled {host}", " {host}/", " {host}/p", " x@{host}", " {host}?", " {host}#", " {host}\\", " {host}\tsmuggled",
           " {host}\0", " {host}\xa0", " http://{host}", "\r\n {host}", " {host}\r\n smuggled", " {host};x", " '{host}'")),
    refused("no Host", "POST /p HTTP/1.1\r\n<auth>\r\n"),
    refused("no Host in HTTP/1.0", "POST /p HTTP/1.0\r\n<auth>\r\n"),
    *each("Host the name", lambda text: "POST /p HTTP/1.1\r\n<auth>" + f"{text} {{host}}\r\n\r\n", ("Host :", " Host:", "Host\0:", "Ho st:", "Host")),
    *[passed(f"another's host in {name}", post(f"{name}: smuggled\r\n" + cl(3), "abc"), "abc") for name in ("X-Host", "X-Forwarded-Host", "Forwarded", "Host_")],
]

WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
UPGRADES = [
    refused("a WebSocket with a length", post(WEBSOCKET + cl(len(EVIL)), EVIL, "GET /p HTTP/1.1")),
    refused("a WebSocket with chunks", post(WEBSOCKET + TE, CHUNKED, "GET /p HTTP/1.1")),
    passed("a WebSocket that is declined", post(WEBSOCKET, "", "GET /p HTTP/1.1"), ""),
    *[passed(f"{words} to HTTP/2", post(f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {words}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "",
                                       "GET /p HTTP/1.1"), "") for words in ("h2c", "H2C", "websocket, h2c", "h2c, websocket", "h2")],
    passed("an upgrade to HTTP/2 with a body", post(f"Connection: Upgrade\r\nUpgrade: h2c\r\n{cl(len(EVIL))}", EVIL), EVIL),
]
FAMILIES = {"two_lengths": BOTH, "a_hidden_transfer_encoding": TE_TE, "odd_lengths": LENGTHS, "an_unexpected_body": NONE,
            "odd_chunks": CHUNKS, "odd_heads": HEADS, "odd_first_lines": LINES, "odd_hosts": HOSTS, "upgrades": UPGRADES}
