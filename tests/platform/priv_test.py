#!/usr/bin/env python3
"""The priv role on this host, as an instance of its own: this script is its supervisor and its control.

usage: priv_test.py PRIV_ROLE PRIV_SHELL PRIV_LOOK      needs root; 77: skipped
"""
import array
import contextlib
import fcntl
import grp
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

INSTANCE = f"pt{os.getpid()}"
RUN = pathlib.Path(f"/run/doze-{INSTANCE}")
WORK = pathlib.Path(f"/tmp/doze-{INSTANCE}")
TABLE = f"doze_{INSTANCE}"
ROLE_PRIV, ROLE_OBJECTS, ROLE_IMAGE, ROLE_CONTROL, ROLE_PROXY = range(5)
SECRET, LISTENER, PEER, START, STOP, READY = range(1, 7)
(MACHINE_START, MACHINE_END, MACHINE_LIST, BUILD_START, BUILD_END, MACHINE_API, CREDENTIALS, MACHINE_STARTED, MACHINE_ITEM, MACHINE_GONE,
 BUILD_GONE, DONE, FAULT) = range(1, 14)
CONTROL, IMAGE = 0, 1
MIB = 1 << 20
F_ADD_SEALS, F_SEAL_GROW = 1033, 4


def send(sock, kind, body, tag=0, fds=()):
    data = [struct.pack("=IIQ", kind, len(body), tag), body]
    sock.sendmsg(data, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def receive(sock, timeout=20):
    sock.settimeout(timeout)
    data = sock.recv(65536)
    if not data:
        raise EOFError("priv closed the connection")
    kind, size, tag = struct.unpack_from("=IIQ", data)
    return kind, tag, data[16:16 + size]


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


def item(body):
    machine, owner, slot, pid, _, start = struct.unpack("=80sIIiIQ", body)
    return {"machine": text(machine), "owner": owner, "slot": slot, "pid": pid, "start": start}


class Priv:
    def __init__(self, program):
        self.program = program
        self.start()

    def start(self):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        config = os.open(WORK / "test.ini", os.O_RDONLY)
        self.process = subprocess.Popen([self.program, INSTANCE], pass_fds=(), close_fds=False, preexec_fn=lambda: (
            os.dup2(os.dup(theirs.fileno()), 3), os.dup2(config, 4)) and None, stderr=open(WORK / "priv.log", "ab"))
        os.close(config)
        theirs.close()
        self.super, self.next_tag = mine, 100
        self.control, self.image = self.peer(ROLE_CONTROL), self.peer(ROLE_IMAGE)
        send(self.super, START, struct.pack("=II", 0, 0))
        assert receive(self.super)[0] == READY

    def peer(self, role):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        send(self.super, PEER, struct.pack("=II", role, 0), fds=[theirs.fileno()])
        theirs.close()
        return mine

    def ask(self, kind, body, sock=None, fds=()):
        self.next_tag += 1
        send(sock or self.control, kind, body, self.next_tag, fds)
        return self.next_tag

    def answer(self, tag, sock=None):
        while True:
            kind, got, body = receive(sock or self.control)
            if got == tag:
                return kind, body

    def call(self, kind, body, sock=None, fds=()):
        return self.answer(self.ask(kind, body, sock, fds), sock)

    def machine(self, name=None, owner=CONTROL, kind=0, memory=256 * MIB, vcpus=1, internet=1, sock=None):
        name = name or f"m-{uuid.uuid4()}"
        body = struct.pack("=80sIIQII", name.encode(), owner, kind, memory, vcpus, internet)
        kind, body = self.call(MACHINE_START, body, sock)
        return item(body) if kind == MACHINE_STARTED else struct.unpack_from("=I512s", body)

    def end(self, machine, sock=None):
        return self.call(MACHINE_END, struct.pack("=80s", machine.encode()), sock)[0]

    def list(self, owner=CONTROL):
        tag, found = self.ask(MACHINE_LIST, struct.pack("=II", owner, 0)), []
        while (got := self.answer(tag))[0] == MACHINE_ITEM:
            found.append(item(got[1]))
        assert got[0] == DONE, got
        return found

    def stop(self, keep):
        send(self.super, STOP, struct.pack("=II", keep, 0))
        assert self.process.wait(20) == 0

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.super.close(), self.control.close(), self.image.close()


def shell(machine, script, timeout=30):
    """Run in the machine's jail; what it said."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(str(RUN / "m" / machine / "stream.sock"))
    if script:  # who wants none may have answered and gone by now
        sock.sendall(script.encode())
    sock.shutdown(socket.SHUT_WR)
    said = b""
    while data := sock.recv(65536):
        said += data
    return said.decode(errors="replace")


def links():
    return {n for n in os.listdir("/sys/class/net") if re.fullmatch(re.escape(LINK) + r"\d+", n)}


def groups():
    out = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path", f"*doze-{INSTANCE}*"], capture_output=True,
                         text=True).stdout.split()
    return out


def link_prefix():
    hash_ = 2166136261
    for c in INSTANCE.encode():
        hash_ = ((hash_ ^ c) * 16777619) & 0xffffffff
    return f"dz{hash_ & 0xfffff:05x}-"


LINK = link_prefix()


def until(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.01)


PROGRAMS = {
    "look": """#!/usr/bin/python3
import os, re, sys
fds = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)]
print(*re.findall(r"^(?:Uid|Gid|Groups|Cap|NoNewPrivs).*", open("/proc/self/status").read(), re.M), sep="\\n")
print("role:" + os.environ["DOZE_ROLE"], "words:" + " ".join(sys.argv[1:]), f"pid:{os.getpid()}", "cwd:" + os.getcwd(), sep="\\n")
print("fds:", *sorted(fds, key=int))
""",
    "bad": "#!/bin/bash\nsetsid sleep 98765 &\necho -n half\nexit 3\n",
    "slow": "#!/bin/bash\nsleep 98766\n",
    "large": "#!/usr/bin/python3\nimport sys\nwhile True: sys.stdout.write(9999 * 'x')\n"}
ROLES = "[role Plain]\n" + "".join(f"""[role {name}]
credentials = process
credentials_process = {WORK}/{program}
credentials_user = {user}
""" for name, program, user in (("Look", "look one  two $(id)", "nobody"), ("Bad", "bad", "nobody"), ("Large", "large", "nobody"), ("Slow", "slow", "nobody"),
                                ("Missing", "missing", "nobody"), ("Nobody", "look", "no-such-user")))


TAP = r"""
import os, socket, struct
def checksum(data):
    total = sum(struct.unpack(f"!{len(data)//2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff
def send(to, proto, payload):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, socket.inet_aton("10.0.2.15"),
                     socket.inet_aton(to))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    os.write(5, bytes(12) + bytes.fromhex("02d02e000002" "02d02e000015" "0800") + ip + payload)
def frames(seconds):
    import select, time
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([5], [], [], left)[0]:
            yield os.read(5, 65536)[12:]
def dns():
    ask = bytes.fromhex("abcd01000001000000000000") + b"\3deb\6debian\3org\0" + bytes.fromhex("00010001")
    send("169.254.53.53", 17, struct.pack("!HHHH", 4000, 53, 8 + len(ask), 0) + ask)
    for frame in frames(5):
        if frame[12:14] == b"\x08\0" and frame[23] == 17 and frame[26:30] == socket.inet_aton("169.254.53.53"):
            return "answered" if frame[42:44] == b"\xab\xcd" else "odd"
    return "nothing"
def syn(to, port):
    tcp = struct.pack("!HHIIBBHHH", 5000 + port % 1000, port, 1, 0, 0x60, 2, 1000, 0, 0) + struct.pack("!BBH", 2, 4, 1460)
    pseudo = socket.inet_aton("10.0.2.15") + socket.inet_aton(to) + struct.pack("!BBH", 0, 6, len(tcp))
    send(to, 6, tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:])
    for frame in frames(2):
        if frame[12:14] == b"\x08\0" and frame[23] == 1:
            return "rejected"
        if frame[12:14] == b"\x08\0" and frame[23] == 6 and frame[47] & 0x12 == 0x12:
            return "mss %d" % struct.unpack_from("!H", frame, 56) if frame[54:56] == b"\2\4" else "open"
    return "nothing"
