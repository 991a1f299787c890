"""Native clients of a real microVM: TLS to PORT-ENDPOINT with what `doze token` makes, and bytes of the port inside."""
import socket
import ssl
import stat

import pytest

IDLE = {"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}


def native(doze, vm, certificate=None, alpn=(), port=8080):
    """The TLS connection to PORT-ENDPOINT, whose certificate covers that name."""
    name, _, at = vm["endpoint"].partition(":")
    context = ssl.create_default_context(cafile=f"{doze.data}/ca.crt")
    if certificate:
        context.load_cert_chain(*certificate)
    if alpn:
        context.set_alpn_protocols(alpn)
    raw = socket.create_connection(("127.0.0.1", int(at or 443)), timeout=60)
    return context.wrap_socket(raw, server_hostname=f"{port}-{name}")


def first_line(sock):
    """Of what the application answers to HTTP, spoken as bytes."""
    with sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return sock.recv(100).split(b"\r\n")[0]


def is_refused(*args, **more):
    with pytest.raises(OSError), native(*args, **more) as sock:
        if not sock.recv(1):
            raise ConnectionResetError


def test_a_certificate_of_doze_token_leads_to_a_port_and_wakes_its_microvm(doze, images, microvms, tmp_path):
    vm = microvms(images["counter"], idlePolicy=IDLE)
    path = tmp_path / "client"
    doze.cli("token", "--cert", vm["microvmId"], "--ports", "8080", "--out", path)
    certificate = (f"{path}.crt", f"{path}.key")
    assert all(stat.S_IMODE((tmp_path / f"client.{end}").stat().st_mode) == 0o600 for end in ("crt", "key"))
    assert first_line(native(doze, vm, certificate)).startswith(b"HTTP/1.")
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    is_refused(doze, vm)
    is_refused(doze, vm, certificate, port=8081)
    assert doze.state(vm["microvmId"]) == "SUSPENDED"
    assert b" 200 " in first_line(native(doze, vm, certificate))
    assert doze.state(vm["microvmId"]) == "RUNNING"
    other = microvms(images["counter"])
    is_refused(doze, other, certificate)


def test_a_token_of_doze_token_leads_there_by_alpn(doze, images, microvms):
    vm = microvms(images["counter"])
    token = doze.cli("token", vm["microvmId"], "--ports", "8080", "--expires", "5").stdout.strip()
    pieces = [f"doze-token.{token[i:i + 200]}" for i in range(0, len(token), 200)]
    assert b" 200 " in first_line(native(doze, vm, alpn=pieces))
    is_refused(doze, vm, alpn=pieces[:-1])
