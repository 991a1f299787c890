#!/usr/bin/env python3
"""Clients that reach a port of a microVM through the endpoint's own TLS and do not speak HTTP: any of them by a name with the
port, and those of PostgreSQL and Redis in their own ways.

    proxy_native_test.py PROXY_ROLE CLIENTS [unittest arguments]	CLIENTS: where tools/test-native puts what it installs
"""
import asyncio
import contextlib
import glob
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import proxy_clients
import proxy_test
from proxy_ports_test import talk_collect, talk_echo, talk_first, talk_postgres, talk_redis
from proxy_rig import ACTIVE, GONE, MIB, OPEN, SLEEPING, SUFFIX, WAITING, WAKE, App, Rig, wait_for

LIMITS = """hold_ms = 2000
head_timeout_ms = 2000
tunnel_timeout_ms = 5000
connections_per_address = 50
"""
SUPER_DRAIN, SUPER_LOG = 8, 9
SSL_REQUEST, GSS_REQUEST = struct.pack(">II", 8, 80877103), struct.pack(">II", 8, 80877104)
POSTGRES = max(glob.glob("/usr/lib/postgresql/*/bin"), default="")
ANYBODY = object()
WHERE = ""


def startup(version=196608, **words):
    body = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in words.items()) + b"\0"
    return struct.pack(">II", len(body) + 8, version) + body


def talk_bad_request(_app, w):
    """What a server of HTTP says to something else."""
    w.more()
    w.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def pieces(token, size=200):
    return [f"doze-token.{token[i:i + size]}" for i in range(0, len(token), size)]


class NativeTest(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.sockets = []

    def tearDown(self):
        for s in self.sockets:
            s.close()
        super().tearDown()

    def context(self, certificate=None, alpn=(), verify=True):
        context = ssl.create_default_context(cafile=self.rig.cert)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*certificate)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=10)
        self.sockets.append(s)
        return s

    def dial(self, name=ANYBODY, certificate=None, alpn=(), port=6379, after=None, verify=True):
        """A TLS connection to PORT-ENDPOINT, or to this name; after: in plain text that asks for TLS."""
        s = after or self.raw()
        name = f"{port}-{self.host}" if name is ANYBODY else name
        s = self.context(certificate, alpn, verify and name is not None).wrap_socket(s, server_hostname=name)
        self.sockets.append(s)
        return s

    def certified(self, *scope, **more):
        return self.dial(certificate=self.rig.certificate(*(scope or ("all",))), **more)

    def say(self, s, data=b"ping"):
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            more = s.recv(65536)
            if not more:
                raise EOFError(got)
            got += more
        return got

    def is_cut(self, s, seconds=3):
        s.settimeout(seconds)
        try:
            return s.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False

    def is_refused(self, *args, **more):
        try:
            return self.is_cut(self.dial(*args, **more))
        except (ConnectionError, ssl.SSLError):
            return True

    def is_served(self, **more):
        try:
            return self.say(self.certified(**more)) == b"ping"
        except (OSError, EOFError):
            return False

    def wakes(self):
        return len(self.rig.control.of(WAKE, self.endpoint))

    def notes(self):
        return [text for _, text in self.rig.control.notes(self.endpoint)]

    def asks_postgres(self):
        """A socket on which TLS may begin."""
        s = self.raw()
        s.sendall(SSL_REQUEST)
        self.assertEqual(s.recv(1), b"S")
        return s

    def postgres(self, certificate=None, name=ANYBODY, port=5432, alpn=(), direct=False):
        if direct:
            return self.dial(name, certificate, ("postgresql", *alpn), port)
        return self.dial(name, certificate, alpn, port, self.asks_postgres())

    def error(self, s, seconds=5):
        """The SQLSTATE and the sentence of an ErrorResponse, behind which the connection ends."""
        s.settimeout(seconds)
        got = b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        self.assertEqual(got[:1], b"E", got)
        self.assertEqual(struct.unpack(">I", got[1:5])[0], len(got) - 1)
        fields = {f[:1]: f[1:].decode() for f in got[5:].split(b"\0") if f}
        self.assertEqual((fields[b"S"], fields[b"V"]), ("FATAL", "FATAL"))
        return fields[b"C"], fields[b"M"]


