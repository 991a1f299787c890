#!/usr/bin/env python3
"""Clients that users have, through published ports and forwarded ones, to a microVM that sleeps first.

    proxy_port_clients_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]

Redis and PostgreSQL are Debian's own servers.  What is not there is skipped, and all of it without
DOZE_LONG; `logger` alone is in every check.
"""
import glob
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import types
import unittest

import proxy_ports_test
import proxy_test
from proxy_clients import HERE
from proxy_ports_test import frame, frames
from proxy_rig import OPEN, SLEEPING, Rig, wait_for

LONG = bool(os.environ.get("DOZE_LONG"))
REDIS = shutil.which("redis-check-rdb")  # the server itself, by the name under which it checks a file
POSTGRES = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), reverse=True)), None)
JAVA = shutil.which("java")
JDBC = "/usr/share/java/postgresql.jar"
PASSWORD, PORT = "a secret", "PORT"


def ignore(what):
    try:
        what()
    except OSError:
        pass


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def talk_udp(server):
    """What the agent does for datagrams: each of its streams is a socket of its own."""
    def talk(_app, w):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(server)

            def back():
                while data := s.recv(65536):
                    w.send(frame(data))
            threading.Thread(target=lambda: ignore(back), daemon=True).start()
            for data in frames(w):
                s.send(data)
    return talk


class Native(proxy_ports_test.PortsTest):
    def server(self, port, target, *command, **more):
        """A program that serves @port of this host, as the application at @target of the microVM."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        wait_for(f"{command[0]} to listen", lambda: not socket.socket().connect_ex(("127.0.0.1", port)), 60)
        self.apps[target] = types.SimpleNamespace(sock=types.SimpleNamespace(getsockname=lambda: ("127.0.0.1", port)))

    def published(self, target, udp=False):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        if not udp:
            listener.listen(128)
        port = listener.getsockname()[1]
        self.tell(listener, port, target, udp)
        listener.close()
        return port

    def forwarded(self, target):
        """A local port whose connections go through the endpoint, as those of `doze forward`."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                client, _ = listener.accept()
                w = self.ask(lines="Connection: Upgrade\r\nUpgrade: doze-tcp\r\n", end=False, port=target)
                w.head()
                client.sendall(w.left)
                threading.Thread(target=lambda: ignore(lambda: self.pump(client, w.sock)), daemon=True).start()
        threading.Thread(target=lambda: ignore(serve), daemon=True).start()
        return listener.getsockname()[1]

    @staticmethod
    def pump(client, tls):
        while True:
            ready = select.select([client, tls], [], [])[0]
            for here, there in ((client, tls), (tls, client)):
                if here in ready:
                    data = here.recv(65536)
                    while here is tls and tls.pending():
                        data += tls.recv(65536)
                    if not data:
                        there.close()
                        return
                    there.sendall(data)

    def asleep(self, *command):
        """What a client prints that has to wake the microVM."""
        self.set(SLEEPING, machine="")
        before = self.wakes()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "NODE_PATH": f"{self.dir}/js/node_modules"}) as client:
            wait_for("WAKE", lambda: self.wakes() > before, 30)
            self.set(OPEN)
            return client.communicate(timeout=60)[0].strip()

    @property
    def talk(self):
        return f"{self.dir}/bin/python", f"{HERE}/proxy_port_clients/talk.py"


    def databases(self, target, clients, want):
        for way in (self.published, self.forwarded):
            port = str(way(target))
            for name, (program, *words) in clients.items():
                with self.subTest(f"{name} by a port that is {way.__name__}"):
                    if not os.path.exists(program):
                        self.skipTest(f"there is no {program}")
                    got = self.asleep(program, *[port if word == PORT else word for word in words])
                    self.assertEqual(got.lower(), want)


