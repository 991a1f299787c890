"""The product's tests once more, its machines on doze-vmm: in L1 (tests/kvm/run), with an image that was built here.

Where this machine's KVM is usable there is no need: all other tests have run on doze-vmm then."""
import concurrent.futures
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


class Nested:
    """The tests in L1, on the way while others run."""

    def __init__(self, instance, place):
        self.instance, self.data, self.log = instance, place / "data", place / "log"
        self.process, self.pool = None, concurrent.futures.ThreadPoolExecutor(1)
        self.status = self.pool.submit(self.first)

    def first(self):
        kvm_rig.add_system(self.instance, self.data)
        return self.run()

    def run(self):
        argv = [ROOT / "tests/kvm/run", "--nested", "--memory", str(MEMORY_MIB), "--timeout", str(SECONDS), "--data", self.data,
                f"tests/kvm/product:{','.join(TESTS)}"]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        return self.process.wait()

    def close(self):
        if self.process:
            self.process.terminate()
        self.pool.shutdown()


@pytest.fixture(name="nested", scope="session")
def _nested(doze, images, tmp_path_factory):
    if os.environ.get("DOZE_PREBUILT"):
        pytest.skip("this is it")
    if subprocess.run([PREFIX / "libexec/doze/doze-vmm", "--probe"], check=False, capture_output=True).returncode == 0:
        pytest.skip("all tests here run on doze-vmm")
    place = tmp_path_factory.mktemp("nested")
    kvm_rig.add_instance(doze, images["counter"], place / "data")
    nested = Nested(doze.name, place)
    yield nested
    nested.close()


@pytest.mark.first
def test_an_image_of_here_goes_to_a_linux_with_kvm(nested):
    assert (nested.data / "var/lib").is_dir()


@pytest.mark.last
def test_the_same_holds_on_doze_vmm(nested):
    status = nested.status.result()
    if status == TIMED_OUT:
        print("L1 or a test in it stood still: once more")
        status = nested.run()
    assert status == 0, nested.log.read_text()
    assert re.search(r"^ok - ", nested.log.read_text(), re.M)