"""


def python(machine, script):
    return shell(machine, f"python3 - <<'END' 2>&1\n{TAP}\n{script}\nEND\n").strip()


def host_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("203.0.113.1", 9))
        return s.getsockname()[0]


def test_a_machine_is_jailed(priv):
    m = priv.machine()
    assert isinstance(m, dict), m
    name = m["machine"]
    status = shell(name, "cat /proc/self/status")
    uid = 400000 + m["slot"]
    assert re.search(rf"Uid:\t{uid}\t{uid}\t{uid}\t{uid}", status), status
    for line in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert re.search(rf"{line}:\t0+\n", status), (line, status)
    assert "NoNewPrivs:\t1" in status and re.search(r"Groups:\t ?\n", status), status
    assert shell(name, "echo $$ && ls /proc | grep -c '^[0-9]'").split()[1] in "345"
    assert set(shell(name, "ls /").split()) <= {"bin", "sbin", "lib", "lib32", "lib64", "usr", "etc", "proc", "dev",
                                                "libexec"}
    assert shell(name, "ls /dev").split() == ["null", "urandom"]
    assert "Read-only" in shell(name, "touch /x") and "Read-only" in shell(name, "touch /usr/x")
    assert shell(name, "hostname") == "machine\n"
    assert shell(name, "ulimit -c").strip() == "0"
    assert shell(name, "ls -l /proc/1/fd | grep -c socket").strip() in "23"
    assert "Seccomp:\t2" in status
    for what in ("os.mknod('/dev/x', 0o600 | 0o20000, 0)", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
                 "socket.socket(socket.AF_INET6)", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
                 "sys.exit(ctypes.CDLL(None).unshare(0x10000000))", "sys.exit(ctypes.CDLL(None).syscall(321, 0, 0, 0))"):
        assert shell(name, f"python3 -c \"import ctypes, os, socket, sys; {what}\" 2>/dev/null; echo $?") != "0\n", what
    assert "tun" in shell(name, "readlink /proc/1/fd/5")
    inside = shell(name, "cat /proc/net/dev")
    assert "tap0" in inside and "eth0" in inside and LINK not in inside
    assert os.getsid(m["pid"]) == m["pid"] and os.getpgid(m["pid"]) != os.getpgid(priv.process.pid)
    assert pathlib.Path(f"/proc/{m['pid']}/stat").read_text().split()[3] != str(priv.process.pid)
    sock = RUN / "m" / name
    assert grp.getgrgid((sock / "machine.sock").stat().st_gid).gr_name == "doze-control"
    assert grp.getgrgid((sock / "stream.sock").stat().st_gid).gr_name == "doze-proxy"
    limits = [g for g in groups() if g.endswith(name)]
    assert limits
    for g in limits:
        if os.path.exists(f"{g}/memory.limit_in_bytes"):
            assert int(open(f"{g}/memory.limit_in_bytes").read()) == (256 + 128) * MIB
    assert priv.end(name) == DONE


def look(machine):
    """What the program in doze-vmm's place says of where it is: `key value` lines."""
    lines = shell(machine, "").splitlines()
    return {key: [line.split(None, 1)[1] for line in lines if line.split()[0] == key and " " in line]
            for key in {line.split()[0] for line in lines}}


