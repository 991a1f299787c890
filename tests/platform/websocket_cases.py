"""The cases of the Autobahn test suite, by its numbers, for proxy_websocket_cases_test.py.

A case is what a client sends, frame by frame, and what an application that sends back each message
answers: (opcode, payload) of each message and pong, and the status with which it closes.
"""
import dataclasses
import struct
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL, NO_STATUS, BAD_DATA = 1000, 1002, 1005, 1007
MASK = b"\x12\x34\xab\xcd"


def masked(data):
    n = len(data)
    key = int.from_bytes((MASK * (n // 4 + 1))[:n], "big")
    return (int.from_bytes(data, "big") ^ key).to_bytes(n, "big")


def frame(opcode, data=b"", fin=True, rsv=0):
    data = data.encode() if isinstance(data, str) else data
    n = len(data)
    size = bytes([0x80 | n]) if n < 126 else struct.pack(">BH", 0xfe, n) if n < 65536 else struct.pack(">BQ", 0xff, n)
    return bytes([fin << 7 | rsv << 4 | opcode]) + size + MASK + masked(data)


def by_server(sent):
    """The same frames, as a server sends them: without masks."""
    out, at = b"", 0
    while at < len(sent):
        n = sent[at + 1] & 0x7f
        head = 2 + {126: 2, 127: 8}.get(n, 0)
        n = n if n < 126 else int.from_bytes(sent[at + 2:at + head], "big")
        out += sent[at:at + 1] + bytes([sent[at + 1] & 0x7f]) + sent[at + 2:at + head] + masked(sent[at + head + 4:at + head + 4 + n])
        at += head + 4 + n
    return out


def close(code=NORMAL, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


@dataclasses.dataclass
class Case:
    number: str
    sent: bytes
    wanted: list  # (opcode, payload)
    code: int = NORMAL
    chop: int = 0  # bytes of each write; 0: all at once
    offer: str = ""  # the extension


def case(number, *frames, wanted=(), code=NORMAL, chop=0, end=True):
    return Case(number, b"".join(frames) + (close() if end else b""), [(o, d.encode() if isinstance(d, str) else d) for o, d in wanted], code, chop)


def echo(number, opcode, data, chop=0):
    return case(number, frame(opcode, data), wanted=[(opcode, data)], chop=chop)


def fails(number, *frames, wanted=(), code=PROTOCOL, chop=0):
    return case(number, *frames, wanted=wanted, code=code, chop=chop)


def fragments(opcode, *parts, last=True):
    return [frame(opcode if not i else CONTINUATION, part, fin=last and i == len(parts) - 1) for i, part in enumerate(parts)]


def split(data, n):
    return [data[i:i + n] for i in range(0, len(data), n)]


SIZES = (0, 125, 126, 127, 128, 65535, 65536)
FRAMES = [echo(f"1.{kind}.{i + 1}", opcode, letter * size) for kind, opcode, letter in ((1, TEXT, b"*"), (2, BINARY, b"\xfe"))
          for i, size in enumerate(SIZES)] + [echo("1.1.8", TEXT, b"*" * 65536, 997), echo("1.2.8", BINARY, b"\xfe" * 65536, 997)]

HELLO, BYTES = b"Hello, world!", b"\0\xff\xfe\xfd\xfc\xfb\0\xff"
TEN = [b"payload-%d" % i for i in range(10)]
PINGS = [
    *[case(n, frame(PING, data), wanted=[(PONG, data)]) for n, data in (("2.1", b""), ("2.2", HELLO), ("2.3", BYTES), ("2.4", b"\xfe" * 125))],
    fails("2.5", frame(PING, b"\xfe" * 126)),
    case("2.6", frame(PING, b"\xfe" * 125), wanted=[(PONG, b"\xfe" * 125)], chop=1),
    case("2.7", frame(PONG)), case("2.8", frame(PONG, b"unsolicited pong payload")),
    case("2.9", frame(PONG, b"unsolicited"), frame(PING, b"ping payload"), wanted=[(PONG, b"ping payload")]),
    *[case(n, *[frame(PING, data) for data in TEN], wanted=[(PONG, data) for data in TEN], chop=chop) for n, chop in (("2.10", 0), ("2.11", 1))],
]

HEARD = [(TEXT, HELLO)]
RESERVED = [
    *[fails(f"3.{rsv}", frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=rsv), frame(PING), wanted=HEARD, chop=chop)
      for rsv, chop in ((1, 0), (2, 0), (3, 0), (4, 1))],
    fails("3.5", frame(BINARY, BYTES, rsv=5)), fails("3.6", frame(PING, HELLO, rsv=6)), fails("3.7", frame(CLOSE, rsv=7)),
    *[fails(f"4.1.{i + 1}", *[frame(TEXT, HELLO)] * (i > 1), frame(3 + i, HELLO * (i % 2)), frame(PING), wanted=HEARD * (i > 1), chop=i > 3)
      for i in range(5)],
    *[fails(f"4.2.{i + 1}", *[frame(TEXT, HELLO)] * (i > 1), frame(11 + i, HELLO * (i % 2)), frame(PING), wanted=HEARD * (i > 1), chop=i > 3)
      for i in range(5)],
]

TWO, BOTH = (b"fragment1", b"fragment2"), [(TEXT, b"fragment1fragment2")]
FIVE = [b"fragment%d" % i for i in range(1, 6)]
FIRST, LAST = fragments(TEXT, *TWO)
STRAY = frame(CONTINUATION, b"non-continuation payload")
FRAGMENTS = [
    fails("5.1", *[frame(PING, part, fin=False) for part in TWO]), fails("5.2", *[frame(PONG, part, fin=False) for part in TWO]),
    *[case(f"5.{3 + i}", FIRST, LAST, wanted=BOTH, chop=chop) for i, chop in enumerate((0, 9, 1))],
    *[case(f"5.{6 + i}", FIRST, frame(PING, b"ping payload"), LAST, wanted=[(PONG, b"ping payload"), *BOTH], chop=chop)
      for i, chop in enumerate((0, 9, 1))],
    *[fails(f"5.{9 + i}", STRAY, frame(TEXT, HELLO), chop=chop) for i, chop in enumerate((0, 9, 1))],
    *[fails(f"5.{12 + i}", frame(CONTINUATION, b"x", fin=False), frame(TEXT, HELLO), chop=chop) for i, chop in enumerate((0, 9, 1))],
    fails("5.15", FIRST, LAST, frame(CONTINUATION, b"fragment3", fin=False), frame(TEXT, b"fragment4"), wanted=BOTH),
    fails("5.16", *[frame(CONTINUATION, b"fragment1", fin=False), *fragments(TEXT, *TWO)] * 2),
    fails("5.17", *[frame(CONTINUATION, b"fragment1"), *fragments(TEXT, *TWO)] * 2),
    fails("5.18", FIRST, frame(TEXT, b"fragment2")),
    *[case(n, *fragments(TEXT, *FIVE[:2], last=False), frame(PING, b"pongme 1!"), *[frame(CONTINUATION, part, fin=False) for part in FIVE[2:4]],
           frame(PING, b"pongme 2!"), frame(CONTINUATION, FIVE[4]), wanted=[(PONG, b"pongme 1!"), (PONG, b"pongme 2!"), (TEXT, b"".join(FIVE))], chop=chop)
      for n, chop in (("5.19", 0), ("5.20", 1))],
]

GOOD = "Hello-µ@ßöäüàá-UTF-8!!".encode()
# What is no UTF-8 (6.6 to 6.23), after a word that is.
CUT_SHORT = [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce"[:n] for n in (1, 3, 4, 6, 8, 10)]
WRONG = [*CUT_SHORT, b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf",
         b"\xf4\x90\x80\x80", b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", bytes(range(0x80, 0xc0)), *[bytes((c, 0x20)) for c in (0xc0, 0xdf, 0xe0, 0xef, 0xf0, 0xf7, 0xf8, 0xfb, 0xfc, 0xfd)],
         b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
         b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80",
         *[bytes.fromhex(text) for text in ("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf", "eda080edb080", "edafbfedbfbf")]]
RIGHT = [b"\xce\xba", "κόσμε".encode(), b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80", b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf",
         b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xef\xbf\xbe", b"\xf0\x9f\xbf\xbe", b"\xf3\xbf\xbf\xbf"]
TEXTS = [
    case("6.1.1", frame(TEXT), wanted=[(TEXT, b"")]), case("6.1.2", *fragments(TEXT, b"", b"", b""), wanted=[(TEXT, b"")]),
    case("6.1.3", *fragments(TEXT, b"", b"middle frame payload", b""), wanted=[(TEXT, b"middle frame payload")]),
    echo("6.2.1", TEXT, GOOD), *[case(f"6.2.{2 + i}", *fragments(TEXT, *split(GOOD, n)), wanted=[(TEXT, GOOD)]) for i, n in enumerate((12, 1))],
    case("6.2.4", *fragments(TEXT, *split("κόσμε".encode(), 1)), wanted=[(TEXT, "κόσμε".encode())]),
    fails("6.3.1", frame(TEXT, "κόσμε".encode() + b"\xed\xa0\x80edited"), code=BAD_DATA),
    fails("6.3.2", *fragments(TEXT, *split("κόσμε".encode() + b"\xed\xa0\x80edited", 1)), code=BAD_DATA),
    # The message is never whole: whoever reads as it comes knows sooner.
    *[fails(f"6.4.{1 + i}", *fragments(TEXT, "κόσμε".encode(), b"\xf4\x90\x80\x80", last=False), code=BAD_DATA, chop=chop) for i, chop in enumerate((0, 1))],
    *[echo(f"6.5-22 {i}", TEXT, b"ok " + data) for i, data in enumerate(RIGHT)],
    *[fails(f"6.6-23 {i}", frame(TEXT, b"ok " + data), code=BAD_DATA) for i, data in enumerate(WRONG)],
]

CLOSES = [
    echo("7.1.1", TEXT, b"Hello World!"), case("7.1.2", close(), end=False), case("7.1.3", close(), close()),
    case("7.1.3b", close(), frame(PING)), case("7.1.4", close(), frame(TEXT, HELLO), end=False), case("7.1.5", FIRST, close(), LAST, code=PROTOCOL, end=False),
    case("7.1.6", frame(TEXT, b"BAsd7&jh23" * 26215), frame(TEXT, HELLO), close(), frame(PING), end=False, wanted=[(TEXT, b"BAsd7&jh23" * 26215), *HEARD]),
    case("7.3.1", frame(CLOSE), end=False, code=NO_STATUS), fails("7.3.2", frame(CLOSE, b"a")), case("7.3.3", close(), end=False),
    case("7.3.4", close(1000, b"Hello World!"), end=False), case("7.3.5", close(1000, b"*" * 123), end=False), fails("7.3.6", frame(CLOSE, b"\x03\xe8" + b"*" * 124)),
    fails("7.5.1", close(1000, b"\xce\xba\xed\xa0\x80"), code=BAD_DATA),
    *[case(f"7.7 {code}", close(code), code=code, end=False) for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)],
    *[fails(f"7.9 {code}", close(code)) for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)],
]

KIB = 1 << 10
LARGE = [
    *[echo(f"9.{kind}.{1 + i}", opcode, letter * (size * KIB)) for kind, opcode, letter in ((1, TEXT, b"*"), (2, BINARY, b"\xfe"))
      for i, size in enumerate((64, 256, 1024, 4096))],
    *[case(f"9.{kind}.{1 + i}", *fragments(opcode, *split(letter * (1024 * KIB), part)), wanted=[(opcode, letter * (1024 * KIB))])
      for kind, opcode, letter in ((3, TEXT, b"*"), (4, BINARY, b"\xfe")) for i, part in enumerate((256, 4 * KIB, 64 * KIB, 1024 * KIB))],
    *[echo(f"9.{kind}.{1 + i}", opcode, letter * (256 * KIB), chop) for kind, opcode, letter in ((5, TEXT, b"*"), (6, BINARY, b"\xfe"))
      for i, chop in enumerate((1024, 16384))],
    *[case(f"9.{kind}.{1 + i}", *[frame(opcode, b"*" * size)] * 100, wanted=[(opcode, b"*" * size)] * 100) for kind, opcode in ((7, TEXT), (8, BINARY))
      for i, size in enumerate((0, 16, 64, 256, 1024, 4096))],
    case("10.1.1", *fragments(TEXT, *split(b"*" * 65536, 1300)), wanted=[(TEXT, b"*" * 65536)]),
]


def deflated(number, offer, size, count, part=0, keep=True):
    """Messages by permessage-deflate, in frames of `part` bytes."""
    data = [(b'{"n": %d, "text": "%s"}' % (i, b"abc xyz" * size))[:size] for i in range(count)]
    packer, frames = zlib.compressobj(wbits=-15), []
    for each in data:
        if not keep:
            packer = zlib.compressobj(wbits=-15)
        packed = (packer.compress(each) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        parts = split(packed, part) if part else [packed]
        frames += [frame(TEXT if not i else CONTINUATION, p, i == len(parts) - 1, 4 if not i else 0) for i, p in enumerate(parts)]
    made = case(number, *frames, wanted=[(TEXT, each) for each in data])
    made.offer = offer
    return made


OFFERS = ("permessage-deflate", "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
          "permessage-deflate; server_max_window_bits=9; client_max_window_bits", "permessage-deflate; server_max_window_bits=15",
          "permessage-deflate; server_no_context_takeover; server_max_window_bits=9", "permessage-deflate; client_no_context_takeover")
PACKED = [
    *[deflated(f"12.1.{1 + i}", OFFERS[0], size, 30) for i, size in enumerate((16, 64, 256, 1024, 4096, 16384, 65536))],
    *[deflated(f"12.2.{1 + i}", OFFERS[0], 65536, 10, part) for i, part in enumerate((16, 256, 1024))],
    *[deflated(f"13.{1 + i}", offer, size, 20, keep="client_no_context" not in offer) for i, offer in enumerate(OFFERS) for size in (64, 8192)],
]

CASES = {"frames": FRAMES, "pings_and_pongs": PINGS, "reserved_bits_and_opcodes": RESERVED, "fragments": FRAGMENTS, "text_that_is_utf_8_or_not": TEXTS,
         "closes": CLOSES, "large_and_many": LARGE, "compressed": PACKED}
