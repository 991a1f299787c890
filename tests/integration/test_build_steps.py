"""What a build step does with what is cached, mounted, fetched and printed; without a daemon."""
import functools
import gzip
import http.server
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading

import pytest

from step_rig import Steps

F = "FROM busy:1\n"


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(scope="module", name="steps")
def _steps():
    work = pathlib.Path(tempfile.mkdtemp(prefix="doze-steps-"))
    work.chmod(0o755)
    steps = Steps(work)
    yield steps
    steps.close()
    shutil.rmtree(work, ignore_errors=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(name="web")
def _web(tmp_path):
    """A folder, and the URL at which it is served."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def ran(log, word):
    """The lines of the log that begin so, without what the builder says of its cache."""
    return [line for line in log.splitlines() if line.startswith(word)]


def test_a_mounted_stage_is_found_when_all_of_it_comes_from_the_cache(steps):
    text = ("FROM busy:1 AS tools\nRUN mkdir /k && echo one > /k/f\nFROM tools AS more\nRUN echo two > /k/g\n" + F +
            "RUN --mount=from=tools,source=/k,target=/t --mount=from=more,source=/k,target=/m cat /t/f /m/g > /o; ls /t >> /o{}\n"
            "RUN --mount=type=cache,from=more,source=/k,target=/c cat /c/g >> /o\n")
    for more in "", " # again", " # and again":
        log, result, image = steps.build(text.format(more), {})
        assert result["ok"], log
        assert image.read("/o") == "one\ntwo\nf\ntwo\n"
    steps_said = sorted(line.split(":")[0] for line in log.splitlines() if re.match(r"\[\d/\d\] STEP", line))
    assert steps_said == ["[1/3] STEP 1/2", "[1/3] STEP 2/2", "[2/3] STEP 1/2", "[2/3] STEP 2/2", "[3/3] STEP 1/3", "[3/3] STEP 2/3", "[3/3] STEP 3/3"], log


def test_a_failure_behind_a_mounted_stage_names_its_own_step(steps):
    log, result, _ = steps.build("FROM busy:1 AS s\nRUN echo s > /s\n" + F + "RUN --mount=from=s,target=/s cat /s/s\nRUN exit 3\n", {})
    assert "Dockerfile:5: step 3/3 failed: RUN exit 3: exit status 3" in result["reason"], (result, log)


def test_a_mount_through_a_link_sees_that_its_target_changed(steps):
    text = F + "RUN --mount=source={},target=/m cat /m{} > /o\n"
    for source, below in ("link", "/f"), ("link/f", ""), ("to", ""):
        for content in "one\n", "two\n":
            log, result, image = steps.build(text.format(source, below), {"real/f": content, "link": "-> real", "to": "-> real/f"})
            assert result["ok"], log
            assert image.read("/o") == content, (source, log)


def packed(files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


# what is served, and what the image has; a text is the reason of a failure
FETCHED = {
    "an archive": (packed({"a": b"a", "b": b"b"}), {"/x/a": "a", "/x/b": "b", "/x/tree": None}),
    "a packed archive": (gzip.compress(packed({"a": b"a"})), {"/x/a": "a", "/x/tree": None}),
    "no archive": (b"hello\n", {"/x/tree": "hello\n"}),
    "nothing": (b"", {"/x/tree": ""}),
    "a packed text": (gzip.compress(b"hello\n"), {"/x/tree": ...}),
    "an archive that breaks off": (packed({"a": b"a", "b": bytes(70000)})[:40000], "tar says: tar: Unexpected EOF"),
    "a packed archive that breaks off": (gzip.compress(packed({"a": bytes(range(256)) * 300, "b": b"b"}))[:-300], "tar says: "),
    "an archive with what cannot be made": (packed({"a": b"a", "a/b": b"b"}), "tar says: tar: a/b: Cannot open: Not a directory"),
}


@pytest.mark.parametrize("case", FETCHED)
def test_what_add_unpacks_is_whole_or_the_build_fails(steps, web, case):
    data, wanted = FETCHED[case]
    (web[0] / "tree").write_bytes(data)
    log, result, image = steps.build(F + f"ADD --unpack=true {web[1]}/tree /x/\n", {})
    if isinstance(wanted, str):
        assert not result["ok"] and result["code"] == "CONTAINER_BUILD_FAILED" and wanted in result["reason"], (result, log)
        return
    assert result["ok"], log
    for path, content in wanted.items():
        found = image.read(path)
        assert (found is not None) if content is ... else (found == content), (path, found, log)


def test_nothing_is_fetched_to_a_disk_without_room(steps, web):
    (web[0] / "f").write_text("f")
    log, result, _ = steps.build(F + f"ADD {web[1]}/f /x\n", {}, where=steps.directory(steps.small))
    assert not result["ok"] and result["code"] == "DISK_STORAGE_FULL", (result, log)
    assert result["reason"] == "There is no room for what ADD fetches."


def test_what_is_unpacked_leaves_room_on_the_disk(steps, web):
    """A small archive becomes a large one."""
    (web[0] / "bomb").write_bytes(gzip.compress(packed({f"f{n}": bytes(100 << 20) for n in range(5)}), 1))
    subprocess.run(["mount", "-o", "remount,size=700m", steps.small], check=True)
    where = steps.directory(steps.small)
    log, result, _ = steps.build(F + f"ADD --unpack=true {web[1]}/bomb /x/\n", {}, where=where)
    left = os.statvfs(steps.small).f_bavail * os.statvfs(steps.small).f_frsize
    shutil.rmtree(where)
    subprocess.run(["mount", "-o", "remount,size=64m", steps.small], check=True)
    assert not result["ok"] and result["code"] == "DISK_STORAGE_FULL", (result, log)
    assert left > 256 << 20, "what others need"


def test_what_a_step_prints_takes_nothing_from_the_log(steps):
    nested = 'Error: building at STEP "RUN x": while running runtime: exit status 9'
    text = F + f"RUN echo '{nested}'; echo after; echo more\nRUN echo 'Error: y'; echo last\n"
    log, result, _ = steps.build(text, {})
    assert result["ok"], log
    assert ran(log, "Error: ") == [nested, "Error: y"] and ran(log, "after") and ran(log, "more") and ran(log, "last"), log
    assert log.index(nested) < log.index("\nafter") < log.index("STEP 3/3")
    log, result, _ = steps.build(F + f"RUN echo '{nested}'; echo after; exit 4\n", {})
    assert "step 2/2 failed" in result["reason"] and result["reason"].endswith("exit status 4"), result
    assert nested in log and ran(log, "after"), log


def test_a_line_like_that_of_a_later_step_is_no_step(steps):
    log, result, _ = steps.build(F + "RUN echo 'STEP 3/3: RUN echo z'; echo 'STEP 3/3: COPY a /'; exit 5\nRUN echo b\n", {})
    assert "Dockerfile:2: step 2/3 failed: RUN echo" in result["reason"] and result["reason"].endswith("exit status 5"), (result, log)


def test_a_base_has_as_many_volumes_as_it_likes_up_to_a_limit(steps):
    for n, says in [(20, None)] + [(257, "has more than 256 volumes")] * bool(os.environ.get("DOZE_LONG")):
        where = steps.directory()
        log, result, _ = steps.build(F + "VOLUME [" + ",".join(f'"/v{i}"' for i in range(n)) + "]\n", {}, where=where)
        assert result["ok"], log
        log, result, image = steps.build(f"FROM localhost/doze/image/{where.name}:1\nRUN mkdir -p /v1 && echo kept > /v1/f\n", {})
        if says:
            assert not result["ok"] and says in result["reason"], (result, log)
        else:
            assert result["ok"] and image.read("/v1/f") == "kept\n" and len(image.config["Volumes"]) == n, log


def test_all_of_the_configured_variables_reach_run_or_the_step_says_why_not(steps):
    variables = [word for n in range(256) for word in ("--env", f"V{n}={n}")]
    log, result, image = steps.build(F + "RUN echo $V0 $V255 > /o\n", {}, *variables)
    assert result["ok"] and image.read("/o") == "0 255\n", log
    assert not [v for v in image.config["Env"] if v.startswith("V")], "they are for RUN alone"
    with pytest.raises(AssertionError, match="more than 256 values of '--env'"):
        steps.build(F + "RUN true\n", {}, *variables, "--env", "V256=256")


def test_a_builder_that_is_silent_and_idle_is_ended(steps):
    log, result, _ = steps.build(F + "RUN echo asks; sleep 300\n", {}, "--silence", "1000")
    assert not result["ok"] and "Nothing was printed or done for 1 seconds ([build] silence_timeout_ms), so it was ended" in result["reason"], log
    assert "sleep 300" in log, "what runs is shown"
