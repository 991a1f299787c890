"""Applications that speak HTTP/2, for proxy_rig.py: whole ones on the library h2, and frames by hand."""
import json
import socket
import ssl
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field that no table knows, without Huffman."""
    out = b"\0"
    for text in (name, value):
        data, size = text.encode("latin1"), b""
        n = len(data)
        if n < 127:
            size = bytes((n,))
        else:
            size, n = b"\x7f", n - 127
            while n >= 128:
                size, n = size + bytes((n % 128 | 128,)), n // 128
            size += bytes((n,))
        out += size + data
    return out


def fields(*pairs):
    return b"".join(literal(name, value) for name, value in pairs)


class Stream:
    """One request, and how it is answered; from any thread."""

    def __init__(self, talk, number):
        self.talk, self.number = talk, number
        self.head, self.body, self.trailers = {}, b"", None
        self.ended, self.reset = threading.Event(), None

    def respond(self, status=200, *more, end=False):
        self.talk.do(lambda c: c.send_headers(self.number, [(":status", str(status)), *more], end_stream=end))

    def send(self, data, end=False):
        """Returns when the windows let all of it through."""
        at = 0
        while True:
            sent = self.talk.do(lambda c: self._piece(c, data, at, end))
            if sent is None:
                return
            at += sent
            if not sent and not self.talk.room(self.number):
                raise EOFError

    def _piece(self, c, data, at, end):
        n = min(len(data) - at, c.local_flow_control_window(self.number), c.max_outbound_frame_size)
        if n or not data:
            c.send_data(self.number, data[at:at + n], end_stream=end and at + n == len(data))
        return None if at + n == len(data) else n

    def finish(self, *trailers):
        if trailers:
            self.talk.do(lambda c: c.send_headers(self.number, trailers, end_stream=True))
        else:
            self.talk.do(lambda c: c.end_stream(self.number))

    def cancel(self, code=8):
        self.talk.do(lambda c: c.reset_stream(self.number, code))


class Talk:
    """A connection: `app.serve(stream)` runs in a thread of its own for each request's head."""

    def __init__(self, app, w, settings=None):
        self.app, self.w, self.lock = app, w, threading.Condition()
        self.c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin1"))
        if settings:
            self.c.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.streams, self.open = {}, True
        self.auto = getattr(app, "credit", True)

    def do(self, what):
        with self.lock:
            got = what(self.c)
            self.w.send(self.c.data_to_send())
            return got

    def room(self, number):
        """False: it will never come."""
        with self.lock:
            while self.open and number in self.streams and self.streams[number].reset is None:
                if self.c.local_flow_control_window(number) > 0:
                    return True
                self.lock.wait(10)
            return False

    def run(self):
        self.do(lambda c: c.initiate_connection())
        try:
            while self.open:
                self.w.left or self.w.more()
                with self.lock:
                    data, self.w.left = self.w.left, b""
                    for event in self.c.receive_data(data):
                        self._on(event)
                    self.w.send(self.c.data_to_send())
                    self.lock.notify_all()
        finally:
            with self.lock:
                self.open = False
                for stream in self.streams.values():
                    stream.ended.set()
                self.lock.notify_all()

    def _on(self, event):
        kind = type(event)
        if kind is h2.events.RequestReceived:
            stream = self.streams[event.stream_id] = Stream(self, event.stream_id)
            stream.head = dict(event.headers)
            stream.fields = list(event.headers)
            self.app.requests.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()
        elif kind is h2.events.DataReceived:
            self.streams[event.stream_id].body += event.data
            if self.auto:
                self.c.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif kind is h2.events.TrailersReceived:
            self.streams[event.stream_id].trailers = dict(event.headers)
        elif kind is h2.events.StreamEnded:
            self.streams[event.stream_id].ended.set()
        elif kind is h2.events.StreamReset:
            self.streams[event.stream_id].reset = event.error_code
            self.streams[event.stream_id].ended.set()
        elif kind is h2.events.ConnectionTerminated:
            self.open = False

    def _serve(self, stream):
        try:
            self.app.serve(stream)
        except (OSError, EOFError, h2.exceptions.ProtocolError):
            pass


