"""What keeps a microVM awake besides bytes: the control role alone, with machines and a clock of the test's
(control_rig.py)."""
import pytest

from control_rig import ALONE, Control, ipc, wait_for
from lies import FULL
from scripted_monitor import frame
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

IDLE = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 28800, "autoResumeEnabled": True}


class World(Control):
    def __init__(self, place, settings=""):
        super().__init__(str(place), settings, machines=True)
        self.image_of = {}

    def awake(self, vm, **members):
        return self.api.call("PUT", f"/doze/v1/microvms/{vm}/awake", members)

    def get_awake(self, vm):
        return self.api.call("GET", f"/doze/v1/microvms/{vm}/awake")

    def new(self, name="sandbox", **members):
        if name not in self.image_of:
            self.image_of[name] = self.make_image(name)
        return self.run(self.image_of[name], idlePolicy=IDLE, **members)

    def works(self, vm, percent):
        """From now on the host sees its machine use so much of a core, whatever its guest says."""
        def stats(ask):
            now = self.lies.now()
            work["ns"] += int((now - work["at"]) * percent / 100 * 1e9)
            work["at"] = now
            ask.answer("STATS", cpu_ns=work["ns"], private_bytes=1, proportional_bytes=1, run=ask.actor.run)
        work = {"ns": 1000, "at": self.lies.now()}
        self.machine(vm).script.always("GET_STATS", stats)

    def leases(self, vm, seconds):
        self.machine(vm).say_agent(frame(ipc.AGENT_LEASE, (ipc.FIELD_TIMEOUT_MS, seconds * 1000)))
        self.settle()

    def sleeps(self, vm):
        return self.api.state(vm) == "SUSPENDED"


@pytest.fixture(name="world")
def _world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_without_a_policy_only_bytes_count(world):
    vm = world.new()
    world.works(vm, 100)
    world.leases(vm, 600)
    world.pass_time(58, step=2)
    assert not world.sleeps(vm)
    world.pass_time(6)
    assert world.sleeps(vm)
    assert world.get_awake(vm)["cpuPercent"] == 0


def test_a_busy_guest_is_not_frozen_in_its_work_and_an_idle_one_is(world):
    vm, idler = world.new(), world.new()
    for each, percent in ((vm, 40), (idler, 2)):
        world.works(each, percent)
        world.awake(each, cpuPercent=5)
    world.pass_time(300, step=2)
    assert not world.sleeps(vm) and world.sleeps(idler)
    shown = world.get_awake(vm)
    assert 38 <= shown["cpuPercentNow"] <= 42 and shown["idleSeconds"] <= 8, shown
    world.works(vm, 1)
    world.pass_time(72, step=2)
    assert world.sleeps(vm)


def test_a_guest_that_claims_to_work_is_measured_by_its_machine(world):
    vm = world.new()
    world.works(vm, 0)
    world.awake(vm, cpuPercent=5)
    for _ in range(6):
        world.machine(vm).say_agent(frame(ipc.AGENT_SAMPLE, (ipc.FIELD_AT_MS, 1), (ipc.FIELD_CPU_US, 1 << 60)))
        world.leases(vm, 3600)  # which is not allowed
        world.pass_time(9)
    world.pass_time(10)
    assert world.sleeps(vm)


def test_a_machine_that_does_not_answer_keeps_nothing_awake(world):
    vm = world.new()
    world.machine(vm).script.always("GET_STATS", lambda ask: None)
    world.awake(vm, cpuPercent=5)
    world.pass_time(64, step=2)
    assert world.sleeps(vm)


def test_a_lease_keeps_awake_until_it_ends_or_is_given_back(world):
    vm, other = world.new(), world.new()
    for each in (vm, other):
        world.awake(each, lease=True)
        world.leases(each, 600)
    world.pass_time(100, step=5)
    world.leases(other, 0)
    assert world.get_awake(other)["leaseSeconds"] == 0 and 480 <= world.get_awake(vm)["leaseSeconds"] <= 500
    world.pass_time(66, step=2)
    assert world.sleeps(other) and not world.sleeps(vm)
    world.pass_time(490, step=5)
    assert not world.sleeps(vm)
    world.pass_time(10)
    assert world.sleeps(vm)


