"""clientToken of every operation that has one, against the control role: duplicates at once have one winner and one answer, also
after a crash; other parameters are a conflict; another account's token, and one that is too old, is another token."""
import concurrent.futures
import json

import pytest

botocore_loaders = pytest.importorskip("botocore.loaders")
from control_rig import ACCOUNT, ALONE, BUILD, REGION, Control, wait_for  # noqa: E402
from signed import Api, Refused, quoted  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

KEEP_S = 3600
TENANT = "444444444444"
CONNECTORS = "/2026-04-04/network-connectors"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/operator"


def vpc(*subnets):
    return {"VpcEgressConfiguration": {"SubnetIds": list(subnets), "NetworkProtocol": "IPv4",
                                       "AssociatedComputeResourceTypes": ["MicroVm"]}}


# operation: (name of the token, method, path, two bodies that differ, rows of which table one success makes, its conflict)
OPERATIONS = {
    "CreateMicrovmImage": ("clientToken", "POST", "/2025-09-09/microvm-images",
                           [{"name": "{token}", **BUILD, "description": d} for d in "ab"], "image", "ConflictException"),
    "UpdateMicrovmImage": ("clientToken", "PUT", "/2025-09-09/microvm-images/{image}",
                           [{**BUILD, "description": d} for d in "ab"], "version", "ConflictException"),
    "RunMicrovm": ("clientToken", "POST", "/2025-09-09/microvms",
                   [{"imageIdentifier": "{image}", "maximumDurationInSeconds": n} for n in (600, 700)], "microvm", "ConflictException"),
    "CreateNetworkConnector": ("ClientToken", "POST", CONNECTORS,
                               [{"Name": "{token}", "OperatorRole": ROLE, "Configuration": vpc(s)} for s in ("subnet-a", "subnet-b")],
                               "connector", "ResourceConflictException"),
    "UpdateNetworkConnector": ("ClientToken", "PUT", CONNECTORS + "/{connector}",
                               [{"Configuration": vpc("subnet-a", s)} for s in ("subnet-b", "subnet-c")],
                               "connector_version", "ResourceConflictException"),
}


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="control")
def _control():
    rig = Control(settings=f"[network]\nsubnets=subnet-a,subnet-b,subnet-c\n[limits]\ntoken_keep_ms={KEEP_S}000\n", machines=True)
    yield rig
    rig.close()


def test_the_table_has_every_operation_with_a_token():
    theirs = set()
    for service in ("lambda-microvms", "lambda-core"):
        model = botocore_loaders.Loader().load_service_model(service, "service-2")
        for name, op in model["operations"].items():
            members = model["shapes"][op.get("input", {}).get("shape", "")]["members"] if "input" in op else {}
            if "runtimes" not in op["http"]["requestUri"] and {"clientToken", "ClientToken"} & set(members):
                theirs.add(name)
    assert theirs == set(OPERATIONS)


class Asker:
    """One operation of one account, on things of its own."""

    def __init__(self, control, api, operation, account=ACCOUNT):
        self.control, self.api = control, api
        self.word, self.method, self.path, self.bodies, self.table, self.conflict = OPERATIONS[operation]
        seen = len(control.image.started)
        if "{image}" in self.path + json.dumps(self.bodies):
            image = api.create_image("subject", **BUILD)
            control.image.finish_next(seen)
            wait_for("the image is CREATED", lambda: api.image(image)["state"] == "CREATED")
        if "{connector}" in self.path:
            api.call("POST", CONNECTORS, {"Name": "subject", "OperatorRole": ROLE, "Configuration": vpc("subnet-a"),
                                          "ClientToken": "subject"})
            wait_for("the connector is ACTIVE", lambda: api.call("GET", f"{CONNECTORS}/subject")["State"] == "ACTIVE")
        self.names = {"image": f"arn:aws:lambda:{REGION}:{account}:microvm-image:subject", "connector": "subject"}

    def ask(self, token, body=0):
        text = json.dumps(self.bodies[body]).replace("{token}", token).replace("{image}", self.names["image"])
        path = self.path.replace("{image}", quoted(self.names["image"])).replace("{connector}", "subject")
        return self.api.call(self.method, path, {**json.loads(text), self.word: token})

    def made(self):
        return len(self.control.rows(self.table))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_duplicates_have_one_winner_and_one_answer(control, operation):
    asker = Asker(control, control.api, operation)
    before = asker.made()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: asker.ask("one"), range(16)))
    assert all(answer == answers[0] for answer in answers) and asker.made() == before + 1
    control.restart()
    assert asker.ask("one") == answers[0] and asker.made() == before + 1
    with pytest.raises(Refused) as refused:
        asker.ask("one", body=1)
    assert (refused.value.status, refused.value.code) == (409, asker.conflict) and asker.made() == before + 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_token_is_forgotten_in_time_and_is_its_accounts_own(control, operation):
    asker = Asker(control, control.api, operation)
    first = asker.ask("old")
    control.api.call("POST", "/doze/v1/accounts", {"account": TENANT, "name": "tenant"})
    key = control.api.call("POST", f"/doze/v1/keys?account={TENANT}", {"name": "tenant"})
    tenant = Asker(control, Api(control, key["accessKeyId"], key["secretAccessKey"], REGION), operation, TENANT)
    assert tenant.ask("old", body=1) != first
    control.pass_time(KEEP_S + 60, step=600)
    for build in list(control.image.started):
        control.image.finish(build)
    control.settle()
    control.restart()
    try:  # what it made may be in the way of a second one, or be the same again; the old answer it is not
        assert asker.ask("old", body=1) != first
    except Refused as error:
        assert "clientToken" not in error.message, error