class Bytes(NativeTest):
    def test_bytes_pass_as_they_are_and_in_both_directions_at_once(self):
        self.app(6379, talk_echo)
        s, data = self.certified(), os.urandom(8 * MIB)
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        got = b""
        while len(got) < len(data) and (more := s.recv(1 << 20)):
            got += more
        self.assertEqual(got, data)
        self.assertEqual(self.machine.asked, [b"CONNECT 6379 now\n"])

    def test_a_client_that_ends_its_side_still_gets_its_answer(self):
        self.app(6379, talk_collect)
        s = self.certified()
        s.sendall(b"all of it")
        with contextlib.suppress(ssl.SSLError, OSError, TimeoutError):
            s.settimeout(0.2)
            s.unwrap()
        wait_for("what came", lambda: getattr(self.apps[6379], "got", b"") == b"all of it")

    def test_an_application_that_speaks_first_is_heard(self):
        self.app(25, talk_first)
        s = self.certified(port=25)
        self.assertEqual(s.recv(100), b"220 hello\r\n")
        s.sendall(b"EHLO\r\n")
        self.assertEqual(s.recv(100), b"you said EHLO\r\n")
        self.assertTrue(self.is_cut(s))

    def test_older_and_newer_tls_are_served(self):
        self.app(6379, talk_echo)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(self.rig.certificate("all"))
            context.minimum_version = context.maximum_version = version
            s = context.wrap_socket(self.raw(), server_hostname=f"6379-{self.host}")
            self.assertEqual(self.say(s), b"ping")
            again = context.wrap_socket(self.raw(), server_hostname=f"6379-{self.host}", session=s.session)
            self.assertEqual(self.say(again), b"ping")

    def test_a_session_is_resumed_only_while_its_certificate_is_good(self):
        self.app(6379, talk_echo)
        context = self.context(self.rig.certificate("all", minutes=3 / 60))
        s = context.wrap_socket(self.raw(), server_hostname=f"6379-{self.host}")
        self.assertEqual(self.say(s), b"ping")
        time.sleep(3.2)
        self.assertEqual(self.say(s), b"ping")
        again = context.wrap_socket(self.raw(), server_hostname=f"6379-{self.host}", session=s.session)
        self.assertTrue(self.is_cut(again))

    def test_a_sleeping_microvm_is_woken_once_by_many(self):
        self.app(6379, talk_echo)
        self.set(SLEEPING, machine="")
        got = []
        for i in range(20):
            threading.Thread(target=lambda i=i: got.append(self.say(self.certified(), b"client %d" % i)), daemon=True).start()
        wait_for("WAKE", self.wakes)
        time.sleep(0.3)
        self.assertEqual((self.machine.asked, got), ([], []))
        self.set(OPEN)
        wait_for("all answers", lambda: len(got) == 20)
        self.assertEqual(sorted(got), sorted(b"client %d" % i for i in range(20)))
        self.assertEqual(self.wakes(), 1)

    def test_a_client_that_leaves_while_it_waits_is_forgotten(self):
        self.app(6379, talk_echo)
        self.set(WAITING)
        before = self.rig.settled_files()
        clients = [self.certified() for _ in range(5)]
        wait_for("clients", lambda: self.rig.files() == before + 5)
        for s in clients:
            s.close()
        wait_for("their ends", lambda: self.rig.files() == before)
        self.set(OPEN)
        self.assertEqual(self.say(self.certified()), b"ping")

    def test_a_suspend_cuts_them_and_the_next_one_wakes(self):
        self.app(6379, talk_echo)
        s = self.certified()
        self.assertEqual(self.say(s), b"ping")
        self.set(SLEEPING, machine="")
        self.assertTrue(self.is_cut(s, 1))
        s = self.certified()
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(self.say(s), b"ping")

    def test_an_endpoint_that_ends_cuts_those_inside_and_those_who_wait(self):
        self.app(6379, talk_echo)
        s = self.certified()
        self.assertEqual(self.say(s), b"ping")
        self.rig.control.endpoint(GONE, self.endpoint)
        self.assertTrue(self.is_cut(s, 1))
        self.assertTrue(self.is_cut(self.certified(), 1))
        self.set(WAITING)
        waits = self.certified()
        time.sleep(0.2)
        self.rig.control.endpoint(GONE, self.endpoint)
        self.assertTrue(self.is_cut(waits, 1))

    def test_who_waits_too_long_is_cut_and_the_microvms_log_says_why(self):
        self.set(SLEEPING, machine="")
        self.assertTrue(self.is_cut(self.certified(), 5))
        self.apps[6379] = "refused"
        self.set(OPEN)
        self.assertTrue(self.is_cut(self.certified(), 5))
        wait_for("notes", lambda: len(self.notes()) == 2)
        self.assertIn("a client of port 6379 was refused: the microVM was not ready within 2 seconds", self.notes()[0])
        self.assertIn("port 6379 after 2 seconds: nothing listens there", self.notes()[1])

    def test_bytes_count_for_the_idle_clock_and_a_silent_connection_ends(self):
        self.app(6379, talk_echo)
        s = self.certified()
        self.assertEqual(self.say(s), b"ping")
        wait_for("ACTIVE", lambda: self.rig.control.of(ACTIVE, self.endpoint), 3)
        self.assertTrue(self.is_cut(s, 8))

    def test_connections_count_for_their_address(self):
        self.app(6379, talk_echo)
        inside = [self.certified() for _ in range(50)]
        for s in inside:
            self.assertEqual(self.say(s), b"ping")
        self.assertTrue(self.is_refused(certificate=self.rig.certificate("all")))
        inside[0].close()
        wait_for("room", self.is_served)

    def test_http_is_served_beside_them_and_asks_nobody_for_a_certificate(self):
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(self.ask(wire=self.rig.connect(self.host, sni=None))[0], 200)
        for name, asks in ((self.host, False), (f"8080-{self.host}", True)):
            said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.rig.port}", "-servername", name],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
            self.assertEqual("CN = doze client CA" in said, asks, said)


