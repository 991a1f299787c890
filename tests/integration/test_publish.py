"""Leases of the host's ports: one microVM each, durable before they are served, given back at the end, whatever fails."""
import contextlib
import socket

import pytest

from control_rig import ALONE, Control, wait_for
from ipc_structs import ipc
from lies import FULL, IOERR
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)


def free_ports(n):
    """The first of n ports in a row that nobody has now."""
    for first in range(23000, 60000, n):
        with contextlib.ExitStack() as all_of_them, contextlib.suppress(OSError):
            for port in range(first, first + n):
                all_of_them.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no free ports")


FIRST = free_ports(3)
SETTINGS = f"[publish]\nports = {FIRST}-{FIRST + 2}\n"


@pytest.fixture(name="rig")
def _rig(request, tmp_path):
    rig = Control(str(tmp_path), settings=getattr(request, "param", SETTINGS), machines=True)
    yield rig
    assert rig.process.poll() in (None, 0, -9), "control crashed"
    rig.close()
    for published in getattr(rig, "olds", []):
        for _, sock in published.values():
            sock.close()


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="vm")
def _vm(rig):
    return rig.run(rig.make_image("app"))


def publish(rig, vm, port=6379, **members):
    return rig.api.call("POST", f"/doze/v1/microvms/{vm}/published", {"port": port, **members})


def unpublish(rig, port):
    return rig.api.call("DELETE", f"/doze/v1/published/{port}")


def listed(rig):
    return {p["publishedPort"]: p["microvmId"] for p in rig.api.call("GET", "/doze/v1/published")["items"]}


def refused(what, *args, **members):
    with pytest.raises(Refused) as e:
        what(*args, **members)
    return e.value


def can_listen(port):
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def another(rig, vm):
    return rig.api.run(rig.api.get(vm)["imageArn"])


def restart(rig, keeps_proxy=True):
    before = dict(rig.proxy.published) if keeps_proxy else {}
    rig.olds = [*getattr(rig, "olds", []), before]
    rig.stop(kill=True)
    for channel in (rig.supervisor, rig.image.channel, rig.proxy.channel):
        channel.close()
    rig.start(published=before)
    return before


def test_a_lease_is_stored_served_and_shown(rig, vm):
    lease = publish(rig, vm, **{"from": ["10.0.0.0/8", "::1/128"]})
    port = lease["publishedPort"]
    assert FIRST <= port <= FIRST + 2
    assert (lease["port"], lease["protocol"], lease["listen"], lease["problem"]) == (6379, "tcp", "127.0.0.1", None)
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    body, sock = rig.proxy.published[port]
    assert body.endpoint.decode() == rig.row(vm)["endpoint"]
    assert (body.target, body.datagrams, body.n_sources, body.sources[0].bits) == (6379, 0, 2, 8)
    assert sock.getsockname() == ("127.0.0.1", port)
    socket.create_connection(("127.0.0.1", port)).close()  # it listens
    row, = rig.rows("published")
    assert (row["port"], row["microvm"], row["sources"]) == (port, vm, '["10.0.0.0/8","::1/128"]')
    assert rig.api.get(vm)["dozePublished"] == [lease] and listed(rig) == {port: vm}


def test_who_has_no_published_port_is_shown_without_them(rig, vm):
    assert "dozePublished" not in rig.api.get(vm)


