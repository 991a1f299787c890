"""A guest's process is a container's process: the same program on the same root file system prints the same facts in a container
of runc, which has what Docker gives it by default, and in a guest.  What differs stands in docs/service.md, with its reason."""
import fnmatch
import json
import os
import pathlib
import re
import subprocess

import pytest

import container_rig as rig
import machine as m

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# A user's fields of START, and what Docker makes of USER with the image's /etc/passwd and /etc/group.
USERS = {
    "root": ([], (0, 0, [0, 0, 1])),
    "web": ([(m.USER, "web")], (1234, 60000, [60000, 777, 778])),
}
ABSENT = "absent"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    out = tmp_path_factory.mktemp("container")
    init = os.environ.get("DOZE_GUEST_INIT", ROOT / "build/src/guest/doze-init")
    cache = os.environ.get("DOZE_GUEST_CACHE", ROOT / ".cache/kernel")
    subprocess.run([ROOT / "tools/make-guest", out, "--init", init, "--cache", cache], check=True)
    subprocess.run(["musl-gcc", "-O2", "-static", "-D_GNU_SOURCE", "-Wall", "-o", out / "facts", *sorted(HERE.glob("facts*.c"))], check=True)
    return out


def named_differences():
    """The rows of the table in docs/service.md: patterns of a fact's name, of its value in Docker, and in a guest."""
    text = (ROOT / "docs/service.md").read_text()
    table = text.split("<!-- facts -->")[1].split("\n\n")[0]
    return re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| .+ \|$", table, re.MULTILINE)


def lacks(host_has, name):
    """Whether a fact is about something that this host's kernel, or the guest's, does not have at all."""
    return any(name == f"mount {path}" or name.endswith(" " + path) for path in rig.MASKED + rig.READONLY if not host_has(path)) \
        or name == "/dev/core" and not host_has("/proc/kcore")


def compare(docker, guest):
    """Facts that differ without a row, and rows that fit no fact."""
    rows, used, unnamed = named_differences(), set(), {}
    for name in sorted(docker.keys() | guest.keys()):
        mine, theirs = guest.get(name, ABSENT), docker.get(name, ABSENT)
        if mine == theirs or lacks(os.path.exists, name):
            continue
        found = [row for row in rows if fnmatch.fnmatchcase(name, row[0]) and fnmatch.fnmatchcase(theirs.strip(), row[1])
                 and fnmatch.fnmatchcase(mine.strip(), row[2])]
        used.update(found)
        if not found:
            unnamed[name] = (theirs, mine)
    return unnamed, [row for row in rows if row not in used]


@pytest.mark.parametrize("user", USERS)
def test_a_guests_process_sees_what_a_containers_process_sees(files, tmp_path, user):
    fields, ids = USERS[user]
    (tmp_path / "docker").mkdir()
    (tmp_path / "guest").mkdir()
    printed, said = rig.run_in_docker(tmp_path / "docker", files / "facts", ids)
    assert printed.startswith("{"), said
    docker = {**json.loads(printed), **rig.DAEMON_LIMITS}
    (printed, errors, agent), code = rig.run_in_guest(tmp_path / "guest", files, files / "facts", *fields)
    assert code == 7 and errors == "", (code, errors, agent)
    guest = json.loads(printed)
    assert guest["program"] == ("/secret/facts" if user == "root" else "/bin/facts")
    assert len(docker) > 200 and len(set(docker) & set(guest)) > 200
    unnamed, unused = compare(docker, guest)
    assert unnamed == {}
    if user == "root":
        assert unused == []


def test_the_hosts_owner_may_refuse_new_privileges(files, tmp_path):
    (printed, errors, agent), code = rig.run_in_guest(tmp_path, files, files / "facts", (m.USER, "web"), (m.NO_NEW_PRIVS, 1))
    guest = json.loads(printed)
    assert guest["status NoNewPrivs"] == "1"
    assert guest["set-user-ID program"].startswith("uid 1234 euid 1234 ")
    assert guest["program with a file capability"].endswith("CapEff:\t0000000000000000")