class Admission(NativeTest):
    def setUp(self):
        super().setUp()
        self.app(6379, talk_echo)

    def test_a_certificate_opens_its_ports_of_its_microvm_and_no_others(self):
        self.set(SLEEPING, machine="")
        other = self.rig.authority(f"other-{uuid.uuid4()}")[0]
        for certificate in (None, self.rig.certificate(6380), self.rig.certificate("shell"),
                            self.rig.certificate("all", microvm="microvm-2"), self.rig.certificate("all", minutes=-1),
                            self.rig.certificate("all", signer=other)):
            self.assertTrue(self.is_refused(certificate=certificate), certificate)
        self.assertEqual(self.wakes(), 0)
        self.set(OPEN)
        for scope in (("all",), (6379,), ("6000-7000",)):
            self.assertEqual(self.say(self.dial(certificate=self.rig.certificate(*scope))), b"ping")

    def test_a_microvm_without_http_ingress_is_reached_by_none(self):
        self.set(OPEN, ingress=0, shell=1)
        self.assertTrue(self.is_refused(certificate=self.rig.certificate("all")))

    def test_one_that_signs_for_itself_is_refused(self):
        path = f"{self.rig.dir}/self"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        f"{path}.key", "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=me"], check=True, capture_output=True)
        self.assertTrue(self.is_refused(certificate=(f"{path}.crt", f"{path}.key")))

    def test_without_a_certificate_a_token_in_pieces_is_offered_by_alpn(self):
        self.assertEqual(self.say(self.dial(alpn=pieces(self.rig.mint(6379)))), b"ping")
        self.assertEqual(self.say(self.dial(alpn=("http/1.1", *pieces(self.rig.mint("all"), 100)))), b"ping")
        good = self.rig.mint(6379)
        for token in (self.rig.mint(6380), self.rig.mint("all", microvm="x"), self.rig.mint("all", minutes=-1), good[:-1],
                      good[1:], "x", self.rig.mint("shell")):
            self.assertTrue(self.is_refused(alpn=pieces(token)), token)

    def test_a_name_whose_port_is_none_or_whose_endpoint_is_unknown_is_refused(self):
        for port in ("0", "65536", "080", "99999999"):
            self.assertTrue(self.is_refused(certificate=self.rig.certificate("all"), port=port), port)
        for name in (f"6379-{uuid.uuid4()}{SUFFIX}", f"6379-{self.endpoint}.example.com", f"6379-{self.endpoint}"):
            self.assertTrue(self.is_refused(name, self.rig.certificate("all"), verify=False), name)

    def test_an_application_that_gets_what_it_does_not_speak_answers_for_itself(self):
        s = self.certified(port=8080)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"HTTP/1.1 200 OK", s.recv(1000))

    def test_without_a_name_a_certificate_of_one_port_says_all(self):
        self.assertEqual(self.say(self.dial(None, self.rig.certificate(6379, microvm=self.own_microvm()))), b"ping")
        for scope in (("all",), (6379, 6380), ("6379-6380",)):
            self.assertTrue(self.is_refused(None, self.rig.certificate(*scope, microvm=self.own_microvm())), scope)
        other = self.rig.authority(f"other-{uuid.uuid4()}")[0]
        s = self.dial(None, self.rig.certificate(6379, microvm=self.own_microvm(), signer=other))
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"HTTP/1.1 403", s.recv(100))

    def own_microvm(self):
        self.set(OPEN, microvm=f"microvm-{self.endpoint}")
        return f"microvm-{self.endpoint}"

    def test_a_client_of_http_that_has_a_certificate_speaks_http(self):
        context = self.context(self.rig.certificate(6379), ("http/1.1",))
        context.check_hostname = False
        s = context.wrap_socket(self.raw())
        s.sendall(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nX-aws-proxy-auth: {self.token}\r\n\r\n".encode())
        self.assertIn(b"HTTP/1.1 200", s.recv(100))


class Postgres(NativeTest):
    def setUp(self):
        super().setUp()
        self.app(5432, talk_postgres)

    def start(self, s, **words):
        """The answer to a start, which is the request for a password; the application has the packet."""
        s.sendall(startup(**words))
        got = s.recv(100)
        self.assertEqual(got, b"R" + struct.pack(">II", 8, 3), got)
        return self.apps[5432].startup

    def plain(self, **words):
        return startup(**words)[8:]

    def test_the_start_reaches_the_server_as_it_was_said(self):
        words = {"user": "me", "database": "things", "options": "-c  geqo=off"}
        for direct in (False, True):
            s = self.postgres(self.rig.certificate(5432), direct=direct)
            self.assertEqual(s.selected_alpn_protocol(), "postgresql" if direct else None)
            self.assertEqual(self.start(s, **words), self.plain(**words))

    def test_gss_is_answered_no_and_pieces_of_a_request_are_put_together(self):
        s = self.raw()
        s.sendall(GSS_REQUEST)
        self.assertEqual(s.recv(1), b"N")
        for byte in SSL_REQUEST:
            s.sendall(bytes([byte]))
            time.sleep(0.02)
        self.assertEqual(s.recv(1), b"S")
        s = self.dial(certificate=self.rig.certificate("all"), port=5432, after=s)
        for byte in startup(user="me"):
            s.sendall(bytes([byte]))
        self.assertEqual(s.recv(1), b"R")
        self.assertEqual(self.apps[5432].startup, self.plain(user="me"))

    def test_a_token_in_the_options_is_taken_out(self):
        token = self.rig.mint(5432)
        for options, left in ((f"token={token}", {}), (f"-c geqo=off -c token={token}", {"options": "-c geqo=off"})):
            s = self.postgres()
            self.assertEqual(self.start(s, user="me", options=options), self.plain(user="me", **left))
        s = self.postgres(alpn=pieces(token), direct=True)
        self.assertEqual(self.start(s, user="me"), self.plain(user="me"))
        s = self.postgres(self.rig.certificate(1))  # the token counts
        self.start(s, user="me", options=f"token={token}")

    def test_without_a_name_the_options_say_where(self):
        token = self.rig.mint("all")
        self.app(5433, talk_postgres)
        for name in (None, "db.example.com"):
            for where, port in ((self.endpoint, 5432), (f"{self.endpoint}-5433", 5433), (f"5433-{self.endpoint}", 5433)):
                self.apps[port].startup = None
                s = self.dial(name, None, (), after=self.asks_postgres(), verify=False)
                s.sendall(startup(user="me", options=f"endpoint={where} token={token}"))
                self.assertEqual(s.recv(1), b"R")
                self.assertEqual(self.apps[port].startup, self.plain(user="me"))

    def test_a_name_without_a_port_is_the_usual_one_and_a_certificate_without_a_name_says_all(self):
        s = self.postgres(self.rig.certificate("all"), name=self.host)
        self.start(s, user="me")
        microvm = f"microvm-{self.endpoint}"
        self.set(OPEN, microvm=microvm)
        s = self.dial(None, self.rig.certificate("all", microvm=microvm), after=self.asks_postgres())
        self.start(s, user="me")

    def test_a_name_and_options_that_disagree_are_refused(self):
        for options in (f"endpoint={uuid.uuid4()}", f"endpoint={self.endpoint}-5433", "endpoint=x", "endpoint=",
                        f"endpoint={self.endpoint}-0", f"endpoint={self.endpoint}-65536", "token=a token=b"):
            s = self.postgres(self.rig.certificate("all"))
            s.sendall(startup(user="me", options=options))
            self.assertEqual(self.error(s)[0], "08P01", options)

    def test_each_refusal_is_a_sentence_and_wakes_nothing(self):
        self.set(SLEEPING, machine="")
        other = self.rig.authority(f"other-{uuid.uuid4()}")[0]
        cases = (
            (None, {}, "Request missing authentication: give sslcert"),
            (None, {"options": "token=garbage"}, "Request missing authentication"),
            (None, {"options": f"token={self.rig.mint('all', minutes=-1)}"}, "Token authentication failed"),
            (self.rig.certificate("all", minutes=-1), {}, "certificate has expired"),
            (self.rig.certificate("all", signer=other), {}, "the client's certificate is not good"),
            (self.rig.certificate("all", microvm="x"), {}, "Token authentication failed"),
            (self.rig.certificate(5433), {}, "Access to port denied"),
        )
        for certificate, words, why in cases:
            s = self.postgres(certificate)
            s.sendall(startup(user="me", **words))
            code, text = self.error(s)
            self.assertEqual(code, "28000")
            self.assertIn(why, text)
        s = self.postgres(self.rig.certificate("all"), port="65536")
        s.sendall(startup(user="me"))
        self.assertEqual(self.error(s)[0], "08P01")
        self.assertEqual(self.wakes(), 0)

    def test_a_microvm_that_cannot_be_reached_is_a_sentence(self):
        self.apps[5432] = "refused"
        s = self.postgres(self.rig.certificate("all"))
        s.sendall(startup(user="me"))
        code, text = self.error(s)
        self.assertEqual((code, text), ("57P03", "port 5432 after 2 seconds: nothing listens there"))
        self.set(SLEEPING, machine="")
        s = self.postgres(self.rig.certificate("all"))
        s.sendall(startup(user="me"))
        self.assertIn("not ready within 2 seconds", self.error(s)[1])

    def test_a_start_without_tls_hears_that_it_needs_tls(self):
        s = self.raw()
        s.sendall(startup(user="me"))
        code, text = self.error(s)
        self.assertEqual(code, "08P01")
        self.assertIn("only through TLS", text)

    def test_a_start_that_makes_no_sense_is_refused(self):
        for data in (b"\0\0\0\x08\0\0\0\0", struct.pack(">II", 9, 0x20000) + b"\0", b"\0\0\0\x07", b"\0\0\xff\xff\0\3\0\0"):
            s = self.raw()
            s.sendall(data)
            self.assertEqual(self.error(s)[0], "08P01")
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", SSL_REQUEST, b"*1\r\n$4\r\nPING\r\n", startup()[:-1] + b"x",
                     startup(version=0x20000)):
            s = self.postgres(self.rig.certificate("all"))
            s.sendall(data)
            self.assertEqual(self.error(s)[0], "08P01", data)

    def test_tls_that_is_said_in_plain_text_before_it_was_agreed_is_no_injection(self):
        s = self.raw()
        s.sendall(SSL_REQUEST + startup(user="injected"))
        s.settimeout(3)
        self.assertEqual(s.recv(1), b"S")
        self.assertTrue(self.is_cut(s) or s.recv(100)[:1] == b"\x15")
        self.assertEqual(self.apps[5432].conns, 0)

    def test_one_that_is_gone_before_it_hears_an_answer_harms_nobody(self):
        for said in (GSS_REQUEST + SSL_REQUEST, GSS_REQUEST * 3, GSS_REQUEST + startup(user="me"), SSL_REQUEST):
            for _ in range(40):
                s = socket.create_connection(("127.0.0.1", self.rig.port), timeout=10)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.sendall(said)
                s.close()
        s = self.postgres(self.rig.certificate(5432))
        self.assertEqual(self.start(s, user="me"), self.plain(user="me"))

    def test_half_a_start_is_waited_for_and_then_refused(self):
        s = self.postgres(self.rig.certificate("all"))
        s.sendall(startup(user="me")[:-4])
        at = time.monotonic()
        self.assertIn("too long", self.error(s)[1])
        self.assertAlmostEqual(time.monotonic() - at, 2, delta=1)

    def test_a_cancel_through_tls_reaches_the_server_and_one_in_plain_text_is_closed(self):
        self.app(5432, talk_collect)
        cancel = struct.pack(">IIII", 16, 80877102, 7, 8)
        s = self.postgres(self.rig.certificate(5432))
        s.sendall(cancel)
        with contextlib.suppress(ssl.SSLError, OSError, TimeoutError):
            s.settimeout(0.2)
            s.unwrap()
        wait_for("the cancel", lambda: getattr(self.apps[5432], "got", b"") == cancel)
        s = self.postgres()
        s.sendall(cancel)
        self.assertTrue(self.is_cut(s))
        s = self.raw()
        s.sendall(cancel)
        s.settimeout(3)
        self.error(s)

    def test_a_client_of_postgres_at_a_port_of_http_fails_at_once(self):
        self.app(8080, talk_bad_request)
        s = self.postgres(self.rig.certificate("all"), port=8080)
        s.sendall(startup(user="me"))
        s.settimeout(3)
        self.assertIn(b"HTTP/1.1 400", s.recv(100))
        self.assertTrue(self.is_cut(s))


