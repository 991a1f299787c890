"""What the control role is lied to about (tests/unit/control/lies.h): the time, its disk, its store, its helpers."""
import contextlib
import ctypes as c
import heapq
import itertools
import mmap
import os
import pathlib
import time

from ipc_structs import ipc

FULL, IOERR, BUSY = 13, 10, 5  # of SQLite
STEP_MS = 2  # of real time that the loop may sleep while time passes


class Lies:
    """One page, shared with every control that is started with `fd`."""

    def __init__(self):
        self.fd = os.memfd_create("lies")
        os.ftruncate(self.fd, mmap.PAGESIZE)
        self.map = mmap.mmap(self.fd, mmap.PAGESIZE)
        self.page = ipc.lies.from_buffer(self.map)
        self.page.lazy_disk = 1
        self.due, self.order = [], itertools.count()
        self.at = None  # of what is being done that was due, however late it is

    # Calls that fail.

    def tell(self, call, answer, who="ANYONE", skip=0, times=0, text=""):
        """From now on `call` answers so: an errno, a code of SQLite's, ipc.LIE_DIES_BEFORE, _AFTER or LIE_STALLS.

        `skip` calls go well before, `times` are lied to (0: all, until `truth`).  `text`: only commits that write it.
        """
        lie = self.page.calls[getattr(ipc, f"LIE_{call}")]
        lie.answer = lie.told = 0
        lie.who, lie.skip, lie.times = getattr(ipc, f"LIE_{who}"), skip, times
        if call == "COMMIT":
            self.page.commit_text = text.encode()
        lie.answer = answer

    def told(self, call):
        """How many calls were lied to since `tell`."""
        return self.page.calls[getattr(ipc, f"LIE_{call}")].told

    def truth(self):
        for lie in self.page.calls:
            lie.answer = 0
        self.page.commit_text = b""

    @contextlib.contextmanager
    def commits_held(self):
        """Nothing becomes durable meanwhile."""
        self.page.commits_held = 1
        try:
            yield
        finally:
            self.page.commits_held = 0

    # Time.

    def now(self):
        """Seconds since 1970 as the role sees them."""
        return time.time() + (self.page.passed_ns + self.page.stepped_ns) / 1e9

    def after(self, seconds, call):
        """When so much time has passed for the role."""
        at = (self.page.passed_ns if self.at is None else self.at) + int(seconds * 1e9)
        heapq.heappush(self.due, (at, next(self.order), call))

    def step_wall_clock(self, seconds):
        """As NTP may: the monotonic clock knows nothing of it."""
        self.page.stepped_ns += int(seconds * 1e9)

    def pass_time(self, seconds, world, step=1.0):
        """In steps: after each the role has done what was due, and everybody has answered."""
        end = self.page.passed_ns + int(seconds * 1e9)
        self.page.longest_wait_ms = STEP_MS
        settle(world)
        while self.page.passed_ns < end:
            self.page.passed_ns = min(end, self.page.passed_ns + int(step * 1e9))
            while self.due and self.due[0][0] <= self.page.passed_ns:
                with world.reactor.lock:
                    self.at, _, call = heapq.heappop(self.due)
                    call()
                    self.at = None
            settle(world)
        self.page.longest_wait_ms = 0


def _helpers(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return ""


def settle(world, turns=3, most=2.0):
    """Until nothing is under way: no message, no helper, no transaction, and the loop has turned since."""
    page, end = world.lies.page, time.monotonic() + most
    short, page.longest_wait_ms = page.longest_wait_ms, STEP_MS
    while time.monotonic() < end and world.process.poll() is None:
        seen = page.turns
        while page.turns - seen < turns and time.monotonic() < end and world.process.poll() is None:
            time.sleep(0.0003)
        if world.reactor.quiet() and (not page.writing or page.commits_held) and not _helpers(world.process.pid):
            break
    page.longest_wait_ms = short
    for error in world.reactor.errors:
        raise error


assert c.sizeof(ipc.lies) <= mmap.PAGESIZE if ipc else True
