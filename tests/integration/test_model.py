"""The table of operations (src/control/api/ops.c) against the official SDK's model.

Needs botocore with lambda-microvms, and the built program dump_ops (DOZE_BUILD, default: build).
"""
import json
import os
import pathlib
import subprocess

import pytest

botocore_loaders = pytest.importorskip("botocore.loaders")
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build"))
MISSING = set()  # of the service, not here yet
KINDS = {"string": "string", "integer": "integer", "boolean": "boolean", "structure": "structure",
         "list": "list", "map": "map"}


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(scope="module")
def model():
    try:
        return botocore_loaders.Loader().load_service_model("lambda-microvms", "service-2")
    except Exception as error:
        pytest.skip(f"this botocore has no lambda-microvms: {error}")


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
    assert set(ours) == set(theirs), where
    for wire_name, (name, member) in theirs.items():
        at = f"{where}.{name}"
        assert ours[wire_name]["place"] == places[member.get("location")], at
        assert ours[wire_name]["required"] == (name in shape.get("required", [])), at
        compare_shape(model, member["shape"], ours[wire_name]["shape"], at)


def test_every_operation_is_in_the_table_or_known_to_be_missing(model, table):
    ours = {name for name, op in table.items() if not op["path"].startswith("/doze/")}
    assert set(model["operations"]) - ours == MISSING
    assert not ours - set(model["operations"])


def test_operations_have_the_models_paths_and_members(model, table):
    for name, op in model["operations"].items():
        if name in MISSING:
            continue
        ours = table[name]
        assert ours["method"] == op["http"]["method"], name
        assert ours["path"] == op["http"]["requestUri"], name
        assert ours["status"] == op["http"]["responseCode"], name
        compare_members(model, model["shapes"][op["input"]["shape"]], ours["members"], name)