class Clients(NativeTest):
    """What users have."""

    def by(self, *command, **env):
        """What it prints, though the microVM sleeps when it begins."""
        if not shutil.which(command[0]):
            self.skipTest(f"there is no {command[0]} here")
        self.set(SLEEPING, machine="")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, **env}) as client:
            wait_for("WAKE, or its end", lambda: self.wakes() or client.poll() is not None, 30)
            self.set(OPEN)
            return client.communicate(timeout=20)[0]

    def words(self, host=None, **more):
        cert, key = self.rig.certificate(5432)
        words = {"host": host or f"5432-{self.host}", "hostaddr": "127.0.0.1", "port": self.rig.port, "user": "somebody",
                 "dbname": "things", "sslmode": "verify-full", "sslrootcert": self.rig.cert, "sslcert": cert, "sslkey": key, **more}
        return " ".join(f"{name}='{value}'" for name, value in words.items() if value is not None)

    def test_psql_with_its_user_and_password_untouched(self):
        self.app(5432, talk_postgres)
        got = self.by("psql", self.words(), "-Atc", "select 1", PGPASSWORD="a secret")
        self.assertEqual(got, "answer\n")
        self.assertEqual(self.apps[5432].password, b"a secret\0")
        self.assertIn(b"user\0somebody\0database\0things\0", self.apps[5432].startup)

    def test_psql_without_a_certificate_or_a_name(self):
        self.app(5432, talk_postgres)
        token = self.rig.mint(5432)
        got = self.by("psql", self.words(self.host, sslcert=None, sslkey=None, options=f"token={token}"), "-Atc", "select 1",
                      PGPASSWORD="x", HOME=self.rig.dir)
        self.assertEqual(got, "answer\n")
        got = self.by("psql", self.words("127.0.0.1", hostaddr=None, sslcert=None, sslkey=None,
                                         options=f"endpoint={self.endpoint} token={token}"),
                      "-Atc", "select 1", PGPASSWORD="x", HOME=self.rig.dir)
        self.assertEqual(got, "answer\n")

    def test_psql_prints_why_it_is_refused(self):
        if not shutil.which("psql"):
            self.skipTest("there is no psql here")
        got = subprocess.run(["psql", self.words(sslcert=None, sslkey=None), "-c", "select 1"], capture_output=True, text=True,
                             check=False, env={**os.environ, "HOME": self.rig.dir}).stderr
        self.assertIn("FATAL:  Request missing authentication: give sslcert and sslkey", got)

    def test_redis_cli_with_and_without_a_name(self):
        self.app(6379, talk_redis)
        cert, key = self.rig.certificate(6379, microvm=f"microvm-{self.endpoint}")
        tls = ("redis-cli", "-h", "127.0.0.1", "-p", str(self.rig.port), "--tls", "--cacert", self.rig.cert, "--cert", cert, "--key",
               key)
        original = self.set
        self.set = lambda state, **more: original(state, microvm=f"microvm-{self.endpoint}", **more)
        self.assertEqual(self.by(*tls, "--sni", f"6379-{self.host}", "ping"), "PONG\n")
        self.assertEqual(self.by(*tls, "ping"), "PONG\n")

    def test_redis_py(self):
        redis = library("redis")
        self.app(6379, talk_redis)
        cert, key = self.rig.certificate(6379)
        with at_loopback():
            client = redis.Redis(host=f"6379-{self.host}", port=self.rig.port, ssl=True, ssl_ca_certs=self.rig.cert,
                                 ssl_certfile=cert, ssl_keyfile=key, lib_name=None, lib_version=None)
            self.set(SLEEPING, machine="")
            threading.Thread(target=lambda: (wait_for("WAKE", self.wakes), self.set(OPEN)), daemon=True).start()
            self.assertTrue(client.ping())
            client.close()

    def test_asyncpg(self):
        asyncpg = library("asyncpg")
        with Server(self) as server, at_loopback():
            async def run():
                context = self.context(self.rig.certificate(5432))
                context.check_hostname = False  # asyncpg has no hostaddr
                c = await asyncpg.connect(host=f"5432-{self.host}", port=self.rig.port, ssl=context, user="somebody",
                                          password="a secret", database="things")
                got = await c.fetchval("select current_user || $1", "!")
                await c.close()
                return got
            self.assertEqual(asyncio.run(run()), "somebody!")
            self.assertTrue(server.running())

    def psycopg(self, **more):
        """A connection of libpq 17."""
        psycopg = library("psycopg")
        if psycopg.pq.version() < 170000:
            self.skipTest("this libpq is older than 17")
        return psycopg.connect(self.words(password="a secret", **more), autocommit=True)

    def test_libpq_17_speaks_tls_from_the_first_byte(self):
        library("psycopg")
        with Server(self), self.psycopg(sslnegotiation="direct", sslmode="verify-full") as c:
            self.assertEqual(c.execute("select current_user").fetchone(), ("somebody",))

    def test_libpq_17_cancels_a_query_through_tls(self):
        psycopg = library("psycopg")
        with Server(self), self.psycopg() as c:
            threading.Timer(0.5, c.cancel_safe).start()
            at = time.monotonic()
            with self.assertRaises(psycopg.errors.QueryCanceled):
                c.execute("select pg_sleep(20)")
            self.assertLess(time.monotonic() - at, 10)
            self.assertEqual(c.execute("select 1").fetchone(), (1,))

    def by_a_program(self, *command):
        cert, key = self.rig.certificate(5432, 6379)
        what, port = command[-1], 5432 if command[-1] == "postgres" else 6379
        words = [f"{port}-{self.host}", str(self.rig.port), self.rig.cert, cert, key]
        return self.by(*command, *words, *(["a secret"] if what == "postgres" else []), NODE_PATH=f"{WHERE}/js/node_modules")

    def test_clients_of_node_and_go(self):
        programs = ((f"{WHERE}/bin/node", f"{proxy_clients.HERE}/proxy_native.js"), (f"{WHERE}/native_go",))
        self.app(6379, talk_redis)
        with Server(self):
            for program in programs:
                if not os.path.exists(program[0]):
                    continue
                with self.subTest(program=program[-1]):
                    self.assertEqual(self.by_a_program(*program, "postgres"), "somebody\n")
                    self.rewake()
                    self.assertEqual(self.by_a_program(*program, "redis"), "PONG\n")
                    self.rewake()

    def test_pgjdbc_which_sends_no_name(self):
        jar = f"{WHERE}/jdbc/usr/share/java/postgresql.jar"
        if not os.path.exists(jar):
            self.skipTest("there is no pgjdbc here")
        cert, key = self.rig.certificate(5432)
        subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", f"{key}.pk8"], check=True)
        with Server(self):
            got = self.by("java", "-cp", jar, f"{proxy_clients.HERE}/ProxyNative.java", self.endpoint, str(self.rig.port), self.rig.cert,
                          cert, f"{key}.pk8", "a secret")
            self.assertEqual(got, "somebodyoff\n")

    def rewake(self):
        self.rig.control.got.clear()

    def test_a_real_server_gives_its_rows_to_psql(self):
        with Server(self):
            got = self.by("psql", self.words(), "-Atc", "select current_user, current_database(), count(*) from generate_series(1, 100000)",
                          PGPASSWORD="a secret")
            self.assertEqual(got, "somebody|things|100000\n")
            got = self.by("psql", self.words(), "-Atc", "select 1", PGPASSWORD="wrong")
            self.assertIn('password authentication failed for user "somebody"', got)

    def test_a_large_copy_passes_a_real_server_both_ways(self):
        with Server(self):
            env = {**os.environ, "PGPASSWORD": "a secret"}
            rows = "".join(f"{i}\t{'x' * 100}\n" for i in range(50000))
            subprocess.run(["psql", self.words(), "-c", "create table t (i int, x text)", "-c", "copy t from stdin"], input=rows, text=True,
                           check=True, env=env, capture_output=True)
            back = subprocess.run(["psql", self.words(), "-c", "copy t to stdout"], text=True, check=True, env=env, capture_output=True)
            self.assertEqual(back.stdout, rows)


