"""The harness itself: what a job does is what `run` reports."""
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import l1  # noqa: E402

REGISTERS = "CPU#0\nRAX=0\nRIP={rip} RFL={flags} [---] CPL=0 II=0 A20=1 SMM=0 HLT={halted}\n"
SPINNING = {"rip": "ffffffff8110a2b4", "flags": "00000002", "halted": 0}


def registers(**changes):
    return REGISTERS.format(**{**SPINNING, **changes})


def job(tmp_path, text, name="job"):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "run").write_text("#!/bin/busybox sh\n" + text)
    (folder / "run").chmod(0o755)
    return folder


def run(*words):
    return subprocess.run([HERE / "run", "--count", *map(str, words)], capture_output=True, text=True, timeout=300,
                          check=False)


@pytest.mark.parametrize("texts, known", [
    ([registers()] * 6, True),
    ([registers()] * 4 + [registers(flags="00000246")] * 2, True),  # L1 takes its own interrupts meanwhile
    ([registers(flags="00000246")] * 6, False),  # busy, and interruptible
    ([registers(halted=1)] * 6, False),  # waits
    ([registers(rip="0000000000401038")] * 6, False),  # user code
])
def test_only_a_kernel_that_spins_with_interrupts_off_is_the_known_fault(texts, known):
    assert l1.where_it_stands(texts)[1] == known


def test_a_job_that_succeeds_is_one_passed(tmp_path):
    done = run(job(tmp_path, "echo hello; ls /dev/kvm; touch here\n"))
    assert done.returncode == 0
    assert done.stdout == "hello\n/dev/kvm\n1 passed, 0 failed\n"


def test_a_jobs_own_results_are_counted_and_its_status_is_kept(tmp_path):
    good, bad = job(tmp_path, "echo ok - one\necho ok - two\n", "good"), job(tmp_path, "echo not ok - three\nexit 7\n", "bad")
    done = run(good, bad, good)
    assert done.returncode == 7
    assert done.stdout.splitlines()[-2:] == ["FAILED: bad (status 7)", "4 passed, 1 failed"]


def test_a_job_that_hangs_is_ended_with_124(tmp_path):
    done = run("--timeout", 3, job(tmp_path, "echo before\nsleep 1000\n"))
    assert done.returncode == 124
    assert done.stdout.startswith("before\n") and done.stdout.endswith("0 passed, 1 failed\n")
    assert "once more" not in done.stderr


def test_a_broken_l1_is_125(tmp_path):
    done = run("--nested", job(tmp_path, "echo c >/proc/sysrq-trigger; sleep 100\n"))
    assert done.returncode == 125


def test_a_program_takes_its_files_along(tmp_path):
    (tmp_path / "text").write_text("words")
    done = run("--quiet", "--", "/bin/busybox", "cat", tmp_path / "text")
    assert (done.returncode, done.stdout) == (0, "words\n1 passed, 0 failed\n")


def test_the_data_disk_is_in_mnt(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("on the disk\n")
    done = run("--data", tmp_path / "data", job(tmp_path, "cat /mnt/file\n"))
    assert done.stdout.startswith("on the disk\n")


def test_a_dynamic_program_takes_its_libraries_along():
    done = run("--quiet", "--", shutil.which("ls"), "/dev/kvm")
    assert (done.returncode, done.stdout) == (0, "/dev/kvm\n1 passed, 0 failed\n")
