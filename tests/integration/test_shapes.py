"""Every operation with everything wrong that its official input shape allows to be wrong, against the control role: never a
5xx, never an end of the role, never a row that a refused request leaves behind (shapes.py).  DOZE_LONG tries all of it,
DOZE_SEED another share of it."""
import http.client
import json
import os
import uuid

import pytest

pytest.importorskip("botocore")
import shapes  # noqa: E402
from control_rig import ACCOUNT, ALONE, BASE, BUILD, REGION, Control, wait_for  # noqa: E402
from signed import sign  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

SEED = int(os.environ.get("DOZE_SEED", "1"))
SHARE = 1.0 if os.environ.get("DOZE_LONG") else 0.3
LONG_PATH = 8000
INGRESS = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
TABLES = ("image", "version", "build", "microvm", "token", "connector", "connector_version", "published")
SETTINGS = ("[network]\nsubnets=subnet-a\nsecurity_groups=sg-1\n[limits]\nmax_images=100000\nmax_versions=100000\nmax_microvms=16000\n"
            "max_memory_mib=1073741824\nmax_connectors=100000\nmax_connector_versions=100000\n")


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="control", scope="module")
def _control():
    rig = Control(settings=SETTINGS, machines=True)
    yield rig
    rig.close()


class World:
    """What there is for the requests to name."""

    def __init__(self, control):
        self.control = control
        self.image = control.make_image("fuzzed")
        self.vm = control.run(self.image, ingressNetworkConnectors=[INGRESS + "HTTP_INGRESS", INGRESS + "SHELL_INGRESS"])
        self.ending = control.run(self.image)
        self.build = control.api.call("GET", f"/2025-09-09/microvm-images/{self.image.replace(':', '%3A')}/versions/1.0/builds")
        core = control.client("lambda-core")
        self.vpc = {"VpcEgressConfiguration": {"SubnetIds": ["subnet-a"], "SecurityGroupIds": ["sg-1"], "NetworkProtocol": "IPv4",
                                               "AssociatedComputeResourceTypes": ["MicroVm"],
                                               "ElasticIpConfiguration": {"Type": "None"}}}
        made = core.create_network_connector(Name="fuzzed", Configuration=self.vpc, OperatorRole=f"arn:aws:iam::{ACCOUNT}:role/o")
        self.connector = made["Arn"]
        wait_for("the connector is ACTIVE", lambda: core.get_network_connector(Identifier="fuzzed")["State"] == "ACTIVE")

    def known(self):
        """Right values by the name of the member; "" has members that a right request leaves out."""
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        return {
            "*": {"imageIdentifier": self.image, "imageVersion": "1.0", "microvmIdentifier": self.vm, "baseImageArn": BASE,
                  "baseImageVersion": "1", "buildRoleArn": role, "executionRoleArn": role, "OperatorRole": role,
                  "codeArtifact": BUILD["codeArtifact"], "buildId": self.build["items"][0]["buildId"], "Resource": self.image,
                  "Identifier": self.connector, "Configuration": self.vpc, "name": lambda: f"n-{uuid.uuid4()}",
                  "Name": lambda: f"n-{uuid.uuid4()}", "clientToken": lambda: str(uuid.uuid4()),
                  "ClientToken": lambda: str(uuid.uuid4()), "resources": [{"minimumMemoryInMiB": 512}],
                  "egressNetworkConnectors": [self.connector], "environmentVariables": {"K": "v"}, "TagKeys": ["k"],
                  "ingressNetworkConnectors": [INGRESS + "HTTP_INGRESS"],
                  "logging": {"disabled": {}}, "cpuConfigurations": [{"architecture": "X86_64"}],
                  "hooks": {"port": 9000, "microvmHooks": {"run": "ENABLED", "runTimeoutInSeconds": 5},
                            "microvmImageHooks": {"ready": "ENABLED", "readyTimeoutInSeconds": 5}},
                  "": ("nextToken", "Marker", "kmsKeyIdentifier")},
            "ListManagedMicrovmImageVersions": {"imageIdentifier": BASE},
            "RunMicrovm": {"": ("runHookPayload", "kmsKeyIdentifier")},
            # These would leave the others nothing to name.
            "DeleteMicrovmImage": {"imageIdentifier": self.image + "-never"},
            "DeleteMicrovmImageVersion": {"imageVersion": "9999.0"},
            "TerminateMicrovm": {"microvmIdentifier": self.ending},
            "DeleteNetworkConnector": {"Identifier": "never"},
        }


