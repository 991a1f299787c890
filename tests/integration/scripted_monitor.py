"""A machine process of the rig: the machine protocol (ipc/machine.h), the guest's agent (ipc/agent.h), and a guest
that is no more than a name.

The name is in the guest's memory and on its disk: whoever resumes it from a save must find the same.
"""
import contextlib
import os
import shutil
import socket
import struct
import uuid

from channels import Channel
from ipc_structs import ipc
from script import Script

FRAME, FIELD = struct.Struct("<B3xI"), struct.Struct("<HI")
SAVED_FILES = ("header", "state", "memory", "disk")


def frame(kind, *fields):
    """Of the agent; a field is a number of ipc.FIELD_ and an integer or bytes."""
    payload = b""
    for tag, value in fields:
        data = struct.pack("<Q", value) if isinstance(value, int) else value
        payload += FIELD.pack(tag, len(data)) + data
    return FRAME.pack(kind, len(payload)) + payload


def frame_fields(payload):
    fields, at = {}, 0
    while at < len(payload):
        tag, size = FIELD.unpack_from(payload, at)
        fields[tag] = payload[at + FIELD.size:at + FIELD.size + size]
        at += FIELD.size + size
    return fields


def frame_pairs(payload):
    """What a guest serves as metadata: text by path."""
    pairs, path, at = {}, None, 0
    while at < len(payload):
        tag, size = FIELD.unpack_from(payload, at)
        text = payload[at + FIELD.size:at + FIELD.size + size].decode()
        at += FIELD.size + size
        if tag == ipc.FIELD_NAME:
            path = text
        else:
            pairs[path] = text
    return pairs


def number(data):
    return struct.unpack("<Q", data)[0]


HEADER = b"DOZESNAP" + bytes(64)  # of no section (docs/snapshot-format.md); the guest's name stands behind it


def guest_in(data):
    """The name that a file begins with, behind a header if it has one; None if there is none."""
    name, end, _ = data.removeprefix(HEADER).partition(b"\n")
    return name + end if end else None


class AgentAsk:
    """A frame to the guest."""

    def __init__(self, monitor, word, fields):
        self.actor, self.word, self.fields, self.repeats = monitor, word, fields, 1
        self.channel, self.tag = monitor.peer, number(fields[ipc.FIELD_ID])

    def reply(self, kind, *fields):
        for _ in range(self.repeats):
            self.actor.say_agent(frame(kind, (ipc.FIELD_ID, self.tag), *fields))

    def honest(self):
        if self.word == "HOOK":
            self.reply(ipc.AGENT_HOOK_RESULT, (ipc.FIELD_OUTCOME, ipc.OUTCOME_STATUS), (ipc.FIELD_STATUS, 200))
        else:
            self.reply(ipc.AGENT_ACK)


