"""Several workers of the proxy, as control sees them: told the same, asked together, and none missed for long."""
import http.client
import socket

import pytest
from control_rig import ALONE, Control, Proxy, wait_for
from ipc_structs import ipc

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
    odd = Proxy(rig.reactor)
    rig.supervisor.say("PEER", [odd.channel.theirs.fileno()], which=ipc.ROLE_PROXY, more=ipc.SUPER_WORKER_SLOTS)
    odd.channel.theirs.close()
    wait_for("its channel is closed", lambda: not odd.channel.open)


def meter(**numbers):
    m = ipc.meter()
    for name, value in numbers.items():
        if isinstance(value, dict):
            for i, n in value.items():
                getattr(m, name)[i] = n
        else:
            setattr(m, name, value)
    return m


@pytest.fixture(name="metrics", scope="module")
def _metrics(rig):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    rig.supervisor.say("LISTENER", [listener.fileno()], which=ipc.LISTENER_METRICS, port=port)
    listener.close()

    def ask(path="/metrics", method="GET", host="localhost"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    return ask


def series(metrics):
    status, text = metrics()
    assert status == 200
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len({name for name, _ in rows}) == len(rows), "no series comes twice"
    return {name: float(value) for name, value in rows}


def test_counts_of_all_workers_are_added_up_in_all_and_for_each_microvm(rig, others, metrics):
    vm, endpoint = idle_one(rig)
    before = series(metrics)
    for worker in others:
        worker.say("METER", endpoint, meter=meter(requests={2: 3, 5: 1}, refusals={ipc.REFUSAL_NO_LISTENER: 1}, wakes=2, held=2, hold={0: 1, 13: 1},
                                                  hold_ms=70000, first={3: 4}, first_ms=40, **{"in": 10}, out=20))
    others[0].say("METER", "", meter=meter(requests={4: 5}, refusals={ipc.REFUSAL_NO_TOKEN: 5}))
    wait_for("all are counted", lambda: series(metrics)['doze_requests_total{class="4xx"}'] ==
             before['doze_requests_total{class="4xx"}'] + 5)
    now = series(metrics)
    mine = {name.replace(f'microvm="{vm}"', ""): value for name, value in now.items() if vm in name}
    assert mine['doze_microvm_requests_total{,class="2xx"}'] == 6 and \
        mine['doze_microvm_refusals_total{,reason="no-listener"}'] == 2
    assert now['doze_refusals_total{reason="no-token"}'] - before['doze_refusals_total{reason="no-token"}'] == 5
    assert mine["doze_microvm_received_bytes_total{}"] == 20 and mine["doze_microvm_sent_bytes_total{}"] == 40
    assert mine["doze_microvm_wakes_total{}"] == 4
    assert now['doze_requests_total{class="2xx"}'] - before['doze_requests_total{class="2xx"}'] == 6
    assert now['doze_hold_seconds_bucket{le="+Inf"}'] - before['doze_hold_seconds_bucket{le="+Inf"}'] == 4
    assert now['doze_hold_seconds_bucket{le="60"}'] - before['doze_hold_seconds_bucket{le="60"}'] == 2
    assert now["doze_hold_seconds_sum"] - before["doze_hold_seconds_sum"] == pytest.approx(140)
    assert now["doze_first_byte_seconds_count"] - before["doze_first_byte_seconds_count"] == 8


def test_series_of_a_microvm_go_with_it_and_the_totals_stay(rig, others, metrics):
    vm, endpoint = idle_one(rig)
    others[0].say("METER", endpoint, meter=meter(requests={2: 7}))
    wait_for("it is counted", lambda: any(vm in name for name in series(metrics)))
    total = series(metrics)['doze_requests_total{class="2xx"}']
    rig.api.terminate(vm)
    rig.pass_time(5)
    rig.wait_state(vm, "TERMINATED")
    now = series(metrics)
    assert not any(vm in name for name in now)
    assert now['doze_requests_total{class="2xx"}'] == total


def test_what_a_worker_holds_goes_with_it(rig, others, metrics):
    for worker in others:
        worker.channel.say("NOW", now=ipc.meter_now(connections=5, held=2, running=3))
    wait_for("both are seen", lambda: series(metrics)["doze_connections"] == 10)
    assert series(metrics)["doze_held"] == 4 and series(metrics)["doze_workers"] == 3
    others[0].channel.close()
    wait_for("one is left", lambda: series(metrics)["doze_connections"] == 5)
    assert series(metrics)["doze_workers"] == 2


def test_only_a_local_reader_gets_the_metrics(metrics):
    assert metrics("/")[0] == metrics("/metrics/x")[0] == metrics("/metricsx")[0] == 404
    assert metrics(method="POST")[0] == 405
    assert metrics(host="evil.example")[0] == metrics(host="localhost.evil.example")[0] == 403
    assert metrics(host="127.0.0.1:9012")[0] == metrics(host="[::1]:1")[0] == 200
    assert metrics("/metrics?x=1")[0] == 200


def test_each_microvm_has_a_row_of_its_own_until_it_ends(rig, others):
    (one, first), (_, second) = idle_one(rig), idle_one(rig)
    routes = others[0].routes
    wait_for("both have one", lambda: routes[first].share and routes[second].share)
    assert routes[first].share != routes[second].share
    assert routes[first].units == 4, "of 512 MiB"
    given = routes[first].share
    assert rig.proxy.routes[first].share == given, "the same at all workers"
    rig.api.terminate(one)
    rig.pass_time(5)
    rig.wait_state(one, "TERMINATED")
    wait_for("it is given back", lambda: routes[first].share == 0)
    _, third = idle_one(rig)
    wait_for("the next one gets it", lambda: third in routes and routes[third].share == given)
