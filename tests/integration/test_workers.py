"""Several workers of the proxy, as control sees them: told the same, asked together, and none missed for long."""
import pytest
from control_rig import ALONE, Control, wait_for

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

IDLE = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}
OPEN, WAITING, SLEEPING = range(3)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory):
    rig = Control(str(tmp_path_factory.mktemp("rig")), machines=True)
    rig.image = rig.make_image("plain")
    yield rig
    assert rig.process.poll() is None, "control crashed"
    rig.close()


@pytest.fixture(name="others")
def _others(rig):
    others = [rig.new_worker(number) for number in (1, 2)]
    yield others
    for worker in others:
        worker.channel.close()
    rig.settle()


def idle_one(rig):
    vm = rig.run(rig.image, idlePolicy=IDLE)
    return vm, rig.row(vm)["endpoint"]


def now_ms(rig):
    return int(rig.lies.now() * 1000)


def test_every_worker_is_told_every_route(rig, others):
    _, endpoint = idle_one(rig)
    for worker in (rig.proxy, *others):
        wait_for("its route is open", lambda w=worker: w.routes[endpoint].state == OPEN)


def test_a_worker_that_comes_again_is_told_all_routes_and_the_others_nothing(rig, others):
    _, endpoint = idle_one(rig)
    rig.settle()
    told = [len(w.channel.got) for w in (rig.proxy, others[1])]
    others[0].channel.close()
    others[0] = rig.new_worker(1)
    assert others[0].routes[endpoint].state == OPEN
    assert [len(w.channel.got) for w in (rig.proxy, others[1])] == told


def test_it_is_suspended_only_once_all_workers_have_answered(rig, others):
    vm, endpoint = idle_one(rig)
    others[1].answers_hold = False
    rig.pass_time(61)
    wait_for("all hold", lambda: all("HOLD" in w.channel.got for w in others))
    rig.settle()
    assert rig.api.state(vm) == "RUNNING" and rig.proxy.routes[endpoint].state == OPEN
    others[1].say("HELD", endpoint)
    rig.pass_time(1)
    rig.wait_state(vm, "SUSPENDED")


@pytest.mark.parametrize("busy", [0, 1])
def test_the_youngest_byte_of_all_workers_counts(rig, others, busy):
    vm, endpoint = idle_one(rig)
    rig.pass_time(55)
    others[busy].last_byte_ms[endpoint] = now_ms(rig)
    rig.pass_time(20)
    assert rig.api.state(vm) == "RUNNING"
    wait_for("they are let go on", lambda: all("RELEASE" in w.channel.got for w in others))
    rig.pass_time(60)
    rig.wait_state(vm, "SUSPENDED")


def test_a_worker_that_never_answers_stops_no_suspend(rig, others):
    vm, _ = idle_one(rig)
    others[0].answers_hold = False
    rig.pass_time(70)
    rig.wait_state(vm, "SUSPENDED")


def test_what_the_others_said_counts_where_one_never_answers(rig, others):
    vm, endpoint = idle_one(rig)
    others[0].answers_hold = False
    rig.pass_time(55)
    others[1].last_byte_ms[endpoint] = now_ms(rig)
    rig.pass_time(20)
    assert rig.api.state(vm) == "RUNNING"


def test_a_worker_that_dies_before_its_answer_may_have_had_a_byte(rig, others):
    vm, _ = idle_one(rig)
    others[0].answers_hold = False
    rig.pass_time(61)
    wait_for("it is asked", lambda: "HOLD" in others[0].channel.got)
    others[0].channel.close()
    rig.pass_time(5)
    assert rig.api.state(vm) == "RUNNING"
    wait_for("the others are let go on", lambda: "RELEASE" in others[1].channel.got)
    rig.pass_time(65)
    rig.wait_state(vm, "SUSPENDED")


def test_a_worker_that_comes_while_the_others_hold_holds_too(rig, others):
    vm, endpoint = idle_one(rig)
    others[0].answers_hold = False
    rig.pass_time(61)
    wait_for("they hold", lambda: "HOLD" in others[0].channel.got)
    late = rig.new_worker(3)
    try:
        wait_for("it is told to hold", lambda: "HOLD" in late.channel.got)
        assert late.channel.got.index("HOLD") < late.channel.got.index("SYNCED")
        others[0].say("HELD", endpoint)
        rig.pass_time(1)
        rig.wait_state(vm, "SUSPENDED")
    finally:
        late.channel.close()


def test_wakes_of_several_workers_are_one_resume(rig, others):
    vm, endpoint = idle_one(rig)
    rig.pass_time(70)
    rig.wait_state(vm, "SUSPENDED")
    before = rig.proxy.channel.got.count("SET")
    for worker in (rig.proxy, *others):
        worker.say("WAKE", endpoint)
    rig.wait_state(vm, "RUNNING")
    for worker in others:
        worker.say("WAKE", endpoint)  # too late: it runs
    rig.settle()
    assert rig.api.state(vm) == "RUNNING"
    machines = [m for m in rig.priv.alive() if m.name == rig.row(vm)["machine"]]
    assert len(machines) == 1
    assert rig.proxy.channel.got.count("SET") - before <= 4


def test_the_latest_activity_of_any_worker_counts(rig, others):
    vm, endpoint = idle_one(rig)
    rig.pass_time(50)
    others[0].say("ACTIVE", endpoint, last_byte_ms=now_ms(rig))
    others[1].say("ACTIVE", endpoint, last_byte_ms=now_ms(rig) - 40000)
    rig.pass_time(50)
    assert rig.api.state(vm) == "RUNNING"
    rig.pass_time(65)
    rig.wait_state(vm, "SUSPENDED")


def test_a_worker_number_that_cannot_be_is_refused(rig):
    from control_rig import Proxy
    from ipc_structs import ipc
    odd = Proxy(rig.reactor)
    rig.supervisor.say("PEER", [odd.channel.theirs.fileno()], which=ipc.ROLE_PROXY, more=ipc.SUPER_WORKER_SLOTS)
    odd.channel.theirs.close()
    wait_for("its channel is closed", lambda: not odd.channel.open)
