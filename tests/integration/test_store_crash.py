"""A random mix of operations while control is killed and its store fails, at every call in turn; then the recorded history is held
against what a client may expect: what was acknowledged is there, nothing happens twice, and a clientToken has one answer.

Short here; DOZE_LONG makes it 1,000 kills and more for each database.  DOZE_SEED is the seed.
"""
import json
import os
import random

import pytest

import lies
import postgres_rig
from control_rig import ALONE, BUILD, Control, wait_for
from ipc_structs import ipc
from signed import POOL, V, quoted

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

LONG = bool(os.environ.get("DOZE_LONG"))
SEED = int(os.environ.get("DOZE_SEED", "1"))
KILLS, AT_ONCE, SPREAD = (1000 if LONG else 12), 4, 12  # `SPREAD`: the fault meets one of so many calls of the store
MICROVMS = 24  # that live at a time
LIMITS = "[limits]\nmax_images=100000\nmax_microvms=16000\nmax_memory_mib=1073741824\n"
LIVE, ENDED = {"PENDING", "RUNNING"}, {"TERMINATING", "TERMINATED"}
# What follows when an operation has been acknowledged, and what may be besides when its outcome is not known.
AFTER = {"suspend": ({"SUSPENDED"}, {"SUSPENDING", "SUSPENDED"}), "resume": ({"RUNNING"}, {"RUNNING"}), "terminate": (ENDED, ENDED)}

FAULTS = {
    "sqlite": [("COMMIT", answer) for answer in (lies.FULL, lies.IOERR, lies.BUSY, ipc.LIE_DIES_BEFORE, ipc.LIE_DIES_AFTER)] if ipc else [],
    "postgres": [("QUERY", answer) for answer in (ipc.LIE_LOSES_BEFORE, ipc.LIE_LOSES_AFTER, ipc.LIE_DIES_BEFORE, ipc.LIE_DIES_AFTER)] if ipc else [],
}


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


class History:
    """What a client has asked and heard, and what that leaves possible."""

    def __init__(self):
        self.may = {}       # microVM -> the states that it may be in
        self.answers = {}   # (operation, clientToken) -> the one answer; None: none was heard yet
        self.bodies = {}    # likewise -> what was asked
        self.tags = {None}  # the values that the tag may have
        self.revisions = {}  # microVM -> the highest seen
        self.lines = []

    def heard(self, what, target, status, answer):
        """status None: the connection broke, so it may have happened or not; 5xx: it may not have happened, or not yet."""
        self.lines.append((what, target, status))
        if status == 400 and what in AFTER:  # it has ended
            assert self.may[target] & ENDED, (what, target, answer)
            self.may[target] = set(ENDED)
            return
        assert status is None or status in (200, 201, 202, 204, 409, 500, 503), (what, target, status, answer, self.lines[-40:])
        good = status is not None and status < 300
        if what in ("run", "create"):
            self._heard_token((what, target), good, answer)
        elif what == "tag":
            self.tags = {target} if good else self.tags | ({target} if status != 409 else set())
        elif what == "get":
            assert good or status is None, (what, target, status, answer)
        elif status != 409:
            sure, perhaps = AFTER[what]
            ended = self.may[target] <= ENDED
            assert not (ended and good and what != "terminate"), f"{what} of {target}, which has ended, went well"
            if not ended:
                self.may[target] = set(sure) if good else self.may[target] | perhaps

    def _heard_token(self, key, good, answer):
        if not good:
            return
        before = self.answers.get(key)
        assert before is None or before == answer, f"{key} was answered with {before} and with {answer}"
        self.answers[key] = answer
        if key[0] == "run" and before is None:
            self.may[json.loads(answer)["microvmId"]] = set(LIVE)

    def unheard(self):
        return [key for key, answer in self.answers.items() if answer is None]