def library(name):
    try:
        return __import__(name)
    except ImportError:
        raise unittest.SkipTest(f"there is no {name} here") from None


@contextlib.contextmanager
def at_loopback():
    """Names below localhost are this host, whatever its resolver knows of them."""
    before = socket.getaddrinfo

    def find(host, *args, **more):
        return before("127.0.0.1" if str(host).endswith(".localhost") else host, *args, **more)
    socket.getaddrinfo = find
    try:
        yield
    finally:
        socket.getaddrinfo = before


class Server:
    """A real PostgreSQL server, which stands for the one in a microVM; plain, with a user who has a password."""
    made = None

    def __init__(self, test):
        if not os.path.exists(f"{POSTGRES}/initdb"):
            test.skipTest("there is no PostgreSQL server here")
        self.test = test

    def __enter__(self):
        if not Server.made:
            Server.made = self.make()
        self.dir, port = Server.made
        self.process = subprocess.Popen(
            [*self.user(), f"{POSTGRES}/postgres", "-D", f"{self.dir}/data", "-k", self.dir, "-p", str(port), "-c",
             "listen_addresses=127.0.0.1", "-c", "fsync=off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the server", lambda: subprocess.run([f"{POSTGRES}/pg_isready", "-q", "-h", self.dir, "-p", str(port)],
                                                      check=False).returncode == 0, 30)
        if not os.path.exists(f"{self.dir}/filled"):
            subprocess.run(["psql", "-h", self.dir, "-p", str(port), "-U", "root", "-d", "postgres", "-c",
                            "create role somebody login superuser password 'a secret'", "-c", "create database things"], check=True,
                           capture_output=True)
            with open(f"{self.dir}/filled", "w", encoding="ascii"):
                pass
        app = type("Running", (), {"sock": type("At", (), {"getsockname": staticmethod(lambda: ("127.0.0.1", port))})})
        self.test.apps[5432] = app
        return self

    @staticmethod
    def user():
        """A server does not run as root."""
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []

    def make(self):
        where = tempfile.mkdtemp(prefix="proxy-native-")
        os.chmod(where, 0o777)
        subprocess.run([*self.user(), f"{POSTGRES}/initdb", "-D", f"{where}/data", "-U", "root", "--auth-local=trust",
                        "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-sync"], check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"},
                       cwd="/")
        with socket.create_server(("127.0.0.1", 0)) as s:
            return where, s.getsockname()[1]

    def running(self):
        return self.process.poll() is None

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    @classmethod
    def remove(cls):
        if cls.made:
            shutil.rmtree(cls.made[0], ignore_errors=True)


class Recorded(NativeTest):
    def test_each_client_is_a_line_of_the_access_log_without_its_secrets(self):
        path = f"{self.rig.dir}/access.log"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.rig.super.send(SUPER_LOG, struct.pack("=II", 0, 0), [fd])
        os.close(fd)
        self.app(6379, talk_echo)
        self.set(SLEEPING, machine="")
        s = self.certified()
        wait_for("WAKE", self.wakes)
        self.set(OPEN)
        self.assertEqual(self.say(s), b"ping")
        s.close()
        token = self.rig.mint(1)
        s = self.postgres()
        s.sendall(startup(user="me", password="hush", options=f"token={token}"))
        self.assertEqual(self.error(s)[1], "Access to port denied")
        s = self.raw()
        s.sendall(startup(user="hush"))
        self.error(s)

        def lines():
            with open(path, encoding="ascii") as f:
                return [json.loads(line) for line in f]
        wait_for("three lines", lambda: len(lines()) == 3)
        inside, denied, plain = (next(line for line in lines() if line["status"] == status) for status in (101, 403, 400))
        self.assertEqual({k: inside.get(k) for k in ("method", "port", "microvm", "status", "bytesIn", "bytesOut", "woke", "reason")},
                         {"method": "TCP", "port": 6379, "microvm": "microvm-1", "status": 101, "bytesIn": 4, "bytesOut": 4,
                          "woke": True, "reason": None})
        self.assertGreater(inside["holdMs"], 0)
        self.assertEqual((denied["method"], denied["reason"]), ("POSTGRESQL", "Access to port denied"))
        self.assertIn("only through TLS", plain["reason"])
        for line in lines():
            self.assertFalse({"http", "path"} & set(line))
        with open(path, encoding="ascii") as f:
            text = f.read()
        self.assertFalse("hush" in text or token[:30] in text)


class Clean(NativeTest):
    def test_a_worker_that_is_replaced_serves_those_who_are_there_to_their_end(self):
        self.app(6379, talk_echo)
        starting = self.postgres(self.rig.certificate("all"))
        self.set(WAITING)
        waits = self.certified()
        time.sleep(0.2)
        self.rig.super.send(SUPER_DRAIN, struct.pack("=II", 0, 0))
        self.app(5432, talk_postgres)
        self.set(OPEN)
        self.assertEqual(self.say(waits), b"ping")
        starting.sendall(startup(user="me"))
        self.assertEqual(starting.recv(1), b"R")
        self.assertIsNone(self.rig.process.poll())
        for s in (waits, starting):
            s.close()
        self.assertEqual(self.rig.process.wait(10), 0)
        self.rig.start()

    def test_the_end_of_the_role_closes_everything(self):
        self.app(6379, talk_echo)
        s = self.certified()
        self.assertEqual(self.say(s), b"ping")
        half = self.asks_postgres()
        self.set(WAITING)
        waits = self.certified()
        self.assertEqual(self.rig.stop(), 0)
        for one in (s, half, waits):
            self.assertTrue(self.is_cut(one))
        self.rig.start()


if __name__ == "__main__":
    proxy_clients.clients(sys.argv[2], "test-native")
    program, WHERE = sys.argv[1:3]
    del sys.argv[1:3]
    try:
        proxy_test.run(Rig(program, LIMITS))
    finally:
        Server.remove()
