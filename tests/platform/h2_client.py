"""HTTP/2 by single frames, so that a test can send what no client would.  Only HPACK is a library's."""
import struct
import sys

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-hpack, for whichever Python runs this
import hpack  # noqa: E402

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL, CALM = 0, 1, 2, 8, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Gone(Exception):
    """The server ended the connection; .code is that of its GOAWAY, if it said one."""

    def __init__(self, code):
        super().__init__(f"gone, code {code}")
        self.code = code


class Stream:
    def __init__(self):
        self.heads, self.body, self.ended, self.reset, self.frames = [], bytearray(), False, None, []

    @property
    def status(self):
        return int(dict(self.heads[-1])[":status"]) if self.heads else None

    def final(self):
        return next(dict(h) for h in self.heads if dict(h).get(":status", "1")[0] != "1")

    @property
    def over(self):
        return self.ended or self.reset is not None


class Client:
    """@wire: a socket that speaks TLS, h2 agreed on.  @window: what each stream and the connection may send us."""

    def __init__(self, sock, window=1 << 30):
        self.sock, self.left, self.next, self.streams, self.goaway = sock, b"", 1, {}, None
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.settings, self.send_window, self.windows, self.pongs = {}, 65535, {}, 0
        self.sock.settimeout(20)
        self.raw(PREFACE)
        self.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, min(window, (1 << 31) - 1)))
        if window > 65535:
            self.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - 65535))

    def raw(self, data):
        self.sock.sendall(data)

    def frame(self, kind, flags, stream, payload=b""):
        self.raw(frame(kind, flags, stream, payload))

    def request(self, fields, end=True):
        return self.block(self.encoder.encode(fields, huffman=False), end)

    def block(self, block, end=True):
        """A request of these header bytes, in as many frames as they need."""
        stream, self.next = self.next, self.next + 2
        self.streams[stream] = Stream()
        self.windows[stream] = self.settings.get(4, 65535)
        parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
        for i, part in enumerate(parts):
            flags = (END_STREAM if end and not i else 0) | (END_HEADERS if i == len(parts) - 1 else 0)
            self.frame(CONTINUATION if i else HEADERS, flags, stream, part)
        return stream

    def send(self, stream, data, end=False):
        """As much as the windows let through; what it waits for is read meanwhile."""
        while data or end:
            n = min(len(data), 16384, self.send_window, self.windows[stream])
            if data and n <= 0:
                self.step()
                if self.streams[stream].over:
                    return
                continue
            last = end and n == len(data)
            self.frame(DATA, END_STREAM if last else 0, stream, data[:n])
            self.send_window -= n
            self.windows[stream] -= n
            data = data[n:]
            if last or (not data and not end):
                return

    def exactly(self, n):
        while len(self.left) < n:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, OSError) as e:
                if isinstance(e, TimeoutError):
                    raise
                more = b""
            if not more:
                raise Gone(self.goaway)
            self.left += more
        data, self.left = self.left[:n], self.left[n:]
        return data

    def step(self):
        """Read one frame."""
        head = self.exactly(9)
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        data = self.exactly(size)
        s = self.streams.get(stream, Stream())
        s.frames.append((kind, flags, size))
        if kind in (HEADERS, CONTINUATION):
            assert flags & END_HEADERS, "the server splits its head"
            s.heads.append(self.decoder.decode(data))
        elif kind == DATA:
            s.body += data
        elif kind == RST_STREAM:
            s.reset = int.from_bytes(data, "big")
        elif kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", data))
            self.frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.frame(PING, ACK, 0, data)
        elif kind == PING:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(data[4:8], "big")
        elif kind == WINDOW_UPDATE and stream:
            self.windows[stream] = self.windows.get(stream, 65535) + int.from_bytes(data, "big")
        elif kind == WINDOW_UPDATE:
            self.send_window += int.from_bytes(data, "big")
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            s.ended = True
        return kind, stream

    def until(self, condition):
        while not condition():
            self.step()

    def wait(self, stream):
        s = self.streams[stream]
        self.until(lambda: s.over)
        return s

    def ready(self):
        """The server's SETTINGS are known, and it has ours."""
        self.until(lambda: self.settings)
        before = self.pongs
        self.frame(PING, 0, 0, b"12345678")
        self.until(lambda: self.pongs > before)
        return self

    def drain(self):
        """Read until the server ends the connection; the code of its GOAWAY."""
        try:
            while True:
                self.step()
        except Gone as gone:
            return gone.code


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A field that no table knows, for bytes that an encoder would not write."""
    name, value = (x if isinstance(x, bytes) else x.encode("latin-1") for x in (name, value))

    def text(x):
        assert len(x) < 127
        return bytes((len(x),)) + x
    return b"\x00" + text(name) + text(value)
