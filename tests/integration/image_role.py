"""The image role as control sees it (ipc/build.h): builds end as the test says, with files that a machine starts from."""
import json
import os
import shutil
import time

from channels import Channel
from ipc_structs import ipc

FILES = {"root": 4096, "header": 4096, "state": 4096, "memory": 1 << 20, "disk": 4096, "overlay": 0}


def wait_for(what, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class ImageRole:
    """Keeps what it was asked; `finish` ends a build."""

    def __init__(self, reactor, data):
        self.specs, self.started, self.removed, self.cancelled = {}, [], [], []
        self.bases, self.hold_removes, self.versions, self.data = {}, False, {}, data
        self.channel = Channel(reactor, "build", self._got)

    def _got(self, ask):
        getattr(self, f"_{ask.word.lower()}")(ask)

    def _start(self, ask):
        build = ask.body.name.build.decode()
        self.specs[build] = json.loads(os.pread(ask.fds[0], 1 << 20, 0))
        self.versions[build] = f"{self.data}/images/{ask.body.version.image.decode()}/{ask.body.version.version}"
        self.started.append(build)

    def _cancel(self, ask):
        self.cancelled.append(ask.body.build.decode())

    def _remove(self, ask):
        self.removed.append((ask.body.image.decode(), ask.body.version))
        if not self.hold_removes:
            shutil.rmtree(f"{self.data}/images/{ask.body.image.decode()}/{ask.body.version}", ignore_errors=True)
            self.channel.send(ipc.BUILD_REMOVED, ask.data)

    def _base_import(self, ask):
        self.bases[ask.body.name] = os.fstat(ask.fds[0]).st_size, os.pread(ask.fds[0], 1 << 20, 0)
        ask.answer("BASE_DONE", ok=1)

    def _base_remove(self, ask):
        there = self.bases.pop(ask.body.name, None)
        ask.answer("BASE_DONE", ok=1 if there else 0, kind=ipc.ERR_NOT_FOUND, text=b"There is no such base.")

    def _base_pull(self, ask):
        self.bases[ask.body.name] = 7, b"pulled"
        ask.answer("BASE_DONE", ok=1)

    def _base_list(self, ask):
        for name, (size, _) in self.bases.items():
            ask.answer("BASE_ITEM", name=name, digest=b"sha256:00", bytes=size, created_ms=1500)
        ask.answer("BASE_DONE", ok=1)

    def step(self, build, name, n, of):
        self.channel.say("STEP", name=ipc.build_name(build=build.encode()), step=name.encode(), n=n, of=of)

    def make_files(self, build):
        """Of a version: small, and all but empty."""
        place = self.versions[build]
        os.makedirs(place, exist_ok=True)
        for name, size in FILES.items():
            with open(f"{place}/{name}", "wb") as file:
                file.truncate(size)

    def finish(self, build, **how):
        done = dict(ok=1, engine=ipc.PRIV_MACHINE_QEMU, memory_bytes=300 << 20, code_bytes=200 << 20,
                    disk_bytes=25 << 20, vcpus=2, memory_mib=2048, n_ports=1, n_listening=1)
        done.update(how)
        message = ipc.build_done(name=ipc.build_name(build=build.encode()), **done)
        message.ports[0] = message.listening[0] = 8080
        if done["ok"]:
            self.make_files(build)
        self.channel.send(ipc.BUILD_DONE, bytes(message))

    def finish_next(self, seen, **how):
        """The next build that begins after `seen` ones ends."""
        build = wait_for("a build begins", lambda: self.started[seen:] and self.started[seen])
        self.finish(build, **how)
        return build
