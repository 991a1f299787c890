"""One story of all operations, and of each error that they document, through each client that users have, against the control
role: boto3, the AWS CLI, the JavaScript SDK, and requests that the core of the Go SDK signs.  What they understood is held
against the official output shapes (conformance_clients.py)."""
import re

import pytest

pytest.importorskip("boto3")
import conformance_clients  # noqa: E402
from conformance_clients import CLIENTS, Failed, Lacks  # noqa: E402
from control_rig import ACCOUNT, ALONE, BASE, BUILD, REGION, Control, wait_for  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/operator"
IMAGES = f"arn:aws:lambda:{REGION}:{ACCOUNT}:microvm-image:"
NOBODY = "microvm-00000000-0000-0000-0000-000000000000"
MANAGED = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
INGRESS = [MANAGED + "HTTP_INGRESS", MANAGED + "SHELL_INGRESS"]
PORTS = [{"port": 8080}, {"range": {"startPort": 9000, "endPort": 9010}}]
VPC = {"VpcEgressConfiguration": {"SubnetIds": ["subnet-a"], "SecurityGroupIds": ["sg-1"], "NetworkProtocol": "IPv4",
                                  "AssociatedComputeResourceTypes": ["MicroVm"]}}
OTHER = {"VpcEgressConfiguration": {**VPC["VpcEgressConfiguration"], "SubnetIds": ["subnet-b"]}}
MODELS = conformance_clients.models()
# Members that the service sends although no model has them, and ours (docs/service.md 2.3, 25).
BESIDE = {"id", "buildPhaseOverrides", "roleConfiguration", "terminationReasonCode", "versionStateTimeBucket", "stateReason",
          "tags", "dozePublished"}
SEEN = {}  # client: the operations that answered well


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(name="control", scope="module")
def _control():
    rig = Control(settings="[network]\nsubnets=subnet-a,subnet-b\nsecurity_groups=sg-1\n[limits]\nmax_microvms=2\nmax_images=2\n"
                           "max_versions=2\nmax_connectors=2\n", machines=True)
    yield rig
    rig.close()


@pytest.fixture(name="client", params=list(CLIENTS))
def _client(request, control):
    if not conformance_clients.available(request.param):
        pytest.skip(f"{request.param} is not there")
    client = CLIENTS[request.param](control)
    client.name = request.param
    yield client
    client.close()


# What was understood, against the shape.

def check(model, shape, value, where):
    shape = model["shapes"][shape] if isinstance(shape, str) else shape
    kind = shape["type"]
    if kind == "structure":
        assert isinstance(value, dict), where
        for name in shape.get("required", []):
            assert value.get(name) is not None, f"{where}.{name} is missing"
        for name, item in value.items():
            assert name in shape["members"] or name in BESIDE, f"{where}.{name} is in no model"
            if item is not None and name in shape["members"]:
                check(model, shape["members"][name]["shape"], item, f"{where}.{name}")
    elif kind == "list":
        assert isinstance(value, list) and len(value) <= shape.get("max", len(value)), where
        for item in value:
            check(model, shape["member"]["shape"], item, f"{where}[]")
    elif kind == "map":
        assert isinstance(value, dict), where
        for item in value.values():
            check(model, shape["value"]["shape"], item, f"{where}{{}}")
    elif kind == "string":
        assert isinstance(value, str) and shape.get("min", 0) <= len(value) <= shape.get("max", len(value)), where
        assert value in shape.get("enum", [value]), f"{where}: {value}"
        # A pattern of Java's, without the classes that Python does not know.
        if "pattern" in shape and "\\p" not in shape["pattern"]:
            assert re.fullmatch(shape["pattern"], value), f"{where}: {value}"
    elif kind in ("integer", "long"):
        assert isinstance(value, int) and shape.get("min", value) <= value <= shape.get("max", value), where
    elif kind == "boolean":
        assert isinstance(value, bool), where