def test_a_machine_on_kvm_is_jailed(priv):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("  no /dev/kvm")
        return
    m = priv.machine(kind=1, memory=512 * MIB, vcpus=2)
    if isinstance(m, tuple) and b"/dev/kvm" in m[1]:
        print("  /dev/kvm does not open")
        return
    assert isinstance(m, dict), m
    name, uid = m["machine"], 400000 + m["slot"]
    saw = look(name)
    assert saw["argv"] == [f"doze-vmm --machine {name} --vcpus 2 --memory 512"], saw
    assert saw["ids"] == [f"{uid} {uid} {uid} {uid} {uid} {uid} groups 0"], saw
    assert saw["pid"] == ["1"], saw
    assert not saw.get("root"), "nothing is in its root"
    assert saw["write"] == saw["mkdir"] == ["no"], saw
    assert saw["caps"] == ["0 0 0 bounding 0 ambient 0"] and saw["nnp"] == ["1"], saw
    assert saw["fds"] == ["0 1 2 3 4 5 6 7"], saw
    assert saw["kvm"] == ["10:232"] and saw["tap"] == ["tap0 header 12"], saw
    assert saw["uid_map"][0].split() == saw["gid_map"][0].split() == [str(uid), str(uid), "1"], saw
    assert saw["setgroups"] == ["deny"], saw
    assert saw["pagemap"] == ["opens present"], saw
    assert saw["procs"] == ["1"], "it sees no process but itself"
    assert saw["parent"] == ["no"], "/proc leads nowhere else"
    assert saw["hostname"] == ["machine"], saw
    ours = {n: os.readlink(f"/proc/self/ns/{n}") for n in ("user", "pid", "mnt", "net", "ipc", "uts")}
    theirs = {n: os.readlink(f"/proc/{m['pid']}/ns/{n}") for n in ours}
    assert not [n for n in ours if ours[n] == theirs[n]], (ours, theirs)
    assert os.getsid(m["pid"]) == m["pid"]
    limits = [g for g in groups() if g.endswith(name)]
    assert limits
    for g in limits:
        if os.path.exists(f"{g}/memory.limit_in_bytes"):
            assert int(open(f"{g}/memory.limit_in_bytes").read()) == (512 + 128) * MIB
    priv.kill()
    priv.start()
    assert priv.list() == [m], "it outlives priv as any machine"
    os.kill(m["pid"], signal.SIGKILL)
    assert receive(priv.control)[0] == MACHINE_GONE
    assert priv.end(name) == DONE


