"""The real kernel with the real doze-init in QEMU: everything that ipc/agent.h promises.

    python3 -m pytest tests/platform/guest -s        (root; -s shows the timings)

DOZE_GUEST_INIT names doze-init (build/src/guest/doze-init), DOZE_GUEST_CACHE the folder for kernel
packages (.cache/kernel)."""
import json
import os
import pathlib
import secrets
import socket
import statistics
import subprocess
import time

import pytest

import machine as m

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TIMES = {}


def timed(name, begin):
    TIMES.setdefault(name, []).append(round((time.monotonic() - begin) * 1000, 2))


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    out = tmp_path_factory.mktemp("guest")
    init = os.environ.get("DOZE_GUEST_INIT", ROOT / "build/src/guest/doze-init")
    cache = os.environ.get("DOZE_GUEST_CACHE", ROOT / ".cache/kernel")
    subprocess.run([ROOT / "tools/make-guest", out, "--init", init, "--cache", cache], check=True)
    subprocess.run(["musl-gcc", "-O2", "-static", "-D_GNU_SOURCE", "-o", out / "app", HERE / "app.c"], check=True)
    TIMES["initrd bytes"] = (out / "initrd").stat().st_size
    return out


def make_disk(files, size="8G"):
    tree = files / "tree"
    (tree / "etc").mkdir(parents=True, exist_ok=True)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nweb:x:1234:60000:w:/home/web:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\nweb:x:60000:\nextra:x:777:foo,web\n")
    link = tree / "etc/resolv.conf"
    if not link.is_symlink():
        link.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (tree / "app").write_bytes((files / "app").read_bytes())
    (tree / "app").chmod(0o755)
    disk = files / "disk"
    disk.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", size, disk], check=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-E",
                    "lazy_itable_init=1,nodiscard,root_owner=0:0", "-d", tree, disk], check=True)
    return disk


def boot(files, disk="8G", **options):
    guest, fields = m.Machine.booted(str(files), str(files / "vmlinux"), str(files / "initrd"), str(make_disk(files, disk)), **options)
    assert fields[m.PROTOCOL] == 1
    timed("exec to HELLO ms", guest.started)
    return guest


def start(guest, *extra, ports=(8080, 9000)):
    begin = time.monotonic()
    guest.agent.send(m.START, (m.ARG, "app"), (m.ARG, "--flag"), (m.ENV, "PATH=/"), (m.ENV, "KEY=a value"), *extra)
    if ports:
        guest.agent.wait(m.LISTEN, lambda f: True)
        timed("START to first LISTEN ms", begin)


@pytest.fixture(scope="session", autouse=True)
def report():
    yield
    for name, values in TIMES.items():
        if isinstance(values, list):
            values = {"n": len(values), "first": values[0], "median": statistics.median(values), "max": max(values)}
        print(f"\n{name}: {json.dumps(values)}", end="")


@pytest.fixture(scope="module")
def guest(files):
    guest = boot(files)
    begin = time.monotonic()
    guest.agent.send(m.START, (m.ARG, "app"), (m.ARG, "--flag"), (m.ENV, "PATH=/"), (m.ENV, "KEY=a value"),
                     (m.WORKDIR, "/srv/made/here"), (m.FILE_PATH, "/opt/site/ca.crt"), (m.FILE_DATA, b"certificate"))
    ports = set()
    while ports != {8080, 9000}:
        ports = {value for tag, value in guest.agent.wait(m.LISTEN) if tag == m.PORT}
    timed("START to LISTEN of all ports ms", begin)
    yield guest
    guest.close()


def status(guest, **options):
    return dict(line.split(":", 1) for line in guest.get("/read/proc/self/status", **options).splitlines())


def test_output_comes_as_log_frames(guest):
    out = dict(guest.agent.wait(m.LOG, lambda f: f[m.STREAM] == 1))
    err = dict(guest.agent.wait(m.LOG, lambda f: f[m.STREAM] == 2))
    assert out[m.BYTES] == b"to stdout\n" and err[m.BYTES] == b"to stderr\n"


