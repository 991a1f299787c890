#!/usr/bin/env python3
"""The control role in a process of its own, with its API and its store, in a world that may lie to it.

Python plays the supervisor, the image role (image_role.py), the proxy, priv (scripted_priv.py) and the machines
(scripted_monitor.py); what libc and the store answer is told by lies.py.  Needs no root and no QEMU.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading

from channels import Channel, Reactor
from image_role import ImageRole, wait_for  # noqa: F401
from ipc_structs import ALONE, ipc  # noqa: F401
from lies import Lies, settle
from script import Script, refuse
from scripted_monitor import SAVED_FILES, guest_in
from scripted_priv import Priv
from signed import Api

KEY, SECRET = "AKIDRIG", "secret/of+the=rig"
REGION, ACCOUNT = "us-east-1", "000000000000"
BASE = f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1"
BUILD = dict(baseImageArn=BASE, buildRoleArn=f"arn:aws:iam::{ACCOUNT}:role/build",
             codeArtifact={"uri": "s3://apps/app.zip"})
KMS = f"master {'5a' * 32}\n"  # what the supervisor has to wrap keys with
# For tests with machines: none but those that are asked for, and no host is too small.
ONLY_ASKED = "[pool]\nper_image=0\nspares=0\n[machine]\nmemory_percent=100\n"


def first_line(path):
    with open(path, "rb") as file:
        return guest_in(file.read(200))


class Process:
    """The role, with these descriptors from ipc.SUPER_FD on.  No Popen: threads and its preexec_fn do not go together."""

    def __init__(self, *fds):
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
        actions = [(os.POSIX_SPAWN_DUP2, fd, ipc.SUPER_FD + i) for i, fd in enumerate(high)]
        # What a sanitizer finds is to be told from an end that control itself chose.
        env = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0", "UBSAN_OPTIONS": "exitcode=99:halt_on_error=1", **os.environ}
        self.pid = os.posix_spawn(ALONE, [str(ALONE)], env, file_actions=actions)
        self.code, self.lock = None, threading.Lock()
        for fd in high:
            os.close(fd)

    def poll(self):
        with self.lock:
            if self.code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.code = os.waitstatus_to_exitcode(status) if pid else None
            return self.code

    def wait(self, seconds=20):
        wait_for("control is gone", lambda: self.poll() is not None, seconds)
        return self.code

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Proxy:
    """What it was told, and what it says; held endpoints are idle unless `last_byte_ms` has an answer."""

    def __init__(self, reactor):
        self.routes, self.last_byte_ms, self.answers_hold = {}, {}, True
        self.published = {}  # port of the host: (what was said of it, its socket)
        self.flows = []  # of ports of UDP, that another worker had: (what was said of it, its stream)
        self.channel = Channel(reactor, "route", self._got)

    def _got(self, ask):
        if ask.word == "SET":
            self.routes[ask.body.endpoint.decode()] = ask.body
        elif ask.word == "GONE":
            self.routes.pop(ask.body.endpoint.decode(), None)
        elif ask.word == "HOLD" and self.answers_hold:
            endpoint = ask.body.endpoint.decode()
            self.say("HELD", endpoint, last_byte_ms=self.last_byte_ms.get(endpoint, 0))
        elif ask.word == "PUBLISH":
            self._unpublish(ask.body.port)
            self.published[ask.body.port] = ask.body, socket.socket(fileno=os.dup(ask.fds[0]))
        elif ask.word == "FLOW":
            self.flows.append((ask.body, socket.socket(fileno=os.dup(ask.fds[0]))))
        elif ask.word == "UNPUBLISH":
            self._unpublish(ask.body.port)

    def _unpublish(self, port):
        if port in self.published:
            self.published.pop(port)[1].close()

    def forget(self):
        for port in list(self.published):
            self._unpublish(port)

    def give_back(self, published):
        """To a new control: what an older one had published here."""
        for port, (body, sock) in published.items():
            self.channel.say("LISTENS", [sock.fileno()], endpoint=body.endpoint, port=port)
        self.channel.say("LISTENED", zero=0)

    def say(self, word, endpoint, **more):
        self.channel.say(word, endpoint=endpoint.encode(), **more)


class Objects:
    """The role objects, so far as it hears of keys and is asked for buckets."""

    def __init__(self, control):
        self.keys, self.synced, self.batches = {}, False, 0
        self.buckets, self.answers = {}, True
        self.channel = Channel(control.reactor, "access", self._got)
        control.supervisor.say("PEER", [self.channel.theirs.fileno()], which=ipc.ROLE_OBJECTS)
        self.channel.theirs.close()

    def known(self):
        wait_for("it knows all keys", lambda: self.synced)
        return self

    def _got(self, ask):
        if ask.word == "PUT":
            self.keys[ask.body.id.decode()] = (ask.body.account.decode(), ask.body.secret.decode(), ask.body.policy)
        elif ask.word == "GONE":
            self.keys.pop(ask.body.id.decode(), None)
        elif ask.word == "BATCH":
            self.batches += 1
            self.channel.say("NEXT", zero=0)
        elif ask.word == "COUNT" and self.answers:
            self.channel.say("COUNTED", account=ask.body.account, ask=ask.body.ask, buckets=self.buckets.get(ask.body.account.decode(), 0))
        elif ask.word == "SYNCED":
            self.synced = True


class Control:
    """`dir`, machines and lies stay over `stop` and `start`: a control that comes back finds them."""

    def __init__(self, data=None, settings="", tls=False, machines=False, start=True, postgres=None):
        self.own = [tempfile.mkdtemp(prefix="doze-run-")]
        self.run_dir = self.own[0]  # a short one: sockets are in it
        self.dir = data or tempfile.mkdtemp(prefix="doze-control-")
        if not data:
            self.own.append(self.dir)
        for name in ("data/control/machines", "data/control/microvms", "data/images", "log/builds", "log/events", "log/microvms"):
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
        os.makedirs(f"{self.run_dir}/m")
        self.postgres = postgres  # of postgres_rig.py; None: the rows are in SQLite's file
        if postgres:
            settings += f"[store]\nurl={postgres.url()}\n"
        self.kms = KMS
        self.settings, self.tls = (ONLY_ASKED if machines else "") + settings, tls
        self.reactor, self.lies, self.script = Reactor(), Lies(), Script()
        self.priv, self.process, self.supervisor = Priv(self), None, None
        self.ends_all = False  # what control was told last to leave behind
        self.api = Api(self, KEY, SECRET, REGION)
        if not machines:
            self.priv.script.always("MACHINE_START", refuse("INTERNAL", "the rig has no machines"))
        if start:
            self.start()

    # The process.

    def start(self, ready=True, published=None):
        self._end_machines()
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = listener.getsockname()[1]
        self.supervisor = Channel(self.reactor, "super")
        self.image = ImageRole(self.reactor, f"{self.dir}/data")
        self.proxy = Proxy(self.reactor)
        self._spawn()
        keys = {"current": "0f8fad5b-d9cb-469f-a165-70867728950e",
                "keys": {"0f8fad5b-d9cb-469f-a165-70867728950e": "A" * 43}}
        self._secret(ipc.SECRET_TOKEN_KEYS, json.dumps(keys))
        self._secret(ipc.SECRET_CREDENTIALS,
                     f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
        self._secret(ipc.SECRET_CA_CERT, "-----BEGIN CERTIFICATE-----\n")
        self._secret(ipc.SECRET_CLIENT_SIGNER, self._signer())
        self._secret(ipc.SECRET_KMS, self.kms)
        if self.tls:
            self._secret(ipc.SECRET_TLS_API, self._certificate())
        self.supervisor.say("LISTENER", [listener.fileno()], which=ipc.LISTENER_API, port=self.port)
        listener.close()
        self._peer(ipc.ROLE_PRIV, self.priv.connect())
        self._peer(ipc.ROLE_PROXY, self.proxy.channel)
        self.proxy.give_back(published or {})
        self._peer(ipc.ROLE_IMAGE, self.image.channel)
        self.objects = Objects(self)
        self.supervisor.say("START", which=8443)
        if ready:
            wait_for("control is ready", lambda: "READY" in self.supervisor.got)

    def _spawn(self):
        config = tempfile.TemporaryFile()
        config.write(f"[paths]\ndata={self.dir}/data\nrun={self.run_dir}\nlog={self.dir}/log\n"
                     f"{self.settings}".encode())
        config.seek(0)
        self.process = Process(self.supervisor.theirs.fileno(), config.fileno(), self.lies.fd)
        self.supervisor.theirs.close()

    def _peer(self, role, channel):
        self.supervisor.say("PEER", [channel.theirs.fileno()], which=role)
        channel.theirs.close()

    def _secret(self, which, text):
        fd = os.memfd_create("secret")
        os.write(fd, text.encode())
        self.supervisor.say("SECRET", [fd], which=which)
        os.close(fd)

    def _certificate(self):
        """Key and self-signed leaf; the leaf also goes to `ca`, for clients."""
        self.ca = f"{self.dir}/ca.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{self.dir}/key", "-out", self.ca, "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return pathlib.Path(f"{self.dir}/key").read_text() + pathlib.Path(self.ca).read_text()

    def _signer(self):
        """Of clients' certificates; its own certificate also stands in `client_ca`."""
        self.client_ca = f"{self.dir}/client-ca.crt"
        if not os.path.exists(self.client_ca):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                            f"{self.dir}/client-ca.key", "-out", self.client_ca, "-days", "2", "-subj", "/CN=clients"],
                           check=True, capture_output=True)
        return pathlib.Path(f"{self.dir}/client-ca.key").read_text() + pathlib.Path(self.client_ca).read_text()

    def new_image_role(self):
        self.image.channel.close()
        self.image = ImageRole(self.reactor, f"{self.dir}/data")
        self._peer(ipc.ROLE_IMAGE, self.image.channel)

    def new_worker(self, number):
        """One more process of the proxy, or a new one in the place of the one with this number."""
        worker = Proxy(self.reactor)
        self.supervisor.say("PEER", [worker.channel.theirs.fileno()], which=ipc.ROLE_PROXY, more=number)
        worker.channel.theirs.close()
        wait_for("the worker knows all routes", lambda: "SYNCED" in worker.channel.got)
        return worker

    def new_proxy(self):
        self.proxy.forget()
        self.proxy.channel.close()
        self.proxy = Proxy(self.reactor)
        self._peer(ipc.ROLE_PROXY, self.proxy.channel)
        self.proxy.give_back({})

    def new_priv(self):
        self._peer(ipc.ROLE_PRIV, self.priv.connect())

    def say_stop(self, keep=False):
        self.ends_all = not keep
        self.supervisor.say("STOP", which=int(keep))

    def _end_machines(self):
        """What the supervisor and priv do when control has gone: whoever says that all is saved is believed."""
        if self.process and self.ends_all and self.process.poll() == 0:
            for monitor in self.priv.alive():
                self.priv.machines.pop(monitor.name).clear()
        self.ends_all = False

    def stop(self, kill=False, drain=False, seconds=20):
        if kill:
            self.process.kill()
        elif self.process.poll() is None:
            self.say_stop(keep=not drain)
        return self.process.wait(seconds)

    def restart(self):
        """By kill -9: what was not durable is gone, the machines live."""
        self.stop(kill=True)
        for channel in (self.supervisor, self.image.channel, self.proxy.channel):
            channel.close()
        self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop(kill=True)
        for monitor in list(self.priv.machines.values()):
            monitor.clear()
        if self.process:
            self.proxy.forget()
        self.reactor.close()
        for place in self.own:
            shutil.rmtree(place, ignore_errors=True)
        assert not self.reactor.errors, self.reactor.errors

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def client(self, service="lambda-microvms", key=KEY, secret=SECRET, **more):
        import boto3
        from botocore.config import Config
        return boto3.client(service, endpoint_url=self.url, region_name=REGION,
                            aws_access_key_id=key, aws_secret_access_key=secret,
                            config=Config(retries={"max_attempts": 0}, **more))

    # Time.

    def pass_time(self, seconds, step=1.0):
        self.lies.pass_time(seconds, self, step)

    def after(self, seconds, call):
        self.lies.after(seconds, call)

    def settle(self):
        settle(self)

    # What there is.

    def make_image(self, name, **members):
        seen = len(self.image.started)
        image = self.api.create_image(name, **{**BUILD, **members})
        self.image.finish_next(seen)
        wait_for(f"{name} is CREATED", lambda: self.api.image(image)["state"] == "CREATED")
        return image

    def run(self, image, **members):
        """A microVM that is RUNNING."""
        vm = self.api.run(image, **members)
        self.wait_state(vm, "RUNNING")
        return vm

    def wait_state(self, vm, *states, seconds=10):
        def reached():
            state = self.api.state(vm)
            assert state in states or state != "TERMINATED", self.api.get(vm)["stateReason"]
            return state in states and state
        return wait_for(f"{vm} is {' or '.join(states)}", reached, seconds)

    def rows(self, what, *values):
        """What the store holds, as a reader beside control sees it."""
        if self.postgres:
            return self.postgres.rows(what, *values)
        with contextlib.closing(sqlite3.connect(f"file:{self.dir}/data/control/doze.db?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(f"SELECT * FROM {what}", values)]

    def row(self, vm):
        rows = self.rows("microvm WHERE id = ?", vm)
        return rows[0] if rows else None

    def machine(self, vm):
        """Its monitor, if one lives."""
        route = self.proxy.routes.get(self.row(vm)["endpoint"])
        names = {self.row(vm)["machine"], route.machine.decode() if route else None}
        return next((m for m in self.priv.alive() if m.name in names), None)

    def saves(self, vm):
        """The whole saves of a microVM, drafts too: name -> the guest that is in it."""
        whole = {}
        for place in sorted(pathlib.Path(f"{self.dir}/data/control/microvms/{vm}").glob("*save-*")):
            with contextlib.suppress(OSError):
                guests = {first_line(place / name) for name in SAVED_FILES}
                if len(guests) == 1 and None not in guests:
                    whole[place.name] = guests.pop()
        return whole
