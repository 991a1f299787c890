"""The wall clock is set while the control role runs, by hours and both ways: nothing that was promised ends or comes back."""
import ssl
import subprocess

import pytest

from control_rig import ALONE, REGION, Control, wait_for
from signed import V, Api, Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

HOUR = 3600

@pytest.fixture(params=[8 * HOUR, -8 * HOUR], ids=["forward", "back"])
def stepped(request):
    """A control, and what sets its clock."""
    rig = Control(machines=True)
    yield rig, lambda: rig.lies.step_wall_clock(request.param)
    rig.close()


def keyed(rig, key):
    return Api(rig, key["accessKeyId"], key["secretAccessKey"], REGION)


def test_a_key_ends_after_its_time_and_no_sooner(stepped):
    rig, step = stepped
    key = rig.api.call("POST", "/doze/v1/keys", {"name": "hourly", "expiresInSeconds": HOUR})
    step()
    keyed(rig, key).call("GET", f"{V}/microvms")
    left = next(k for k in rig.api.call("GET", "/doze/v1/keys")["items"] if k["name"] == "hourly")["expiresAt"] - rig.lies.now()
    assert HOUR - 60 < left <= HOUR, "what is shown is told by the clock as it is set now"
    rig.pass_time(HOUR - 60, 600)
    keyed(rig, key).call("GET", f"{V}/microvms")
    rig.pass_time(120, 60)
    with pytest.raises(Refused) as caught:
        keyed(rig, key).call("GET", f"{V}/microvms")
    assert caught.value.status == 403


def test_a_key_that_has_ended_stays_ended(stepped):
    rig, step = stepped
    key = rig.api.call("POST", "/doze/v1/keys", {"name": "minute", "expiresInSeconds": 60})
    rig.pass_time(61, 10)
    step()
    with pytest.raises(Refused):
        keyed(rig, key).call("GET", f"{V}/microvms")


def test_a_certificate_carries_a_time_that_no_step_moves(stepped):
    rig, step = stepped
    vm = rig.run(rig.make_image("hello"))
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True).stdout.decode()

    def end():
        made = rig.api.call("POST", f"/doze/v1/microvms/{vm}/certificate",
                            {"publicKey": public, "expirationInMinutes": 30, "allowedPorts": [{"port": 8080}]})["certificate"]
        said = subprocess.run(["openssl", "x509", "-noout", "-enddate"], input=made.encode(), check=True, capture_output=True).stdout.decode()
        return ssl.cert_time_to_seconds(said.strip().partition("=")[2])

    before = end()
    step()
    assert 0 <= end() - before < 60


def test_a_client_token_is_remembered_for_its_day(stepped):
    rig, step = stepped
    image = rig.make_image("hello")
    first = rig.api.run(image, clientToken="once")
    step()
    rig.pass_time(HOUR, 600)
    assert rig.api.run(image, clientToken="once") == first
    rig.pass_time(24 * HOUR, HOUR)
    rig.api.terminate(first)
    assert rig.api.run(image, clientToken="once") != first


def test_a_microvm_lives_as_long_as_it_was_promised(stepped):
    rig, step = stepped
    image = rig.make_image("hello")
    vm = rig.run(image, maximumDurationInSeconds=2 * HOUR)
    step()
    rig.pass_time(2 * HOUR - 60, 600)
    assert rig.api.state(vm) == "RUNNING"
    rig.pass_time(120, 60)
    wait_for("its time is over", lambda: rig.api.state(vm) == "TERMINATED")


def test_what_was_kept_through_a_restart_does_not_end_early(stepped):
    rig, step = stepped
    image = rig.make_image("hello")
    vm = rig.run(image, maximumDurationInSeconds=2 * HOUR)
    key = rig.api.call("POST", "/doze/v1/keys", {"name": "hourly", "expiresInSeconds": HOUR})
    step()
    rig.settle()
    rig.restart()
    wait_for("control is there", lambda: rig.api.state(vm))
    rig.pass_time(HOUR - 120, 600)
    assert rig.api.state(vm) == "RUNNING"
    keyed(rig, key).call("GET", f"{V}/microvms")
