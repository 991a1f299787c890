"""microVMs whose every byte says whose it is, and clients of all kinds, for proxy_apart_test.py."""
import base64
import hashlib
import itertools
import re
import socket
import ssl
import struct
import uuid

import h2_client as h2
from proxy_ports_test import frame, frames
from proxy_rig import GONE, HELD, HOLD, OPEN, PUBLISH, RELEASE, SUFFIX, WAITING, App, Machine, Wire, request_of, wait_for
from proxy_shell_test import BINARY, TEXT, Client, talk_echo as talk_shell
from recorder import Record, talk_record, talk_record_h2

MARK = re.compile(rb"mark-([A-Z]\d*)-")
SECONDS = 20  # the longest that anybody waits who is served
NAMES = itertools.count(1)
GONE_AWAY = (EOFError, ConnectionError, ssl.SSLError, h2.Gone, TimeoutError)


class Cut(Exception):
    """The session ended; an honest one may, if its microVM was disturbed."""


class Leaks:
    """What reached somebody to whom it does not belong."""

    def __init__(self):
        self.found, self.secrets = [], {}

    def look(self, owner, data, where):
        """@data reached @owner: his machine, or his client."""
        for name in set(MARK.findall(data)) - {owner.encode()}:
            self.found.append((where, owner, name.decode(), data[:300]))

    def look_inside(self, owner, data, where):
        """Likewise, to a machine, which sees no token, not even its own."""
        self.look(owner, data, where)
        for secret, whose in self.secrets.items():
            if secret in data:
                self.found.append((where, owner, f"a token of {whose}", data[:300]))


class SeenWire(Wire):
    """Looks at all that comes, also where a mark or a token is cut in two."""

    def __init__(self, sock, owner, leaks, where):
        super().__init__(sock)
        self.owner, self.leaks, self.where, self.tail = owner, leaks, where, b""

    def more(self):
        before = len(self.left)
        super().more()
        seen = self.tail + self.left[before:]
        self.leaks.look_inside(self.owner, seen, self.where)
        self.tail = seen[-400:]


class OwnedRecord(Record):
    def __init__(self, owner, leaks):
        super().__init__()
        self.owner, self.leaks = owner, leaks

    def take(self, request):
        text = " ".join([request.method, request.target, *map(str, request.fields.items())]).encode("latin1")
        self.leaks.look_inside(self.owner, text + b" " + request.body, "a request")

    def answer(self, request):
        return request.target * (1 + len(request.body) % 40)


def talk_websocket(app, w):
    """A WebSocket that sends back each frame."""
    _, _, fields = request_of(app, w)
    key = dict(fields)["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    w.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "
           + base64.b64encode(hashlib.sha1(key.encode()).digest()).decode() + "\r\n\r\n")
    while True:
        first, size = w.exactly(2)
        size &= 0x7f
        head = w.exactly(2) if size == 126 else b""
        mask = w.exactly(4)
        data = w.exactly(struct.unpack(">H", head)[0] if head else size)
        assert mask == b"\0" * 4
        w.send(bytes((first, size)) + head + data)


def talk_bytes(app, w):
    while True:
        w.left or w.more()
        w.send(w.left)
        w.left = b""


def talk_datagrams(app, w):
    for data in frames(w):
        w.send(frame(data))


TALKS = {8080: talk_record, 8081: talk_record_h2, 8082: talk_websocket, 25: talk_bytes, 514: talk_datagrams, "shell": talk_shell}