def test_what_a_guest_reaches(priv):
    name = priv.machine()["machine"]
    here = host_address()
    with socket.create_server((here, 0)) as server, socket.create_server(("0.0.0.0", 0)) as anywhere:
        port, any_port = server.getsockname()[1], anywhere.getsockname()[1]
        m = priv.list()[0]
        outside, inside = (socket.inet_ntoa(struct.pack("!I", (100 << 24) + (100 << 16) + m["slot"] * 4 + end))
                           for end in (1, 2))
        said = python(name, f"""
print(dns(), dns())
print(syn("{here}", {port}), syn("{outside}", {any_port}), syn("10.0.2.2", {any_port}))
print(syn("10.1.2.3", 80), syn("192.168.1.1", 80), syn("169.254.169.254", 80), syn("100.100.255.1", 80))
print(syn(socket.gethostbyname(socket.gethostname()) if 0 else "{MIRROR}", 80))
""").splitlines()
    assert said[0] == "answered answered", said
    assert said[1] == "rejected rejected nothing", said
    assert said[2] == "rejected rejected rejected rejected", said
    assert re.fullmatch(r"mss \d+|open", said[3]), said
    # The machine's process itself is held to the same.
    said = shell(name, f"python3 -c 'import socket; socket.create_connection((\"{here}\", {port}), 2)' 2>&1")
    assert "rror" in said, said
    # From the host nothing reaches into the slot.
    with contextlib.closing(socket.socket()) as s:
        s.settimeout(0.5)
        try:
            s.connect((inside, 80))
            assert False, "a slot answers the host"
        except OSError:
            pass
    assert priv.end(name) == DONE


def test_without_internet_a_slot_leads_nowhere(priv):
    m = priv.machine(internet=0)
    said = python(m["machine"], f'print(dns(), syn("{MIRROR}", 80))')
    assert said == "nothing nothing", said
    assert priv.end(m["machine"]) == DONE
    again = priv.machine()
    assert again["slot"] == m["slot"], "the slot is used again"
    until("a closed slot leads out again", lambda: "answered" in python(again["machine"], "print(dns())"))
    assert priv.end(again["machine"]) == DONE


def test_wrong_requests_are_refused(priv):
    for wrong in ({"name": "m-../../etc"}, {"name": "b-" + str(uuid.uuid4())}, {"owner": IMAGE}, {"kind": 2},
                  {"vcpus": 0}, {"memory": 1}, {"internet": 2}, {"name": "x" * 80}):
        got = priv.machine(**wrong)
        assert isinstance(got, tuple), (wrong, got)
    assert not priv.list()
    name = priv.machine()["machine"]
    assert isinstance(priv.machine(name=name), tuple), "the same name twice"
    assert priv.end(name, priv.image) == FAULT, "another's machine"
    assert priv.end(name) == DONE
    assert priv.end(name) == DONE, "an end is idempotent"
    for sock, kind, body in (("image", 99, b""), ("control", BUILD_END, struct.pack("=80s", b"b-x")),
                             ("control", MACHINE_LIST, b"x")):
        sock = getattr(priv, sock)
        send(sock, kind, body, 7)
        try:
            receive(sock, 5)
            assert False, "a broken message was answered"
        except (EOFError, ConnectionResetError):
            pass
        priv.control, priv.image = priv.peer(ROLE_CONTROL), priv.peer(ROLE_IMAGE)