def test_datagrams_are_leased_likewise(rig, vm):
    port = publish(rig, vm, 514, protocol="udp")["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    body, sock = rig.proxy.published[port]
    assert body.datagrams == 1 and sock.type == socket.SOCK_DGRAM


def test_two_microvms_never_have_the_same_port_and_the_end_of_the_range_is_said(rig, vm):
    other = another(rig, vm)
    ports = {publish(rig, each, target)["publishedPort"] for each, target in ((vm, 1), (other, 1), (vm, 2))}
    assert ports == {FIRST, FIRST + 1, FIRST + 2}
    e = refused(publish, rig, other, 2)
    assert e.status == 503 or "taken" in e.message, e
    assert f"{FIRST}-{FIRST + 2}" in e.message
    unpublish(rig, FIRST + 1)
    wait_for("the port is closed", lambda: can_listen(FIRST + 1))
    assert publish(rig, other, 2)["publishedPort"] == FIRST + 1


def test_leases_that_become_durable_together_are_of_different_ports(rig, vm):
    with rig.lies.commits_held():
        asked = [rig.api.later("call", "POST", f"/doze/v1/microvms/{vm}/published", {"port": p}) for p in (1, 2, 3)]
        rig.settle()
        assert not rig.proxy.published and not listed(rig)
    assert len({one.result(10)["publishedPort"] for one in asked}) == 3


def test_a_port_of_somebody_else_is_passed_over(rig, vm):
    with socket.create_server(("127.0.0.1", FIRST)), socket.create_server(("127.0.0.1", FIRST + 2)):
        assert publish(rig, vm)["publishedPort"] == FIRST + 1
        assert "taken" in refused(publish, rig, vm, 2).message


def test_an_address_that_this_host_has_not_is_said(rig, vm):
    e = refused(publish, rig, vm, listen="192.0.2.1")
    assert "192.0.2.1" in e.message and "assign" in e.message
    assert not rig.rows("published")


@pytest.mark.parametrize("members", [
    {"port": 0}, {"port": 65536}, {"port": "80"}, {"protocol": "sctp"}, {"from": ["10.0.0.1/8"]}, {"from": ["host"]},
    {"from": ["10.0.0.0/8"] * 17}, {"listen": "localhost"}, {"listen": "127.0.0.1; drop"}])
def test_what_makes_no_sense_is_refused(rig, vm, members):
    assert refused(publish, rig, vm, **{"port": 1, **members}).status == 400
    assert not listed(rig)


def test_a_port_is_published_once(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    e = refused(publish, rig, vm)
    assert e.status == 409 and str(port) in e.message
    publish(rig, vm, protocol="udp")


def test_what_is_not_there_cannot_be_given_back(rig, vm):
    assert vm
    for port in (FIRST, "x", "-1", "99999999999"):
        assert refused(unpublish, rig, port).status == 404
    assert refused(publish, rig, "microvm-00000000-0000-4000-8000-000000000000").status == 404


@pytest.mark.parametrize("error", [FULL, IOERR])
def test_what_cannot_be_stored_is_not_served(rig, vm, error):
    rig.lies.tell("COMMIT", error, text="published")
    assert refused(publish, rig, vm).status >= 500
    rig.lies.truth()
    assert not listed(rig) and not rig.proxy.published and "dozePublished" not in rig.api.get(vm)
    assert all(can_listen(FIRST + i) for i in range(3))
    publish(rig, vm)


@pytest.mark.parametrize("error", [FULL, IOERR])
def test_what_cannot_be_given_back_durably_is_served_on(rig, vm, error):
    port = publish(rig, vm)["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    rig.lies.tell("COMMIT", error, text="published")
    assert refused(unpublish, rig, port).status >= 500
    rig.lies.truth()
    assert listed(rig) == {port: vm} and port in rig.proxy.published
    unpublish(rig, port)
    assert not listed(rig)
    wait_for("the proxy knows", lambda: not rig.proxy.published)


@pytest.mark.parametrize("when, leased", [("LIE_DIES_BEFORE", False), ("LIE_DIES_AFTER", True)])
def test_a_crash_at_the_commit_leaves_a_whole_lease_or_none(rig, vm, when, leased):
    rig.lies.tell("COMMIT", getattr(ipc, when), text="published", times=1)
    with contextlib.suppress(Exception):
        publish(rig, vm)
    rig.process.wait()
    rig.lies.truth()
    restart(rig)
    assert bool(listed(rig)) == leased
    if leased:
        wait_for("the proxy knows", lambda: set(rig.proxy.published) == set(listed(rig)))


def test_a_restart_of_control_takes_the_sockets_over_and_nobody_finds_a_port_closed(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    before = restart(rig)
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        before[port][1].accept()[0].close()  # one queue: these are two names of one socket
    assert listed(rig) == {port: vm}


def test_a_proxy_that_comes_anew_serves_the_same_sockets(rig, vm):
    ports = {publish(rig, vm)["publishedPort"], publish(rig, vm, 514, protocol="udp")["publishedPort"]}
    wait_for("the proxy knows", lambda: set(rig.proxy.published) == ports)
    rig.new_proxy()
    wait_for("the proxy knows", lambda: set(rig.proxy.published) == ports)
    for body, sock in rig.proxy.published.values():
        if not body.datagrams:
            socket.create_connection(sock.getsockname(), timeout=5).close()


def test_all_workers_serve_a_port_of_tcp_and_one_alone_serves_a_port_of_udp(rig, vm):
    ports = [publish(rig, vm)["publishedPort"], publish(rig, vm, 514, protocol="udp")["publishedPort"]]
    other = rig.new_worker(1)

    def serves(worker):
        return [worker.published[p][0].serves if p in worker.published else None for p in ports]

    wait_for("the first worker has both", lambda: serves(rig.proxy) == [1, 1])
    wait_for("the other one has the socket alone", lambda: serves(other) == [1, 0])
    rig.proxy.channel.close()
    wait_for("the other one serves both", lambda: serves(other) == [1, 1])
    other.channel.close()


def test_a_worker_that_is_replaced_gives_flows_and_ports_of_udp_to_the_next(rig, vm):
    ports = [publish(rig, vm, 514 + n, protocol="udp")["publishedPort"] for n in range(2)]
    other, endpoint = rig.new_worker(1), rig.row(vm)["endpoint"]
    wait_for("the other one has the sockets", lambda: set(other.published) == set(ports))
    ours, theirs = socket.socketpair()
    rig.proxy.channel.say("FLOW", [theirs.fileno()], endpoint=endpoint.encode(), machine=b"m-1", port=ports[0], from_size=16)
    rig.proxy.say("LEAVES", endpoint, port=ports[0])
    wait_for("the other one serves it", lambda: other.published[ports[0]][0].serves)
    body, stream = other.flows[0]
    assert (body.port, body.machine, body.from_size) == (ports[0], b"m-1", 16), "the flow came before"
    stream.send(b"answer")
    assert ours.recv(10) == b"answer"
    assert not other.published[ports[1]][0].serves, "that one was not given away yet"
    unpublish(rig, ports.pop())
    late = publish(rig, vm, 600, protocol="udp")["publishedPort"]
    wait_for("a new port is the other one's", lambda: late in other.published and other.published[late][0].serves)
    assert not rig.proxy.published[late][0].serves
    other.channel.close()
    rig.proxy.say("LEAVES", endpoint, port=late)  # there is nobody else
    rig.proxy.say("LEAVES", endpoint, port=1)
    last = rig.new_worker(2)
    wait_for("the next one serves all", lambda: [last.published[p][0].serves for p in [*ports, late] if p in last.published] == [1, 1])
    for sock in (ours, theirs, stream):
        sock.close()
    last.channel.close()


def test_a_restart_of_everything_binds_the_ports_anew(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    rig.proxy.published.pop(port)[1].close()
    restart(rig, keeps_proxy=False)
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_that_somebody_took_meanwhile_stays_leased_and_says_why_it_is_not_served(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    rig.proxy.published.pop(port)[1].close()
    rig.stop(kill=True)
    with socket.create_server(("127.0.0.1", port)):
        for channel in (rig.supervisor, rig.image.channel, rig.proxy.channel):
            channel.close()
        rig.start()
        wait_for("the problem", lambda: rig.api.get(vm)["dozePublished"][0]["problem"])
        assert "in use" in rig.api.get(vm)["dozePublished"][0]["problem"]
        assert not rig.proxy.published
        unpublish(rig, port)


def test_a_socket_that_nobody_leased_is_not_served_on(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    wait_for("the proxy knows", lambda: port in rig.proxy.published)
    before = dict(rig.proxy.published)
    rig.olds = [before]
    rig.lies.tell("COMMIT", ipc.LIE_DIES_AFTER, text="published", times=1)
    with contextlib.suppress(Exception):
        unpublish(rig, port)
    rig.process.wait()
    rig.lies.truth()
    for channel in (rig.supervisor, rig.image.channel, rig.proxy.channel):
        channel.close()
    rig.start(published=before)
    wait_for("the proxy is told", lambda: "UNPUBLISH" in rig.proxy.channel.got)
    assert not listed(rig)


def test_a_lease_outlives_a_suspend_and_ends_with_its_microvm(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    rig.api.suspend(vm)
    assert listed(rig) == {port: vm} and port in rig.proxy.published
    rig.api.resume(vm)
    rig.api.terminate(vm)
    wait_for("the row is gone", lambda: not rig.rows("published"))
    wait_for("the proxy knows", lambda: not rig.proxy.published)
    assert not listed(rig) and "dozePublished" not in rig.api.get(vm)
    wait_for("the port is free", lambda: can_listen(port))
    assert refused(publish, rig, vm).status == 409


def test_a_microvm_that_ends_while_its_lease_becomes_durable_has_none(rig, vm):
    with rig.lies.commits_held():
        asked = rig.api.later("call", "POST", f"/doze/v1/microvms/{vm}/published", {"port": 1})
        rig.settle()
        rig.api.later("terminate", vm)
        rig.settle()
    with contextlib.suppress(Refused):
        asked.result(20)
    rig.wait_state(vm, "TERMINATED")
    wait_for("no row", lambda: not rig.rows("published"))
    wait_for("no port", lambda: not rig.proxy.published)
    assert not listed(rig)


def test_the_end_of_a_microvm_frees_its_port_even_if_the_row_stays(rig, vm):
    port = publish(rig, vm)["publishedPort"]
    rig.lies.tell("COMMIT", IOERR, text="DELETE FROM published")
    rig.api.terminate(vm)
    rig.wait_state(vm, "TERMINATED")
    wait_for("the proxy knows", lambda: not rig.proxy.published)
    rig.lies.truth()
    other = another(rig, vm)
    assert {publish(rig, other, p)["publishedPort"] for p in (1, 2, 3)} == {FIRST, FIRST + 1, FIRST + 2}
    restart(rig)
    assert set(listed(rig)) == {FIRST, FIRST + 1, FIRST + 2} and listed(rig)[port] == other


@pytest.mark.parametrize("settings, says", [
    ("[publish]\nports = 20000\n", "FIRST-LAST"), ("[publish]\nports = 9-1\n", "FIRST-LAST"),
    ("[publish]\nports = 1-65536\n", "FIRST-LAST"), ("[publish]\nlisten = host\n", "IP address")])
def test_a_configuration_that_makes_no_sense_ends_the_start(tmp_path, capfd, settings, says):
    rig = Control(str(tmp_path), settings=settings, start=False)
    try:
        rig.start(ready=False)
        assert rig.process.wait() == 1
        assert says in capfd.readouterr().err
    finally:
        rig.close()