class Storm:
    def __init__(self, postgres):
        self.random, self.postgres = random.Random(SEED), postgres
        self.rig = Control(settings=LIMITS, machines=True, postgres=postgres)
        self.rig.lies.page.lazy_disk = 1
        self.image = self.rig.make_image("app")
        self.history, self.kills, self.faults, self.n = History(), 0, 0, 0

    # One operation.

    def ask(self, what, target):
        """(status, answer); (None, None): nobody knows."""
        h = self.history
        method, path, body = {
            "run": ("POST", f"{V}/microvms", h.bodies.get(("run", target))),
            "create": ("POST", f"{V}/microvm-images", h.bodies.get(("create", target))),
            "get": ("GET", f"{V}/microvms/{target}", None),
            "suspend": ("POST", f"{V}/microvms/{target}/suspend", None),
            "resume": ("POST", f"{V}/microvms/{target}/resume", None),
            "terminate": ("DELETE", f"{V}/microvms/{target}", None),
            "tag": ("POST", f"/2017-03-31/tags/{quoted(self.image)}", {"Tags": {"value": target or ""}}),
        }[what]
        try:
            status, _, answer = self.rig.api.raw(method, path, body, timeout=20)
        except OSError:
            return None, None
        except Exception as error:  # http.client's, of a connection that broke half way
            assert "closed" in str(error) or "Remote" in type(error).__name__ or "Incomplete" in type(error).__name__, error
            return None, None
        return status, answer.decode()

    def token(self, what):
        """An old one, whose answer must be the same again, or a new one."""
        keys = [key for key in self.history.answers if key[0] == what]
        if keys and self.random.random() < 0.3:
            return self.random.choice(keys)[1]
        self.n += 1
        token = f"token-of-a-client-that-tries-again-{self.n:06d}"
        self.history.answers[what, token] = None
        self.history.bodies[what, token] = ({"imageIdentifier": self.image, "clientToken": token} if what == "run" else
                                            {"name": f"image-{self.n}", "clientToken": token, **BUILD})
        return token

    def pick(self, busy):
        live = [vm for vm, may in self.history.may.items() if not may <= ENDED and vm not in busy]
        what = self.random.choice(["run", "run", "suspend", "resume", "terminate", "get", "tag", "create"] if len(live) < MICROVMS else
                                  ["suspend", "resume", "terminate", "terminate", "get", "tag"])
        if what in ("run", "create"):
            return what, self.token(what)
        if what == "tag":
            self.n += 1
            return what, f"value-{self.n}"
        return (what, self.random.choice(live)) if live else ("run", self.token("run"))

    # Rounds.

    def round(self):
        rig = self.rig
        call, answer = self.random.choice(FAULTS["postgres" if self.postgres else "sqlite"])
        rig.lies.tell(call, answer, skip=self.random.randrange(SPREAD), times=1)
        asked, busy = [], set()
        for _ in range(AT_ONCE):
            what, target = self.pick(busy)
            if target in busy or ("tag" in busy and what == "tag"):
                continue
            busy |= {target, what if what == "tag" else target}
            asked.append((what, target, POOL.submit(self.ask, what, target)))
        killed = self.random.random() < 0.4
        if killed:
            rig.process.kill()
        for what, target, future in asked:
            self.history.heard(what, target, *future.result(60))
        told = rig.lies.told(call)
        self.faults += told > 0
        rig.lies.truth()
        if killed or (told and answer in (ipc.LIE_DIES_BEFORE, ipc.LIE_DIES_AFTER)):
            rig.process.wait()
        if LONG and self.postgres and self.random.random() < 0.02:
            self.postgres.crash()
            self.postgres.start()
        self.up()

    def up(self):
        rig = self.rig
        if rig.process.poll() is not None:
            assert rig.process.poll() == -9, f"control crashed: {rig.process.poll()}"
            self.kills += 1
            rig.restart()

    def certain(self, what, target):
        """Asked until it is answered, as a client does."""
        said = []

        def answered():
            status, answer = self.ask(what, target)
            said[:] = [status, answer]
            if status is None or status in (500, 503):
                return False
            self.history.heard(what, target, status, answer)
            return True
        try:
            wait_for("it is answered", answered, 30)
        except AssertionError as error:
            raise AssertionError((what, target, said, self.history.lines[-30:])) from error

    def check(self):
        rig, h = self.rig, self.history
        for key in h.unheard():
            self.certain(*key)
        for key in self.random.sample(sorted(h.answers), min(10, len(h.answers))):
            self.certain(*key)
        rows = {row["id"]: row for row in rig.rows("microvm")}
        runs = [answer for (what, _), answer in h.answers.items() if what == "run"]
        ids = [json.loads(answer)["microvmId"] for answer in runs]
        assert len(set(ids)) == len(ids) and set(ids) == set(rows), "there are microVMs that nobody has asked for, or some are lost"
        for vm, may in h.may.items():
            got = wait_for(f"{vm} is one of {may}", lambda vm=vm, may=may: rig.api.get(vm)["state"] in may and rig.api.get(vm), 20)
            assert rows[vm]["revision"] >= h.revisions.get(vm, 0), f"{vm} has gone back"
            h.revisions[vm] = rows[vm]["revision"]
            if may <= ENDED:
                wait_for(f"{vm} has ended", lambda vm=vm: rig.api.state(vm) == "TERMINATED", 20)
            elif got["state"] in LIVE | {"SUSPENDED"} and len(may) > 1 and "TERMINATED" not in may and "SUSPENDING" not in may:
                h.may[vm] = {got["state"]} | (LIVE if got["state"] in LIVE else set())
        machines = [monitor.guest for monitor in rig.priv.alive()]
        assert len(machines) == len(set(machines)), "a guest runs twice"
        tag = rig.api.tags(self.image).get("value")
        assert tag in h.tags, (tag, h.tags)
        h.tags = {tag}
        names = [row["name"] for row in rig.rows("image")]
        made = {h.bodies[key]["name"] for key in h.answers if key[0] == "create"}
        assert len(names) == len(set(names)) and set(names) == made | {"app"}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_acknowledged_outlives_every_crash(database):
    server = postgres_rig.Postgres() if database == "postgres" else None
    storm = None
    try:
        storm = Storm(server)
        rounds = 0
        while storm.kills < KILLS:
            storm.round()
            rounds += 1
            if rounds % (25 if LONG else 8) == 0:
                storm.check()
        storm.check()
        print(f"{database}: {rounds} rounds, {storm.kills} kills, {storm.faults} faults of the store, {len(storm.history.lines)} operations, "
              f"{len(storm.history.may)} microVMs")
        assert storm.faults
    finally:
        if storm:
            storm.rig.close()
        if server:
            server.close()