@unittest.skipUnless(LONG, "it takes clients from many places")
class Databases(Native):
    @unittest.skipUnless(REDIS, "there is no Redis here")
    def test_redis_py_ioredis_and_go_redis(self):
        port, at = free_port(), ("127.0.0.1", PORT)
        self.server(port, 6379, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", executable=REDIS)
        self.databases(6379, {"redis-py": (*self.talk, "redis", *at), "go-redis": (f"{self.dir}/native", "redis", *at),
                              "ioredis": (f"{self.dir}/bin/node", f"{HERE}/proxy_port_clients/redis.js", *at)}, "true 100")

    @unittest.skipUnless(POSTGRES, "there is no PostgreSQL here")
    def test_asyncpg_lib_pq_and_pgjdbc(self):
        where, port, at = tempfile.mkdtemp(prefix="native-"), free_port(), ("127.0.0.1", PORT, PASSWORD)
        self.addCleanup(shutil.rmtree, where)
        for name in ("key.pem", "cert.pem"):
            shutil.copy(f"{self.rig.dir}/{name}", where)
            os.chmod(f"{where}/{name}", 0o600)
        pathlib.Path(f"{where}/password").write_text(PASSWORD, encoding="ascii")
        as_user = {"cwd": where}
        if not os.getuid():  # PostgreSQL does not run as root
            as_user["user"] = "nobody"
            for path in (where, *glob.glob(f"{where}/*")):
                shutil.chown(path, "nobody")
        subprocess.run([f"{os.path.dirname(POSTGRES)}/initdb", "-D", f"{where}/data", "-U", "rig", "-A", "scram-sha-256", "--no-sync",
                        f"--pwfile={where}/password"], check=True, stdout=subprocess.DEVNULL, **as_user)
        settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "ssl": "on", "ssl_cert_file": f"{where}/cert.pem", "ssl_key_file": f"{where}/key.pem"}
        self.server(port, 5432, POSTGRES, "-D", f"{where}/data", "-p", str(port), "-k", where,
                    *[word for name, value in settings.items() for word in ("-c", f"{name}={value}")], **as_user)
        java = (JAVA if os.path.exists(JDBC) else JDBC, "-cp", f"{JDBC}:{self.dir}", "Postgres", *at)
        self.databases(5432, {"asyncpg": (*self.talk, "postgres", *at), "lib/pq": (f"{self.dir}/native", "postgres", *at), "pgjdbc": java},
                       "42 500500")


class Datagrams(Native):
    def serve(self, target, answer):
        """An application of UDP that answers each datagram with this of it, and keeps them all."""
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
        self.addCleanup(s.close)
        self.heard = []

        def run():
            while True:
                data, client = s.recvfrom(65536)
                self.heard.append(data)
                if reply := answer(data):
                    s.sendto(reply, client)
        threading.Thread(target=lambda: ignore(run), daemon=True).start()
        self.app(target, talk_udp(s.getsockname()))
        return str(self.published(target, udp=True))

    def test_logger_writes_to_a_syslog(self):
        port = self.serve(514, lambda data: None)
        for i, form in enumerate(("--rfc3164", "--rfc5424")):
            self.assertEqual(self.asleep("logger", "-n", "127.0.0.1", "-P", port, "-d", form, "-t", "rig", "-p", "user.notice", f"words {form}"), "")
            wait_for("the line", lambda i=i: len(self.heard) > i)
            self.assertRegex(self.heard[i].decode(), rf"^<13>.* rig.* words {form}$")

    @unittest.skipUnless(LONG, "it takes a library")
    def test_a_resolver_gets_its_answers(self):
        def answer(query):
            """One A record, whose last number is the name's first letter."""
            return (query[:2] + b"\x85\x80\0\1\0\1\0\0\0\0" + query[12:query.index(b"\0", 12) + 5]
                    + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((192, 0, 2, query[13] - ord("a") + 1)))
        port = self.serve(53, answer)
        self.assertEqual(self.asleep(*self.talk, "dns", "127.0.0.1", port), "192.0.2.1 192.0.2.2")

    @unittest.skipUnless(LONG, "it takes a library")
    def test_quic_is_echoed(self):
        port = free_port(socket.SOCK_DGRAM)
        server = subprocess.Popen([*self.talk, "serve_quic", "127.0.0.1", str(port), self.rig.cert, f"{self.rig.dir}/key.pem"], stdout=subprocess.PIPE)
        self.addCleanup(server.wait, 20)
        self.addCleanup(server.kill)
        self.addCleanup(server.stdout.close)
        server.stdout.readline()
        self.app(443, talk_udp(("127.0.0.1", port)))
        self.assertEqual(self.asleep(*self.talk, "quic", "127.0.0.1", str(self.published(443, udp=True)), self.rig.cert), "True")


if __name__ == "__main__":
    role, Native.dir = (sys.argv.pop(1) for _ in range(2))
    if LONG:
        subprocess.run([f"{HERE}/../../tools/test-port-clients", Native.dir], check=True)
    proxy_test.run(Rig(role, limits=proxy_ports_test.LIMITS))