class Monitor:
    def __init__(self, world, start):
        self.world, self.name, self.start = world, start.machine.decode(), start
        self.script = Script(world.script)
        self.run, self.guest, self.busy, self.alive = ipc.MACHINE_EMPTY, None, None, True
        self.asked, self.kept, self.hooks, self.bodies, self.bytes_in = [], [], [], [], b""
        self.has_api = False  # its guest reaches doze's own API
        self.metadata = []  # all that its guest was given, one after the other
        self.peer, self.written, self.to_write, self.saves = None, 0, 0, 0
        self.dir = f"{world.run_dir}/m/{self.name}"
        os.makedirs(self.dir)
        self.listener = self._listen("machine.sock", socket.SOCK_SEQPACKET)
        self.stream = self._listen("stream.sock", socket.SOCK_STREAM)
        world.reactor.add(self.listener, self._accept)
        world.reactor.add(self.stream, self._refuse)

    def _listen(self, name, kind):
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(f"{self.dir}/{name}")
        sock.listen()
        sock.setblocking(False)
        return sock

    def _refuse(self):
        """No guest's port is served."""
        with contextlib.suppress(BlockingIOError):
            self.stream.accept()[0].close()

    def _accept(self):
        try:
            sock, _ = self.listener.accept()
        except BlockingIOError:
            return
        sock.setblocking(True)
        if self.peer:
            self.peer.close()
        self.bytes_in = b""
        self.peer = Channel(self.world.reactor, "machine", self._got, sock=sock)
        hello = AgentAsk.__new__(AgentAsk)  # an ask of nobody, so that it can be scripted too
        hello.actor, hello.channel, hello.tag, hello.repeats, hello.word = self, self.peer, 0, 1, "HELLO"
        hello.honest = lambda: [self.say_hello() for _ in range(hello.repeats)]
        hello.fault = hello.answer = lambda *_, **more: None
        self._do(hello)

    def say_hello(self, protocol=None):
        protocol = ipc.MACHINE_PROTOCOL if protocol is None else protocol
        self.peer.say("HELLO", protocol=protocol, run=self.run, kind=b"qemu")

    def _do(self, ask):
        self.asked.append(ask.word)
        self.script.action(ask.word)(ask)

    def _got(self, ask):
        ask.actor = self
        if ask.word == "AGENT":
            self.bytes_in += ask.data
            self._frames()
            return
        ask.honest = lambda: getattr(self, f"do_{ask.word.lower()}")(ask)
        self._do(ask)

    def _frames(self):
        while len(self.bytes_in) >= FRAME.size:
            kind, size = FRAME.unpack_from(self.bytes_in)
            if len(self.bytes_in) < FRAME.size + size:
                return
            if kind == ipc.AGENT_METADATA:  # it has no answer
                self.metadata.append(frame_pairs(self.bytes_in[FRAME.size:FRAME.size + size]))
                self.bytes_in = self.bytes_in[FRAME.size + size:]
                continue
            fields = frame_fields(self.bytes_in[FRAME.size:FRAME.size + size])
            self.bytes_in = self.bytes_in[FRAME.size + size:]
            word = {ipc.AGENT_RESUMED: "RESUMED", ipc.AGENT_HOOK: "HOOK", ipc.AGENT_WARM: "WARM"}[kind]
            if word == "HOOK":
                self.hooks.append(fields[ipc.FIELD_NAME].decode())
                self.bodies.append(fields.get(ipc.FIELD_BODY, b""))
            self._do(AgentAsk(self, word, fields))

    def say_agent(self, data):
        if self.peer:
            self.peer.send(ipc.MACHINE_AGENT, data)

    def say_log(self, data):
        self.say_agent(frame(ipc.AGENT_LOG, (ipc.FIELD_STREAM, 1), (ipc.FIELD_BYTES, data)))

    # What a good one does.

    def _may(self, ask, *runs):
        """The rules of src/machine/serve.c."""
        if self.busy:
            ask.fault("CONFLICT", f"the machine is busy with its {self.busy}")
        elif self.run not in runs:
            ask.fault("CONFLICT", "a machine in this state does not take this request")
        else:
            return True
        return False

    def do_restore(self, ask):
        if not self._may(ask, ipc.MACHINE_EMPTY):
            return
        if ask.body.from_save:
            saves = ask.fds[ipc.RESTORE_FD_SAVE_HEADER:ipc.RESTORE_NUM_SAVE_FDS]
            guests = {guest_in(os.pread(fd, 200, 0)) for fd in saves}
            if len(guests) != 1 or None in guests:
                ask.fault("INTERNAL", "the save is not whole")
                return
            self.guest = guests.pop()
        else:
            self.guest = f"guest {uuid.uuid4()}\n".encode()
        os.pwrite(ask.fds[ipc.RESTORE_FD_OVERLAY], self.guest, 0)
        self.run = ipc.MACHINE_PAUSED if ask.body.stopped else ipc.MACHINE_RUNNING
        ask.answer("READY")

    def begin_save(self, ask):
        """False: refused.  Otherwise it is busy until `end_save`."""
        if not self._may(ask, ipc.MACHINE_RUNNING, ipc.MACHINE_PAUSED):
            return False
        self.run, self.busy, self.written, self.to_write = ipc.MACHINE_PAUSED, "save", 0, 100 << 20
        return True

    def write_save(self, ask):
        for which, fd in enumerate(ask.fds):
            os.pwrite(fd, HEADER + self.guest if which == ipc.SAVE_FD_HEADER else self.guest, 0)

    def end_save(self, ask):
        self.write_save(ask)
        self.busy = None
        self.saves += 1
        for _ in range(ask.repeats):  # to whoever is there now
            self.peer.say("SAVED", tag=ask.tag, state_bytes=4096, memory_bytes=4096, disk_bytes=0, paused_us=5)
        self.last_words("The machine was saved.")

    def do_save(self, ask):
        if self.begin_save(ask):
            self.end_save(ask)

    def do_pause(self, ask, to=None):
        if self._may(ask, ipc.MACHINE_RUNNING, ipc.MACHINE_PAUSED):
            self.run = ipc.MACHINE_PAUSED if to is None else to
            ask.answer("READY")

    def do_continue(self, ask):
        self.do_pause(ask, ipc.MACHINE_RUNNING)

    def do_get_touched(self, ask):
        ask.answer("READY")

    def do_get_stats(self, ask):
        known = {name for name, _ in ipc.machine_stats._fields_}
        says = dict(cpu_ns=1000, private_bytes=1 << 20, proportional_bytes=1 << 20, run=self.run,
                    save_done_bytes=self.written, save_total_bytes=self.to_write)
        ask.answer("STATS", **{name: value for name, value in says.items() if name in known})

    def do_stop(self, ask):  # pylint: disable=unused-argument
        self.last_words("It was stopped.")

    def unstick(self):
        """What it never answered it answers now."""
        kept, self.kept = self.kept, []
        for ask in kept if self.alive else []:
            if ask.word == "SAVE" and self.busy:
                self.end_save(ask)
            else:
                ask.honest()

    # How it ends.

    def last_words(self, reason):
        self.peer.say("EXITED", reason=reason.encode())
        self.die()

    def die(self):
        """Its process ends; the name and the slot stay taken until priv clears them."""
        if not self.alive:
            return
        with self.world.reactor.lock:
            self.alive, self.run = False, ipc.MACHINE_ENDING
            self.kept.clear()
            if self.peer:
                self.peer.close()
            self.world.reactor.remove(self.listener)
            self.world.reactor.remove(self.stream)
            self.world.priv.is_gone(self)

    def clear(self):
        self.die()
        shutil.rmtree(self.dir, ignore_errors=True)


