"""Shells of a real guest (ipc/shell.h): terminals, processes and sessions."""
import os
import pathlib
import re
import shutil
import time

import pytest

import machine as m
import shells as sh
from test_guest import boot, files, start  # noqa: F401

BUSYBOX = pathlib.Path("/bin/busybox")
PROMPT = "λ $ ".encode()


@pytest.fixture(scope="module")
def guest(files):
    place = files / "tree/bin"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUSYBOX, place / "busybox")
    for name in ("sh", "cat", "yes", "ps", "sleep", "stty", "tty", "id", "env", "seq", "echo", "head", "nohup", "test", "true"):
        if not (place / name).exists():
            os.link(place / "busybox", place / name)
    guest = boot(files)
    guest.agent.send(m.START, (m.ARG, "/app"), (m.ENV, "PATH=/bin"), (m.ENV, "KEY=of the image"), (m.USER, "web"),
                     (m.WORKDIR, "/srv"))
    guest.agent.wait(m.LISTEN)
    yield guest
    guest.close()


@pytest.fixture
def shell(guest):
    s = sh.connect(guest)
    s.frame(sh.OPENED)
    s.reads(re.escape(PROMPT))
    yield s
    s.sock.close()


def run(s, line, pattern, seconds=20):
    s.out = b""
    s.type(line + "\n")
    return s.reads(pattern, seconds)


def interrupt(s, seconds=20):
    """Ctrl-C until the prompt is back: a shell that is about to start a program hears none."""
    s.out, end = b"", time.monotonic() + seconds
    while not re.search(re.escape(PROMPT), s.out):
        assert time.monotonic() < end, s.out
        s.type("\x03")
        s.pump(1)


def test_it_is_root_in_the_applications_container(shell):
    assert shell.offset == 0
    run(shell, "id -u; tty; echo $TERM:$KEY:$HOME:$PWD", rb"\n0\r\n/dev/pts/\d+\r\nxterm:of the image:/root:/srv\r\n")
    run(shell, "ps | head -3", rb"\n +1 web .*/app")


def test_ctrl_c_interrupts_and_job_control_works(shell):
    run(shell, "echo be''gins; sleep 1000", rb"\nbegins\r\n")
    interrupt(shell)
    run(shell, "sleep 1000 & jobs", rb"Running +sleep 1000")
    run(shell, "kill %1", re.escape(PROMPT))


def test_the_size_of_the_window_is_told(guest, shell):
    run(shell, "stty size", rb"\n(0 0|stty: standard input)\r\n")
    shell.send(sh.RESIZE, (sh.COLUMNS, 132), (sh.ROWS, 43))
    run(shell, "stty size", rb"\n43 132\r\n")
    other = sh.connect(guest, columns=80, rows=24)
    run(other, "stty size", rb"\n24 80\r\n")
    other.sock.close()


def test_the_exit_status_comes_after_the_last_byte(guest):
    for line, code in (("echo last; exit 7", 7), ("kill -9 $$", 137)):
        s = sh.connect(guest)
        s.reads(re.escape(PROMPT))
        s.out = b""
        s.type(line + "\n")
        assert s.frame(sh.EXITED)[sh.CODE] == code
        assert b"last" in s.out or code != 7
        s.until(lambda: s.ended or s.pump(1), what="an end")
        s.sock.close()
        again = sh.connect(guest, s.session, attach=1)
        assert b"no such session" in again.frame(sh.REFUSED)[sh.REASON]
        again.sock.close()


def test_ctrl_c_answers_within_a_second_while_yes_floods(shell):
    shell.type("yes\n")
    shell.until(lambda: len(shell.out) > 2 * sh.WINDOW, 60)
    shell.out = b""
    begin = time.monotonic()
    shell.type("\x03")
    shell.reads(re.escape(PROMPT))
    assert time.monotonic() - begin < 1


def test_who_does_not_acknowledge_gets_a_window_and_no_more(guest, shell):
    shell.acks = False
    sent = len(shell.out)
    shell.type("cat /dev/zero\n")
    while shell.pump(1.5):
        pass
    assert sh.WINDOW - sent <= len(shell.out) <= sh.WINDOW + (8 << 10)
    assert len(sh.connect(guest).frame(sh.OPENED)) == 1, "others are served"


