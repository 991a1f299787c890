"""L1: a Linux with KVM inside QEMU's software CPU, which emulates AMD's virtualization.

One L1 is booted per QEMU, kernel, init, memory, number of CPUs and way of counting time, and saved before it has touched a
disk; every job starts from the saved one.  Everything that decides what is in the saved state is in its name, so a
change of any makes a new one.  L1's serial line carries the job's output and the few lines of l1-init."""
import ctypes
import fcntl
import hashlib
import json
import mmap
import os
import pathlib
import platform
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import kernel  # noqa: E402

QEMU = "qemu-system-x86_64"
# A `rep` counts as one instruction for each step when it is not "fast"; what is counted should be the same everywhere.
CPU = "max,erms=off,fsrm=off"
MODULES = {
    "kvm": ["kvm_amd"],
    "disk": ["virtio_mmio", "virtio_blk", "overlay"],
    "more": ["virtio_net", "virtio_console", "virtio_rng", "virtio_balloon", "vmw_vsock_virtio_transport", "vhost_net",
             "vhost_vsock", "vsock_loopback", "tun", "tap", "veth", "bridge", "loop", "erofs", "squashfs", "fuse",
             "nf_tables", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct", "nft_limit", "nft_connlimit", "nft_reject_inet",
             "nft_fib_inet", "nft_log", "nf_conntrack_netlink", "inet_diag", "tcp_diag", "unix_diag", "vsock_diag", "sch_tbf", "sch_fq_codel"],
}
FOLDERS = "bin dev etc job lib lib/modules mnt proc root run sbin sys tmp usr usr/bin usr/sbin var".split()
BOOT_SECONDS = 120
KEPT_STATES = 6
PR_SET_PDEATHSIG = 1
TIMED_OUT, BROKEN = 124, 125
libc = ctypes.CDLL(None, use_errno=True)


Failed = kernel.Failed


class StoodStill(Exception):
    """The time is over; `known_fault`: as QEMU's double delivery of an interrupt leaves it."""

    def __init__(self, registers, known_fault):
        super().__init__(registers)
        self.registers, self.known_fault = registers, known_fault


def tsc_khz():
    """The rate of the host's time stamp counter, which the software CPU hands to its guest."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; shl rdx, 32; or rax, rdx; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def point():
        pairs = []
        for _ in range(20):  # the shortest of them was not interrupted
            before, ns, after = rdtsc(), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), rdtsc()
            pairs.append((after - before, (before + after) // 2, ns))
        return min(pairs)[1:]

    ticks, ns = point()
    time.sleep(0.05)
    later_ticks, later_ns = point()
    return round((later_ticks - ticks) * 1e6 / (later_ns - ns))


def cpu_model():
    return re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)


def kernel_folder(cache):
    """The unpacked kernel package; apt, which is slow, is asked again when its lists have changed."""
    asked = cache / "kernel.json"
    inputs = [os.stat("/var/lib/apt/lists").st_mtime_ns, kernel.LAYOUT, MODULES]
    if asked.is_file():
        known = json.loads(asked.read_text())
        if known["inputs"] == inputs and (cache / known["folder"]).is_dir():
            return cache / known["folder"]
    arch = kernel.run(["dpkg", "--print-architecture"]).decode().strip()
    folder = kernel.kernel_files(cache, arch, MODULES)
    asked.write_text(json.dumps({"inputs": inputs, "folder": folder.name}))
    return folder


def ext4(tree, image, mib=0):
    """A disk of a folder, as large as it must be or larger; needs no root."""
    size = sum(f.lstat().st_blocks // 8 + 2 for f in tree.rglob("*")) * 4096  # of what is not a hole
    kernel.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", str(tree),
                str(image), f"{max(mib, size * 5 // 4 // 2**20 + 16)}M"])


def make_initrd(files):
    """L1's initramfs: busybox, the modules and l1-init."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise Failed("there is no busybox: install Debian's busybox-static")
    with tempfile.TemporaryDirectory(dir=files.parent) as scratch:
        root = pathlib.Path(scratch)
        modules = root / "lib/modules" / (files / "release").read_text().strip()
        shutil.copytree(files / "modules", modules)
        kernel.run([busybox, "depmod", "-b", str(root), modules.name])
        parts = [kernel.cpio_entry(name, 0o040755) for name in FOLDERS]
        parts.append(kernel.cpio_entry("dev/console", 0o020600, device=(5, 1)))
        parts.append(kernel.cpio_entry("bin/busybox", 0o100755, pathlib.Path(busybox).read_bytes()))
        parts.append(kernel.cpio_entry("init", 0o100755, (HERE / "l1-init").read_bytes()))
        parts.append(kernel.cpio_entry("etc/passwd", 0o100644, b"root:x:0:0:root:/root:/bin/sh\n"))
        parts.append(kernel.cpio_entry("etc/group", 0o100644, b"root:x:0:\n"))
        parts.append(kernel.cpio_entry(f"lib/modules/{modules.name}", 0o040755))
        for file in sorted(modules.iterdir()):
            parts.append(kernel.cpio_entry(str(file.relative_to(root)), 0o100644, file.read_bytes()))
    return kernel.cpio_archive(parts)


