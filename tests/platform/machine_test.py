#!/usr/bin/env python3
"""One microVM's life on doze-qemu, without dozed: boot, snapshot, clones, saves, and what goes wrong.

usage: machine_test.py DOZE_QEMU DOZE_INIT APP      needs root; 77: skipped
Kernel packages are kept in .cache/kernel (or $DOZE_GUEST_CACHE)."""
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from machine_driver import Ended, Fault, Machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT, MEMORY_MIB = 8080, 512
F_ADD_SEALS, F_SEAL_ALL = 1033, 0xf
IMAGE_FILES, SAVE_FILES = ("header", "state"), ("header", "state", "memory", "disk")
TIMES = {}


def note(name, begin):
    TIMES.setdefault(name, []).append((time.monotonic() - begin) * 1000)


def read_only(path):
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def close(fds):
    for fd in fds:
        os.close(fd)


def memfd_of(path):
    """The image's memory, sealed, as control makes it."""
    fd = os.memfd_create("image", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    source = read_only(path)
    size = os.fstat(source).st_size
    os.ftruncate(fd, size)
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(source, at, os.SEEK_HOLE)
        while at < end:
            at += os.pwrite(fd, os.pread(source, min(1 << 20, end - at), at), at)
    os.close(source)
    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_ALL)
    return fd


