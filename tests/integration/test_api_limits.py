"""Strangers fill what they may hold of the API, while a signed client is served; see control_rig.py."""
import contextlib
import socket
import time

import pytest

pytest.importorskip("boto3")
import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
import http.client  # noqa: E402

from control_rig import ALONE, KEY, REGION, SECRET, Control, wait_for  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

KIB = 1 << 10
LIMITS = f"""[limits]
unverified_bytes = {512 * KIB}
unverified_bytes_per_address = {256 * KIB}
connections = 200
connections_per_address = 80
body_timeout_ms = 2000
denied_per_minute = 20
"""


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(scope="module")
def control():
    rig = Control(settings=LIMITS)
    yield rig
    rig.stop()


def ask(control, body=b"", source="127.0.0.9"):
    """A signed request that has a body, though its operation needs none; status and text."""
    url = f"{control.url}/2025-09-09/microvms"
    request = botocore.awsrequest.AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "lambda", REGION).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=10, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request("POST", "/2025-09-09/microvms", body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def forged(control, source, sent, length=1 << 20):
    """A request whose signature is wrong, which nobody knows before its last byte; that much of its body is sent."""
    sock = socket.create_connection(("127.0.0.1", control.port), timeout=10, source_address=(source, 0))
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    sock.sendall(f"POST /2025-09-09/microvms HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Date: {date}\r\n"
                 f"Authorization: AWS4-HMAC-SHA256 Credential={KEY}/{date[:8]}/{REGION}/lambda/aws4_request, "
                 f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}\r\nContent-Length: {length}\r\n\r\n".encode() +
                 b" " * sent)
    return sock


def test_bodies_without_a_verified_signature_are_bounded_and_small_ones_are_let_in(control):
    with contextlib.ExitStack() as stack:
        def hold(source, n):
            socks = [stack.enter_context(contextlib.closing(forged(control, source, 60 * KIB))) for _ in range(n)]
            time.sleep(0.1)
            return socks
        first = hold("127.0.0.2", 5)  # four fill the share of their address
        first[-1].settimeout(5)
        assert first[-1].recv(1 << 16).startswith(b"HTTP/1.1 429 "), "over the address's share"
        assert ask(control, b" " * (100 * KIB))[0] != 429, "another address has a share of its own"
        hold("127.0.0.3", 4)
        hold("127.0.0.4", 1)
        status, text = ask(control, b" " * (100 * KIB), "127.0.0.5")
        assert (status, "ThrottlingException" in text or "signature to be verified" in text) == (429, True)
        assert ask(control, b"{}")[0] == 400, "a small request is served: it only lacks an image"
    wait_for("what they held is given back", lambda: ask(control, b" " * (100 * KIB))[0] != 429)


def test_a_body_that_does_not_come_is_ended_and_its_bytes_given_back(control):
    slow = [forged(control, "127.0.0.2", 60 * KIB) for _ in range(4)]
    assert ask(control, b" " * (100 * KIB), "127.0.0.2")[0] == 429
    for sock in slow:
        sock.settimeout(8)
        assert sock.recv(1 << 16) == b"", "it was ended"
        sock.close()
    assert ask(control, b" " * (100 * KIB), "127.0.0.2")[0] != 429


def test_a_body_that_drips_is_ended_and_one_that_keeps_the_rate_is_not(control):
    drips = [forged(control, "127.0.0.2", 0) for _ in range(4)]
    steady = forged(control, "127.0.0.3", 0, 3200)
    for _ in range(16):  # four seconds: 3200 bytes in one, 16 in each of the others
        steady.sendall(b" " * 200)
        for sock in drips:
            with contextlib.suppress(ConnectionError):
                sock.send(b" ")
        time.sleep(0.25)
    for sock in drips:
        sock.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1 << 16) == b"", "it was ended"
        sock.close()
    assert steady.recv(1 << 16).startswith(b"HTTP/1.1 403 ")
    steady.close()


def test_the_clients_of_one_address_leave_room_for_another(control):
    crowd = [forged(control, "127.0.0.2", 1) for _ in range(80)]
    assert ask(control, b"{}")[0] == 400
    late = socket.create_connection(("127.0.0.1", control.port), timeout=5, source_address=("127.0.0.2", 0))
    with contextlib.suppress(ConnectionError):
        late.sendall(b"GET / HTTP/1.1\r\n")
        assert late.recv(100) == b"", "refused: all 80 have a request under way"
    for sock in [late, *crowd]:
        sock.close()


def test_an_address_that_signs_wrongly_too_often_is_refused_and_nobody_else(control):
    def status(source):
        with contextlib.closing(forged(control, source, 2, 2)) as sock:
            return int(sock.recv(1 << 16).split()[1])
    assert [status("127.0.0.21") for _ in range(20)] == [403] * 20
    assert status("127.0.0.21") == 429
    refused, text = ask(control, source="127.0.0.21")
    assert (refused, "without a right signature" in text) == (429, True)
    assert ask(control, source="127.0.0.22")[0] == 400
    assert [status("127.0.0.1") for _ in range(30)] == [403] * 30, "what runs here has no limit"
