"""Keys at rest, against the control role (control_rig.py): what is secret stands in no row, and reaches whom it is for."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

import lies
import postgres_rig
from control_rig import ACCOUNT, ALONE, BUILD, KMS, REGION, Control, ipc, wait_for
from signed import Api, Refused, quoted

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

ENV, PAYLOAD = "env-secret-0d7f2a", "payload-secret-93c1be"
SETTINGS = "[kms]\nfiles=plain\n[kms_key alias/held]\nfile=/the/supervisor/reads/it\n[kms_key alias/drawn]\nfile=\n"
HELD = KMS + f"alias/held {'11' * 32}\n"
HOOKS = {"port": 9000, "microvmHooks": {"run": "ENABLED"}, "microvmImageHooks": {"ready": "ENABLED"}}
KEYED = {**BUILD, "environmentVariables": {"TOKEN": ENV}, "hooks": HOOKS, "resources": [{"minimumMemoryInMiB": 512}]}
EAGER = {"idlePolicy": {"maxIdleDurationSeconds": 3600, "suspendedDurationSeconds": 3600, "autoResumeEnabled": True}}


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


def rig_of(settings=SETTINGS, kms=HELD, **more):
    rig = Control(settings=settings, machines=True, start=False, **more)
    rig.kms = kms
    rig.start()
    return rig


@pytest.fixture(name="rig")
def _rig():
    rig = rig_of()
    yield rig
    rig.close()


@pytest.fixture(name="either", params=["sqlite", "postgres"])
def _either(request):
    server = postgres_rig.Postgres() if request.param == "postgres" else None
    rig = rig_of(postgres=server)
    yield rig
    rig.close()
    if server:
        server.close()


def key_of(rig, alias="alias/app"):
    return rig.api.call("POST", "/doze/v1/kms", {"alias": alias})


def change(rig, key, verb):
    return rig.api.call("POST", f"/doze/v1/kms/{quoted(key)}/{verb}")


def keys(rig):
    return {key["alias"]: key for key in rig.api.call("GET", "/doze/v1/kms")["items"]}


def refused(call, status, code, *texts):
    with pytest.raises(Refused) as caught:
        call()
    assert (caught.value.status, caught.value.code) == (status, code), caught.value
    assert all(text in caught.value.message for text in texts), caught.value


def env_of(rig, image, number="1.0"):
    return rig.api.version(image, number)["environmentVariables"]


def rows_of(rig):
    """As `doze backup` has them, and what the data directory holds of them."""
    rows = rig.api.call("POST", "/doze/v1/backup")["rows"]
    text = pathlib.Path(f"{rig.dir}/data/{rows}").read_bytes()
    for file in pathlib.Path(f"{rig.dir}/data/control").glob("doze.db*"):
        text += file.read_bytes()
    if rig.postgres:
        text += subprocess.run([f"{rig.postgres.bin}/pg_dump", rig.postgres.url()], check=True, capture_output=True).stdout
    return text


def edit(rig, table, where, column, by):
    """Changes a row while control is down."""
    with sqlite3.connect(f"{rig.dir}/data/control/doze.db") as db:
        (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (by(value),))


def down(rig):
    rig.stop(kill=True)
    for channel in (rig.supervisor, rig.image.channel, rig.proxy.channel):
        channel.close()


def flip(text, after):
    """One bit of the last digit of a sealed member."""
    at = text.index('"', text.index(after) + len(after) + 3) - 1
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]


def test_what_is_secret_stands_in_no_row_and_reaches_whom_it_is_for(either):
    rig = either
    key = key_of(rig)
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier=key["arn"], clientToken="create-once")
    assert rig.image.specs[rig.image.started[-1]]["environment"] == {"TOKEN": ENV}
    vm = rig.run(image, runHookPayload=PAYLOAD, kmsKeyIdentifier="alias/app", clientToken="run-once", **EAGER)
    assert any(PAYLOAD.encode() in body for body in rig.machine(vm).bodies)
    rig.api.suspend(vm)
    again = rig.api.update_image(image, **KEYED, kmsKeyIdentifier=key["keyId"])
    assert again["kmsKeyIdentifier"] == key["keyId"] and again["environmentVariables"] == {"TOKEN": ENV}

    text = rows_of(rig)
    assert ENV.encode() not in text and PAYLOAD.encode() not in text and b"dozeSealed" in text
    rig.restart()
    assert env_of(rig, image) == env_of(rig, image, "2.0") == {"TOKEN": ENV}
    assert rig.api.version(image)["kmsKeyIdentifier"] == key["arn"] and rig.api.get(vm)["kmsKeyIdentifier"] == "alias/app"
    made = rig.api.call("POST", "/2025-09-09/microvm-images", {"name": "app", **KEYED, "kmsKeyIdentifier": key["arn"], "clientToken": "create-once"})
    assert made["imageVersion"] == "1.0" and made["environmentVariables"] == {"TOKEN": ENV} and "dozeKey" not in made
    refused(lambda: rig.api.create_image("app", **{**KEYED, "environmentVariables": {}}, kmsKeyIdentifier=key["arn"], clientToken="create-once"),
            409, "ConflictException")
    rig.api.resume(vm)
    rig.wait_state(vm, "RUNNING")


def test_a_key_is_named_in_each_spelling_of_its_own_account_and_region(rig):
    key = key_of(rig)
    for text in (key["keyId"], "alias/app", key["arn"], f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/app"):
        rig.make_image(f"app-{len(text)}", **KEYED, kmsKeyIdentifier=text)
    for text, why in ((key["arn"].replace(REGION, "eu-west-1"), "another region"), (key["arn"].replace(ACCOUNT, "111111111111"), "another account"),
                      ("alias/never", "There is no key alias/never"), ("never", "There is no key never")):
        refused(lambda text=text: rig.api.create_image("never", **KEYED, kmsKeyIdentifier=text), 400, "ValidationException", why)
    tenant = "222222222222"
    rig.api.call("POST", "/doze/v1/accounts", {"account": tenant, "name": "tenant"})
    made = rig.api.call("POST", f"/doze/v1/keys?account={tenant}", {"name": "main"})
    theirs = Api(rig, made["accessKeyId"], made["secretAccessKey"], REGION)
    for text in ("alias/app", key["keyId"]):
        refused(lambda text=text: theirs.create_image("never", **KEYED, kmsKeyIdentifier=text), 400, "ValidationException", "There is no key")
    assert theirs.call("GET", "/doze/v1/kms")["items"] == []
    refused(lambda: theirs.call("DELETE", "/doze/v1/kms/app"), 404, "ResourceNotFoundException")
    theirs.call("POST", "/doze/v1/kms", {"alias": "app"})
    assert keys(rig)["alias/app"]["keyId"] == key["keyId"]
    refused(lambda: rig.api.call("DELETE", f"/doze/v1/accounts/{tenant}"), 409, "ConflictException", "still has keys")
    theirs.call("DELETE", "/doze/v1/kms/app")
    rig.api.call("DELETE", f"/doze/v1/accounts/{tenant}")


def test_a_policy_says_who_may_use_and_who_may_change_a_key(rig):
    key = key_of(rig)
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/app")

    def with_policy(*statements):
        text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]})
        made = rig.api.call("POST", "/doze/v1/keys", {"name": f"k{len(keys_made)}", "policy": text})
        keys_made.append(made)
        return Api(rig, made["accessKeyId"], made["secretAccessKey"], REGION)

    keys_made, plain = [], {"Action": ["lambda:*", "iam:PassRole"]}
    without, user = with_policy(plain), with_policy(plain, {"Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": key["arn"]})
    refused(lambda: without.create_image("other", **KEYED, kmsKeyIdentifier="alias/app"), 403, "AccessDeniedException",
            f"kms:GenerateDataKey on resource: {key['arn']}")
    refused(lambda: without.create_image("other", **KEYED, kmsKeyIdentifier="alias/never"), 403, "AccessDeniedException")
    refused(lambda: without.run(image), 403, "AccessDeniedException", f"kms:Decrypt on resource: {key['arn']}")
    builder = with_policy({"Action": ["doze:*", "lambda:*", "iam:PassRole"]})
    refused(lambda: builder.call("POST", f"/doze/v1/images/{quoted(image)}/rebuild"), 403, "AccessDeniedException", "kms:Decrypt")
    half = with_policy(plain, {"Action": "kms:GenerateDataKey"})
    refused(lambda: half.run(image, kmsKeyIdentifier="alias/app"), 403, "AccessDeniedException", "kms:Decrypt")
    user.run(image, kmsKeyIdentifier="alias/app")
    user.create_image("other", **KEYED, kmsKeyIdentifier="alias/app")
    refused(lambda: user.call("POST", "/doze/v1/kms", {"alias": "mine"}), 403, "AccessDeniedException", "kms:CreateKey")
    refused(lambda: user.call("POST", "/doze/v1/kms/app/disable"), 403, "AccessDeniedException", f"kms:DisableKey on resource: {key['arn']}")
    with_policy({"Action": "kms:*", "Resource": key["arn"]}).call("POST", "/doze/v1/kms/app/rotate")


def test_what_a_disabled_key_seals_neither_runs_nor_wakes(rig):
    key_of(rig)
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/app")
    asleep, awake = rig.run(image, **EAGER), rig.run(image, **EAGER)
    rig.api.suspend(asleep)
    assert change(rig, "alias/app", "disable")["state"] == "DISABLED"
    for _ in range(2):
        refused(lambda: rig.api.run(image), 400, "ValidationException", "alias/app is disabled")
        refused(lambda: rig.api.resume(asleep), 400, "ValidationException", "alias/app is disabled")
        refused(lambda: rig.api.update_image(image, **KEYED, kmsKeyIdentifier="alias/app"), 400, "ValidationException", "alias/app is disabled")
        rig.proxy.say("WAKE", rig.row(asleep)["endpoint"])
        rig.settle()
        assert rig.api.state(asleep) == "SUSPENDED" and rig.api.state(awake) == "RUNNING"
        version = rig.api.version(image)
        assert version["environmentVariables"] is None and version["kmsKeyIdentifier"] == "alias/app"
        rig.restart()
    change(rig, "alias/app", "enable")
    assert env_of(rig, image) == {"TOKEN": ENV}
    rig.api.resume(asleep)
    rig.wait_state(asleep, "RUNNING")
    rig.run(image)


def test_a_microvm_whose_own_key_is_disabled_is_told_apart_from_its_version(rig):
    key_of(rig)
    image = rig.make_image("app", **{**KEYED, "environmentVariables": {}})
    keyed, plain = rig.run(image, kmsKeyIdentifier="alias/app", runHookPayload=PAYLOAD, **EAGER), rig.run(image, **EAGER)
    for vm in (keyed, plain):
        rig.api.suspend(vm)
    change(rig, "app", "disable")
    refused(lambda: rig.api.resume(keyed), 400, "ValidationException", "is disabled")
    rig.api.resume(plain)
    rig.wait_state(plain, "RUNNING")


def test_a_rotation_is_whole_or_not_at_all_and_rewrites_nothing(either):
    rig = either
    key_of(rig)
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/app")
    for n in range(2, 7):
        asked = rig.api.later("call", "POST", "/doze/v1/kms/app/rotate")
        if n % 2:
            asked.result()
        rig.restart()
        asked.exception()
        assert keys(rig)["alias/app"]["state"] == "ENABLED"
        assert env_of(rig, image) == {"TOKEN": ENV}
    assert 3 <= keys(rig)["alias/app"]["versions"] <= 6
    rig.api.update_image(image, **KEYED, kmsKeyIdentifier="alias/app")
    assert env_of(rig, image) == env_of(rig, image, "2.0") == {"TOKEN": ENV}
    text = rows_of(rig)
    assert ENV.encode() not in text


@pytest.mark.parametrize("lost", [KMS, KMS + "alias/held -\n", KMS + f"alias/held {'22' * 32}\n", f"master {'66' * 32}\nalias/held {'11' * 32}\n"],
                         ids=["not named", "not readable", "another file", "another master"])
def test_a_lost_key_stops_what_needs_it_and_destroys_nothing(rig, lost, capfd):
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/held")
    vm = rig.run(image, runHookPayload=PAYLOAD, kmsKeyIdentifier="alias/held", **EAGER)
    rig.api.suspend(vm)
    down(rig)
    rig.kms = lost
    capfd.readouterr()
    rig.start()
    said = capfd.readouterr().err
    assert "image=app version=1" in said and f"id={vm}" in said and not any(byte * 32 in said for byte in ('11', '22', '5a', '66'))
    version = rig.api.version(image)
    assert version["environmentVariables"] is None and version["hooks"]["port"] == 9000 and version["kmsKeyIdentifier"] == "alias/held"
    assert rig.api.get(vm)["state"] == "SUSPENDED"
    assert keys(rig)["alias/held"]["state"] == "UNAVAILABLE" and keys(rig)["alias/held"]["reason"]
    refused(lambda: rig.api.run(image), 400, "ValidationException", "The key alias/held cannot be used")
    refused(lambda: rig.api.resume(vm), 400, "ValidationException", "The key alias/held cannot be used")
    refused(lambda: rig.api.call("DELETE", "/doze/v1/kms/held"), 409, "ConflictException")
    rig.run(rig.make_image("other"))
    down(rig)
    rig.kms = HELD
    rig.start()
    assert env_of(rig, image) == {"TOKEN": ENV}
    rig.api.resume(vm)
    rig.wait_state(vm, "RUNNING")


def test_a_flipped_bit_and_a_copied_value_fail_alone(rig):
    key_of(rig)
    one, two = (rig.make_image(name, **{**KEYED, "environmentVariables": {"TOKEN": ENV + name}}, kmsKeyIdentifier="alias/app") for name in ("one", "two"))
    third = rig.make_image("three", **KEYED, kmsKeyIdentifier="alias/app")
    down(rig)
    rows = dict(sqlite3.connect(f"{rig.dir}/data/control/doze.db").execute(
        "SELECT image.name, params FROM version JOIN image ON image.id = version.image"))
    ids = dict(sqlite3.connect(f"{rig.dir}/data/control/doze.db").execute("SELECT name, id FROM image"))
    edit(rig, "version", f"image = '{ids['one']}'", "params", lambda text: flip(text, '"dozeSealed"'))
    edit(rig, "version", f"image = '{ids['two']}'", "params", lambda _: rows["three"])
    rig.start()
    assert env_of(rig, one) is None and env_of(rig, two) is None and env_of(rig, third) == {"TOKEN": ENV}
    for image in (one, two):
        refused(lambda image=image: rig.api.call("POST", f"/doze/v1/images/{quoted(image)}/rebuild"), 500, "InternalServerException",
                "environment variables of version 1.0 cannot be opened")
        rig.run(image)  # what it starts from has them
    rig.make_image("four", **KEYED, kmsKeyIdentifier="alias/app")


def test_a_key_goes_only_when_it_seals_nothing(rig):
    key = key_of(rig)
    refused(lambda: key_of(rig), 409, "ConflictException", "There is a key alias/app already")
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/app")
    vm = rig.run(image, kmsKeyIdentifier="alias/app")
    for end in (lambda: rig.api.terminate(vm), lambda: rig.api.delete_image(image)):
        refused(lambda: rig.api.call("DELETE", "/doze/v1/kms/app"), 409, "ConflictException", "still seals")
        rig.restart()
        end()
        rig.settle()
    wait_for("nothing uses it", lambda: keys(rig)["alias/app"]["users"] == 0)
    rig.api.call("DELETE", f"/doze/v1/kms/{quoted(key['arn'])}")
    assert "alias/app" not in keys(rig)
    assert rig.api.get(vm)["state"] == "TERMINATED"
    refused(lambda: rig.api.create_image("app", **KEYED, kmsKeyIdentifier=key["arn"]), 400, "ValidationException", "There is no key")
    rig.restart()
    assert rig.api.get(vm)["state"] == "TERMINATED" and key_of(rig)["keyId"] != key["keyId"]


CHANGES = {"create": ("POST", "/doze/v1/kms", {"alias": "other"}), "rotate": ("POST", "/doze/v1/kms/app/rotate", None),
           "disable": ("POST", "/doze/v1/kms/app/disable", None), "delete": ("DELETE", "/doze/v1/kms/app", None)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_the_store_refuses_has_not_happened(rig, name):
    key_of(rig)
    before = keys(rig)
    rig.lies.tell("COMMIT", lies.FULL)
    with pytest.raises(Refused) as caught:
        rig.api.call(*CHANGES[name])
    assert caught.value.status >= 500
    rig.lies.truth()
    assert keys(rig) == before
    rig.restart()
    assert keys(rig) == before
    rig.api.call(*CHANGES[name])
    assert keys(rig) != before


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("dies", ["before", "after"])
def test_control_that_dies_at_a_change_finds_all_of_it_or_nothing(rig, name, dies):
    key_of(rig)
    image = rig.make_image("app", **KEYED, kmsKeyIdentifier="alias/drawn")
    before = keys(rig)
    rig.lies.tell("COMMIT", ipc.LIE_DIES_BEFORE if dies == "before" else ipc.LIE_DIES_AFTER, times=1)
    asked = rig.api.later("call", *CHANGES[name])
    asked.exception()
    wait_for("it died", lambda: rig.process.poll() is not None)
    rig.lies.truth()
    rig.restart()
    assert (keys(rig) == before) == (dies == "before")
    assert env_of(rig, image) == {"TOKEN": ENV}


def test_a_restore_opens_what_its_master_secret_and_its_file_open(rig, tmp_path):
    held, drawn = (rig.make_image(alias, **KEYED, kmsKeyIdentifier=f"alias/{alias}") for alias in ("held", "drawn"))
    rows = rig.api.call("POST", "/doze/v1/backup")["rows"]
    for n, (kms, opens) in enumerate(((HELD, (held, drawn)), (KMS, (drawn,)), (HELD.replace("5a", "5b"), ()))):
        place = tmp_path / str(n)
        os.makedirs(place / "data/control")
        (place / "data/control/restore.rows").write_bytes(pathlib.Path(f"{rig.dir}/data/{rows}").read_bytes())
        other = rig_of(data=str(place), kms=kms)
        try:
            assert [image for image in (held, drawn) if env_of(other, image) == {"TOKEN": ENV}] == list(opens)
            assert all(other.api.image(image)["state"] == "CREATED" for image in (held, drawn))
        finally:
            other.close()


def test_files_that_no_key_encrypts_are_refused_unless_the_operator_says_so():
    place = tempfile.mkdtemp(prefix="doze-kms-", dir="/dev/shm")  # a file system that never encrypts
    rig = rig_of(settings="", data=place)
    try:
        key_of(rig)
        refused(lambda: rig.api.create_image("app", **KEYED, kmsKeyIdentifier="alias/app"), 400, "ValidationException",
                "kmsKeyIdentifier cannot be used for an image", "[kms] files = plain")
        vm = rig.run(rig.make_image("plain", **KEYED), kmsKeyIdentifier="alias/app", runHookPayload=PAYLOAD)
        assert rig.api.get(vm)["kmsKeyIdentifier"] == "alias/app"
        text = rows_of(rig)
        assert PAYLOAD.encode() not in text and ENV.encode() in text  # which has no key
    finally:
        rig.close()
        shutil.rmtree(place)


def test_without_a_master_secret_keys_are_refused_and_the_rest_works():
    rig = rig_of(settings="", kms="")
    try:
        refused(lambda: key_of(rig), 409, "ConflictException", "no master secret")
        rig.run(rig.make_image("app"))
    finally:
        rig.close()