def test_more_input_than_the_window_ends_the_connection_alone(guest, shell):
    run(shell, "echo be''gins; sleep 1000", rb"\nbegins\r\n")
    for _ in range(12):
        shell.type(b"x" * 8192)
    shell.until(lambda: shell.ended or shell.pump(1), what="an end")
    again = sh.connect(guest, shell.session, attach=1)
    again.frame(sh.OPENED)
    interrupt(again)
    again.sock.close()


def test_a_session_is_taken_up_again_without_a_gap(guest, shell):
    shell.type("stty -echo; sleep 1; seq 1 30000\n")
    shell.until(lambda: len(shell.out) > 2000)
    have = shell.out
    shell.sock.close()
    time.sleep(2)
    again = sh.connect(guest, shell.session, attach=1, offset=len(have))
    again.frame(sh.OPENED)
    assert again.offset == len(have)
    again.reads(rb"\n30000\r\n", 60)
    numbers = [int(n) for n in re.findall(rb"^(\d+)\r$", have + again.out, re.M)]
    assert numbers == list(range(1, 30001))
    again.sock.close()


def test_another_connection_takes_a_session_over(guest, shell):
    other = sh.connect(guest, shell.session, attach=1)
    shell.frame(sh.MOVED)
    other.frame(sh.OPENED)
    assert other.offset == 0, "all that is kept, for one who does not say what it has"
    run(other, "echo here", rb"\nhere\r\n")
    other.sock.close()


def test_a_restore_ends_the_connections_and_no_session(guest, shell):
    run(shell, "X=kept", re.escape(PROMPT))
    guest.agent.send(m.RESUMED, (m.ID, 9), (m.WALL_NS, time.time_ns()), (m.RANDOM, os.urandom(64)), (m.IDENTITY, "microvm-1"))
    guest.agent.wait(m.ACK, lambda f: f[m.ID] == 9)
    with pytest.raises((ConnectionError, AssertionError)):
        shell.until(lambda: False, 5)
    again = sh.connect(guest, shell.session, attach=1)
    again.frame(sh.OPENED)
    run(again, "echo $X", rb"\nkept\r\n")
    again.sock.close()


def test_64_shells_are_open_and_one_more_takes_the_place_of_one_that_nobody_uses(guest):
    many = []
    try:
        for _ in range(64):
            many.append(sh.connect(guest))
            many[-1].frame(sh.OPENED, 60)
        more = sh.connect(guest)
        assert b"64 shells are open" in more.frame(sh.REFUSED)[sh.REASON]
        more.sock.close()
        many[5].sock.close()
        time.sleep(0.5)
        more = sh.connect(guest)
        more.frame(sh.OPENED)
        many.append(more)
        gone = sh.connect(guest, many[5].session, attach=1)
        gone.frame(sh.REFUSED)
        gone.sock.close()
        run(many[63], "echo alive", rb"\nalive\r\n", 60)
    finally:
        for s in many:
            s.sock.close()


def test_garbage_ends_its_connection_and_nobody_elses(guest, shell):
    for bytes_ in (b"\xff" * 64, b"\1\0\0\0\xff\xff\xff\xff", b"\2\0\0\0\0\0\0\0" * 8, b"\1\0\0\0\4\0\0\0abcd", os.urandom(4096)):
        bad = sh.connect(guest)
        bad.sock.sendall(bytes_)
        bad.sock.close()
        bare = guest.connect()
        bare.sendall(b"SHELL\n" + bytes_)
        bare.close()
    run(shell, "echo well", rb"\nwell\r\n")


def test_an_image_without_a_shell_says_so(files, guest):
    for name in list((files / "tree/bin").iterdir()):
        name.unlink()
    bare = boot(files)
    try:
        start(bare)
        s = sh.connect(bare)
        assert b"the image has no shell" in s.frame(sh.REFUSED)[sh.REASON]
        s.sock.close()
    finally:
        bare.close()