def talk_h2(serve, settings=None):
    """For App: each request of each connection is answered by serve(stream)."""
    def talk(app, w):
        app.serve = serve
        Talk(app, w, settings).run()
    return talk


def serve_hello(stream):
    stream.ended.wait(10)
    path = stream.head[":path"]
    text = json.dumps({"headers": stream.fields, "body": len(stream.body), "trailers": stream.trailers}).encode()
    if path.startswith("/trailers"):
        length = [("content-length", "4")] if path.endswith("/length") else []
        stream.respond(200, ("x-app", "1"), *length)
        stream.send(b"body")
        stream.finish(("x-sum", "42"), ("grpc-status", "0"))
    elif path == "/only":
        stream.respond(200, ("grpc-status", "5"), ("grpc-message", "none"), end=True)
    elif path == "/204":
        stream.respond(204, ("x-app", "1"), end=True)
    elif path == "/hints":
        stream.talk.do(lambda c: c.send_headers(stream.number, [(":status", "103"), ("link", "x")]))
        stream.respond(200, ("content-length", "2"))
        stream.send(b"hi", end=True)
    elif path == "/slow":
        time.sleep(0.5)
        stream.respond(200)
        stream.send(b"slow", end=True)
    elif path.startswith("/big"):
        stream.respond(200)
        stream.send(b"\x5a" * int(path.split("?")[1]), end=True)
    elif stream.head[":method"] == "HEAD":
        stream.respond(200, ("content-length", "7"), end=True)
    else:
        stream.respond(200, ("server", "rig"), ("content-length", str(len(text))))
        stream.send(text, end=True)


def talk_frames(script):
    """For App: takes the preface, our first frames in a list of (kind, flags, stream, payload), and runs the script."""
    def talk(app, w):
        assert w.exactly(len(PREFACE)) == PREFACE
        script(app, Frames(w))
    return talk


class Frames:
    def __init__(self, w):
        self.w = w

    def send(self, *frames):
        self.w.send(b"".join(frames))

    def next(self):
        head = self.w.exactly(9)
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        return kind, flags, stream, self.w.exactly(size)

    def until(self, kind, stream=None):
        while True:
            got = self.next()
            if got[0] == kind and stream in (None, got[2]):
                return got


class Client:
    """A client of the proxy that speaks HTTP/2 and keeps everything that it hears."""

    def __init__(self, rig, host, token, port, window=None):
        context = ssl.create_default_context(cafile=rig.cert)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", rig.port), timeout=20)
        self.sock = context.wrap_socket(raw, server_hostname=host)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.head = [(":scheme", "https"), (":authority", host), ("x-aws-proxy-auth", token),
                     ("x-aws-proxy-force-h2", "true"), ("x-aws-proxy-port", str(port))]
        self.c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin1"))
        if window:
            self.c.local_settings = h2.settings.Settings(client=True, initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window, h2.settings.SettingCodes.ENABLE_PUSH: 0})
        self.c.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.c.data_to_send())

    def ask(self, path, method="GET", end=True, *more):
        stream = self.c.get_next_available_stream_id()
        self.c.send_headers(stream, [(":method", method), (":path", path), *self.head, *more], end_stream=end)
        self.flush()
        return stream

    def hear(self, stream, credit=True):
        """The stream's events up to its end: of the answer, or by a reset."""
        got = []
        while True:
            data = self.sock.recv(1 << 16)
            if not data:
                return got
            for event in self.c.receive_data(data):
                if getattr(event, "stream_id", None) != stream:
                    continue
                got.append(event)
                if type(event) is h2.events.DataReceived and credit:
                    self.c.acknowledge_received_data(event.flow_controlled_length, stream)
            self.flush()
            if got and type(got[-1]) in (h2.events.StreamEnded, h2.events.StreamReset):
                return got
            if any(type(e) is h2.events.StreamEnded for e in got):
                return got