class Owner:
    """A microVM with an application of each kind, its tokens, and its state."""

    def __init__(self, rig, leaks):
        self.rig, self.leaks = rig, leaks
        number = next(NAMES)
        self.name = "ABCDEFGHIJ"[number % 10] + str(number)
        self.endpoint = str(uuid.uuid4())
        self.host, self.microvm = self.endpoint + SUFFIX, f"microvm-{self.name}"
        self.record = OwnedRecord(self.name, leaks)
        self.apps = {port: self.app(port, talk) for port, talk in TALKS.items()}
        self.machine = Machine(f"{rig.dir}/run", f"m-{self.name}", self.apps)
        self.token, self.shell = rig.mint("all", microvm=self.microvm), rig.mint("shell", microvm=self.microvm)
        for secret in (self.token, self.shell):
            leaks.secrets[secret.encode()] = self.name
        self.disturbed, self.state, self.ports = 0, None, []
        self.set(OPEN)
        self.tcp, self.udp = self.publish(25, False), self.publish(514, True)
        self.settle()

    def app(self, port, talk):
        app = App(lambda app, w: talk(app, SeenWire(w.sock, self.name, self.leaks, f"port {port}")))
        app.record = self.record
        return app

    def set(self, state):
        self.state = state
        self.disturbed += state != OPEN
        self.rig.control.set(self.endpoint, state, machine=f"m-{self.name}" if state in (OPEN, WAITING) else "", microvm=self.microvm, shell=1)

    def settle(self):
        """The proxy knows what it was told."""
        before = len(self.rig.control.of(HELD, self.endpoint))
        self.rig.control.endpoint(HOLD, self.endpoint)
        self.rig.control.endpoint(RELEASE, self.endpoint)
        wait_for("HELD", lambda: len(self.rig.control.of(HELD, self.endpoint)) > before)

    def publish(self, target, udp):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        if not udp:
            listener.listen(64)
        port = listener.getsockname()[1]
        body = self.endpoint.encode().ljust(40, b"\0") + struct.pack("=HHIII", port, target, udp, 1, 0)
        self.rig.control.send(PUBLISH, body.ljust(56 + 16 * 18, b"\0"), [listener.fileno()])
        listener.close()
        return port

    def end(self):
        self.disturbed += 1
        self.state = GONE
        self.rig.control.endpoint(GONE, self.endpoint)
        self.machine.close()

    @property
    def lines(self):
        return f"Host: {self.host}\r\nX-aws-proxy-auth: {self.token}\r\nCookie: owner=mark-{self.name}-cookie\r\n"

    @property
    def fields(self):
        return [(":scheme", "https"), (":authority", self.host), ("x-aws-proxy-auth", self.token), ("cookie", f"owner=mark-{self.name}-cookie")]


class Session:
    """One client's connection.  A step is something said, and later what is heard of it."""
    outlives_a_suspend = True  # as long as nothing is under way

    def __init__(self, owner, dice):
        self.owner, self.dice, self.number, self.n = owner, dice, next(NAMES), 0
        self.said, self.since = None, owner.disturbed
        self.open()

    def open(self):
        pass

    def mark(self, most=3000):
        self.n += 1
        text = f"mark-{self.owner.name}-{self.number}-{self.n}-"
        return (text + "x" * self.dice.choice((0, 1, 30, most)) + "-end").encode()

    def is_disturbed(self):
        return self.owner.disturbed != self.since or self.owner.state != OPEN

    def hears(self, got, wanted):
        """It must be what its own application answered to this session, byte for byte."""
        self.owner.leaks.look(self.owner.name, bytes(got), type(self).__name__)
        if bytes(got) != wanted:
            raise Cut(f"{type(self).__name__} heard {bytes(got)[:200]} and not {wanted[:200]}")

    def wire(self, owner=None, sni=True):
        w = self.owner.rig.connect((owner or self.owner).host, sni=sni)
        w.sock.settimeout(SECONDS)
        self.sock = w.sock
        return w

    sock = None

    def close(self):
        if self.sock:
            self.sock.close()


class Http1(Session):
    port = 8080

    def open(self):
        self.w = self.wire()

    def say(self):
        target = "/" + self.mark(200).decode()
        body = self.mark() if self.dice.random() < 0.5 else b""
        lines = self.owner.lines + f"X-aws-proxy-port: {self.port}\r\n" + "X-aws-proxy-force-h2: true\r\n" * (self.port == 8081)
        if body and self.dice.random() < 0.5:
            lines, sent = lines + "Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            lines, sent = lines + (f"Content-Length: {len(body)}\r\n" if body else ""), body
        self.w.send(f"{'PUT' if body else 'GET'} {target} HTTP/1.1\r\n{lines}\r\n".encode() + sent)
        return (target * (1 + len(body) % 40)).encode()

    def hear(self, wanted):
        first, fields = self.w.head()
        body = self.w.body(fields)
        if " 200 " not in first + " ":
            raise Cut(first)
        self.hears(body, wanted)


class Http1ToHttp2(Http1):
    port = 8081


class Http2(Session):
    def client(self, sni=True):
        context = ssl.create_default_context(cafile=self.owner.rig.cert)
        context.check_hostname = bool(sni)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", self.owner.rig.port), timeout=SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw, server_hostname=self.owner.host if sni else None)
        c = h2.Client(self.sock)
        self.sock.settimeout(SECONDS)
        return c

    def open(self):
        self.c = self.client()

    def ask(self):
        path, body = "/" + self.mark(200).decode(), self.mark() if self.dice.random() < 0.5 else b""
        port = self.dice.choice(("8080", "8081"))
        fields = [(":method", "PUT" if body else "GET"), (":path", path), *self.owner.fields, ("x-aws-proxy-port", port)]
        stream = self.c.request(fields + [("x-aws-proxy-force-h2", "true")] * (port == "8081"), end=not body)
        if body:
            self.c.send(stream, body, end=True)
        return stream, (path * (1 + len(body) % 40)).encode()

    def say(self):
        return [self.ask() for _ in range(self.dice.choice((1, 1, 4)))]

    def hear(self, wanted):
        for stream, text in wanted:
            s = self.c.wait(stream)
            if s.status != 200 or not s.ended:
                raise Cut(f"{s.status}, reset {s.reset}")
            self.hears(s.body, text)