def test_the_application_is_pid_1_as_in_dockers_container(guest):
    s = status(guest)
    assert s["Pid"].strip() == "1" and s["Uid"].split() == ["0"] * 4
    assert s["CapEff"].strip() == "00000000a80425fb" == s["CapBnd"].strip()
    assert s["CapInh"].strip() == "0000000000000000" and s["NoNewPrivs"].strip() == "0"
    assert s["SigBlk"].strip() == "0000000000000000" and s["SigIgn"].strip() == "0000000000000000"
    limits = guest.get("/read/proc/self/limits")
    assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["1024", "1024"]]
    assert guest.get("/read/proc/self/cgroup").strip() == "0::/system.slice/app"
    assert guest.get("/read/proc/sys/kernel/hostname").strip() == "localhost"


def test_environment_and_working_directory(guest):
    env = guest.get("/read/proc/self/environ").splitlines()
    assert ["PATH=/", "HOSTNAME=localhost", "KEY=a value", "HOME=/root"] == env
    assert guest.get("/read/proc/self/cmdline").splitlines() == ["app", "--flag"]
    assert guest.get("/stat/srv/made/here").startswith("40755 0:0")


def test_files_of_the_host_become_the_guests_own(guest):
    assert guest.get("/read/etc/resolv.conf") == "nameserver 169.254.53.53\n"
    assert guest.get("/read/etc/hostname") == "localhost\n"
    assert "127.0.0.1\tlocalhost" in guest.get("/read/etc/hosts")
    assert guest.get("/read/opt/site/ca.crt") == "certificate"
    assert guest.get("/stat/etc/hosts").startswith("100644 0:0")
    for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/opt/site/ca.crt"):
        assert guest.get("/write" + path) == "written", path
        assert guest.get("/read" + path).startswith("x"), path
    assert guest.get("/write/srv/new") == "written"


def test_a_guest_whose_timer_is_wrong_ends_at_once_and_says_so(files, tmp_path):
    """The kernel gives its timer up when it measured it wrong; this word does the same."""
    guest = m.Machine(str(tmp_path), str(files / "vmlinux"), str(files / "initrd"), str(files / "disk"), append="nolapic_timer")
    try:
        assert guest.process.wait(timeout=60) == 0
        said = (tmp_path / "serial.log").read_text()
        assert f"doze-init: {m.TIMER_WORDS}" in said, said
    finally:
        guest.close()


def test_the_kernel_is_masked(guest):
    assert guest.get("/write/proc/sys/kernel/hostname") == "Read-only file system"
    assert guest.get("/write/proc/sysrq-trigger") == "Read-only file system"
    assert guest.get("/read/proc/kcore") == ""
    assert guest.get("/write/sys/kernel/mm/transparent_hugepage/enabled") == "Read-only file system"
    assert guest.get("/read/sys/fs/cgroup/memory.max").strip().isdigit()
    assert guest.get("/write/sys/fs/cgroup/memory.max") == "Read-only file system"
    mounts = guest.get("/read/proc/mounts")
    assert " /dev/shm tmpfs " in mounts and "size=65536k" in mounts and " / ext4 rw" in mounts
    assert " /root " not in mounts and "devtmpfs" not in mounts
    assert guest.get("/stat/modules").startswith("error") and guest.get("/stat/dev/vda").startswith("error")
    for node in ("null", "zero", "full", "random", "urandom", "tty", "ptmx"):
        assert guest.get("/stat/dev/" + node).startswith("20666 0:0"), node


def test_hooks_and_their_outcomes(guest):
    def hook(name, *fields, port=9000, timeout=5000):
        begin = time.monotonic()
        number = secrets.randbits(40)
        guest.agent.send(m.HOOK, (m.ID, number), (m.NAME, name), (m.PORT, port), (m.TIMEOUT_MS, timeout), *fields)
        result = dict(guest.agent.wait(m.HOOK_RESULT, lambda f: f[m.ID] == number))
        timed(f"hook {name} ms", begin)
        return result[m.OUTCOME], result.get(m.STATUS)

    assert hook("ready") == (0, 200)
    assert guest.get("/body") == ("POST /aws/lambda-microvms/runtime/v1/ready HTTP/1.1\r\nHost: localhost:9000\r\n"
                                  "Content-Length: 0\r\nConnection: close\r\n\r\n")
    body = '{"microvmId":"microvm-1","runHookPayload":"x"}'
    assert hook("run", (m.BODY, body)) == (0, 200)
    seen = guest.get("/body")
    assert seen.endswith(body) and f"Content-Length: {len(body)}\r\n" in seen and "application/json" in seen
    assert hook("validate") == (0, 500)
    assert hook("suspend") == (3, None)
    assert hook("resume", timeout=300) == (2, None)
    assert hook("ready", port=9001) == (1, None)


