"""Where machines map an image's memory file, its build notes what a start touches, for the time when that file is in no cache."""
import json
import struct

import pytest

PAGE = 4096
MIB = 2**20


def versions(doze, name):
    for folder in doze.data.glob("images/*/[0-9]*"):
        if json.loads((folder / "spec.json").read_text())["name"] == name:
            yield folder


def kind(folder):
    """The machine process that wrote the snapshot."""
    return (folder / "header").read_bytes()[16:32].rstrip(b"\0").decode()


def test_a_version_on_doze_vmm_has_the_list_of_what_its_start_touches(doze, images):
    assert images["counter"]
    folders = [folder for folder in versions(doze, "counter") if kind(folder) == "vmm"]
    if not folders:
        pytest.skip("this host's KVM is not usable")
    for folder in folders:
        runs = list(struct.iter_unpack("<QQ", (folder / "touched").read_bytes()))
        memory = (folder / "memory").stat().st_size // PAGE
        assert all(n for _, n in runs)
        assert all(first + n <= after for (first, n), (after, _) in zip(runs, runs[1:] + [(memory, 0)]))
        assert MIB < sum(n for _, n in runs) * PAGE < memory * PAGE / 2


def test_a_version_on_doze_qemu_has_none(doze, images):
    assert images["counter"]
    for folder in versions(doze, "counter"):
        assert (kind(folder) == "vmm") == (folder / "touched").exists()


def test_it_is_read_ahead_without_a_complaint(doze, images, microvms):
    assert doze.call(microvms(images["counter"]))["n"] == 1
    assert "read ahead" not in (doze.log / "dozed.log").read_text()