class Tunnel(Session):
    outlives_a_suspend = False

    def say(self):
        data = self.mark()
        self.send(data)
        return data

    def hear(self, wanted):
        self.hears(self.receive(len(wanted)), wanted)


class WebSocket(Tunnel):
    words = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

    def open(self):
        self.w = self.wire()
        offers = f"lambda-microvms, lambda-microvms.authentication.{self.owner.token}, lambda-microvms.port.8082"
        self.w.send(f"GET / HTTP/1.1\r\nHost: {self.owner.host}\r\n{self.words}Sec-WebSocket-Protocol: {offers}\r\n\r\n")
        self.opened(self.w.head()[0])

    @staticmethod
    def opened(first):
        if " 101 " not in first + " ":
            raise Cut(first)

    def send(self, data):
        Client(self.w).send(BINARY, data)

    def receive(self, size):
        opcode, data = Client(self.w).frame()
        if opcode != BINARY:
            raise Cut(opcode)
        return data


class Shell(WebSocket):
    def open(self):
        self.w = self.wire()
        offers = f"lambda-microvms, lambda-microvms.authentication.{self.owner.shell}"
        self.w.send(f"GET /shell HTTP/1.1\r\nHost: {self.owner.host}\r\n{self.words}Sec-WebSocket-Protocol: {offers}\r\n\r\n")
        self.opened(self.w.head()[0])
        if Client(self.w).frame()[0] != TEXT:
            raise Cut("no session_init")

    def receive(self, size):
        data = b""
        while len(data) < size:
            data += super().receive(size)
        return data


class WebSocketOverHttp2(Http2, Tunnel):
    say, hear, outlives_a_suspend = Tunnel.say, Tunnel.hear, False

    def open(self):
        self.c = self.client().ready()
        self.stream = self.c.request([(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/"), *self.owner.fields,
                                      ("x-aws-proxy-port", "8082"), ("sec-websocket-version", "13")], end=False)
        self.s = self.c.streams[self.stream]
        self.c.until(lambda: self.s.heads or self.s.over)
        if self.s.status != 200:
            raise Cut(self.s.status)

    def send(self, data):
        wire = Wire(None)
        wire.send = lambda frame: self.c.send(self.stream, frame)
        Client(wire).send(BINARY, data)

    def receive(self, size):
        head = 2 if size < 126 else 4
        self.c.until(lambda: len(self.s.body) >= head + size or self.s.over)
        data, self.s.body = self.s.body[head:head + size], self.s.body[head + size:]
        if len(data) < size:
            raise Cut(bytes(data)[:50])
        return data


class Forward(WebSocket):
    protocol, port = "doze-tcp", 25

    def open(self):
        self.w = self.wire()
        self.w.send(f"GET / HTTP/1.1\r\n{self.owner.lines}X-aws-proxy-port: {self.port}\r\nConnection: Upgrade\r\nUpgrade: {self.protocol}\r\n\r\n")
        self.opened(self.w.head()[0])

    def send(self, data):
        self.w.send(data)

    def receive(self, size):
        return self.w.exactly(size)


class ForwardUdp(Forward):
    protocol, port = "doze-udp", 514

    def send(self, data):
        self.w.send(frame(data))

    def receive(self, size):
        return next(frames(self.w))


class PublishedTcp(Tunnel):
    def open(self):
        self.sock = socket.create_connection(("127.0.0.1", self.owner.tcp), timeout=SECONDS)
        self.w = Wire(self.sock)

    send, receive = Forward.send, Forward.receive


class PublishedUdp(Tunnel):
    outlives_a_suspend = True

    def open(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", self.owner.udp))
        self.sock.settimeout(SECONDS)

    def send(self, data):
        self.sock.send(data)

    def receive(self, size):
        self.sock.settimeout(0.1 if self.is_disturbed() else SECONDS)  # a datagram may be lost, as anywhere
        return self.sock.recv(65536)


KINDS = (Http1, Http1ToHttp2, Http2, WebSocket, WebSocketOverHttp2, Shell, Forward, ForwardUdp, PublishedTcp, PublishedUdp)