def test_hooks_wait_for_each_other_and_streams_do_not(guest):
    guest.agent.send(m.HOOK, (m.ID, 1), (m.NAME, "resume"), (m.PORT, 9000), (m.TIMEOUT_MS, 1000))
    guest.agent.send(m.HOOK, (m.ID, 2), (m.NAME, "ready"), (m.PORT, 9000), (m.TIMEOUT_MS, 1000))
    begin = time.monotonic()
    assert guest.get("/hello") == "hello"
    assert time.monotonic() - begin < 0.5
    first = guest.agent.wait(m.HOOK_RESULT)
    second = guest.agent.wait(m.HOOK_RESULT)
    assert (dict(first)[m.ID], dict(second)[m.ID]) == (1, 2)


def test_streams(guest):
    assert guest.stream(8081)[1] == b"ERR starting\n"  # it has never been open
    for line in (b"HELLO\n", b"CONNECT x\n", b"CONNECT 70000\n", b"CONNECT 0\n", b"A" * 100):
        sock = guest.connect(timeout=5)
        sock.sendall(line)
        assert sock.recv(100) == b"ERR malformed\n", line
    for _ in range(20):
        begin = time.monotonic()
        sock, line = guest.stream(8080)
        timed("stream connect ms", begin)
        assert line == b"OK\n"
        for _ in range(5):
            begin = time.monotonic()
            assert m.http_get(sock, "/hello") == "hello"
            timed("request on an open stream ms", begin)
        sock.close()
    sock, _ = guest.stream(8080)
    for size in (1, 33, 60):
        assert m.http_get(sock, f"/big/{size}") == "b" * 1024 * size


def test_a_line_in_pieces_and_bytes_behind_it(guest):
    sock = guest.connect(timeout=5)
    for piece in (b"CONN", b"ECT 80", b"80\nGET /hello HTTP/1.1\r\n\r\n"):
        sock.sendall(piece)
        time.sleep(0.05)
    data = b""
    while b"hello" not in data:
        data += sock.recv(1000)
    assert data.startswith(b"OK\nHTTP/1.1 200")


def test_half_close_ends_the_other_side(guest):
    sock, _ = guest.stream(8080)
    sock.shutdown(m.socket.SHUT_WR)
    assert sock.recv(1) == b""


def test_only_the_gateway_gets_a_stream(guest):
    with guest.slot:
        subprocess.run(["ip", "addr", "add", "10.0.2.77/24", "dev", "tap0"], check=True)
    assert guest.connect(timeout=5, source=("10.0.2.77", 0)).recv(10) == b""


def test_many_streams_at_once(guest):
    socks = [guest.stream(8080)[0] for _ in range(40)]
    for sock in socks:
        assert m.http_get(sock, "/hello") == "hello"
    waiting = [guest.connect(timeout=5) for _ in range(1200)]
    assert guest.get("/hello") == "hello"
    for sock in socks + waiting:
        sock.close()


def test_resumed_sets_clock_randomness_and_cuts_outbound(guest):
    with guest.slot:
        server = m.socket.socket()
    server.bind(("10.0.2.2", 7777))
    server.listen()
    assert guest.get("/connect/7777") == "connected"
    assert guest.get("/outbound") == "Resource temporarily unavailable"
    for _ in range(10):
        begin = time.monotonic()
        guest.agent.send(m.WARM, (m.ID, 5))
        guest.agent.wait(m.ACK, lambda f: f[m.ID] == 5)
        timed("WARM to ACK ms", begin)
    assert guest.get("/outbound") == "Resource temporarily unavailable"
    stream, _ = guest.stream(8080)
    assert m.http_get(stream, "/hello") == "hello"
    for i in range(10):
        begin = time.monotonic()
        guest.agent.send(m.RESUMED, (m.ID, 100 + i), (m.WALL_NS, 4102444800 * 10**9),
                         (m.RANDOM, secrets.token_bytes(64)), (m.IDENTITY, "microvm-1"))
        guest.agent.wait(m.ACK, lambda f: f[m.ID] == 100 + i)
        timed("RESUMED to ACK ms", begin)
    assert 4102444800 <= int(guest.get("/time")) < 4102444860
    assert guest.get("/outbound") == "Connection aborted"  # ECONNABORTED
    assert guest.get("/random") != guest.get("/random")
    with pytest.raises(OSError):
        m.http_get(stream, "/hello")


