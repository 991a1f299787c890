"""A cell: one change to an image, and the commit of it that fails or that control dies at.

Afterwards what the API says, what the store holds and what lies on disk agree, also after a restart; a change whose caller
was told that it is made is made, one that was refused is not, and nothing hangs between two states.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import time

from control_rig import BUILD, Control, wait_for
from signed import Refused, quoted

SETTLED = {"CREATED", "CREATE_FAILED", "UPDATED", "UPDATE_FAILED"}


@dataclasses.dataclass
class Cell:
    change: str
    lie: str
    skip: int
    arn: str = ""
    refused: bool = False
    cancelled: bool = False  # its caller was told so
    problems: list = dataclasses.field(default_factory=list)


class Images:
    """The cells of one lie share a control; each has an image of its own, with two versions."""

    def __init__(self, cells, answer, place):
        self.cells, self.answer = cells, answer
        self.rig = Control(str(place), "[limits]\nmax_images=1000\n[build]\nat_once=64\n", machines=True)
        self.finished, self.views = set(), {}

    # Changes.  Each returns when its caller has an answer.

    def create(self, arn):
        self.rig.api.create_image(name_of(arn), **BUILD)

    def update(self, arn):
        self.rig.api.update_image(arn, **BUILD)

    def delete(self, arn):
        self.rig.api.delete_image(arn)

    def tag(self, arn):
        self.rig.api.tag(arn, changed="yes")

    def deactivate(self, arn):
        self.rig.api.set_status(arn, "2.0", "INACTIVE")

    def delete_version(self, arn):
        self.rig.api.delete_version(arn, "1.0")

    def end_build(self, arn, **how):
        self.rig.api.update_image(arn, **BUILD)
        build = wait_for("a build begins", lambda: self._open(arn))[0]
        self.rig.settle()
        self._lie()
        self.finished.add(build)
        self.rig.image.finish(build, **how)
        self.rig.settle()

    def fail_build(self, arn):
        self.end_build(arn, ok=0, code=b"CONTAINER_BUILD_FAILED", reason=b"it broke")

    def cancel_build(self, arn):
        self.rig.api.update_image(arn, **BUILD)
        build = wait_for("a build begins", lambda: self._open(arn))[0]
        self._lie()
        self.cell.cancelled = self.rig.api.call("POST", f"/doze/v1/builds/{build}/cancel")["buildState"] == "FAILED"

    def cancel_late(self, arn):
        """The image role has made the version before it hears of the cancel."""
        self.rig.api.update_image(arn, **BUILD)
        build = wait_for("a build begins", lambda: self._open(arn))[0]
        self._lie()
        cancel = self.rig.api.later("call", "POST", f"/doze/v1/builds/{build}/cancel")
        self.rig.settle()
        self.finished.add(build)
        self.rig.image.finish(build)
        self.cell.cancelled = cancel.result(20)["buildState"] == "FAILED"

    def cancel_early(self, arn):
        """Nobody works on it yet."""
        self.rig.image.channel.close()
        self.rig.settle()
        try:
            self.rig.api.update_image(arn, **BUILD)
            build = next(b["id"] for b in self.rig.rows("build WHERE state = 'PENDING'"))
            self._lie()
            self.cell.cancelled = self.rig.api.call("POST", f"/doze/v1/builds/{build}/cancel")["buildState"] == "FAILED"
        finally:
            self.finished.clear()
            self.rig.new_image_role()

    # They lie themselves, when it comes to it.
    LATE = ("end_build", "fail_build", "cancel_build", "cancel_late", "cancel_early")

    def _open(self, arn):
        return [build for build in self.rig.image.started
                if build not in self.finished and self.rig.image.specs[build]["imageArn"] == arn]

    def _lie(self):
        self.rig.lies.tell("COMMIT", self.answer, skip=self.cell.skip, times=1 if self.answer > 1000 else 0)

    def finish_all(self):
        """What the image role does of itself: builds end well, those that were cancelled not."""
        for build in list(self.rig.image.started):
            if build not in self.finished:
                self.finished.add(build)
                cancelled = build in self.rig.image.cancelled
                self.rig.image.finish(build, **(dict(ok=0, code=b"CANCELLED") if cancelled else {}))

    # One cell.

    def walk(self, cell):
        rig, self.cell = self.rig, cell
        cell.arn = f"arn:aws:lambda:us-east-1:000000000000:microvm-image:{cell.change}-{cell.skip}".replace("_", "-")
        if cell.change != "create":
            for number in (1, 2):
                (self.create if number == 1 else self.update)(cell.arn)
                self.until_settled(cell.arn)
        before = self.view(cell.arn)
        if cell.change not in self.LATE:
            self._lie()
        try:
            getattr(self, cell.change)(cell.arn)
        except (Refused, OSError):
            cell.refused = True
        if not self.dead():
            rig.pass_time(1)
        rig.lies.truth()
        if self.dead():
            self.restart()
        self.until_settled(cell.arn)
        self.check(cell, before)

    def dead(self):
        if self.rig.process.poll() not in (None, -9):
            self.cell.problems.append(f"control crashed: {self.rig.process.code}")
        return self.rig.process.poll() is not None

    def restart(self):
        """The image role comes back too, and is asked again for what control has no end of."""
        self.rig.restart()
        self.finished.clear()

    def until_settled(self, arn):
        for _ in range(40):
            self.finish_all()
            self.rig.settle()
            if self.view(arn) is None or self.view(arn)["state"] in SETTLED:
                return
            self.rig.pass_time(5, step=5)

    # What there is.

    def view(self, arn):
        try:
            image = self.rig.api.image(arn)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        versions = self.rig.api.call("GET", f"/2025-09-09/microvm-images/{quoted(arn)}/versions")["items"]
        return dict(state=image["state"], tags=self.rig.api.tags(arn),
                    versions={v["imageVersion"]: (v["state"], v["status"]) for v in versions})

    def stored(self, arn):
        rows = self.rig.rows("image WHERE name = ?", name_of(arn))
        if not rows:
            return None
        versions = self.rig.rows("version WHERE image = ?", rows[0]["id"])
        return dict(state=rows[0]["state"], tags=json.loads(rows[0]["tags"]),
                    versions={f"{v['version']}.0": (v["state"], v["status"]) for v in versions})

    def seen(self, arn):
        """What the API says and the store holds: what is on its way has a moment to arrive."""
        for _ in range(20):
            view, stored = self.view(arn), self.stored(arn)
            if view == stored:
                break
            self.rig.settle()
            time.sleep(0.02)
        return view, stored

    def disk(self, arn):
        """Versions whose files are there."""
        for row in self.rig.rows("image WHERE name = ?", name_of(arn)):
            with contextlib.suppress(OSError):
                return {f"{name}.0" for name in os.listdir(pathlib.Path(self.rig.dir) / "data/images" / row["id"])}
        return set()

    def check(self, cell, before):
        view, stored = self.seen(cell.arn)
        self.views[cell.arn] = view
        if view != stored:
            cell.problems.append(f"the API says {view}, the store {stored}")
        if view and view["state"] not in SETTLED:
            cell.problems.append(f"it stays {view['state']}")
        made = {number for number, (state, _) in (view or {"versions": {}})["versions"].items() if state == "SUCCESSFUL"}
        if made - self.disk(cell.arn):
            cell.problems.append(f"versions without files: {made - self.disk(cell.arn)}")
        died = self.answer > 1000
        if cell.refused and not died and view != before and cell.change not in self.LATE:
            cell.problems.append(f"it was refused, and {before} became {view}")
        if not cell.refused and not self.is_made(cell.change, view, before):
            cell.problems.append(f"its caller was told that it is made: {view}")
        if cell.change in ("end_build", "fail_build", "cancel_build") and view and "3.0" in view["versions"]:
            want = {"SUCCESSFUL"} if cell.change == "end_build" else {"FAILED", "SUCCESSFUL"} if died else {"FAILED"}
            if view["versions"]["3.0"][0] not in want:
                cell.problems.append(f"its build ended and it is {view['versions']['3.0']}")
        if cell.cancelled and view["versions"]["3.0"][0] != "FAILED":
            cell.problems.append(f"its caller was told that it is cancelled: {view['versions']['3.0']}")
        if self.disk(cell.arn) - made:
            cell.problems.append(f"files of versions that are not made: {self.disk(cell.arn) - made}")

    @staticmethod
    def is_made(change, view, before):
        return {"create": lambda: view is not None,
                "update": lambda: len(view["versions"]) == len(before["versions"]) + 1,
                "delete": lambda: view is None,
                "tag": lambda: view["tags"].get("changed") == "yes",
                "deactivate": lambda: view["versions"]["2.0"][1] == "INACTIVE",
                "delete_version": lambda: "1.0" not in view["versions"]}.get(change, lambda: True)()

    def run(self):
        try:
            for cell in self.cells:
                self.walk(cell)
            self.restart()
            for cell in self.cells:
                self.until_settled(cell.arn)
                view = self.view(cell.arn)
                if view != self.views[cell.arn]:
                    cell.problems.append(f"after a restart {self.views[cell.arn]} is {view}")
        finally:
            self.rig.close()


def name_of(arn):
    return arn.rpartition(":")[2]