def receive_all(sock):
    got = b""
    while piece := sock.recv(65536):
        got += piece
    return got


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Test:
    def __init__(self, program, init, app):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="doze-machine-"))
        self.dir.chmod(0o755)
        for name in (program, pathlib.Path(program).parent / "qemu-lean.so"):  # where the machine's user may read
            shutil.copy(name, self.dir)
        self.program = self.dir / "doze-qemu"
        self.machines, self.n = [], 0
        cache = os.environ.get("DOZE_GUEST_CACHE", ROOT / ".cache/kernel")
        subprocess.run([ROOT / "tools/make-guest", self.dir / "guest", "--init", init, "--cache", cache], check=True)
        tree = self.dir / "tree"
        tree.mkdir()
        shutil.copy(app, tree / "app")
        self.root = self.dir / "root"
        subprocess.run(["truncate", "-s", "2G", self.root], check=True)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-E",
                        "lazy_itable_init=1,nodiscard,root_owner=0:0", "-d", tree, self.root],
                       check=True)
        self.image = self.dir / "image"

    def machine(self, **options):
        self.n += 1
        folder = self.dir / f"m{self.n}"
        m = Machine(self.program, str(folder), **options)
        m.overlay = folder / "overlay"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", m.overlay, "2G"], check=True)
        self.machines.append(m)
        return m

    def begin_boot(self, m):
        fds = [read_only(self.dir / "guest/vmlinux"), read_only(self.dir / "guest/initrd"), read_only(self.root),
               os.open(m.overlay, os.O_RDWR)]
        m.send("BOOT", struct.pack("<II", 1, MEMORY_MIB), fds, tag=1 << 32)
        close(fds)

    def boot(self):
        """As a build does: on a busy host the kernel may measure its timer wrong, and another one boots."""
        for _ in range(8):
            try:
                return self.boot_once()
            except Ended as end:
                if "the timer was measured wrong" not in str(end):
                    raise
                self.machines.pop().wait()
        raise TimeoutError("no kernel measured its timer right")

    def boot_once(self):
        m = self.machine()
        begin = time.monotonic()
        self.begin_boot(m)
        m.await_frame("HELLO", 120)
        note("BOOT until HELLO", begin)
        return m

    def save(self, m, request, folder, where=None):
        """SNAPSHOT or SAVE into this folder; the machine must end by itself then."""
        folder.mkdir()
        fds = [os.open((where or folder) / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
               for name in ("header", "state", "memory")]
        qemu = m.qemu()
        begin = time.monotonic()
        try:
            _, body = m.ask(request, fds=fds)
        finally:
            close(fds)
        note(request, begin)
        assert not os.path.exists(f"/proc/{qemu}"), "QEMU runs on after SAVED"
        m.saved = dict(zip(("state", "memory", "disk", "paused_us"), struct.unpack("<QQQQ", body)))
        try:
            m.receive(5)
        except Ended as end:
            assert str(end) == "saved", end
        assert m.wait() == 0
        os.rename(m.overlay, folder / "disk")
        for name in SAVE_FILES:
            os.chmod(folder / name, 0o440)
        subprocess.run(["qemu-img", "check", "-q", folder / "disk"], check=True, timeout=20)

    def restore(self, save=None, stopped=False, header=None, memory_mib=MEMORY_MIB, resume=True):
        m = self.machine()
        fds = [read_only(header or self.image / "header"), read_only(self.image / "state"), self.memory,
               read_only(self.root), read_only(self.image / "disk"), os.open(m.overlay, os.O_RDWR)]
        if save:
            fds += [read_only(save / name) for name in SAVE_FILES]
        begin = time.monotonic()
        try:
            m.ask("RESTORE", struct.pack("<IIII", 1, memory_mib, 1 if save else 0, stopped), fds)
        finally:
            close(set(fds) - {self.memory})
        note("RESTORE of a save" if save else "RESTORE", begin)
        if resume and not stopped:
            self.resume(m)
        return m

    def resume(self, m):
        begin = time.monotonic()
        m.say("RESUMED", ("ID", 7), ("WALL_NS", time.time_ns()), ("RANDOM", os.urandom(64)), ("IDENTITY", "microvm-t"))
        m.await_frame("ACK", 20)
        note("RESUMED until ACK", begin)

    @staticmethod
    def ask(m, line):
        sock = m.stream(PORT)
        sock.sendall(line.encode() + b"\n")
        text = receive_all(sock)
        sock.close()
        return int(text)

    def end(self):
        for m in self.machines:
            m.kill()
        shutil.rmtree(self.dir)


def expect_fault(words, call, *args, **options):
    try:
        call(*args, **options)
    except Fault as fault:
        assert words in str(fault), f"'{fault}' does not say '{words}'"
        return
    raise AssertionError(f"no fault, though '{words}' was to be expected")


def an_application_starts_and_is_reached(t):
    m = t.booted = t.boot()
    expect_fault("state", m.ask, "BOOT", struct.pack("<II", 1, 128), [os.open("/dev/null", 0)] * 4)
    expect_fault("only a restored", m.ask, "SAVE", fds=[os.open("/dev/null", 1)] * 3)
    m.say("START", ("ARG", "/app"), ("WORKDIR", "/"))
    m.await_frame("LISTEN", 30, lambda fields: True)
    deadline = time.monotonic() + 10
    while True:  # it listens on two ports, one after the other
        try:
            assert t.ask(m, "count") == 1
            break
        except Fault:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert t.ask(m, "count") == 2
    t.sum = t.ask(m, "put 1 4")


def a_stopped_machine_becomes_an_image(t):
    t.save(t.booted, "SNAPSHOT", t.image)
    assert t.booted.saved["memory"] < MEMORY_MIB << 20
    t.memory = memfd_of(t.image / "memory")


def clones_go_on_where_the_image_stopped_each_for_itself(t):
    t.a, t.b = t.restore(), t.restore()
    assert [t.ask(t.a, "count") for _ in range(3)] == [3, 4, 5]
    assert t.ask(t.b, "count") == 3
    assert t.ask(t.a, "sum 1") == t.sum == t.ask(t.b, "sum 1")
    mine = t.ask(t.a, "put 2 2")
    assert t.ask(t.b, "sum 2") == 0 != mine
    print("   ", {k: round(v / 1e6, 1) for k, v in t.b.stats().items()})
    assert t.b.stats()["private"] < 45e6


def a_clone_holds_no_memory_that_it_can_do_without(t):
    process = pathlib.Path(f"/proc/{t.b.qemu()}")
    loaded = {line.split("/")[-1] for line in (process / "maps").read_text().splitlines() if "/" in line}
    assert "qemu-lean.so" in loaded and not any("capstone" in name for name in loaded), loaded
    assert "THP_enabled:\t0" in (process / "status").read_text(), "huge pages are not off"


def what_is_read_from_a_stream_is_exactly_what_the_guest_sent(t):
    for _ in range(20):
        sock = t.a.stream(8081)
        sock.sendall(b"x" * 5000)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b"welcome\n" + b"x" * 5000
        sock.close()


def a_wrong_line_or_port_is_answered_err(t):
    expect_fault("ERR", t.a.stream, 9)
    for line in (b"GET / HTTP/1.1\r\n", b"CONNECT 0\n", b"CONNECT 99999\n"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(f"{t.a.path}/stream.sock")
        sock.sendall(line)
        assert sock.recv(200).startswith(b"ERR ")
        sock.close()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(f"{t.a.path}/stream.sock")
    sock.settimeout(5)
    sock.sendall(b"C" * 500)
    try:
        assert not sock.recv(200)
    except ConnectionResetError:
        pass
    assert t.ask(t.a, "count") == 6


def a_paused_machine_stands_still_and_goes_on(t):
    t.a.ask("PAUSE")
    cpu = t.a.stats()["cpu_ns"]
    assert t.a.stats()["run"] == 2
    time.sleep(0.3)
    assert t.a.stats()["cpu_ns"] - cpu < 50e6
    t.a.ask("CONTINUE")
    assert t.ask(t.a, "count") == 7


def an_owner_that_comes_back_gets_whole_frames(t):
    t.a.frames.clear()
    t.a.sock.close()
    t.ask(t.a, "log 3000")
    time.sleep(0.5)
    t.a.agent = b""
    t.a.connect()
    assert t.a.hello[1] == 1, "it runs"
    assert t.a.await_frame("LOG", 10)
    old = t.a.sock
    t.a.connect()  # though the one before did not go
    t.a.agent = b""
    assert t.ask(t.a, "count") == 8
    old.settimeout(5)
    while old.recv(65536):
        pass


def a_save_continues_memory_and_disk(t):
    last, count = None, 8
    sums = {1: t.sum, 2: t.ask(t.a, "sum 2")}
    for turn in range(3, 7):
        sums[turn] = t.ask(t.a, f"put {turn} 3")
        save = t.dir / f"save-{turn}"
        t.save(t.a, "SAVE", save)
        if last:
            shutil.rmtree(last)  # nothing may need the one before
        t.a, last = t.restore(save), save
        count += 1
        assert t.ask(t.a, "count") == count
        assert all(t.ask(t.a, f"sum {n}") == sums[n] for n in sums), "the disk changed"
    t.last, t.count, t.sums = last, count, sums
    print("   ", t.machines[-2].saved)


def what_the_guest_says_survives_saves_in_the_middle_of_it(t):
    for turn in range(3):
        sock = t.a.stream(PORT)  # not waited for: it logs while it is saved
        sock.sendall(b"log 4000\n")
        time.sleep(0.02 * turn)
        t.save(t.a, "SAVE", t.dir / f"loud-{turn}")
        sock.close()
        before, t.a = t.a, t.restore(t.dir / f"loud-{turn}")  # RESUMED is answered: the stream is not broken
        t.count += 1
        assert t.ask(t.a, "count") == t.count
        assert len(before.agent) == 0, "the owner was left with half a frame"


def a_save_that_finds_no_room_leaves_a_machine_that_goes_on(t):
    small = t.dir / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=True)
    try:
        t.ask(t.a, "touch 8")
        expect_fault("No space", t.save, t.a, "SAVE", t.dir / "no-room", where=small)
        assert t.a.stats()["run"] == 2
        t.a.ask("CONTINUE")
        assert t.ask(t.a, "count") == t.count + 1
        t.save(t.a, "SAVE", t.dir / "room")
        t.a = t.restore(t.dir / "room")
        assert t.ask(t.a, "count") == t.count + 2
        assert t.ask(t.a, "sum 6") == t.sums[6]
    finally:
        subprocess.run(["umount", small], check=True)


def a_pooled_clone_waits_stopped(t):
    m = t.restore(stopped=True)
    assert m.stats()["run"] == 2
    m.ask("CONTINUE")
    t.resume(m)
    begin = time.monotonic()
    assert t.ask(m, "count") == 3
    note("first answer of a pooled clone", begin)
    m.send("STOP")
    try:
        m.receive(5)
    except Ended as end:
        assert "owner" in str(end)
    assert m.wait() == 0


def a_machine_that_stands_still_can_be_saved(t):
    m = t.restore(stopped=True)  # it never ran
    t.save(m, "SAVE", t.dir / "never-ran")
    m = t.restore(t.dir / "never-ran")
    assert t.ask(m, "count") == 3
    m.ask("PAUSE")
    t.save(m, "SAVE", t.dir / "paused")
    m = t.restore(t.dir / "paused", stopped=True)
    m.ask("CONTINUE")
    t.resume(m)
    assert t.ask(m, "count") == 4
    m.kill()


def what_does_not_fit_is_refused_with_a_sentence(t):
    header = bytearray((t.image / "header").read_bytes())
    bad = t.dir / "bad-header"

    def patched(change):
        copy = bytearray(header)
        change(copy)
        bad.write_bytes(copy)
        return bad

    def section(copy, tag):
        entry = next(72 + 32 * i for i in range(copy[64]) if copy[72 + 32 * i:76 + 32 * i] == tag)
        return entry, struct.unpack_from("<Q", copy, entry + 16)[0]

    def seal(copy, entry):
        at, size = struct.unpack_from("<QQ", copy, entry + 16)
        struct.pack_into("<I", copy, entry + 12, crc32c(copy[at:at + size]))
        struct.pack_into("<I", copy, 68, 0)
        struct.pack_into("<I", copy, 68, crc32c(copy[:72 + 32 * copy[64]]))

    def damage(copy):
        copy[100] ^= 1

    def other_qemu(copy):
        entry, at = section(copy, b"QEMU")
        copy[at:at + 6] = b"6.9.99"
        seal(copy, entry)

    def other_rate(copy):
        entry, at = section(copy, b"TSCR")
        khz = struct.unpack_from("<Q", copy, at)[0]
        struct.pack_into("<Q", copy, at, khz * 1001 // 1000)
        seal(copy, entry)

    def unknown(copy):
        entry, at = section(copy, b"CPUI")
        copy[entry:entry + 4] = b"WARP"
        seal(copy, entry)

    for words, change in (("damaged", damage), ("needs QEMU 6.9.99", other_qemu), ("kHz", other_rate),
                          ("section WARP", unknown)):
        expect_fault(words, t.restore, header=patched(change))
        try:
            t.machines[-1].receive(5)
        except Ended:
            pass
        t.machines[-1].wait()
    expect_fault("memory", t.restore, memory_mib=256)
    m = t.machine()
    expect_fault("descriptors", m.ask, "RESTORE", struct.pack("<IIII", 1, MEMORY_MIB, 1, 0), [t.memory] * 6)
    m.kill()


def nothing_outlives_doze_qemu(t):
    qemu = t.b.qemu()
    os.kill(t.b.process, signal.SIGKILL)
    t.b.wait()
    deadline = time.monotonic() + 2
    while os.path.exists(f"/proc/{qemu}"):
        assert time.monotonic() < deadline, "QEMU outlived doze-qemu"
        time.sleep(0.01)


def the_end_of_qemu_is_told(t):
    os.kill(t.a.qemu(), signal.SIGKILL)
    try:
        while True:
            t.a.receive(5)
    except Ended as end:
        assert "signal 9" in str(end), end
    t.a.wait()


def main():
    if os.geteuid():
        print("needs root")
        return 77
    t = Test(*map(os.path.abspath, sys.argv[1:4]))
    failed = None
    try:
        for check in (an_application_starts_and_is_reached, a_stopped_machine_becomes_an_image,
                      clones_go_on_where_the_image_stopped_each_for_itself,
                      a_clone_holds_no_memory_that_it_can_do_without,
                      what_is_read_from_a_stream_is_exactly_what_the_guest_sent, a_wrong_line_or_port_is_answered_err,
                      a_paused_machine_stands_still_and_goes_on, an_owner_that_comes_back_gets_whole_frames,
                      a_save_continues_memory_and_disk,
                      what_the_guest_says_survives_saves_in_the_middle_of_it, a_save_that_finds_no_room_leaves_a_machine_that_goes_on,
                      a_pooled_clone_waits_stopped, a_machine_that_stands_still_can_be_saved,
                      what_does_not_fit_is_refused_with_a_sentence,
                      nothing_outlives_doze_qemu, the_end_of_qemu_is_told):
            failed = check.__name__
            check(t)
            print("ok", check.__name__.replace("_", " "), flush=True)
        failed = None
    finally:
        if failed:
            print("FAILED", failed, flush=True)
        t.end()
        for name, ms in TIMES.items():
            ms.sort()
            print(f"{name}: median {ms[len(ms) // 2]:.1f} ms, {ms[0]:.1f} to {ms[-1]:.1f}, n={len(ms)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