@pytest.mark.parametrize("how", ("cpu", "lease"))
def test_work_counts_for_a_while_after_the_last_byte_and_no_longer(tmp_path, how):
    world = World(tmp_path, "[limits]\nawake_s=300\n")
    try:
        vm = world.new()
        world.awake(vm, cpuPercent=5, lease=True)
        if how == "cpu":
            world.works(vm, 100)
        else:
            world.leases(vm, 864000)
        world.pass_time(350, step=5)
        assert not world.sleeps(vm) and world.get_awake(vm)["maximumSeconds"] == 300
        world.pass_time(16)
        assert world.sleeps(vm)
        world.api.resume(vm)
        world.wait_state(vm, "RUNNING")
        world.pass_time(64, step=2)  # the lease is not of this life, and the machine is another one
        assert world.sleeps(vm) or how == "cpu"
    finally:
        world.close()


def test_no_work_outlives_the_longest_duration(world):
    vm = world.new(maximumDurationInSeconds=120)
    world.awake(vm, lease=True)
    world.leases(vm, 864000)
    world.pass_time(126, step=5)
    assert world.api.state(vm) == "TERMINATED"


def test_the_policy_outlives_a_crash_and_a_worker_has_time_to_show_itself(world):
    vm = world.new()
    world.awake(vm, cpuPercent=7, lease=True)
    world.leases(vm, 600)
    world.pass_time(100, step=5)
    world.restart()
    world.wait_state(vm, "RUNNING")
    shown = world.get_awake(vm)
    assert shown["cpuPercent"] == 7 and shown["lease"] and shown["leaseSeconds"] == 0
    world.pass_time(50, step=5)
    assert not world.sleeps(vm)
    world.pass_time(20)
    assert world.sleeps(vm)


def test_what_is_not_durable_does_not_count(world):
    vm = world.new()
    world.lies.tell("COMMIT", FULL, text="dozeAwake")
    with pytest.raises(Refused) as refused:
        world.awake(vm, lease=True)
    assert refused.value.status == 500
    world.lies.truth()
    assert not world.get_awake(vm)["lease"]
    world.leases(vm, 600)
    world.pass_time(64, step=2)
    assert world.sleeps(vm)
    assert world.awake(vm, lease=True)["lease"]  # of one that sleeps, for its next life
    assert "dozeAwake" in world.row(vm)["params"]


def test_an_image_may_have_its_own_and_a_microvm_another(tmp_path):
    world = World(tmp_path, "[limits]\nawake=sandbox=cpu=5%,lease; other=lease\n")
    try:
        vm, plain = world.new(), world.new("plain")
        assert world.get_awake(vm)["cpuPercent"] == 5 and world.get_awake(vm)["lease"]
        assert not world.get_awake(plain)["lease"]
        world.awake(vm)
        assert world.get_awake(vm)["cpuPercent"] == 0 and not world.get_awake(vm)["lease"]
    finally:
        world.close()


def test_the_services_own_operations_show_nothing_of_it(world):
    vm = world.new()
    before = world.api.get(vm)
    world.awake(vm, cpuPercent=5, lease=True)
    assert world.api.get(vm) == before


def test_what_makes_no_sense_is_refused(world):
    vm = world.new()
    for members in ({"cpuPercent": 6401}, {"cpuPercent": -1}, {"cpuPercent": "5%"}, {"lease": 1}):
        with pytest.raises(Refused) as refused:
            world.awake(vm, **members)
        assert refused.value.status == 400, members
    with pytest.raises(Refused) as refused:
        world.awake("microvm-00000000-0000-4000-8000-000000000000", lease=True)
    assert refused.value.status == 404
    world.api.terminate(vm)
    wait_for("it has ended", lambda: world.api.state(vm) == "TERMINATED")
    with pytest.raises(Refused) as refused:
        world.awake(vm, lease=True)
    assert refused.value.status == 409
