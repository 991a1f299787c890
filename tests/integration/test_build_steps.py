"""What a build step does with what is cached, mounted, fetched and printed; without a daemon."""
import functools
import http.server
import pathlib
import re
import shutil
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


def test_nothing_is_fetched_to_a_disk_without_room(steps, web):
    (web[0] / "f").write_text("f")
    log, result, _ = steps.build(F + f"ADD {web[1]}/f /x\n", {}, where=steps.directory(steps.small))
    assert not result["ok"] and result["code"] == "DISK_STORAGE_FULL", (result, log)
    assert result["reason"] == "There is no room for what ADD fetches."


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


def test_a_builder_that_is_silent_and_idle_is_ended(steps):
    log, result, _ = steps.build(F + "RUN echo asks; sleep 300\n", {}, "--silence", "1000")
    assert not result["ok"] and "Nothing was printed or done for 1 seconds ([build] silence_timeout_ms), so it was ended" in result["reason"], log
    assert "sleep 300" in log, "what runs is shown"