class Wire:
    """One kept connection."""

    def __init__(self, control):
        self.control, self.connection = control, None

    def send(self, r):
        control = self.control
        for again in (True, False):
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=20)
            head = sign(r.method, f"127.0.0.1:{control.port}", r.path, r.body, control.lies.now(), *control.api.who, "lambda", REGION)
            try:
                self.connection.request(r.method, r.path, r.body or None, {**head, "content-type": "application/json"})
                answer = self.connection.getresponse()
                data = answer.read()
                if answer.getheader("connection") == "close":
                    self.close()
                return answer.status, answer.getheader("x-amzn-errortype"), data
            except (http.client.HTTPException, ConnectionError):
                self.close()
                if not again:
                    raise
        return None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def settle(control, request, data, ended):
    """What was accepted ends, so that the next request is not refused for it."""
    def all_built():
        for build in list(control.image.started):
            if build not in ended:
                ended.add(build)
                control.image.finish(build, ok=0, code=b"CONTAINER_BUILD_FAILED", reason=b"it broke")
        return not control.rows("build WHERE state IN ('PENDING', 'IN_PROGRESS')")
    if "MicrovmImage" in request.op and request.method in ("POST", "PUT"):
        wait_for("all builds have ended", all_built)
    if "NetworkConnector" in request.op and request.method != "GET":
        wait_for("all connectors are settled",
                 lambda: not control.rows("connector WHERE state IN ('PENDING', 'DELETING')")
                 and not control.rows("connector_version WHERE state = 'PENDING'"))
    if request.op == "RunMicrovm":
        control.api.terminate(json.loads(data)["microvmId"])


def rows(control):
    return {table: len(control.rows(table)) for table in TABLES}


def test_nothing_that_is_wrong_in_one_place_breaks_anything(control):
    wire, tried, refused, problems, ended = Wire(control), 0, 0, [], set()
    before = None
    for r in shapes.requests(World(control).known(), SEED, SHARE):
        if before is None:
            before = rows(control)
        status, kind, data = wire.send(r)
        tried += 1
        name = f"{r.op}: {r.what}"
        assert control.process.poll() is None, f"control is gone: {name}"
        if status >= 500:
            problems.append(f"{name}: {status} {kind} {data[:200]}")
        if r.what == "right" and status >= 300 and "never" not in r.path and "9999.0" not in r.path:
            problems.append(f"{name}: {status} {data[:300]}")
        if status < 400:
            before = None  # what it has made is no leftover
            settle(control, r, data, ended)
            if r.names:
                problems.append(f"{name}: it is accepted")
            continue
        refused += 1
        if len(r.path) > LONG_PATH:
            continue  # refused before anybody reads what it names
        said = json.loads(data)
        if not kind or not isinstance(said.get("message", said.get("Message")), str):
            problems.append(f"{name}: {status} without a sentence: {data[:200]}")
        if r.names and (kind != "ValidationException" or f"at '{r.names}" not in said["message"]):
            problems.append(f"{name}: {kind} does not name {r.names}: {data[:300]}")
        if refused % 8 == 0 and rows(control) != before:
            problems.append(f"{name}, or one of seven before it, left something: {before} {rows(control)}")
    wire.close()
    assert tried > 300 and refused > tried / 2
    assert not problems, f"{len(problems)} of {tried} (DOZE_SEED={SEED}):\n" + "\n".join(problems[:40])


@pytest.mark.parametrize("method, path", [
    ("GET", "/2025-03-07/web-functions"), ("POST", "/2025-03-07/web-functions/x/versions"), ("GET", "/2025-03-07/tags/x"),
    ("GET", "/2026-10-01/runtimes"), ("POST", "/2026-10-01/runtimes/x/aliases"), ("GET", "/2015-03-31/functions"),
    ("GET", "/2025-09-09/microvms//"), ("PATCH", "/2025-09-09/microvms"), ("GET", "/2026-04-04/network-connectors/"),
    ("GET", "/2025-09-09/microvm-images/a%2"), ("GET", "/2025-09-09/microvm-images/a%00b"), ("GET", "/x?%"),
])
def test_a_neighbour_on_this_host_is_one_clean_unknown_operation(control, method, path):
    status, headers, data = control.api.raw(method, path, {} if method in ("POST", "PATCH") else None)
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException"), data
    assert json.loads(data) == {"Message": "There is no operation with this method and path."}
