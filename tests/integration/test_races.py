"""Any two requests at once on one image, or on one microVM: each has one documented answer, what is left is what one of the
two orders leaves, and API and store agree."""
import itertools
import threading

import pytest

botocore_loaders = pytest.importorskip("botocore.loaders")
from control_rig import ALONE, BUILD, Control, wait_for  # noqa: E402
from signed import Refused, quoted  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

SETTLED = {"CREATED", "CREATE_FAILED", "UPDATED", "UPDATE_FAILED"}
# request: (its operation, what sends it to an image or to a microVM)
OF_IMAGE = {
    "update": ("UpdateMicrovmImage", lambda api, image: api.update_image(image, **BUILD)),
    "delete": ("DeleteMicrovmImage", lambda api, image: api.delete_image(image)),
    "delete version": ("DeleteMicrovmImageVersion", lambda api, image: api.delete_version(image, "1.0")),
    "deactivate": ("UpdateMicrovmImageVersion", lambda api, image: api.set_status(image, "2.0", "INACTIVE")),
    "tag": ("TagResource", lambda api, image: api.tag(image, a="b")),
    "run": ("RunMicrovm", lambda api, image: api.run(image, imageVersion="1.0")),
}
OF_MICROVM = {
    "suspend": ("SuspendMicrovm", lambda api, vm: api.suspend(vm)),
    "resume": ("ResumeMicrovm", lambda api, vm: api.resume(vm)),
    "terminate": ("TerminateMicrovm", lambda api, vm: api.terminate(vm)),
    "token": ("CreateMicrovmAuthToken", lambda api, vm: api.call(
        "POST", f"/2025-09-09/microvms/{vm}/auth-token", {"expirationInMinutes": 5, "allowedPorts": [{"port": 8080}]})),
}
STATES = ("RUNNING", "SUSPENDED")


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(name="control", scope="module")
def _control():
    rig = Control(settings="[limits]\nmax_images=1000\n[build]\nat_once=64\n", machines=True)
    yield rig
    rig.close()


@pytest.fixture(name="errors", scope="module")
def _errors():
    model = botocore_loaders.Loader().load_service_model("lambda-microvms", "service-2")
    return {name: {error["shape"] for error in op["errors"]} for name, op in model["operations"].items()}


@pytest.fixture(name="built", scope="module", autouse=True)
def _built(control):
    """Builds end well, all the time."""
    ended, stop = set(), threading.Event()

    def end():
        while not stop.wait(0.005):
            for build in list(control.image.started):
                if build not in ended:
                    ended.add(build)
                    control.image.finish(build)
    thread = threading.Thread(target=end)
    thread.start()
    yield
    stop.set()
    thread.join()


def at_once(control, requests, subject):
    """The answers of two that are sent at the same time."""
    barrier = threading.Barrier(len(requests))
    asked = []

    def ask(send, answers, i):
        barrier.wait()
        try:
            send(control.api, subject)
            answers[i] = "", ""
        except Refused as error:
            answers[i] = error.code, error.message
    answers = [None] * len(requests)
    for i, (_, send) in enumerate(requests):
        asked.append(threading.Thread(target=ask, args=(send, answers, i)))
        asked[-1].start()
    for thread in asked:
        thread.join(60)
    return answers


def one_by_one(control, requests, subject):
    return [at_once(control, [request], subject)[0] for request in requests]


# Images.

def new_image(control, name):
    image = control.api.create_image(name, **BUILD)
    settle_image(control, image)
    control.api.update_image(image, **BUILD)
    settle_image(control, image)
    return image


def image_view(control, image):
    try:
        state = control.api.image(image)["state"]
        versions = control.api.call("GET", f"/2025-09-09/microvm-images/{quoted(image)}/versions")["items"]
        return state, tuple((v["imageVersion"], v["state"], v["status"]) for v in versions), tuple(control.api.tags(image))
    except Refused:
        return None  # it goes, or has gone


def image_rows(control, image):
    rows = control.rows("image WHERE name = ?", image.rpartition(":")[2])
    if not rows:
        return None
    versions = control.rows("version WHERE image = ? ORDER BY version DESC", rows[0]["id"])
    return rows[0]["state"], tuple((f"{v['version']}.0", v["state"], v["status"]) for v in versions)


def settle_image(control, image):
    def settled():
        view = image_view(control, image)
        return (view is None or view[0] in SETTLED) and image_rows(control, image) == (view and view[:2]) and (view,)
    view, = wait_for(f"{image} is settled", settled)
    return view


def pairs(of):
    return list(itertools.combinations_with_replacement(of, 2))


@pytest.mark.parametrize("first, second", pairs(OF_IMAGE), ids=lambda what: what)
def test_two_requests_on_an_image_leave_what_one_order_of_them_leaves(control, errors, first, second):
    both, left = [OF_IMAGE[first], OF_IMAGE[second]], []
    for n, order in enumerate(((0, 1), (1, 0))):
        image = new_image(control, f"o{n}-{first}-{second}".replace(" ", "_"))
        one_by_one(control, [both[i] for i in order], image)
        left.append(settle_image(control, image))
    image = new_image(control, f"race-{first}-{second}".replace(" ", "_"))
    answers = at_once(control, both, image)
    for (operation, _), (code, text) in zip(both, answers):
        assert not code or code in errors[operation], f"{operation}: {code} {text}"
    assert ("", "") in answers, answers
    view = settle_image(control, image)
    if view not in left:
        # One was refused because the other was under way, and in neither order had to wait for it.
        assert any(code for code, _ in answers), f"{view} is none of {left}"
        image = new_image(control, f"alone-{first}-{second}".replace(" ", "_"))
        one_by_one(control, [both[i] for i, (code, _) in enumerate(answers) if not code], image)
        left.append(settle_image(control, image))
    assert view in left, f"{view} is none of {left}"


# MicroVMs.

def new_microvm(control, image, state):
    vm = control.run(image)
    if state == "SUSPENDED":
        control.api.suspend(vm)
        control.wait_state(vm, "SUSPENDED")
    return vm


def settle_microvm(control, vm):
    def settled():
        state = control.api.state(vm)
        return state in ("RUNNING", "SUSPENDED", "TERMINATED") and control.row(vm)["state"] == state and state
    control.settle()
    return wait_for(f"{vm} is settled", settled)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("first, second", pairs(OF_MICROVM), ids=lambda what: what)
def test_two_requests_on_a_microvm_leave_what_one_order_of_them_leaves(control, errors, first, second, state):
    if not control.rows("image WHERE name = 'raced'"):
        control.raced = new_image(control, "raced")
    both, left = [OF_MICROVM[first], OF_MICROVM[second]], set()
    for order in ((0, 1), (1, 0)):
        vm = new_microvm(control, control.raced, state)
        one_by_one(control, [both[i] for i in order], vm)
        left.add(settle_microvm(control, vm))
    vm = new_microvm(control, control.raced, state)
    answers = at_once(control, both, vm)
    for (operation, _), (code, text) in zip(both, answers):
        assert not code or code in errors[operation], f"{operation}: {code} {text}"
    assert settle_microvm(control, vm) in left
    if "terminate" in (first, second):
        assert control.api.state(vm) == "TERMINATED"
        wait_for("its saves are gone", lambda: not control.saves(vm))