def test_the_application_sees_each_resume(guest):
    def generation():
        return guest.get("/read/run/doze/generation"), guest.get("/read/dev/sysgenid").encode("latin-1")

    def said(kind, *fields):
        number = secrets.randbits(40)
        guest.agent.send(kind, (m.ID, number), *fields)
        guest.agent.wait(m.ACK, lambda f: f[m.ID] == number)
        return generation()

    seen = [generation()]
    assert said(m.WARM) == seen[0]  # before the snapshot
    for kind, fields in ((m.WARM, ()), (m.RESUMED, ((m.WALL_NS, time.time_ns()), (m.IDENTITY, "microvm-1"))), (m.RESUMED, ())):
        seen.append(said(kind, (m.RANDOM, secrets.token_bytes(64)), *fields))
    texts, counters = zip(*seen)
    assert all(len(text) == 33 and bytes.fromhex(text.strip()) for text in texts) and len(set(texts)) == len(texts)
    assert [counter[0] for counter in counters] == list(range(counters[0][0], counters[0][0] + len(counters)))
    assert guest.get("/write/run/doze/generation") == "Read-only file system"
    assert guest.get("/write/dev/sysgenid") == "Read-only file system"


def test_an_application_asks_for_time_by_a_file(guest):
    def leases():
        return [dict(fields)[m.TIMEOUT_MS] for kind, fields in guest.agent.frames if kind == m.LEASE]

    assert not leases()
    assert guest.get("/write/run/doze/lease") == "written"  # what is no number asks for a minute
    assert dict(guest.agent.wait(m.LEASE, timeout=20))[m.TIMEOUT_MS] == 60000
    for _ in range(20):  # more of them in a second are one more
        assert guest.get("/write/run/doze/lease") == "written"
    assert dict(guest.agent.wait(m.LEASE, timeout=20))[m.TIMEOUT_MS] == 60000
    time.sleep(1.5)
    guest.get("/hello")
    assert len(leases()) <= 2


def test_an_application_asks_for_time_where_clouds_have_their_metadata(guest):
    for seconds in (0, 90, 864000):
        assert guest.get(f"/lease/{seconds}") == "HTTP/1.1 204 No Content"
        assert dict(guest.agent.wait(m.LEASE, lambda f: f[m.TIMEOUT_MS] == 1000 * seconds, timeout=20))
    assert guest.get("/lease/" + 100 * "9") == "HTTP/1.1 413 Refused"
    with guest.slot, pytest.raises(OSError):  # the host is not the application
        sock = socket.create_connection(("10.0.2.15", 2), timeout=5)
        sock.sendall(b"POST /doze/lease HTTP/1.1\r\n\r\n")
        if not sock.recv(100):
            raise OSError("it was closed without a word")


def test_an_idle_guest_costs_nothing(guest):
    time.sleep(1)
    before = guest.cpu_seconds()
    time.sleep(5)
    TIMES["idle CPU percent"] = round((guest.cpu_seconds() - before) / 5 * 100, 2)
    assert TIMES["idle CPU percent"] < 2.5
    guest.agent.sock.close()  # a port without a peer must not spin either
    time.sleep(1)
    before = guest.cpu_seconds()
    time.sleep(5)
    TIMES["idle CPU percent, no peer"] = round((guest.cpu_seconds() - before) / 5 * 100, 2)
    guest.agent = m.Agent(guest.ctl)
    assert TIMES["idle CPU percent, no peer"] < 2.5


def test_a_flood_of_output_is_limited_and_counted(guest):
    begin = time.monotonic()
    assert guest.get("/flood/8") == "done"
    timed("flood of 8 MiB ms", begin)
    got = dropped = 0
    while got + dropped < 8 << 20:
        fields = dict(guest.agent.wait(m.LOG, lambda f: f[m.STREAM] == 1, timeout=5))
        got, dropped = got + len(fields[m.BYTES]), dropped + fields.get(m.DROPPED, 0)
        if not fields[m.BYTES]:
            break
        if got + dropped < 8 << 20 and not guest.agent.frames:
            guest.get("/flood/0")
            guest.agent.send(m.WARM, (m.ID, 9))
            guest.agent.wait(m.ACK)
            if not guest.agent.frames:
                break
    assert got < 4 << 20


