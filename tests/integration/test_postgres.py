"""The store in PostgreSQL: the suite that SQLite has too, and a server that is stopped, crashes, and comes back."""
import os
import pathlib
import subprocess

import pytest

import postgres_rig
from control_rig import ALONE, BUILD, Control, wait_for
from ipc_structs import ipc
from signed import V, Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """No daemon is needed here."""


@pytest.fixture(scope="module")
def server():
    server = postgres_rig.Postgres()
    yield server
    server.close()


@pytest.fixture
def postgres(server):
    """It runs, and has an empty database."""
    server.new_database()
    yield server
    if not os.path.exists(f"{server.data}/postmaster.pid"):
        server.start()


@pytest.fixture
def rig(postgres):
    rig = Control(machines=True, postgres=postgres)
    yield rig
    rig.close()


@pytest.mark.parametrize("suite", ["store", "postgres"])
def test_the_suite_of_the_store_passes(postgres, suite):
    done = subprocess.run([ALONE.parent / f"test_control_store_{suite}"], env={**os.environ, "DOZE_TEST_POSTGRES": postgres.url()}, capture_output=True,
                          text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_unavailable(rig, method, path, body=None):
    status, head, answer = rig.api.raw(method, path, body)
    assert (status, head.get("x-amzn-errortype"), head.get("retry-after")) == (503, "ServiceUnavailableException", "1"), answer
    assert b"PostgreSQL does not answer" in answer


def writes_again(rig, image):
    """A microVM that runs, once the store takes it."""
    made = []

    def taken():
        try:
            made.append(rig.api.run(image))
        except Refused as why:
            assert why.status == 503, why
        return made
    wait_for("the store takes writes", taken)
    return made[0]


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_while_the_server_is_gone_reads_are_answered_and_writes_refused(rig, postgres, how):
    image = rig.make_image("hello")
    vm = rig.run(image)
    postgres.stop(how)
    assert rig.api.state(vm) == "RUNNING"
    assert_unavailable(rig, "POST", f"{V}/microvms", {"imageIdentifier": image})
    assert_unavailable(rig, "POST", f"{V}/microvm-images", {"name": "other", **BUILD})
    assert_unavailable(rig, "POST", f"{V}/microvms/{vm}/suspend")
    assert rig.api.state(vm) == "RUNNING"
    assert rig.proxy.routes, "its endpoint is served on"
    postgres.start()
    other = writes_again(rig, image)
    rig.wait_state(other, "RUNNING")
    assert {row["id"]: row["state"] for row in rig.rows("microvm")} == {vm: "RUNNING", other: "RUNNING"}


def test_what_happens_while_the_server_is_gone_is_written_when_it_is_back(rig, postgres):
    """The end of a machine is no request that could be refused."""
    image = rig.make_image("hello")
    vm = rig.run(image)
    machine = rig.machine(vm)
    postgres.crash()
    machine.clear()
    rig.settle()
    assert rig.api.state(vm) == "RUNNING", "memory does not know what is not durable"
    postgres.start()
    rig.wait_state(vm, "TERMINATED", "TERMINATING", seconds=20)
    wait_for("the row says so", lambda: rig.row(vm)["state"] == "TERMINATED")


def test_a_client_token_has_one_answer_over_a_crash_of_the_server(rig, postgres):
    image = rig.make_image("hello")
    body = {"imageIdentifier": image, "clientToken": "a-token-that-is-long-enough-1234567"}
    for after in (False, True):
        body["clientToken"] += "x"
        before = len(rig.rows("microvm"))
        # The third query of a run is its commit, with whatever else is under way; each in turn loses the connection.
        for skip in range(6):
            rig.lies.tell("QUERY", ipc.LIE_LOSES_AFTER if after else ipc.LIE_LOSES_BEFORE, skip=skip, times=1)
            answers = []

            def answered():
                status, _, answer = rig.api.raw("POST", f"{V}/microvms", body)
                answers.append(status)
                assert status in (200, 503), answer
                return status == 200 and answer
            first = wait_for("it is answered", answered)
            assert wait_for("it is answered again", answered) == first
        rig.lies.truth()
        assert len(rig.rows("microvm")) == before + 1


def test_a_control_that_is_killed_finds_everything_in_the_database(rig):
    image = rig.make_image("hello")
    vm = rig.run(image)
    rig.restart()
    assert rig.api.state(vm) == "RUNNING"
    assert rig.api.image(image)["state"] == "CREATED"
    assert not os.path.exists(f"{rig.dir}/data/control/doze.db")


def test_without_its_server_control_says_so_and_changes_nothing(postgres, capfd):
    postgres.stop()
    rig = Control(postgres=postgres, start=False)
    try:
        before = sorted(os.listdir(f"{rig.dir}/data/control"))
        rig.start(ready=False)
        assert rig.process.wait() == 1
        assert sorted(os.listdir(f"{rig.dir}/data/control")) == before
    finally:
        rig.close()
        postgres.start()
    said = [line for line in capfd.readouterr().err.splitlines() if " error " in line]
    assert len(said) == 1 and "start it, or correct [store] url" in said[0], said


@pytest.mark.parametrize("setup, sentence", [
    ("REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres", "let it own the database"),
    ("CREATE TABLE doze (format BIGINT, owner TEXT, writes BIGINT); ALTER TABLE doze OWNER TO doze; INSERT INTO doze VALUES (99, 'x', 0)", "format 99"),
])
def test_a_database_that_cannot_be_used_is_one_sentence(postgres, capfd, setup, sentence):
    postgres.sql(setup, "doze")
    rig = Control(postgres=postgres, start=False)
    try:
        rig.start(ready=False)
        assert rig.process.wait() == 1
    finally:
        rig.close()
    said = [line for line in capfd.readouterr().err.splitlines() if " error " in line]
    assert len(said) == 1 and sentence in said[0], said
    assert "image" not in postgres.sql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace", "doze")


@pytest.mark.skipif(not os.environ.get("DOZE_LONG"), reason="a server that is silent is given up after 15 s")
@pytest.mark.parametrize("made", [True, False], ids=["after the commit", "before it"])
def test_a_first_start_that_is_killed_at_its_commit_is_no_obstacle_to_the_next(rig, postgres, made):
    rig.stop()
    control = pathlib.Path(f"{rig.dir}/data/control")
    (control / "store-id").rename(control / "store-id.new")
    if not made:
        postgres.new_database()
    rig.start()
    assert rig.make_image("hello")
    assert (control / "store-id").exists() and not (control / "store-id.new").exists()


def test_a_database_of_another_directory_is_not_taken_for_a_draft_of_ours(rig, postgres, capfd):
    rig.stop()
    control = pathlib.Path(f"{rig.dir}/data/control")
    (control / "store-id").unlink()
    (control / "store-id.new").write_text("0f8fad5b-d9cb-469f-a165-70867728950e\n")
    with pytest.raises(AssertionError):
        rig.start()
    assert "belongs to another data directory" in capfd.readouterr().err
    (control / "store-id.new").unlink()


def test_a_server_that_is_silent_is_one_that_is_gone(rig, postgres):
    image = rig.make_image("hello")
    postgres.freeze()
    try:
        assert_unavailable(rig, "POST", f"{V}/microvms", {"imageIdentifier": image})
        assert_unavailable(rig, "POST", f"{V}/microvms", {"imageIdentifier": image})
    finally:
        postgres.freeze(False)
    rig.wait_state(writes_again(rig, image), "RUNNING")
