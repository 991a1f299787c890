#!/usr/bin/env python3
"""What guests and builds reach of a cloud's metadata service: the priv role in a network of its own, where the host has
such a service at its own link-local address, and another one on the way.

usage: priv_metadata_test.py PRIV_ROLE PRIV_SHELL PRIV_LOOK      needs root; 77: skipped
"""
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import priv_test as p

HERE, BEYOND = "169.254.169.254", "168.63.129.16"
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
    """On ports 80 and 53, here and beyond."""
    visits, servers = [], []
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    for where in (f"/proc/self/fd/{home}", f"/run/netns/{p.INSTANCE}"):
        setns(where)
        servers += [socket.create_server(("0.0.0.0", port)) for port in (80, 53)]
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
    p.make_place(f"spare = 1\nallow_private = 169.254.0.0/16, 100.64.0.0/10, 192.0.0.0/24")
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
