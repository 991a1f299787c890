"""`doze backup` of a control role that runs, and `doze restore` of that into another data directory, for either database."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import postgres_rig
from control_rig import ALONE, KEY, SECRET, Control, wait_for
from rig import NAME

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", "build"))
DOZE = BUILD / "src/cli/doze"
INSTANCE = f"{NAME}{os.getpid()}b"

if not ALONE.exists() or not DOZE.exists():
    pytest.skip(f"{ALONE} or {DOZE} is not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


class Places:
    """What the command line knows of an instance: its configuration, and keys in its data directory."""

    def __init__(self):
        self.etc, self.run = pathlib.Path(f"/etc/doze-{INSTANCE}"), pathlib.Path(f"/run/doze-{INSTANCE}")
        for path in (self.etc, self.run):
            path.mkdir(parents=True)

    def point_at(self, data, port=1):
        (self.etc / "doze.ini").write_text(f"[paths]\ndata={data}\n[service]\napi_port={port}\n")

    def doze(self, *words):
        return subprocess.run([DOZE, "--instance", INSTANCE, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)

    def well(self, *words):
        done = self.doze(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words):
        done = self.doze(*words)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        return done.stderr

    def remove(self):
        for path in (self.etc, self.run):
            shutil.rmtree(path)


@pytest.fixture
def places():
    places = Places()
    yield places
    places.remove()


@pytest.fixture
def backup(places, tmp_path):
    """(folder, control that it was taken of, image, suspended microVM, running microVM)"""
    rig = Control(tls=True, machines=True)
    data = pathlib.Path(rig.dir) / "data"
    (data / "FORMAT").write_text("4\n")
    (data / "secrets").mkdir()
    (data / "secrets/token-keys.json").write_text("{}")
    (data / "client-credentials").write_text(f"[doze]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    shutil.copy(rig.ca, data / "ca.crt")
    places.point_at(data, rig.port)
    image = rig.make_image("app")
    asleep, awake = rig.run(image), rig.run(image)
    rig.api.suspend(asleep)
    folder = tmp_path / "backup"
    places.well("backup", folder)
    yield folder, rig, image, asleep, awake
    rig.close()


def restored(places, folder, place, *options):
    place.mkdir(exist_ok=True)
    places.point_at(place / "data")
    return places.well("restore", folder, *options)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_suspended_and_built_is_there_after_a_restore(places, backup, tmp_path, database):
    folder, before, image, asleep, awake = backup
    server = postgres_rig.Postgres() if database == "postgres" else None
    guest = before.saves(asleep)
    rig = None
    try:
        restored(places, folder, tmp_path / "other")
        rig = Control(data=str(tmp_path / "other"), machines=True, postgres=server)
        assert rig.api.image(image)["state"] == "CREATED"
        assert rig.api.state(asleep) == "SUSPENDED" and rig.saves(asleep) == guest
        rig.api.resume(asleep)
        rig.wait_state(asleep, "RUNNING")
        wait_for("what ran has ended", lambda: rig.api.state(awake) == "TERMINATED")
        assert not os.path.exists(tmp_path / "other/data/control/restore.rows")
        rig.restart()
        assert rig.api.state(asleep) == "RUNNING"
    finally:
        if rig:
            rig.close()
        if server:
            server.close()


def test_image_files_take_no_room_of_their_own(backup):
    folder, rig, image, asleep, _ = backup
    saves = list(folder.glob(f"control/microvms/{asleep}/save-*/memory"))
    assert len(saves) == 1
    live = pathlib.Path(f"{rig.dir}/data") / saves[0].relative_to(folder)
    if live.stat().st_dev == saves[0].stat().st_dev:  # /tmp has hard links
        assert live.stat().st_ino == saves[0].stat().st_ino or live.stat().st_blocks == saves[0].stat().st_blocks
    rig.api.terminate(asleep)
    wait_for("its files are gone", lambda: not live.exists())
    assert saves[0].stat().st_size


def test_a_backup_goes_on_while_microvms_come_and_go(places, backup, tmp_path):
    _, rig, image, _, _ = backup
    for n in range(3):
        vm = rig.run(image)
        asked = rig.api.later("suspend", vm)
        places.well("backup", tmp_path / f"more-{n}")
        asked.result(30)
        rig.api.terminate(vm)
        rows = [json.loads(line) for line in (tmp_path / f"more-{n}/rows").read_text().splitlines()]
        for row in rows:
            if row.get("table") == "microvm" and row["row"]["save"] and row["row"]["state"] != "TERMINATED":
                assert (tmp_path / f"more-{n}/control/microvms/{row['row']['id']}/save-{row['row']['save']}/header").exists()
    assert not list(pathlib.Path(f"{rig.dir}/data/control").glob(".backup-*"))


def test_a_damaged_backup_is_refused_before_anything_is_changed(places, backup, tmp_path):
    folder = backup[0]
    for name in ("rows", "manifest.json", next(iter(folder.glob("control/microvms/*/save-*/memory"))).relative_to(folder)):
        copy = tmp_path / "damaged"
        shutil.copytree(folder, copy)
        with open(copy / name, "r+b") as file:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))
        places.point_at(tmp_path / "new")
        assert "backup" in places.refused("restore", copy)
        assert not any((tmp_path / "new").iterdir())
        shutil.rmtree(copy)
    (folder / "ca.crt").unlink()
    assert "ca.crt" in places.refused("restore", folder)
    assert not any((tmp_path / "new").iterdir())


def test_what_is_there_is_replaced_only_by_force(places, backup, tmp_path):
    folder, _, image, asleep, _ = backup
    restored(places, folder, tmp_path / "other")
    rig = Control(data=str(tmp_path / "other"), machines=True)
    try:
        later = rig.make_image("later")
        rig.stop()
        assert "--force" in places.refused("restore", folder)
        places.well("restore", folder, "--force")
        rig.start()
        assert rig.api.state(asleep) == "SUSPENDED"
        assert {row["name"] for row in rig.rows("image")} == {"app"}, later
    finally:
        rig.close()


def test_a_restore_that_was_broken_off_is_finished_by_another(places, backup, tmp_path):
    folder, _, image, asleep, _ = backup
    restored(places, folder, tmp_path / "other")
    (tmp_path / "other/data/RESTORING").touch()
    (tmp_path / "other/data/control/restore.rows").unlink()
    places.well("restore", folder)
    assert not (tmp_path / "other/data/RESTORING").exists()
    rig = Control(data=str(tmp_path / "other"), machines=True)
    try:
        assert rig.api.state(asleep) == "SUSPENDED"
    finally:
        rig.close()


def test_a_folder_that_is_there_is_left_alone(places, backup):
    folder = backup[0]
    assert "is there already" in places.refused("backup", folder)
    assert (folder / "manifest.json").exists()
