"""A disk for tests/kvm/product: a Debian with doze in it, the tests, and an instance with the images that it has built.

The Debian is made once for each list of packages and kept; the rest is copied from the running instance."""
import contextlib
import hashlib
import os
import pathlib
import shutil
import sqlite3
import subprocess

from rig import CLIENTS, PREFIX, ROOT

CACHE = pathlib.Path(os.environ.get("DOZE_KVM_CACHE", ROOT / "build-check/kvm"))
PACKAGES = ("nftables iproute2 e2fsprogs libnss-myhostname ca-certificates uidmap procps curl python3 libuv1 libssl3 libjansson4 "
            "libsqlite3-0 libpq5 libzip4 libmnl0 libcurl4 libinih1 libnghttp2-14 libwslay1 libseccomp2 libcap-ng0").split()
MODULES = "boto3 botocore s3transfer jmespath dateutil six.py urllib3 pytest _pytest py.py pluggy iniconfig packaging pygments".split()
MODELS = "lambda-microvms s3 sts".split()  # of botocore's 400 services
KILLS = 30 if os.environ.get("DOZE_LONG") else 3  # of test_crash.py
RUN = """#!/bin/sh
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH=/doze/python PYTHONDONTWRITEBYTECODE=1
export PREFIX={prefix} DOZE_PREBUILT={instance} DOZE_KILLS={kills}
cd /doze && python3 -m pytest -qs --tb=short --durations=5 --color=no -p no:cacheprovider "$@"
status=$?
[ $status = 0 ] || tail -n 40 /var/log/doze-{instance}/*.log /var/log/doze-{instance}/builds/*.log
exit $status
"""


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def debian():
    """An archive of the Debian, kept."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:16]
    archive = CACHE / f"debian-{key}.tar"
    if not archive.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = archive.with_suffix(".new.tar")
        run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=" + ",".join(PACKAGES),
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", str(draft))
        draft.rename(archive)
    return archive


def add_users(to):
    """The roles' users with the numbers that own the instance's files."""
    for name in ("passwd", "group", "shadow", "gshadow"):
        ours = [line for line in pathlib.Path("/etc", name).read_text().splitlines(True) if line.startswith("doze-")]
        with open(to / "etc" / name, "a", encoding="utf-8") as file:
            file.writelines(ours)


def add_python(to):
    packages = next(CLIENTS.glob("lib/python3*/site-packages"))

    def unused(folder, names):
        if pathlib.Path(folder) != packages / "botocore/data":
            return ["__pycache__"]
        return [n for n in names if (pathlib.Path(folder) / n).is_dir() and n not in MODELS]

    for name in MODULES:
        if (packages / name).is_dir():
            shutil.copytree(packages / name, to / name, ignore=unused)
        else:
            shutil.copy(packages / name, to / name)


def empty_copy(folder, to):
    """The same folder below `to`, with its owner and mode."""
    at = to / str(folder).lstrip("/")
    at.mkdir(parents=True)
    owner = folder.stat()
    os.chown(at, owner.st_uid, owner.st_gid)
    at.chmod(owner.st_mode & 0o7777)


def mirror(path, to):
    """The same path below `to`, with owners, modes and holes."""
    at = to / str(path).lstrip("/")
    at.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--sparse=always", str(path), str(at))
    return at


def add_instance(doze, arn, to):
    """The instance's data directory as it would be found after a clean stop, with the one image."""
    mirror(doze.etc, to)
    for folder in ("", "control", "images"):
        empty_copy(doze.data / folder, to)
    for name in ("FORMAT", "secrets", "ca.crt", "client-credentials"):
        mirror(doze.data / name, to)
    store = doze.data / "control/doze.db"
    copy = mirror(store, to)
    with contextlib.closing(sqlite3.connect(store)) as live, contextlib.closing(sqlite3.connect(copy)) as db:
        live.backup(db)
        (uuid,) = db.execute("SELECT id FROM image WHERE name = ?", (arn.rpartition(":")[2],)).fetchone()
        db.executescript(f"DELETE FROM image WHERE id != '{uuid}'; DELETE FROM version WHERE image != '{uuid}';"
                         f"DELETE FROM build WHERE image != '{uuid}'; DELETE FROM microvm; DELETE FROM token;")
    mirror(doze.data / "images" / uuid, to)


def add_system(instance, to):
    """All else, around the instance: the folder that tests/kvm/run makes a disk of."""
    run("tar", "-C", str(to), "-xf", str(debian()), "--exclude=./dev/*")
    add_users(to)
    for folder in ("bin", "libexec"):
        mirror(PREFIX / folder, to)
    home = to / "doze"
    shutil.copytree(ROOT / "tests/integration", home / "tests/integration", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "tools").mkdir()
    shutil.copy(ROOT / "tools/sweep", home / "tools/sweep")
    add_python(home / "python")
    (home / "run").write_text(RUN.format(prefix=PREFIX, instance=instance, kills=KILLS))
    (home / "run").chmod(0o755)
