"""The table of operations (src/control/api/ops_*.c) against the models of the official SDKs: botocore's of both services, and
the JavaScript SDK's.  What a newer model adds makes these tests fail by its name.

Needs the clients of tools/test-clients, and the built program dump_ops (DOZE_BUILD, default: build).
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest

botocore_loaders = pytest.importorskip("botocore.loaders")
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build"))
SERVICES = {"lambda-microvms": lambda path: True,
            # The other operations of Lambda Core are about runtimes of functions.
            "lambda-core": lambda path: path.startswith("/2026-04-04/")}
# What src/control/api/call.c can answer, or what no rule of ours leads to.
ERRORS = {"ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ConflictException",
          "ServiceQuotaExceededException", "ThrottlingException", "InternalServerException", "InsufficientCapacityException",
          "TooManyRequestsException", "InvalidParameterValueException", "ResourceConflictException", "ServiceException",
          "NetworkConnectorLimitExceededException"}
KINDS = {"string": "string", "integer": "integer", "boolean": "boolean", "structure": "structure",
         "list": "list", "map": "map", "long": "integer"}
JS = pathlib.Path(sys.executable).parent / "node"


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="model", params=list(SERVICES))
def _model(request):
    try:
        model = botocore_loaders.Loader().load_service_model(request.param, "service-2")
    except Exception as error:
        pytest.skip(f"this botocore has no {request.param}: {error}")
    ours = SERVICES[request.param]
    model["operations"] = {name: op for name, op in model["operations"].items() if ours(op["http"]["requestUri"])}
    return model


@pytest.fixture(scope="module")
def table():
    program = BUILD / "tests/unit/control/api/dump_ops"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)


def compare_shape(model, name, ours, where):
    shape = model["shapes"][name]
    assert ours["kind"] == KINDS[shape["type"]], where
    assert ours.get("enum") == shape.get("enum"), where
    assert ours.get("pattern") == shape.get("pattern"), where
    assert ours.get("max") == shape.get("max"), where
    if ours["kind"] == "integer":
        assert ours.get("min") == shape.get("min"), where
    else:
        assert ours.get("min", 0) == shape.get("min", 0), where
    if shape["type"] == "structure":
        assert ours["union"] == shape.get("union", False), where
        compare_members(model, shape, ours["members"], where)
    elif shape["type"] == "list":
        compare_shape(model, shape["member"]["shape"], ours["of"], f"{where}[]")
    elif shape["type"] == "map":
        compare_shape(model, shape["key"]["shape"], ours["key"], f"{where} keys")
        compare_shape(model, shape["value"]["shape"], ours["of"], f"{where} values")
    # a map of sensitive values must not be printed either
    sensitive = shape.get("sensitive", False) or (
        shape["type"] == "map" and model["shapes"][shape["value"]["shape"]].get("sensitive", False))
    assert ours["sensitive"] == sensitive, where


def compare_members(model, shape, ours, where):
    places = {None: "body", "uri": "path", "querystring": "query"}
    theirs = {m.get("locationName", name): (name, m) for name, m in shape["members"].items()}
    assert not set(theirs) - set(ours), f"{where} lacks members of the model"
    assert not set(ours) - set(theirs), f"{where} has members that the model has not"
    for wire_name, (name, member) in theirs.items():
        at = f"{where}.{name}"
        assert ours[wire_name]["place"] == places[member.get("location")], at
        assert ours[wire_name]["required"] == (name in shape.get("required", [])), at
        compare_shape(model, member["shape"], ours[wire_name]["shape"], at)


def test_every_operation_is_in_the_table(model, table):
    assert not set(model["operations"]) - set(table), "operations of the model that are not here"


def test_the_table_has_no_others_but_our_own(table):
    theirs = set()
    for service, ours in SERVICES.items():
        operations = botocore_loaders.Loader().load_service_model(service, "service-2")["operations"]
        theirs |= {name for name, op in operations.items() if ours(op["http"]["requestUri"])}
    assert {name for name, op in table.items() if not op["path"].startswith("/doze/")} == theirs


def test_operations_have_the_models_paths_and_members(model, table):
    for name, op in model["operations"].items():
        ours = table[name]
        assert ours["method"] == op["http"]["method"], name
        assert ours["path"] == op["http"]["requestUri"], name
        assert ours["status"] == op["http"]["responseCode"], name
        compare_members(model, model["shapes"][op["input"]["shape"]], ours["members"], name)


def test_every_error_of_the_models_is_known(model):
    for name, op in model["operations"].items():
        assert {error["shape"] for error in op.get("errors", [])} <= ERRORS, name


@pytest.fixture(name="schemas", scope="module")
def _schemas():
    if not JS.exists():
        pytest.skip(f"{JS} is not there: tools/test-clients")
    program = pathlib.Path(__file__).with_name("schemas.mjs")
    return json.loads(subprocess.run([JS, program, JS.parents[1] / "js"], check=True, capture_output=True).stdout)


def test_the_javascript_sdk_knows_no_operation_and_no_member_that_we_lack(schemas, table):
    assert len(schemas) > 20
    for name, theirs in schemas.items():
        ours = table[name]
        assert (theirs["method"], theirs["path"], theirs["status"]) == (ours["method"], ours["path"], ours["status"]), name
        for member, about in theirs["members"].items():
            assert member in ours["members"], f"{name} lacks {member}"
            assert about["required"] == ours["members"][member]["required"], f"{name}.{member}"
            assert about["place"] == ours["members"][member]["place"], f"{name}.{member}"
