"""Our side of the sockets of ipc/chan.h: one thread reads them all and calls who owns them."""
import array
import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import traceback

from ipc_structs import ipc

HEAD = struct.Struct("=IIQ")
MAX_FDS = 16


class Reactor:
    """Calls `ready()` of whatever can be read, one after the other and under `lock`."""

    def __init__(self):
        self.lock, self.owners, self.errors = threading.RLock(), {}, []
        self.poll, self.wake_in, self.wake_out = select.epoll(), *os.pipe()
        self.poll.register(self.wake_in, select.EPOLLIN)
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def add(self, sock, ready):
        with self.lock:
            self.owners[sock.fileno()] = sock, ready
            self.poll.register(sock, select.EPOLLIN)

    def remove(self, sock):
        with self.lock:
            if self.owners.pop(sock.fileno(), None):
                self.poll.unregister(sock)
            sock.close()

    def _run(self):
        while not self.closed:
            events = self.poll.poll()
            with self.lock:
                for fd, _ in events:
                    if self.closed or fd not in self.owners:
                        continue
                    try:
                        self.owners[fd][1]()
                    except Exception as error:  # pylint: disable=broad-except
                        traceback.print_exc()
                        self.errors.append(error)

    def quiet(self):
        """Nothing waits to be read, on either side."""
        with self.lock:
            socks = [sock for sock, _ in self.owners.values()]
            return not any(_pending(sock) for sock in socks)

    def close(self):
        with self.lock:
            self.closed = True
            os.write(self.wake_out, b"x")
            for sock, _ in list(self.owners.values()):
                self.remove(sock)


def _pending(sock):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    if poll.poll(0):
        return True
    sent = array.array("i", [0])
    try:
        fcntl.ioctl(sock, termios.TIOCOUTQ, sent)
    except OSError:
        return False  # it listens
    return sent[0] > 0


def receive(sock):
    """As socket.recv_fds, whose flags go nowhere."""
    fds = array.array("i")
    data, rights, _, _ = sock.recvmsg(1 << 16, socket.CMSG_SPACE(MAX_FDS * fds.itemsize),
                                      socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    for _, _, given in rights:
        fds.frombytes(given)
    return data, list(fds)


class Ask:
    """A message that came.  Its descriptors are closed with it."""

    def __init__(self, channel, number, tag, data, fds):
        self.channel, self.number, self.tag, self.data, self.fds = channel, number, tag, data, fds
        self.word = ipc.word(channel.table, number)
        self.body = ipc.body(channel.table, number, data)
        self.repeats = 1

    def answer(self, word, **members):
        for _ in range(self.repeats):
            self.channel.say(word, tag=self.tag, **members)

    def fault(self, kind, text="the rig refuses"):
        self.answer("FAULT", kind=getattr(ipc, f"ERR_{kind}"), text=text.encode())

    def __del__(self):
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)


class Channel:
    """One connection; `got(ask)` for each message, `lost()` at its end."""

    def __init__(self, reactor, table, got=None, lost=None, sock=None):
        self.reactor, self.table, self.on_got, self.on_lost = reactor, table, got, lost
        self.theirs, self.got, self.open = None, [], True
        self.ours = sock
        if not sock:
            self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 10, 0))
        reactor.add(self.ours, self._ready)

    def _ready(self):
        try:
            data, fds = receive(self.ours)
        except BlockingIOError:
            return  # it was another's, who had this descriptor before
        except OSError:
            data, fds = b"", []
        if not data:
            self.close()
            if self.on_lost:
                self.on_lost()
            return
        number, _, tag = HEAD.unpack_from(data)
        ask = Ask(self, number, tag, data[HEAD.size:], fds)
        self.got.append(ask.word)
        if self.on_got:
            self.on_got(ask)

    def send(self, number, data=b"", fds=(), tag=0, size=None):
        """Any bytes; `size` is what the head says if that is not the truth."""
        head = HEAD.pack(number, len(data) if size is None else size, tag)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        with contextlib.suppress(OSError):  # who is gone hears nothing
            self.ours.sendmsg([head + data], rights)

    def say(self, word, fds=(), tag=0, **members):
        self.send(ipc.number(self.table, word), ipc.make(self.table, word, **members), fds, tag)

    def close(self):
        if self.open:
            self.open = False
            self.reactor.remove(self.ours)
