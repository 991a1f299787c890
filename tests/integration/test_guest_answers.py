"""What a guest answers to its hooks, a warm clone to its run, and the proxy to the question for the last byte."""
import pytest

import scripted_monitor as monitors
from control_rig import ALONE, Control, wait_for
from ipc_structs import ipc
from script import dies_before, never, refuse, twice, wrong_type

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

HOOKS = {"port": 9000, "microvmImageHooks": {"ready": "ENABLED"},
         "microvmHooks": {"run": "ENABLED", "suspend": "ENABLED", "resume": "ENABLED", "terminate": "ENABLED"}}
IDLE = {"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory):
    rig = Control(str(tmp_path_factory.mktemp("rig")), machines=True)
    rig.hooked, rig.plain = rig.make_image("hooked", hooks=HOOKS), rig.make_image("plain")
    yield rig
    assert rig.process.poll() is None, "control crashed"
    rig.close()


@pytest.fixture(autouse=True)
def _well(rig):
    yield
    rig.script.clear()
    rig.proxy.answers_hold = True
    rig.pass_time(5, step=5)


def outcome(value, status=None):
    """Of a hook, as doze-init says it."""
    more = () if status is None else ((ipc.FIELD_STATUS, status),)
    return lambda ask: ask.reply(ipc.AGENT_HOOK_RESULT, (ipc.FIELD_OUTCOME, value), *more)


ANSWERS = {  # what it says, and what the reason tells of it; "": the hook is fine
    "200": (lambda ask: ask.honest(), ""),
    "200 twice": (twice, ""),
    "500": (lambda ask: outcome(ipc.OUTCOME_STATUS, 500)(ask), "returned HTTP status 500"),
    "nobody listens": (lambda ask: outcome(ipc.OUTCOME_REFUSED)(ask), "nothing listens on port 9000"),
    "too late": (lambda ask: outcome(ipc.OUTCOME_TIMEOUT)(ask), "timed out after 1 seconds"),
    "no HTTP": (lambda ask: outcome(ipc.OUTCOME_GARBAGE)(ask), "returned no HTTP response"),
    "an outcome that is none": (lambda ask: outcome(99)(ask), "returned no HTTP response"),
    "a status without a status": (lambda ask: outcome(ipc.OUTCOME_STATUS)(ask), "returned no HTTP response"),
    "nothing": (never, "timed out after 1 seconds"),
    "its end": (dies_before, None),
    "garbage": (monitors.garbage_agent, None),
}


def hook_of(name, answer):
    """For this hook alone."""
    return lambda ask: (answer if ask.fields[ipc.FIELD_NAME] == name.encode() else lambda a: a.honest())(ask)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("hook", ["run", "suspend", "resume", "terminate"])
def test_a_hook_decides_what_it_is_to_decide(rig, hook, answer):
    act, reason = ANSWERS[answer]
    rig.script.always("HOOK", hook_of(hook, act))
    vm = rig.api.run(rig.hooked)
    calls = {"run": (), "suspend": ("suspend",), "resume": ("suspend", "resume"), "terminate": ("terminate",)}[hook]
    rig.pass_time(6)
    for call in calls:
        asked = rig.api.later(call, vm)
        rig.pass_time(6)
        wait_for("it is answered", asked.done)
    if reason == "" and hook != "terminate":
        want = {"run": "RUNNING", "suspend": "SUSPENDED", "resume": "RUNNING"}[hook]
    elif hook == "resume" and reason is None:
        want = "SUSPENDED"  # a machine that dies as it is resumed leaves the save
    else:
        want = "TERMINATED"
    wait_for(f"it is {want}", lambda: rig.api.state(vm) == want)
    why = rig.api.get(vm)["stateReason"]
    if want == "TERMINATED" and hook != "terminate":
        assert not reason or f"{hook.title()} lifecycle hook" in why and reason in why, why
    wait_for("its row says so", lambda: rig.row(vm)["state"] == want)


def test_a_suspend_hook_is_not_asked_twice_over_a_restart(tmp_path):
    rig = Control(str(tmp_path), machines=True)
    try:
        vm = rig.run(rig.make_image("hooked", hooks=HOOKS))
        machine = rig.machine(vm)
        rig.script.once("SAVE", monitors.saves_never)
        rig.api.later("suspend", vm)
        wait_for("it saves", lambda: machine.kept)
        rig.restart()
        with rig.reactor.lock:
            machine.unstick()
        rig.pass_time(10)
        rig.wait_state(vm, "SUSPENDED")
        assert machine.hooks == ["run", "suspend"]
    finally:
        rig.close()


def test_without_an_answer_of_the_proxy_our_own_clock_decides(rig):
    vm = rig.run(rig.plain, idlePolicy=IDLE)
    rig.proxy.answers_hold = False
    rig.pass_time(70)
    rig.wait_state(vm, "SUSPENDED")


def test_a_byte_that_the_proxy_saw_last_keeps_it_running(rig):
    vm = rig.run(rig.plain, idlePolicy=IDLE)
    endpoint = rig.row(vm)["endpoint"]
    rig.pass_time(50)
    rig.proxy.last_byte_ms[endpoint] = int(rig.lies.now() * 1000)
    rig.pass_time(50)
    assert rig.api.state(vm) == "RUNNING"
    rig.pass_time(65)
    rig.wait_state(vm, "SUSPENDED")


def test_a_future_byte_of_the_proxy_keeps_it_no_longer_than_the_idle_time(rig):
    vm = rig.run(rig.plain, idlePolicy=IDLE)
    rig.proxy.say("ACTIVE", rig.row(vm)["endpoint"], last_byte_ms=int((rig.lies.now() + 30) * 1000))
    rig.pass_time(100, step=2)
    rig.wait_state(vm, "SUSPENDED")


@pytest.mark.parametrize("word, answer", [
    ("CONTINUE", refuse("INTERNAL")), ("CONTINUE", never), ("CONTINUE", dies_before), ("CONTINUE", wrong_type("STATS")),
    ("RESUMED", never), ("RESUMED", dies_before), ("RESUMED", monitors.garbage_agent), ("CONTINUE", twice),
], ids=["continue refused", "continue never", "continue dies", "continue wrong", "ack never", "ack dies", "garbage",
        "continue twice"])
def test_a_clone_that_fails_its_run_is_ended_and_told_of(tmp_path, word, answer):
    rig = Control(str(tmp_path), "[pool]\nper_image=1\nwarm_refusals=0\nspares=0\n[machine]\nmemory_percent=100\n",
                  machines=False)
    try:
        rig.priv.script.clear()
        image = rig.make_image("warm")
        rig.pass_time(10)
        wait_for("a clone is ready", lambda: [m for m in rig.priv.alive() if m.run == ipc.MACHINE_PAUSED])
        clone = rig.priv.alive()[0]
        clone.script.always(word, answer)
        vm = rig.api.run(image)
        rig.pass_time(80, step=2)
        state = rig.api.state(vm)
        assert state == rig.row(vm)["state"] and state in ("RUNNING", "TERMINATED")
        assert state == "RUNNING" and rig.machine(vm).run == ipc.MACHINE_RUNNING or rig.api.get(vm)["stateReason"]
        assert not clone.alive or state == "RUNNING" and rig.machine(vm) is clone
    finally:
        rig.close()