def check_whole(model, shape, value, where):
    """On the wire of microVMs each member of an answer is there, and null where there is nothing to say (docs/service.md 2.3)."""
    shape = model["shapes"][shape]
    if shape["type"] == "structure":
        missing = set(shape["members"]) - set(value) - {"kmsKeyIdentifier"}  # absent where the service has the key
        assert not missing, f"{where} lacks {missing}"
    for name, of in shape.get("members", {}).items():
        item, inner = value.get(name), model["shapes"][of["shape"]]
        if inner["type"] == "list" and model["shapes"][inner["member"]["shape"]]["type"] == "structure" and name == "items":
            for each in item:
                check_whole(model, inner["member"]["shape"], each, f"{where}.items")


class Story:
    def __init__(self, client, control):
        self.client, self.control, self.name = client, control, client.name.replace(" ", "").lower()
        self.image = IMAGES + self.name

    def well(self, operation, **members):
        service, model, op = MODELS[operation]
        try:
            answer = self.client.call(service, operation, dict(members))
        except Lacks:
            return None
        if "output" in op:
            check(model, op["output"]["shape"], answer, operation)
            if self.client.name == "Go" and service == "lambda-microvms":
                check_whole(model, op["output"]["shape"], answer, operation)
        SEEN.setdefault(self.client.name, set()).add(operation)
        return answer

    def refused(self, code, operation, **members):
        service, model, op = MODELS[operation]
        try:
            with pytest.raises(Failed) as caught:
                self.client.call(service, operation, dict(members))
        except Lacks:
            return
        assert caught.value.code == code, f"{operation}: {caught.value}"
        status = model["shapes"].get(code, {}).get("error", {}).get("httpStatusCode")
        assert caught.value.status in (None, status) or status is None

    def settled(self):
        def ready():
            for build in self.control.image.started:
                self.control.image.finish(build)
            row = self.control.rows("image WHERE name = ?", self.image.rpartition(":")[2])
            return not row or row[0]["state"] in ("CREATED", "UPDATED")
        wait_for("the image is settled", ready)

    # The chapters.

    def images(self):
        image = dict(imageIdentifier=self.image)
        made = self.well("CreateMicrovmImage", name=self.name, description="d", tags={"a": "b"}, environmentVariables={"K": "v"},
                         resources=[{"minimumMemoryInMiB": 512}], logging={"disabled": {}}, clientToken=self.name,
                         hooks={"port": 9000, "microvmHooks": {"run": "ENABLED"}, "microvmImageHooks": {"ready": "ENABLED"}}, **BUILD)
        assert (made["state"], made["imageVersion"]) == ("CREATING", "1.0")
        self.refused("ConflictException", "CreateMicrovmImage", name=self.name, clientToken=self.name, **BUILD)
        self.refused("ConflictException", "DeleteMicrovmImageVersion", imageVersion="1.0", **image)
        self.refused("ValidationException", "DeleteMicrovmImage", **image)
        self.settled()
        self.refused("ValidationException", "CreateMicrovmImage", name=self.name, **BUILD)
        self.refused("ValidationException", "CreateMicrovmImage", name="other", **{**BUILD, "baseImageArn": BASE + "-none"})
        assert self.well("GetMicrovmImage", **image)["latestActiveImageVersion"] == "1.0"
        self.refused("ResourceNotFoundException", "GetMicrovmImage", imageIdentifier=IMAGES + "nobody")
        self.refused("AccessDeniedException", "GetMicrovmImage", imageIdentifier=self.image.replace(f":{self.name}", f"/{self.name}"))
        self.refused("ValidationException", "GetMicrovmImage", imageIdentifier="nobody")
        assert [i["name"] for i in self.well("ListMicrovmImages", nameFilter=self.name)["items"]] == [self.name]
        assert self.well("UpdateMicrovmImage", **image, **BUILD)["imageVersion"] == "2.0"
        self.refused("ValidationException", "UpdateMicrovmImage", **image, **BUILD)
        self.refused("ConflictException", "UpdateMicrovmImageVersion", imageVersion="1.0", status="INACTIVE", **image)
        self.settled()
        self.refused("ServiceQuotaExceededException", "UpdateMicrovmImage", **image, **BUILD)
        self.refused("ResourceNotFoundException", "UpdateMicrovmImage", imageIdentifier=IMAGES + "nobody", **BUILD)
        assert self.well("GetMicrovmImageVersion", imageVersion="2.0", **image)["status"] == "ACTIVE"
        self.refused("ResourceNotFoundException", "GetMicrovmImageVersion", imageVersion="7.0", **image)
        assert len(self.well("ListMicrovmImageVersions", **image)["items"]) == 2
        build = self.well("ListMicrovmImageBuilds", imageVersion="1.0", **image)["items"][0]["buildId"]
        got = self.well("GetMicrovmImageBuild", imageVersion="1.0", buildId=build, **image)
        assert got["buildState"] == "SUCCESSFUL" and got["snapshotBuild"]["memorySnapshotSizeInBytes"]
        self.refused("ResourceNotFoundException", "GetMicrovmImageBuild", imageVersion="1.0", buildId="none", **image)
        assert self.well("UpdateMicrovmImageVersion", imageVersion="2.0", status="INACTIVE", **image)["status"] == "INACTIVE"
        assert self.well("ListManagedMicrovmImages")["items"][0]["imageArn"] == BASE
        assert len(self.well("ListManagedMicrovmImageVersions", imageIdentifier=BASE)["items"]) == 2
        self.refused("ResourceNotFoundException", "ListManagedMicrovmImageVersions", imageIdentifier=BASE + "-none")

    def tags(self):
        self.well("TagResource", Resource=self.image, Tags={"c": "d", "e": "f"})
        self.well("UntagResource", Resource=self.image, TagKeys=["c"])
        assert self.well("ListTags", Resource=self.image)["Tags"] == {"a": "b", "e": "f"}
        for operation, more in (("ListTags", {}), ("TagResource", {"Tags": {}}), ("UntagResource", {"TagKeys": ["a"]})):
            self.refused("ResourceNotFoundException", operation, Resource=IMAGES + "nobody", **more)

    def microvms(self):
        image = dict(imageIdentifier=self.image)
        vm = self.well("RunMicrovm", clientToken=self.name, ingressNetworkConnectors=INGRESS, runHookPayload="{}",
                       idlePolicy={"maxIdleDurationSeconds": 60, "suspendedDurationSeconds": 600, "autoResumeEnabled": True},
                       maximumDurationInSeconds=3600, executionRoleArn=ROLE, **image)["microvmId"]
        self.refused("ConflictException", "RunMicrovm", clientToken=self.name, **image)
        self.control.wait_state(vm, "RUNNING")
        assert self.well("GetMicrovm", microvmIdentifier=vm)["state"] == "RUNNING"
        assert [i["microvmId"] for i in self.well("ListMicrovms", **image)["items"]] == [vm]
        self.refused("ValidationException", "ListMicrovms", nextToken="x")
        second = self.well("RunMicrovm", **image)["microvmId"]
        self.refused("ServiceQuotaExceededException", "RunMicrovm", **image)
        self.refused("ResourceNotFoundException", "RunMicrovm", imageIdentifier=IMAGES + "nobody")
        self.refused("ValidationException", "RunMicrovm", imageIdentifier="nobody")
        self.refused("ValidationException", "DeleteMicrovmImage", **image)
        self.refused("ValidationException", "DeleteMicrovmImageVersion", imageVersion="1.0", **image)
        for operation, more in (("CreateMicrovmAuthToken", {"allowedPorts": PORTS}), ("CreateMicrovmShellAuthToken", {})):
            assert list(self.well(operation, microvmIdentifier=vm, expirationInMinutes=5, **more)["authToken"]) == ["X-aws-proxy-auth"]
            self.refused("ValidationException", operation, microvmIdentifier=vm, expirationInMinutes=61, **more)
            self.refused("ResourceNotFoundException", operation, microvmIdentifier=NOBODY, expirationInMinutes=5, **more)
        self.refused("ValidationException", "CreateMicrovmShellAuthToken", microvmIdentifier=second, expirationInMinutes=5)
        for operation, state in (("SuspendMicrovm", "SUSPENDED"), ("ResumeMicrovm", "RUNNING"), ("TerminateMicrovm", "TERMINATED")):
            self.well(operation, microvmIdentifier=vm)
            self.control.wait_state(vm, state)
            self.refused("ResourceNotFoundException", operation, microvmIdentifier=NOBODY)
        for operation in ("SuspendMicrovm", "ResumeMicrovm"):
            self.refused("ValidationException", operation, microvmIdentifier=vm)
        for operation, more in (("CreateMicrovmAuthToken", {"allowedPorts": PORTS}), ("CreateMicrovmShellAuthToken", {})):
            self.refused("ConflictException", operation, microvmIdentifier=vm, expirationInMinutes=5, **more)
        self.refused("ResourceNotFoundException", "GetMicrovm", microvmIdentifier=NOBODY)
        self.control.api.terminate(second)
        self.control.wait_state(second, "TERMINATED")

    def connectors(self):
        made = self.well("CreateNetworkConnector", Name=self.name, Configuration=VPC, OperatorRole=ROLE, Tags={"a": "b"})
        if not made:
            return
        of = dict(Identifier=made["Arn"])
        active = lambda: self.well("GetNetworkConnector", **of)["State"] == "ACTIVE"  # noqa: E731
        wait_for("the connector is ACTIVE", active)
        self.refused("ResourceConflictException", "CreateNetworkConnector", Name=self.name, Configuration=VPC, OperatorRole=ROLE)
        self.refused("InvalidParameterValueException", "CreateNetworkConnector", Name="x", Configuration=VPC)
        self.well("CreateNetworkConnector", Name="second", Configuration=OTHER, OperatorRole=ROLE)
        self.refused("NetworkConnectorLimitExceededException", "CreateNetworkConnector", Name="x", Configuration=VPC, OperatorRole=ROLE)
        wait_for("the other is ACTIVE", lambda: self.well("GetNetworkConnector", Identifier="second")["State"] == "ACTIVE")
        self.well("DeleteNetworkConnector", Identifier="second")
        assert self.well("UpdateNetworkConnector", Configuration=OTHER, **of)["Version"] == 2
        self.refused("ResourceNotFoundException", "UpdateNetworkConnector", Identifier="nobody", Configuration=VPC)
        listed = self.well("ListNetworkConnectorVersions", **of)
        assert not listed or [v["Version"] for v in listed["NetworkConnectorVersions"]] == [2, 1]
        self.refused("ResourceNotFoundException", "ListNetworkConnectorVersions", Identifier="nobody")
        self.refused("InvalidParameterValueException", "ListNetworkConnectors", Marker="x")
        assert self.name in [c["Name"] for c in self.well("ListNetworkConnectors")["NetworkConnectors"]]
        self.refused("ResourceNotFoundException", "GetNetworkConnector", Identifier="nobody")
        wait_for("it is updated", lambda: "InProgress" != self.well("GetNetworkConnector", **of)["LastUpdateStatus"])
        self.refused("InvalidParameterValueException", "DeleteNetworkConnector", Identifier=made["Arn"] + ":2")
        assert self.well("DeleteNetworkConnector", **of)["State"] == "DELETING"
        self.refused("ResourceNotFoundException", "DeleteNetworkConnector", Identifier="nobody")
        wait_for("all are gone", lambda: not self.control.rows("connector"))

    def the_end(self):
        assert self.well("DeleteMicrovmImageVersion", imageIdentifier=self.image, imageVersion="2.0")["state"] == "DELETING"
        self.settled()
        wait_for("the version is gone", lambda: len(self.control.rows("version")) == 1)
        self.refused("ValidationException", "DeleteMicrovmImageVersion", imageIdentifier=self.image, imageVersion="1.0")
        self.refused("ResourceNotFoundException", "DeleteMicrovmImageVersion", imageIdentifier=self.image, imageVersion="9.0")
        assert self.well("DeleteMicrovmImage", imageIdentifier=self.image)["state"] == "DELETING"
        wait_for("the image is gone", lambda: not self.control.rows("image"))
        assert self.well("DeleteMicrovmImage", imageIdentifier=self.image)["state"] == "DELETED"


def test_every_operation_and_every_error_through_each_client(client, control):
    story = Story(client, control)
    for chapter in (story.images, story.tags, story.microvms, story.connectors, story.the_end):
        chapter()
    known = {name for name, (service, _, op) in MODELS.items()
             if service == "lambda-microvms" or "/network-connectors" in op["http"]["requestUri"]}
    core = {name for name in known if "NetworkConnector" in name}
    lacking = {"AWS CLI": {"ListNetworkConnectorVersions"}, "JavaScript": core}.get(client.name, set())
    assert known - SEEN[client.name] <= lacking