def test_a_death_is_told(priv):
    m = priv.machine()
    os.kill(m["pid"], signal.SIGKILL)
    kind, tag, body = receive(priv.control)
    assert (kind, tag, text(body)) == (MACHINE_GONE, 0, m["machine"])
    assert not priv.list()
    assert priv.end(m["machine"]) == DONE
    assert not (RUN / "m" / m["machine"]).exists()
    m = priv.machine()
    priv.control.close()
    os.kill(m["pid"], signal.SIGKILL)
    until("without an owner what died is cleared", lambda: not (RUN / "m" / m["machine"]).exists())
    priv.control = priv.peer(ROLE_CONTROL)


def test_machines_outlive_priv(priv):
    alive, dead, half = priv.machine(), priv.machine(), priv.machine()
    priv.kill()
    os.kill(dead["pid"], signal.SIGKILL)
    (RUN / "m" / half["machine"] / "pid").write_text("")
    assert shell(alive["machine"], "echo here") == "here\n"
    priv.start()
    assert priv.list() == [alive], "what lives is found again, and only that"
    assert os.listdir(RUN / "m") == [alive["machine"]]
    until("the half made one is killed", lambda: not os.path.exists(f"/proc/{half['pid']}"))
    until("spare slots are made again", lambda: len(links()) == 3)
    other = priv.machine()
    assert other["slot"] != alive["slot"]
    assert "answered" in python(alive["machine"], "print(dns())")
    os.kill(alive["pid"], signal.SIGKILL)
    assert receive(priv.control)[0] == MACHINE_GONE, "what was found again is watched"
    assert priv.end(alive["machine"]) == DONE and priv.end(other["machine"]) == DONE


def test_a_stop_can_keep_machines(priv):
    m = priv.machine()
    priv.stop(keep=1)
    assert "answered" in python(m["machine"], "print(dns())"), "its network goes on"
    priv.start()
    assert priv.list() == [m]
    assert priv.end(m["machine"]) == DONE


def test_many_slots(priv, n=60):
    begin = time.monotonic()
    tags = []
    for _ in range(n):
        body = struct.pack("=80sIIQII", f"m-{uuid.uuid4()}".encode(), CONTROL, 0, 64 * MIB, 1, 1)
        tags.append(priv.ask(MACHINE_START, body))
    started = []
    while len(started) < n:
        kind, tag, body = receive(priv.control)
        assert kind == MACHINE_STARTED and tag in tags, (kind, body[4:])
        started.append(item(body))
    took = (time.monotonic() - begin) * 1000 / n
    assert len({m["slot"] for m in started}) == n
    tags = [priv.ask(MACHINE_END, struct.pack("=80s", m["machine"].encode())) for m in started]
    for _ in tags:
        assert receive(priv.control)[0] == DONE
    begin = time.monotonic()
    name = priv.machine()["machine"]
    print(f"  {n} machines with new slots: {took:.1f} ms each; one with a spare slot: "
          f"{(time.monotonic() - begin) * 1000:.1f} ms")
    assert priv.end(name) == DONE


class Build:
    """A shell in the namespaces of a build."""

    def __init__(self, priv, script, memory=256 * MIB, cpu=100, pids=64, internet=1, name=None, argv=None, owner=None):
        owner = user("image").pw_uid if owner is None else owner
        self.priv, self.name = priv, name or f"b-{uuid.uuid4()}"
        argv = argv if argv is not None else ["step", "-c", script]
        body = struct.pack("=80sIIQIIII", self.name.encode(), 0, len(argv), memory, cpu, pids, internet, 0)
        body += b"".join(a.encode() + b"\0" for a in argv)
        directory = WORK / "data" / self.name
        directory.mkdir(parents=True)
        os.chown(directory, owner, -1)
        self.out, theirs = os.pipe()
        null, dirfd = os.open("/dev/null", os.O_RDONLY), os.open(directory, os.O_RDONLY)
        self.kind, self.body = priv.call(BUILD_START, body, priv.image, [null, theirs, dirfd])
        for fd in (null, theirs, dirfd):
            os.close(fd)

    def said(self):
        with open(self.out, "rb") as f:
            return f.read().decode(errors="replace")

    def gone(self):
        kind, _, body = receive(self.priv.image)
        name, status, oom = struct.unpack("=80siI", body)
        assert kind == BUILD_GONE and text(name) == self.name, (kind, body)
        return status, oom


