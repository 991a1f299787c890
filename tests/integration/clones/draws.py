"""Draws random values: once at start, as a server does for its secrets, and at each request again, from the same processes.

Each argument NAME=COMMAND is one more process, which answers each line of its input with a JSON object in a line.
"""
import ctypes
import http.server
import json
import os
import pathlib
import random
import secrets
import shlex
import ssl
import subprocess
import sys
import threading
import uuid

try:
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    ec = None  # only the long form installs it

HERE = pathlib.Path(__file__).parent
LIBC = ctypes.CDLL("libc.so.6")
GENERATION = pathlib.Path("/run/doze/generation")
COUNTER = pathlib.Path("/dev/sysgenid")
others = {}
connections = []  # (the number of resumes, what was drawn when it was accepted)
lock = threading.Lock()


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "tls.crt", HERE / "tls.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose tickets can be read on the wire
    return context


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


SERVER, CLIENT = server_context(), client_context()


def handshake_messages(data):
    """(type, body) of each handshake message in clear."""
    clear = b""
    while len(data) >= 5 and data[0] in (20, 22):
        size = int.from_bytes(data[3:5], "big")
        if data[0] == 20:
            break  # from here on they are encrypted
        clear += data[5:5 + size]
        data = data[5 + size:]
    while len(clear) >= 4:
        size = int.from_bytes(clear[1:4], "big")
        yield clear[0], clear[4:4 + size]
        clear = clear[4 + size:]


def tls():
    """One connection to the server that was made at start."""
    keys = HERE / "keys"
    keys.write_text("")
    CLIENT.keylog_filename = str(keys)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [CLIENT.wrap_bio(to_client, to_server), SERVER.wrap_bio(to_server, to_client, server_side=True)]
    sent, waiting = b"", ends[:]
    while waiting:
        for end in waiting[:]:
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
            if end is ends[1]:
                out = to_client.read()
                sent += out
                to_client.write(out)
    messages = dict(handshake_messages(sent))
    ticket = messages[4][6:]
    log = next(line.split() for line in keys.read_text().splitlines() if line.startswith("CLIENT_RANDOM"))
    return {"tls client random": log[1], "tls master secret": log[2], "tls server random": messages[2][6:34].hex(),
            "tls key share": messages[12].hex(), "tls ticket": ticket.hex(), "tls ticket key name": ticket[:16].hex()}


class Renewed:
    """A generator of the application's own that begins anew in each microVM, as docs/clones.md has it."""

    def __init__(self):
        self.generation, self.random = None, random.Random()

    def draw(self):
        now = GENERATION.read_text()
        if now != self.generation:
            self.generation, self.random = now, random.Random(os.urandom(32))
        return self.random.random()


RENEWED = Renewed()


def arc4random():
    data = ctypes.create_string_buffer(16)
    LIBC.arc4random_buf(data, ctypes.c_size_t(16))
    return data.raw.hex()


def wheel():
    """A key by the OpenSSL that the wheel brings."""
    return {"cryptography": ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value} if ec else {}


def own():
    return {"openssl": ssl.RAND_bytes(16).hex(), "secrets": secrets.token_hex(16), "uuid4": str(uuid.uuid4()), "urandom": os.urandom(16).hex(),
            "getrandom": os.getrandom(16).hex(), "arc4random": arc4random(), "random": random.random(), "random of the generation": RENEWED.draw(),
            "kernel uuid": pathlib.Path("/proc/sys/kernel/random/uuid").read_text().strip(), "generation": GENERATION.read_text(),
            "ssh host key": next(iter(sorted(p.read_text() for p in pathlib.Path("/etc/ssh").glob("ssh_host_*_key.pub"))), ""), **tls(), **wheel()}


def ask(process):
    process.stdin.write("draw\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def resumes():
    return int.from_bytes(COUNTER.read_bytes()[:4], sys.byteorder)


def draw():
    with lock:
        made = {f"python {name}": value for name, value in own().items()}
        for language, process in others.items():
            made.update({f"{language} {name}": value for name, value in ask(process).items()})
        made["sysgenid"] = resumes()
        return made


class Handler(http.server.BaseHTTPRequestHandler):
    def setup(self):
        super().setup()
        connections.append((resumes(), os.urandom(16).hex()))

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(json.dumps(connections if self.path == "/connections" else [draw(), draw()]).encode())

    def do_POST(self):
        """The hook that says that the snapshot may be taken: every generator has been used."""
        self.answer(b"")


for word in sys.argv[1:]:
    language, _, command = word.partition("=")
    others[language] = subprocess.Popen(shlex.split(command), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
draw()
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
