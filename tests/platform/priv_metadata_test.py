#!/usr/bin/env python3
"""What guests and builds reach of a cloud's metadata service: the priv role in a network of its own, where the host has
such a service at its own link-local address, and another one on the way.

usage: priv_metadata_test.py PRIV_ROLE PRIV_SHELL PRIV_LOOK      needs root; 77: skipped
"""
import ctypes
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import uuid

import priv_test as p

HERE, BEYOND, API = "169.254.169.254", "168.63.129.16", "169.254.53.54"
RESOLVERS = pathlib.Path(f"/tmp/{p.INSTANCE}.resolvers")  # this host's, for priv
ADDRESSES = (HERE, BEYOND, "169.254.170.2", "169.254.0.23", "100.100.100.200", "192.0.0.192")


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def make_network():
    """The host is 169.254.169.254 itself; a veth leads to a namespace that is all the other addresses."""
    ip("link set lo up")
    ip(f"addr add {HERE}/32 dev lo")
    ip("netns add " + p.INSTANCE)
    ip(f"link add way type veth peer name way0 netns {p.INSTANCE}")
    ip("addr add 203.0.113.1/24 dev way")
    ip("link set way up")
    for words in ("link set lo up", "addr add 203.0.113.2/24 dev way0", "link set way0 up"):
        ip(f"-n {p.INSTANCE} {words}")
    for address in ADDRESSES[1:]:
        ip(f"-n {p.INSTANCE} addr add {address}/32 dev lo")
    ip("route add default via 203.0.113.2")


def serve(server, visits):
    while True:
        try:
            client, peer = server.accept()
        except OSError:
            return
        visits.append(peer)
        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        client.close()


def setns(path):
    fd = os.open(path, os.O_RDONLY)
    assert not ctypes.CDLL(None).setns(fd, 0x40000000)
    os.close(fd)


def listen():
    """On ports of names, metadata, and the API, here and beyond."""
    visits, servers = [], []
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    for where in (f"/proc/self/fd/{home}", f"/run/netns/{p.INSTANCE}"):
        setns(where)
        servers += [socket.create_server(("0.0.0.0", port)) for port in (80, 53, 9010, 9011)]
    setns(f"/proc/self/fd/{home}")
    for server in servers:
        threading.Thread(target=serve, args=(server, visits), daemon=True).start()
    return visits


TRY = """
import socket
for address in %r:
    try:
        socket.create_connection((address, 80), 3)
        print(address)
    except OSError:
        pass
""" % (ADDRESSES,)


def test_no_metadata_service_is_reached_by_a_guest_whatever_is_allowed(priv, visits):
    for address in ADDRESSES:
        with socket.create_connection((address, 80), 5):
            pass
    p.until("the host itself reaches all of them", lambda: len(visits) == len(ADDRESSES))
    del visits[:]
    name = priv.machine()["machine"]
    said = p.python(name, f"print(*(syn(a, 80) for a in {ADDRESSES}))\nprint(syn('203.0.113.2', 80))").splitlines()
    assert said[0] == " ".join(["rejected"] * len(ADDRESSES)), said
    assert said[1].startswith("mss") or said[1] == "open", said  # the way beyond is open
    assert not visits, visits
    assert priv.end(name) == p.DONE


def test_no_metadata_service_is_reached_by_the_machines_own_process_or_a_build(priv, visits):
    name = priv.machine()["machine"]
    assert not p.shell(name, f"python3 - <<'END' 2>&1\n{TRY}\nEND\n").strip()
    b = p.Build(priv, f"exec 2>&1; python3 - <<'END'\n{TRY}\nEND\n")
    assert not b.said().strip()
    assert b.gone() == (0, 0) and not visits, visits
    assert priv.end(name) == p.DONE


def test_a_resolver_at_such_an_address_serves_names_alone(priv, visits):
    name = priv.machine()["machine"]
    said = p.python(name, f"print(syn('{HERE}', 53), syn('{HERE}', 80), syn('{BEYOND}', 53))")
    assert said.split()[-1] == "rejected" and "rejected" in said and not said.startswith("rejected"), said
    assert priv.end(name) == p.DONE