def user(role):
    return pwd.getpwnam(f"doze-{role}")


def test_a_build_is_root_only_inside(priv):
    b = Build(priv, """exec 2>&1; echo pid $$; id -u; cat /proc/self/uid_map; cat /sys/class/net/*/address | wc -l
        ls /sys/class/net | tr '\\n' ' '; ls /sys/fs/cgroup | grep -c .; grep CapEff /proc/self/status
        env | sort | grep -v -e ^_ -e ^SHLVL -e ^PWD; pwd; touch /proc/self/fd/3/file && chown 5:5 /proc/self/fd/3/file
        mount -t tmpfs x /mnt && echo mounted; cat /etc/shadow; ls /proc | grep -c '^[0-9]'
        for id in 65537 1000660000 2147483647 2294767294 4294967294; do touch file-$id && chown $id:$id file-$id && stat -c 'id %u %g' file-$id; done
        touch no && chown 3000000000:0 no && echo 'the hole has an id'; exit 7""")
    assert b.kind == DONE, b.body
    said = b.said()
    uid = user("build").pw_uid
    assert said.startswith("pid 2\n0\n"), said
    assert re.search(rf"^ +0 +{uid} +1\n +1 +300000 +65536$", said, re.M), said
    for high in 65537, 1000660000, 2147483647, 2294767294, 4294967294:
        assert f"\nid {high} {high}\n" in said, said
    assert "has an id" not in said, said
    assert "\neth0 lo tap0 " in said and LINK not in said, said
    assert f"\nLANG=C.UTF-8\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n{WORK}/data/{b.name}\nmounted\n" in said and "shadow: Permission denied" in said, said
    assert b.gone() == (7 << 8, 0)
    file = WORK / "data" / b.name / "file"
    assert (file.parent.stat().st_gid, file.parent.stat().st_mode & 0o7777) == (user("build").pw_gid, 0o2770)
    assert (file.stat().st_uid, file.stat().st_gid) == (300004, 300004)
    assert not [g for g in groups() if b.name in g]
    layers = WORK / "data/build/layers"
    assert os.path.ismount(layers) and (layers.stat().st_uid, layers.stat().st_mode & 0o777) == (uid, 0o700)
    line = [m for m in open("/proc/self/mounts") if str(layers) in m][0]
    assert "nodev" in line and "nosuid" in line and " ext4 " in line, line
    assert (WORK / "data/build/layers.img").stat().st_size == 2 << 30


def test_a_build_writes_layers_up_to_their_limit(priv):
    b = Build(priv, f"cd {WORK}/data/build/layers && touch a && chown 9:9 a && ls -ln a; fallocate -l 3G big "
              f"2>&1; rm -f big a", memory=512 * MIB)
    said = b.said()
    assert re.search(r" 9 +9 ", said) and "No space left" in said, said
    assert b.gone() == (0, 0)


def test_a_build_is_limited(priv):
    b = Build(priv, "python3 -c 'x = bytearray(400 << 20)'; echo $?", memory=64 * MIB)
    assert "137" in b.said()
    assert b.gone() == (0, 1)
    b = Build(priv, "(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 5 & done) 2>&1; kill -9 $$",
              pids=16)
    assert "fork" in b.said()
    assert b.gone()[0] == 137 << 8


def test_a_build_reaches_out_but_not_the_host(priv):
    here = host_address()
    with socket.create_server((here, 0)) as server:
        b = Build(priv, f"exec 2>&1; python3 -c 'import socket; socket.create_connection((\"{here}\", "
                  f"{server.getsockname()[1]}), 3)'; curl -s -o /dev/null -w '%{{http_code}} ' --resolve "
                  f"deb.debian.org:80:{MIRROR} http://deb.debian.org/debian/dists/bookworm/Release")
        said = b.said()
    assert "rror" in said and said.endswith("200 "), said
    assert b.gone() == (0, 0)
    b = Build(priv, f"curl -m 2 -s -o /dev/null http://{MIRROR}/; echo $?", internet=0)
    assert b.said() in ("28\n", "7\n")
    assert b.gone() == (0, 0)


