"""The product's tests once more, its machines on doze-vmm: in L1 (tests/kvm/run), with an image that was built here.

Where this machine's KVM is usable there is no need: all other tests have run on doze-vmm then."""
import os
import re
import subprocess

import pytest
import kvm_rig
from rig import PREFIX, ROOT

MEMORY_MIB = 8192  # of L1: its files are in memory too
SECONDS = 2400 if os.environ.get("DOZE_LONG") else 600  # usual are 175
TIMED_OUT = 124
TESTS = ["tests/integration/test_lifecycle.py", "tests/integration/test_crash.py", "tests/integration/test_touched.py"]


def run_nested(data):
    done = subprocess.run([ROOT / "tests/kvm/run", "--nested", "--memory", str(MEMORY_MIB), "--timeout", str(SECONDS), "--data",
                           data, f"tests/kvm/product:{','.join(TESTS)}"], cwd=ROOT, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout)
    return done


def test_the_same_holds_on_doze_vmm(doze, images, tmp_path):
    if os.environ.get("DOZE_PREBUILT"):
        pytest.skip("this is it")
    if subprocess.run([PREFIX / "libexec/doze/doze-vmm", "--probe"], check=False, capture_output=True).returncode == 0:
        pytest.skip("all tests here run on doze-vmm")
    kvm_rig.make(doze, images["counter"], tmp_path / "data")
    done = run_nested(tmp_path / "data")
    if done.returncode == TIMED_OUT:
        print("L1 or a test in it stood still: once more")
        done = run_nested(tmp_path / "data")
    assert done.returncode == 0
    assert re.search(r"^ok - ", done.stdout, re.M)
