"""An instance of doze for the tests: started before the first, ended and cleared after the last.

What a killed run left is cleared at the next start: every instance is named after the process that made it.
"""
import os
import pathlib
import shutil
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Doze, clear_leftovers, free_ports  # noqa: E402

# The name of an instance whose data directory came from elsewhere, with its images (kvm_rig.py).
PREBUILT = os.environ.get("DOZE_PREBUILT")


@pytest.fixture(scope="session")
def doze(tmp_path_factory):
    if not PREBUILT:
        clear_leftovers()
    # A terminated pytest unwinds its fixtures.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # The registry of test_registries.py, which begins to answer there.
    mirror = f"127.0.0.1:{free_ports(1)[0]}"
    settings = {"service": {"listen": "127.0.0.77", "api_name": "server.example.org"},  # test_remote.py
                "build": {"insecure_registries": mirror}, "registry registry.test": {"mirror": mirror}}
    if PREBUILT:
        settings["machine"] = {"engine": "kvm"}
    instance = Doze(tmp_path_factory.mktemp("doze"), PREBUILT, **settings)
    try:
        if not PREBUILT:
            instance.own_disk(24)
        instance.up()
        yield instance
    finally:
        instance.keep_logs()
        if PREBUILT:
            instance.down()
        else:
            instance.remove()


@pytest.fixture(scope="session")
def images(doze):
    """The examples, built: name -> ARN.  Built at first use, each once."""

    class Images(dict):
        def __missing__(self, name):
            self[name] = doze.rebuild(name) if PREBUILT else doze.build_example(name)
            return self[name]

    return Images()


@pytest.fixture
def microvms(doze):
    """Runs microVMs and ends what is left of them after the test."""
    made = []

    def run(arn, **members):
        answer = doze.api.run_microvm(imageIdentifier=arn, **members)
        made.append(answer["microvmId"])
        return answer

    yield run
    for microvm in made:
        doze.api.terminate_microvm(microvmIdentifier=microvm)


@pytest.fixture(autouse=True)
def _daemon_lives(doze, request):
    yield
    if not doze.alive():
        doze.up()  # the next tests are not this one's victims
        pytest.fail(f"dozed is gone after {request.node.name}")


def pytest_runtest_logreport(report):
    """A line for each test, as tests/kvm/run counts them."""
    if PREBUILT and (report.when == "call" or report.failed):
        print(f"\n{'ok' if report.passed else 'not ok'} - {report.nodeid.rpartition('/')[2]} {report.when}", flush=True)


def pytest_configure(config):
    config.addinivalue_line("markers", "daemon: it needs an instance; the others drive a program or a role alone")
    config.addinivalue_line("markers", "first: it begins what goes on while others run")
    config.addinivalue_line("markers", "last: it waits for that")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`-m daemon` and `-m "not daemon"` are two runs that may go side by side."""
    for item in items:
        if "doze" in item.fixturenames:
            item.add_marker("daemon")
    items.sort(key=lambda item: bool(item.get_closest_marker("last")) - bool(item.get_closest_marker("first")))


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the integration tests make namespaces and cgroups: run them as root", 1)
    if not shutil.which("curl"):
        pytest.exit("curl is missing: tools/deps story", 1)