def test_a_build_is_ended(priv):
    b = Build(priv, "trap '' TERM; sleep 1000 & setsid sleep 1000 & wait")
    assert b.kind == DONE
    tag = priv.ask(BUILD_END, struct.pack("=80s", b.name.encode()), priv.image)
    assert b.gone()[1] == 0, "a build that is ended is told once"
    assert receive(priv.image)[:2] == (DONE, tag)
    assert b.said() == "" and not [g for g in groups() if b.name in g]
    assert priv.call(BUILD_END, struct.pack("=80s", b.name.encode()), priv.image)[0] == DONE


def test_wrong_builds_are_refused(priv):
    for wrong in ({"name": "m-" + str(uuid.uuid4())}, {"memory": 1}, {"pids": 1}, {"internet": 3}, {"cpu": 0}, {"owner": 0},
                  {"argv": []}):
        b = Build(priv, "true", **wrong)
        assert b.kind == FAULT, wrong
        assert b.said() == ""
    os.rename(WORK / "libexec/doze-build-step", WORK / "libexec/away")
    b = Build(priv, "true")
    os.rename(WORK / "libexec/away", WORK / "libexec/doze-build-step")
    assert b.kind == FAULT and b"doze-build-step" in b.body, b.body


def test_builds_die_with_image_and_with_priv(priv):
    b = Build(priv, "sleep 1000 & wait")
    priv.image.close()
    assert b.said() == ""
    until("its cgroup goes", lambda: not [g for g in groups() if b.name in g])
    priv.image = priv.peer(ROLE_IMAGE)
    b = Build(priv, "sleep 1000 & setsid sleep 1000 & wait")
    priv.kill()
    assert b.said() == "", "its processes are gone"
    priv.start()
    assert not [g for g in groups() if b.name in g]
    assert Build(priv, "echo again").said() == "again\n"
    assert receive(priv.image)[0] == BUILD_GONE


def test_a_crash_at_any_moment_is_cleared(priv, rounds=20):
    chance = random.Random(int(os.environ.get("SEED", "7")))
    alive, asked = {}, set()
    for i in range(rounds):
        for _ in range(3):
            name = f"m-{uuid.UUID(int=chance.getrandbits(128), version=4)}"
            asked.add(name)
            priv.ask(MACHINE_START, struct.pack("=80sIIQII", name.encode(), CONTROL, 0, 64 * MIB, 1,
                                                chance.randrange(2)))
        for name in chance.sample(sorted(alive), min(2, len(alive))):
            priv.ask(MACHINE_END, struct.pack("=80s", name.encode()))
        time.sleep(chance.random() * 0.08)
        priv.kill()
        begin = time.monotonic()
        priv.start()
        took = time.monotonic() - begin
        alive = {m["machine"]: m for m in priv.list()}
        assert took < 3, f"round {i}: back after {took} s"
        assert set(os.listdir(RUN / "m")) == set(alive), i
        running = {g.rsplit("/", 1)[1] for g in groups() if "/m-" in g}
        assert running == set(alive), (i, running)
        for m in alive.values():
            until("the machine's program runs", lambda m=m: open(f"/proc/{m['pid']}/comm").read() == "doze-qemu\n")
            assert f"{LINK}{m['slot']}" in links() and str(m["slot"]) in os.listdir(RUN / "netns")
        running = set(subprocess.run(["pgrep", "-fa", "^/libexec/doze-qemu --machine"], capture_output=True,
                                     text=True).stdout.split()) & asked
        assert running == set(alive), (i, running ^ set(alive))
    for name in alive:
        assert priv.end(name) == DONE
    until("each slot is whole", lambda: {n[len(LINK):] for n in links()} == set(os.listdir(RUN / "netns")))
    assert len(links()) <= 34, "what is more than spare is removed"
    fresh = priv.machine()
    assert "answered" in python(fresh["machine"], "print(dns())"), "a closed slot leads out again, also after a crash"
    assert priv.end(fresh["machine"]) == DONE


def credentials(priv, role, sock=None):
    out = os.memfd_create("out", os.MFD_ALLOW_SEALING)
    os.ftruncate(out, 65536)
    fcntl.fcntl(out, F_ADD_SEALS, F_SEAL_GROW)
    kind, body = priv.call(CREDENTIALS, struct.pack("=80s", role.encode()), sock, [out])
    said = os.pread(out, 65536, 0).rstrip(b"\0").decode()
    os.close(out)
    return said if kind == DONE else (text(body[4:]), said)