def test_the_end_is_reported_and_the_guest_stays(guest):
    with pytest.raises((EOFError, OSError)):
        guest.get("/exit/3")
    end = dict(guest.agent.wait(m.EXIT))
    assert end[m.CODE] == 3 and b"ended with exit code 3 after" in end[m.REASON] and end[m.REASON].endswith(b"last words")
    assert any(f[0] == m.LOG and dict(f[1])[m.BYTES].endswith(b"last words\n") for f in guest.agent.frames)
    guest.agent.send(m.WARM, (m.ID, 77))
    guest.agent.wait(m.ACK, lambda f: f[m.ID] == 77)
    assert guest.stream(8080)[1] == b"ERR refused\n"


def test_a_user_by_name_has_no_capabilities(files):
    guest = boot(files)
    try:
        start(guest, (m.USER, "web"))
        s = status(guest)
        assert s["Uid"].split() == ["1234"] * 4 and s["Gid"].split() == ["60000"] * 4
        assert s["Groups"].split() == ["777", "60000"] and s["CapEff"].strip() == "0000000000000000"
        assert "HOME=/home/web" in guest.get("/read/proc/self/environ").splitlines()
    finally:
        guest.close()


def test_all_capabilities(files):
    guest = boot(files)
    try:
        start(guest, (m.ALL_CAPS, 1))
        s = status(guest)
        assert s["CapEff"].strip() == "000001ffffffffff" and s["NoNewPrivs"].strip() == "0"
        assert guest.get("/stat/dev/fuse").startswith("20666")
        assert " /sys/fs/cgroup cgroup2 rw" in guest.get("/read/proc/mounts")
        assert guest.get("/write/proc/sys/vm/drop_caches") != "Read-only file system"
        assert "Max open files            1048576              1048576" in guest.get("/read/proc/self/limits")
    finally:
        guest.close()


def test_the_log_tells_of_a_worker_that_memory_ended(files):
    guest = boot(files)
    try:
        start(guest)
        assert guest.get("/worker") == "started"
        told = dict(guest.agent.wait(m.LOG, lambda f: f[m.STREAM] == 3, timeout=60))[m.BYTES]
        assert told.startswith(b"the kernel killed 1 of the application's processes, since its ")
        assert guest.get("/hello") == "hello"
    finally:
        guest.close()


def test_a_hostile_application_harms_itself_alone(files):
    """Kill, close, fill the disk, reboot, fork until nothing forks, eat all memory: the agent answers through it all."""
    guest = boot(files, disk="64M")

    def alive():
        begin = time.monotonic()
        guest.agent.send(m.WARM, (m.ID, 1))
        guest.agent.wait(m.ACK, timeout=20)
        timed("WARM to ACK under attack ms", begin)

    try:
        start(guest)
        assert guest.get("/rampage") == "No space left on device"
        alive()
        assert 1000 < int(guest.get("/bomb")) < 8192
        alive()
        assert guest.get("/hello") == "hello"
        with pytest.raises((EOFError, OSError)):
            guest.get("/hog")
        end = dict(guest.agent.wait(m.EXIT))
        assert end[m.CODE] == 128 + 9 and b"signal 9 (SIGKILL)" in end[m.REASON] and b"MiB of memory were used up" in end[m.REASON]
        alive()
    finally:
        guest.close()


@pytest.mark.parametrize("fields, code, text", [
    ([(m.ARG, "missing")], 127, b"run 'missing': No such file"),
    ([(m.ARG, "/etc/passwd")], 126, b"run '/etc/passwd': Permission denied"),
    ([(m.ARG, "/app"), (m.USER, "nobody-here")], 125, b"has no user 'nobody-here'"),
    ([(m.ENV, "A=b")], 125, b"names no program"),
])
def test_what_cannot_start_says_why(files, fields, code, text):
    guest = boot(files)
    try:
        guest.agent.send(m.START, *fields)
        assert text in dict(guest.agent.wait(m.LOG))[m.BYTES]
        end = dict(guest.agent.wait(m.EXIT))
        assert end[m.CODE] == code and text in end[m.REASON]
    finally:
        guest.close()
