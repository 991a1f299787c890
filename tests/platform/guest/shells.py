"""The proxy's side of a guest's shell (ipc/shell.h)."""
import re
import socket
import struct
import time
import uuid

(_, OPEN, INPUT, RESIZE, TAKEN, OPENED, REFUSED, OUTPUT, ROOM, MOVED, EXITED) = range(11)
(_, SESSION, ATTACH, OFFSET, COLUMNS, ROWS, COUNT, BYTES, REASON, CODE) = range(10)
TEXTS = {SESSION, BYTES, REASON}
WINDOW, RING = 64 << 10, 256 << 10


class Shell:
    """@sock: after "OK\\n".  Bytes are acknowledged as they come, unless `acks` is false."""

    def __init__(self, sock, session=None, **open_fields):
        self.sock, self.session = sock, session or str(uuid.uuid4())
        self.data, self.out, self.room, self.acks = b"", b"", WINDOW, True
        self.frames, self.offset, self.ended = [], None, False
        fields = {"attach": ATTACH, "offset": OFFSET, "columns": COLUMNS, "rows": ROWS}
        self.send(OPEN, (SESSION, self.session), *((fields[name], value) for name, value in open_fields.items()))

    def send(self, kind, *fields):
        payload = b""
        for tag, value in fields:
            data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else struct.pack("<Q", value)
            payload += struct.pack("<HI", tag, len(data)) + data
        self.sock.sendall(struct.pack("<B3xI", kind, len(payload)) + payload)

    def type(self, text):
        self.send(INPUT, (BYTES, text.encode() if isinstance(text, str) else text))

    def _take(self, kind, payload):
        fields, at = {}, 0
        while at < len(payload):
            tag, size = struct.unpack_from("<HI", payload, at)
            value = payload[at + 6:at + 6 + size]
            fields[tag] = value if tag in TEXTS else struct.unpack("<Q", value)[0]
            at += 6 + size
        if kind == OUTPUT:
            self.out += fields[BYTES]
            if self.acks:
                self.send(TAKEN, (COUNT, len(fields[BYTES])))
        elif kind == ROOM:
            self.room += fields[COUNT]
        elif kind == OPENED:
            self.offset = fields[OFFSET]
        self.frames.append((kind, fields))

    def pump(self, seconds):
        """Take what comes within this time; False: nothing did."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1 << 16)
        except TimeoutError:
            return False
        self.ended |= not data
        self.data += data
        while len(self.data) >= 8:
            kind, size = struct.unpack_from("<B3xI", self.data)
            if len(self.data) < 8 + size:
                break
            payload, self.data = self.data[8:8 + size], self.data[8 + size:]
            self._take(kind, payload)
        return True

    def until(self, condition, seconds=20, what="it"):
        end = time.monotonic() + seconds
        while (found := condition()) in (None, False):
            left = end - time.monotonic()
            assert left > 0 and not self.ended, f"no {what} within {seconds} s; the last output: {self.out[-300:]!r} {self.frames[-3:]}"
            self.pump(min(left, 1))
        return found

    def frame(self, kind, seconds=20):
        return self.until(lambda: next((f for k, f in self.frames if k == kind), None), seconds, f"frame {kind}")

    def reads(self, pattern, seconds=20):
        pattern = pattern if isinstance(pattern, bytes) else pattern.encode()
        return self.until(lambda: re.search(pattern, self.out), seconds, repr(pattern))


def connect(guest, session=None, **fields):
    """Of a machine.Machine."""
    sock = guest.connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"SHELL\n")
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        assert byte, line
        line += byte
    assert line == b"OK\n"
    return Shell(sock, session, **fields)