def test_a_guest_that_runs_follows_a_change_of_the_hosts_resolvers(priv, visits):
    name = priv.machine()["machine"]
    asks = "print(*(syn(a, 53) for a in ('169.254.53.53', '169.254.169.253')))"
    assert "nothing" not in p.python(name, asks) and "rejected" not in p.python(name, asks)
    RESOLVERS.write_text(f"nameserver 127.0.0.53\nnameserver fd00::53\nnameserver {BEYOND}\n")
    p.until("the other one is asked", lambda: f"dnat ip to {BEYOND}" in subprocess.run(
        ["nft", "list", "table", "inet", p.TABLE], capture_output=True, text=True).stdout, 30)
    said = p.python(name, asks)
    assert "nothing" not in said and "rejected" not in said, said
    assert priv.end(name) == p.DONE


def test_the_api_is_there_for_the_slots_that_it_was_opened_for(priv, visits):
    one, two = priv.machine(), priv.machine()

    def reaches(machine, ports=(9010, 9011)):
        """The kernel says no only so often in a second, and then nothing."""
        asks = f"import json; print(json.dumps([syn('{API}', port) not in ('rejected', 'nothing') for port in {ports}]))"
        return json.loads(p.python(machine["machine"], asks))

    assert not any(reaches(one) + reaches(two))
    for wrong in ("m-" + str(uuid.uuid4()), "no name"):
        assert priv.call(p.MACHINE_API, struct.pack("=80s", wrong.encode()))[0] == p.FAULT
    for _ in range(2):  # it may be asked for again
        assert priv.call(p.MACHINE_API, struct.pack("=80s", one["machine"].encode()))[0] == p.DONE
    assert reaches(one) == [True, True] and not any(reaches(one, (80,)) + reaches(two, (9010,)))
    look = f"import socket\ntry: socket.create_connection(('{API}', 9010), 2); print('open')\nexcept OSError: print('closed')"
    inside = f"python3 -c \"{look}\""
    assert p.shell(two["machine"], inside) == "closed\n"
    b = p.Build(priv, inside)
    assert b.said() == "closed\n" and b.gone() == (0, 0)
    ip(f"-n {p.INSTANCE} route add {API}/32 via 203.0.113.1")
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    setns(f"/run/netns/{p.INSTANCE}")
    try:
        socket.create_connection((API, 9010), 1)
        raise AssertionError("the site reaches the API by the guests' address")
    except OSError:
        pass
    finally:
        setns(f"/proc/self/fd/{home}")
    assert priv.end(one["machine"]) == p.DONE
    again = priv.machine()
    assert again["slot"] == one["slot"] and not any(reaches(again, (9010,))), "the slot's next tenant begins without it"
    assert priv.end(again["machine"]) == p.DONE and priv.end(two["machine"]) == p.DONE


def main():
    if os.geteuid():
        return 77
    if "DOZE_METADATA_TEST" not in os.environ:
        return subprocess.run(["unshare", "--net", "--mount", sys.executable, *sys.argv],
                              env={**os.environ, "DOZE_METADATA_TEST": "1"}).returncode
    make_network()
    visits = listen()
    RESOLVERS.write_text(f"nameserver {HERE}\n")
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        if os.path.exists(path):
            subprocess.run(["mount", "--bind", RESOLVERS, path], check=True)
    p.make_place(f"spare = 1\nallow_private = 169.254.0.0/16, 100.64.0.0/10, 192.0.0.0/24\n[role App]\ncredentials = doze")
    priv = p.Priv(sys.argv[1])
    try:
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test(priv, visits)
                print(f"ok {name[5:]}", flush=True)
    except BaseException:
        print((p.WORK / "priv.log").read_text()[-6000:])
        raise
    finally:
        priv.stop(keep=0)
        subprocess.run(["ip", "netns", "del", p.INSTANCE])
        shutil.rmtree(p.WORK)
        shutil.rmtree(p.RUN)
        RESOLVERS.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