def where_it_stands(texts):
    """Of some dumps of all registers: (text, whether it is as QEMU's double delivery of an interrupt leaves it).

    A guest that got an interrupt twice spins in kernel code with interrupts off; one that waits or works does not."""
    places = [re.findall(r"RIP=([0-9a-f]+)", text) for text in texts]
    flags = [[int(word, 16) for word in re.findall(r"RFL=([0-9a-f]+)", text)] for text in texts]
    halted = [[int(word) for word in re.findall(r"HLT=(\d)", text)] for text in texts]
    cpus = range(len(places[0]))
    spinning = [sum(p[cpu].startswith("ffffffff") and not f[cpu] & 0x200 and not h[cpu]
                    for p, f, h in zip(places, flags, halted)) for cpu in cpus]
    text = "; ".join(f"CPU {cpu} at " + " ".join(dict.fromkeys(p[cpu] for p in places)) for cpu in cpus)
    return text, max(spinning) >= 4


class Qemu:
    """One running QEMU: its serial line on a pipe, its monitor on a socket pair.  It dies with this process."""

    def __init__(self, argv, inherit=()):
        ours, theirs = socket.socketpair()
        argv = [*argv, "-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
                "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(theirs.fileno(), *inherit),
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        theirs.close()
        self.qmp, self.lines, self.events = ours, ours.makefile("rb"), []
        self.qmp.settimeout(60)
        self.pending = b""
        try:
            self.message()  # the greeting
            self.ask("qmp_capabilities")
        except Failed:
            self.end()
            raise

    def message(self):
        line = self.lines.readline()
        if not line:
            raise Failed("QEMU ended at its start")
        return json.loads(line)

    def ask(self, command, fd=None, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        socket.send_fds(self.qmp, [text], [] if fd is None else [fd])
        while True:
            message = self.message()
            if "event" in message:
                self.events.append(message["event"])
            elif "error" in message:
                raise Failed(f"QEMU: {command}: {message['error']['desc']}")
            else:
                return message["return"]

    def await_event(self, name):
        while name not in self.events:
            message = self.message()
            if "event" in message:
                self.events.append(message["event"])

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read_line(self, deadline):
        """The next whole line of the serial line; None: QEMU ended."""
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise self.stood_still()
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                return None
            self.pending += piece
        line, self.pending = self.pending.split(b"\n", 1)
        return line.replace(b"\r", b"")

    def stood_still(self):
        texts = []
        for _ in range(6):
            texts.append(self.ask("human-monitor-command", **{"command-line": "info registers -a"}))
            time.sleep(0.15)
        return StoodStill(*where_it_stands(texts))

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.lines.close()
        self.qmp.close()


def disk(name, file):
    escaped = str(file).replace(",", ",,")
    return ["-drive", f"if=none,id={name},file={escaped},format=raw,readonly=on", "-device", f"virtio-blk-device,drive={name}"]


class L1:
    def __init__(self, cache, memory_mib=2048, smp=1, icount=False):
        if platform.machine() != "x86_64":
            raise Failed("L1 is an x86-64 machine in QEMU's software CPU: run this on x86-64")
        if icount and smp != 1:
            raise Failed("instructions can only be counted with one CPU")
        self.cache, self.memory_mib, self.smp, self.icount = cache.resolve(), memory_mib, smp, icount
        self.cache.mkdir(parents=True, exist_ok=True)
        with open(self.cache / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.files = kernel_folder(self.cache)
            self.state = self.saved()

    def argv(self, initrd, job, data, khz):
        time_args = ["-icount", "shift=0,sleep=off"] if self.icount else []
        return [QEMU, "-M", "microvm,isa-serial=on", "-accel", "tcg", *time_args, "-cpu", CPU, "-smp", str(self.smp),
                "-m", str(self.memory_mib), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", str(self.files / "vmlinux"), "-initrd", str(initrd), "-append",
                f"console=ttyS0 loglevel=1 tsc=reliable no_timer_check tsc_early_khz={khz} reboot=t panic=-1",
                *disk("job", job), *disk("data", data)]

    def saved(self):
        """The folder of the saved L1, made if it is not there."""
        programs = [os.stat(shutil.which(name) or "/") for name in (QEMU, "busybox")]
        ours = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (HERE / "l1-init", pathlib.Path(__file__))]
        key = json.dumps([self.argv("", "", "", 0), [[p.st_size, p.st_mtime_ns] for p in programs], ours,
                          self.files.name, cpu_model()])
        folder = self.cache / f"l1-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        if not (folder / "state").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "initrd").write_bytes(make_initrd(self.files))
            (folder / "none").write_bytes(b"\0" * 2**20)
            (folder / "khz").write_text(str(10**6 if self.icount else tsc_khz()))
            try:
                self.boot(folder)
            except StoodStill as still:
                print(f"kvm/run: L1 stood still while it booted ({still.registers}): once more", file=sys.stderr)
                self.boot(folder)
        os.utime(folder)
        states = sorted(self.cache.glob("l1-*"), key=lambda f: f.stat().st_mtime)
        for old in states[:-KEPT_STATES]:
            shutil.rmtree(old, ignore_errors=True)
        for left in self.cache.glob("job-*"):  # of runs that were killed
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
        return folder

    def start(self, folder, job, data, more=(), inherit=()):
        return Qemu([*self.argv(folder / "initrd", job, data, (folder / "khz").read_text()), *more], inherit)

    def boot(self, folder):
        none = folder / "none"
        qemu = self.start(folder, none, none)
        try:
            deadline, last = time.monotonic() + BOOT_SECONDS, []
            while True:
                line = qemu.read_line(deadline)
                if line is None:
                    raise Failed("L1 does not boot: " + " / ".join(last[-5:]))
                if line == b"@@L1 READY":
                    break
                last.append(line.decode(errors="replace"))
            for line in last:
                print(f"kvm/run: L1 says: {line}", file=sys.stderr)
            self.save(qemu, folder)
        finally:
            qemu.end()

    @staticmethod
    def save(qemu, folder):
        """The CPU is not stopped before: a saved L1 would stay stopped."""
        draft = folder / "state.new"
        with open(draft, "wb") as file:
            qemu.ask("migrate-set-parameters", **{"max-bandwidth": 2**40})
            qemu.ask("getfd", fd=file.fileno(), fdname="state")
            qemu.ask("migrate", uri="fd:state")
            while (status := qemu.ask("query-migrate")["status"]) != "completed":
                if status in ("failed", "cancelled"):
                    raise Failed("QEMU could not save L1")
                time.sleep(0.02)
        draft.rename(folder / "state")

    def run(self, job, data, timeout, output):
        """Run the job's disk; output(line) for each line.  The job's exit status, or BROKEN; StoodStill."""
        with open(self.state / "state", "rb") as state:
            qemu = self.start(self.state, job, data or self.state / "none", ["-incoming", f"fd:{state.fileno()}"],
                              [state.fileno()])
        nonce = secrets.token_hex(8)
        marker = re.compile(rb"(.*)@@L1 %s EXIT (\d+)$" % nonce.encode())
        try:
            if qemu.ask("query-status")["status"] != "running":
                qemu.await_event("RESUME")
            qemu.say(f"go {nonce} {int(time.time())}")
            deadline = time.monotonic() + timeout
            while (line := qemu.read_line(deadline)) is not None:
                end = marker.match(line)
                if not end:
                    output(line)
                    continue
                if end.group(1):  # the job's last line had no end
                    output(end.group(1))
                return int(end.group(2))
            output(qemu.pending)
            return BROKEN
        finally:
            qemu.end()
