"""The Dockerfile language, held against the features of BuildKit's reference: dockerfile_cases.py.

`doze-build-step build` runs in namespaces like those of priv, without a daemon and without a microVM. A few rows of each kind run in
every check, all of them if the environment has DOZE_LONG.
"""
import concurrent.futures
import functools
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import threading
import uuid

import pytest

from dockerfile_cases import FILES, ROWS
from step_rig import Steps

CHOSEN = [r for r in ROWS if os.environ.get("DOZE_LONG") or r[2].get("short")]


def archive(how):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=f"w:{how}") as tar:
        info = tarfile.TarInfo("in/f")
        info.size, info.mode = 7, 0o644
        tar.addfile(info, io.BytesIO(b"packed\n"))
    return raw.getvalue()


def repository(where):
    """Two commits, of which the first is v1; served as files. Returns the first one's id."""
    work = where / "work"
    (work / "sub").mkdir(parents=True)

    def git(*words, cwd=work):
        return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main", *words], cwd=cwd, check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
    git("init", "-q")
    for text in "one\n", "two\n":
        (work / "readme").write_text(text)
        (work / "sub/s").write_text("s\n")
        git("add", "-A")
        git("commit", "-qm", text)
        if text == "one\n":
            git("tag", "v1")
    git("clone", "-q", "--bare", str(work), str(where / "repo.git"))
    git("update-server-info", cwd=where / "repo.git")
    return git("rev-parse", "v1")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(scope="module")
def built(request):
    """The outcome of each row that is asked for, two at a time."""
    wanted = {i.callspec.params["feature"] for i in request.session.items if hasattr(i, "callspec") and "feature" in i.callspec.params}
    rows = [r for r in CHOSEN if r[0] in wanted]
    work = pathlib.Path(tempfile.mkdtemp(prefix="doze-dockerfile-"))
    work.chmod(0o755)
    web = work / "web"
    web.mkdir()
    steps = None
    (web / "f.bin").write_text("fetched\n")
    (web / "t.tar.gz").write_bytes(archive("gz"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(web)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = {"{url}": f"http://127.0.0.1:{server.server_port}", "{commit}": repository(web), "{unique}": uuid.uuid4().hex,
             "{sum}": hashlib.sha256(b"fetched\n").hexdigest()}
    packed = {"t.tar": archive(""), "t.tar.gz": archive("gz"), "t.tar.xz": archive("xz"), "t.tar.bz2": archive("bz2")}

    def build(row):
        text, how = row[1], row[2]
        for word, value in words.items():
            text = text.replace(word, value)
        return steps.build(text, {**FILES, **(packed if "t.tar" in text else {}), **how.get("files", {})})
    try:
        steps = Steps(work / "steps")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            yield {r[0]: pool.submit(build, r) for r in rows}
    finally:
        server.shutdown()
        if steps:
            steps.close()
        shutil.rmtree(work, ignore_errors=True)


def check_config(image, how, log):
    for name, value in how.get("config", {}).items():
        found = image.config.get(name)
        if name == "Env":
            found = [v for v in found or [] if not v.startswith("PATH=") or v in value]
        assert found == value, (name, found, log)
    for name, value in how.get("labels", {}).items():
        assert image.config["Labels"].get(name) == value, (image.config["Labels"], log)


@pytest.mark.parametrize("feature, how", [(r[0], r[2]) for r in CHOSEN], ids=[r[0] for r in CHOSEN])
def test_a_dockerfile_gives_what_buildkit_would_give(built, feature, how):
    log, result, image = built[feature].result()
    assert " AS doze-stage-" not in log, "a line of the builder was not recognized"
    for text in how.get("log", []):
        assert text in log, log
    if "fails" in how:
        assert not result["ok"] and how["fails"] in result["reason"], (result, log)
        assert result["code"] == "CONTAINER_BUILD_FAILED", result
        return
    if not result["ok"]:
        pytest.fail(log)
    for path, content in how.get("has", {}).items():
        found = image.read(path)
        assert (found is not None) if content is ... else (found == content), (path, found, log)
    for path in how.get("absent", []):
        assert image.read(path) is None, path
    for path in how.get("capable", []):
        assert "security.capability" in os.listxattr(image.find(path)), path
    for path, owner in how.get("owns", {}).items():
        assert image.describe(path) == owner, (path, image.describe(path), log)
    if "lines" in how:
        assert how["lines"] <= set(image.read("/o").split("\n")), (image.read("/o"), log)
    check_config(image, how, log)


def test_every_feature_has_a_row_of_its_own():
    names = [r[0] for r in ROWS]
    assert len(names) == len(set(names)) >= 140