def slow_save(seconds, tell_progress=True):
    """A save that takes its time: more is on disk with every second, as GET_STATS says."""
    def act(ask):
        monitor = ask.actor
        if not monitor.begin_save(ask):
            return

        def go_on(second):
            if not monitor.alive:
                return
            if second >= seconds:
                monitor.end_save(ask)
                return
            if tell_progress:
                monitor.written = monitor.to_write * second // seconds
                os.pwrite(ask.fds[ipc.SAVE_FD_MEMORY], b"x" * 4096, 4096 * (second + 1))
            monitor.world.after(1, lambda: go_on(second + 1))
        go_on(0)
    return act


def dies_while_saving(ask):
    """The header is not written yet."""
    if ask.actor.begin_save(ask):
        os.pwrite(ask.fds[ipc.SAVE_FD_MEMORY], ask.actor.guest, 0)
        ask.actor.die()


def dies_in_the_header(ask):
    """Its last bytes are cut off."""
    if ask.actor.begin_save(ask):
        for which, fd in enumerate(ask.fds):
            os.pwrite(fd, HEADER[:4] if which == ipc.SAVE_FD_HEADER else ask.actor.guest, 0)
        ask.actor.die()


def dies_saved(ask):
    """All is on disk, and nobody was told."""
    ask.actor.write_save(ask)
    ask.actor.die()


def saves_never(ask):
    """It is busy with it until the rig lets it go on (Monitor.unstick)."""
    if ask.actor.begin_save(ask):
        ask.actor.kept.append(ask)


def fails_to_save(kind="INTERNAL"):
    """It stays paused and can be continued."""
    def act(ask):
        if ask.actor.begin_save(ask):
            ask.actor.busy = None
            ask.fault(kind, "the rig cannot save")
    return act


def application_exits(ask):
    ask.actor.say_agent(frame(ipc.AGENT_EXIT, (ipc.FIELD_CODE, 3)))


def garbage_agent(ask):
    ask.actor.say_agent(b"\xff" * 64)


def floods(n=2000):
    """So much more than was asked."""
    def act(ask):
        monitor = ask.actor
        for _ in range(n):
            monitor.peer.say("STATS", run=monitor.run)
            monitor.say_log(b"y" * 1000)
        ask.honest()
    return act