def sleeps(seconds):
    return f"sleep {seconds}\n" in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_a_program_for_credentials_runs_as_its_user_without_rights(priv):
    said = dict(line.split(":", 1) for line in credentials(priv, "Look").splitlines())
    nobody = pwd.getpwnam("nobody")
    assert said["Uid"].split() == [str(nobody.pw_uid)] * 4 and said["Gid"].split() == [str(nobody.pw_gid)] * 4, said
    assert not said["Groups"].split() and said["NoNewPrivs"].strip() == "1", said
    for line in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(said[line], 16) == 0, said
    assert said["role"] == "Look" and said["words"] == "one two $(id)", said
    assert said["fds"].split() == ["0", "1", "2"], said
    assert said["pid"] == "1" and said["cwd"] == "/", said


def test_a_program_for_credentials_leaves_no_process_and_has_its_room(priv):
    why, said = credentials(priv, "Bad")
    assert why == "credentials_process of [role Bad] ended with 3" and said == "half", (why, said)
    until("what it left behind is dead", lambda: not sleeps(98765))
    assert credentials(priv, "Large")[0].startswith("credentials_process of [role Large] ended with")
    assert "cannot be executed" in credentials(priv, "Missing")[0]
    assert "there is no user" in credentials(priv, "Nobody")[0]
    for role in ("Plain", "absent", "../x", ""):
        assert credentials(priv, role)[0] == "no such role has a credentials_process", role


def test_a_program_for_credentials_has_its_time_and_dies_with_priv(priv):
    if "DOZE_LONG" in os.environ:
        begin = time.monotonic()
        tag = priv.ask(CREDENTIALS, struct.pack("=80s", b"Slow"), fds=[os.open("/dev/null", os.O_WRONLY)])
        kind, _, body = receive(priv.control, timeout=60)
        assert kind == FAULT and "took over 30 s" in text(body[4:]) and 29 < time.monotonic() - begin < 40, tag
        until("it is dead", lambda: not sleeps(98766))
    priv.ask(CREDENTIALS, struct.pack("=80s", b"Slow"), fds=[os.open("/dev/null", os.O_WRONLY)])
    until("it runs", lambda: sleeps(98766))
    priv.kill()
    until("it is dead", lambda: not sleeps(98766))
    priv.start()


def test_a_clean_stop_leaves_nothing(priv):
    priv.machine()
    Build(priv, "sleep 1000")
    priv.stop(keep=0)
    assert not links() and not groups()
    assert not list(RUN.glob("m/*")) and not list(RUN.glob("netns/*"))
    assert TABLE not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    assert str(RUN) not in open("/proc/self/mountinfo").read()


def make_place(network="spare = 2"):
    WORK.mkdir(mode=0o755)
    (WORK / "libexec").mkdir()
    shutil.copy(sys.argv[2], WORK / "libexec/doze-qemu")
    shutil.copy(sys.argv[3], WORK / "libexec/doze-vmm")
    (WORK / "libexec/doze-build-step").symlink_to("/bin/bash")
    (WORK / "test.ini").write_text(f"""[paths]
data = {WORK}/data
log = {WORK}
libexec = {WORK}/libexec
[network]
{network}
[build]
disk_gib = 2
{ROLES}""")
    for name, script in PROGRAMS.items():
        (WORK / name).write_text(script)
        (WORK / name).chmod(0o755)


def main():
    global MIRROR
    if os.geteuid():
        return 77
    for user in ("control", "proxy", "objects", "image", "build"):
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", f"doze-{user}"],
                       stderr=subprocess.DEVNULL)
    MIRROR = socket.gethostbyname("deb.debian.org")
    make_place()
    priv = Priv(sys.argv[1])
    only = os.environ.get("ONLY", "")
    tests = [t for n, t in globals().items() if n.startswith("test_") and only in n]
    try:
        for test in tests:
            begin = time.monotonic()
            test(priv)
            print(f"ok {test.__name__[5:]} ({time.monotonic() - begin:.2f} s)", flush=True)
        if priv.process.poll() is None:
            priv.stop(keep=0)
        shutil.rmtree(WORK)
        shutil.rmtree(RUN)
    except BaseException:
        print((WORK / "priv.log").read_text()[-6000:])
        raise
    finally:
        with contextlib.suppress(Exception):
            if priv.process.poll() is not None and RUN.exists():
                priv.start()
            priv.stop(keep=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
