"""Base images: registries are asked first, in every way in which they answer; what is imported, fetched, listed and removed."""
import json
import os
import pathlib
import subprocess
import threading

import pytest

from libexec import libexec_of_the_tree
from registry_rig import STEP, Images, Registry, Steps, digest, tar_of

if not STEP.exists() or os.geteuid():
    pytest.skip(f"{STEP} is not built, or this is not root", allow_module_level=True)


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(name="registry")
def _registry():
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture(name="steps")
def _steps(tmp_path):
    steps = Steps(tmp_path)
    yield steps
    steps.clear()


class Docker:
    """docker.io by a mirror, which is the registry of the test."""

    def __init__(self, steps, registry, **more):
        self.steps = steps
        self.how = dict(registries={"docker.io": dict(mirror=registry.name, **more)}, insecure=[registry.name])

    def base(self, name, **how):
        return self.steps.run("base", name, **dict(self.how, **how))


def test_a_name_is_fetched_from_its_registry_once(steps, registry):
    both = registry.images.index("library/app", "1", amd64=registry.images.image("library/app", None, {"app": "for amd64"}),
                                 arm64=registry.images.image("library/app", None, {"app": "for arm64"}, arch="arm64"))
    docker = Docker(steps, registry)
    assert docker.base("app:1")["ok"], steps.log
    assert f"docker.io/library/app@{both['digest']}" in steps.log, "the digest is noted"
    assert json.loads((steps.dir / "bases.json").read_text())["app:1"]["image"] == "docker.io/library/app:1"
    assert len(registry.fetched("blobs")) == 2, "a configuration and a layer"
    for name in ("app:1", "docker.io/app:1", "index.docker.io/library/app:1", "public.ecr.aws/docker/library/app:1"):
        steps.fresh()
        assert docker.base(name)["ok"], steps.log
        assert f"the store has docker.io/library/app:1, {both['digest']}" in steps.log
    assert not registry.asked, "the store has it, under each of its names"
    steps.fresh()
    assert docker.base("app:1", pull="always")["ok"], steps.log
    assert registry.fetched("manifests") and not registry.fetched("blobs"), "asked again, and not fetched again"


def test_a_tag_that_moved_is_fetched_when_the_registry_is_always_asked(steps, registry):
    docker = Docker(steps, registry)
    registry.images.image("library/app", "1", {"app": "old"})
    docker.base("app:1")
    new = registry.images.image("library/app", "1", {"app": "new"})
    steps.fresh()
    docker.base("app:1")
    assert steps.bases()["app:1"] != new["digest"]
    steps.fresh()
    docker.base("app:1", pull="always")
    assert steps.bases()["app:1"] == new["digest"]


def test_a_digest_is_taken_at_its_word(steps, registry):
    docker = Docker(steps, registry)
    old = registry.images.image("library/app", "1", {"app": "old"})["digest"]
    registry.images.image("library/app", "1", {"app": "new"})
    assert docker.base(f"app:1@{old}")["ok"], steps.log
    assert steps.bases() == {f"app@{old}": old}
    registry.asked.clear()
    steps.fresh()
    assert docker.base(f"app@{old}", pull="always")["ok"]
    assert not registry.asked, "what has this digest cannot have changed"
    steps.fresh()
    registry.images.manifests["library/app", digest(b"x")] = registry.images.manifests["library/app", "1"]
    assert "sends another image than the one with this digest" in docker.base(f"app@{digest(b'x')}")["reason"]


def test_what_no_tag_means_any_more_goes_when_the_store_is_full(steps, registry):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "layers", steps.store], check=True)
    try:
        docker = Docker(steps, registry)
        for version in ("old", "new"):
            image = registry.images.image("library/app", "1", {"app": version})
            assert docker.base("app:1", pull="always")["ok"], steps.log
            steps.fresh()
        assert len(steps.bases()) == 2
        (steps.store / "filler").write_bytes(bytes(50 << 20))
        assert steps.run("reset")["ok"], steps.log
        assert steps.bases() == {"app:1": image["digest"]}
    finally:
        subprocess.run(["umount", "--lazy", steps.store], check=True)


@pytest.mark.parametrize("history", [0, 2])
def test_a_base_whose_history_does_not_fit_its_layers_can_be_built_on(steps, registry, history):
    pinned = "app@" + registry.images.image("library/app", "1", {"app": "it"}, history=history)["digest"]
    docker = Docker(steps, registry)
    for name in ("app:1", pinned):
        for pull in ("missing", "always"):
            assert docker.base(name, pull=pull)["ok"], steps.log
            image = json.loads((steps.dir / "bases.json").read_text())[name]["image"]
            shown = json.loads(steps.buildah("inspect", "--type", "image", image))["OCIv1"]
            assert len(shown["history"]) == len(shown["rootfs"]["diff_ids"]) == 1 and shown["config"]["Cmd"] == ["/app"]
            steps.fresh()
    assert set(steps.bases()) == {"app:1", pinned}


def fault(status, **headers):
    return lambda ask: ask.say(status, b"", **headers) or True


def cut(ask):
    ask.send_response(200)
    ask.send_header("Content-Length", "100000")
    ask.end_headers()
    ask.wfile.write(b"x" * 100)
    ask.close_connection = True
    return True


def says(document):
    return lambda ask: ask.say(200, document, Content_Type="application/vnd.oci.image.manifest.v1+json") or True


REFUSALS = {
    "a tag that is not there": ("app:2", [], "has no image 'library/app' with the tag '2'"),
    "a name that is not there": ("nope:1", [], "has no image 'library/nope'"),
    "a login that is wanted": ("app:1", [("manifests", fault(401))], "has no image 'library/app' for everyone: either it wants a login"),
    "a refusal": ("app:1", [("manifests", fault(403))], "does not let everyone read 'library/app'"),
    "an error": ("app:1", [("manifests", fault(500, Retry_After="0"))], "answers with status 500"),
    "a limit": ("app:1", [("manifests", fault(429, Retry_After="3600"))], "wants to be asked again in 3600 s"),
    "no manifest": ("app:1", [("manifests", says(b"<html>"))], "sends something that is no manifest"),
    "a manifest of something else": ("app:1", [("manifests", says(b'{"config": {}, "schemaVersion": 2}'))],
                                     "sends a manifest of no container image"),
    "the first form": ("app:1", [("manifests", says(b'{"schemaVersion": 1}'))], "only in the first form of manifests"),
    "a manifest that breaks off": ("app:1", [("manifests", cut)], "stopped answering"),
    "another configuration": ("app:1", [("blobs", says(b"{}"))], "configuration that is not what its digest says"),
    "a layer that lies elsewhere": ("elsewhere:1", [], "layers that lie at other addresses, which are not asked"),
    "layers that one reader alone sees": ("spelling:1", [], "a manifest that can be read in two ways"),
    "another entry for this host": ("variants:1", [], "layers that lie at other addresses, which are not asked"),
    "an entry without a platform": ("bare:1", [], "layers that lie at other addresses, which are not asked"),
    "a list in a list": ("nested:1", [], "a list in the place of an image"),
    "another platform": ("arm:1", [], "has 'library/arm:1' for linux/arm64, but not for linux/amd64"),
    "a list without this platform": ("list:1", [], "has 'library/list:1' for linux/arm64, linux/s390x, but not for linux/amd64"),
}


@pytest.fixture(scope="module", name="made")
def _made():
    images = Images()
    images.image("library/app", "1", {"app": "it"})
    images.image("library/elsewhere", "1", {"app": "it"}, urls=["http://169.254.169.254/latest"])
    arm = images.image("library/arm", "1", {"app": "it"}, arch="arm64")
    images.index("library/list", "1", arm64=arm, s390x=arm)
    elsewhere = {"urls": ["http://169.254.169.254/latest"]}
    images.image("library/spelling", "1", {"app": "it"}, Urls=elsewhere["urls"])
    for name, platform in (("variants", {"os": "linux", "architecture": "amd64", "variant": "v2"}), ("bare", None)):
        clean = images.image(f"library/{name}", None, {"app": "it"})
        other = images.image(f"library/{name}", None, {"app": "other"}, **elsewhere)
        images.index(f"library/{name}", "1", amd64=clean, more=[dict(other, **({"platform": platform} if platform else {}))])
    images.index("library/nested", "1", amd64=images.index("library/nested", None, amd64=images.image("library/nested", None, {"app": "it"})))
    return images


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_registry_refuses_is_said_in_one_sentence(case, made, steps, registry):
    name, faults, reason = REFUSALS[case]
    registry.images, registry.faults = made, faults
    result = steps.run("base", f"{registry.name}/library/{name}", insecure=[registry.name])
    assert not result["ok"] and result["code"] == "CONTAINER_BUILD_FAILED"
    assert f"the registry '{registry.name}' " in result["reason"] and reason in result["reason"], result["reason"]
    assert result["reason"].count(". ") == 1 and result["reason"].endswith(".")
    assert "{" not in result["reason"] and "goroutine" not in steps.log


def test_a_layer_that_is_broken_or_breaks_off_is_no_layer(steps, registry):
    image = registry.images.image("library/app", "1", {"app": os.urandom(50000)})
    layer = json.loads(registry.images.manifests["library/app", image["digest"]][1])["layers"][0]
    whole = registry.images.blobs[layer["digest"]]
    for bad, reason in ((whole[:-1000] + bytes(1000), "sent a layer that is not what its digest says"), (None, "broke off while it sent a layer")):
        registry.faults = [(layer["digest"], (lambda ask: ask.say(200, bad) or True) if bad else cut)]
        result = Docker(steps, registry).base(f"{registry.name}/library/app:1")
        assert reason in result["reason"], steps.log
        assert "{" not in result["reason"]
        steps.fresh()
    registry.faults = []
    assert Docker(steps, registry).base(f"{registry.name}/library/app:1")["ok"], "nothing broken stays"


@pytest.mark.skipif(not os.environ.get("DOZE_LONG"), reason="waits for a minute of silence")
def test_a_registry_that_stops_sending_is_not_waited_for(steps, registry):
    image = registry.images.image("library/app", "1", {"app": os.urandom(50000)})
    layer = json.loads(registry.images.manifests["library/app", image["digest"]][1])["layers"][0]["digest"]
    over = threading.Event()

    def stall(ask):
        ask.send_response(200)
        ask.send_header("Content-Length", "50000")
        ask.end_headers()
        ask.wfile.write(b"x" * 100)
        ask.wfile.flush()
        over.wait(110)
        return True
    registry.faults = [(layer, stall)]
    result = Docker(steps, registry).base(f"{registry.name}/library/app:1")
    over.set()
    assert f"the registry '{registry.name}' stopped sending." in result["reason"], steps.log


def test_a_registry_that_limits_is_asked_again_when_it_says_so(steps, registry):
    registry.images.image("library/app", "1", {"app": "it"})
    left = [2]

    def limit(ask):
        left[0] -= 1
        return left[0] >= 0 and fault(429, Retry_After="0")(ask)
    registry.faults = [("manifests", limit)]
    assert Docker(steps, registry).base("app:1")["ok"], steps.log
    assert "asking again in 0 s" in steps.log


def test_a_password_opens_the_registry_it_is_for_and_stands_in_no_file(steps, registry):
    registry.images.image("team/app", "1", {"app": "it"})
    tokens, seen = [], []

    def guard(ask):
        seen.append(ask.headers.get("Authorization"))
        if ask.headers.get("Authorization") == "Bearer t0ken":
            return False
        ask.say(401, b"", WWW_Authenticate=f'Bearer realm="http://{registry.name}/token",service="it"')
        return True

    def token(ask):
        tokens.append((ask.headers.get("Authorization"), ask.path))
        ask.say(200, b'{"token": "t0ken"}') if ask.headers.get("Authorization") == "Basic bWU6cyBlOmNyZXQ=" else ask.say(401)
        return True
    registry.faults = [("^/token", token), ("^/v2/", guard)]
    name, how = f"{registry.name}/team/app:1", dict(insecure=[registry.name])
    result = steps.run("base", name, **how)
    assert "does not let everyone read" in result["reason"] or "wants a login" in result["reason"], result
    steps.fresh()
    result = steps.run("base", name, registries={registry.name: dict(user="me", password="wrong")}, **how)
    assert "does not take the user 'me' with the configured password" in result["reason"]
    steps.fresh()
    result = steps.run("base", name, registries={registry.name: dict(user="me", password="s e:cret")}, **how)
    assert result["ok"], steps.log
    assert any("service=it&scope=repository%3Ateam/app%3Apull" in path for _, path in tokens)
    assert {None, "Basic bWU6cyBlOmNyZXQ="} <= {authorization for authorization, _ in tokens}
    for file in steps.dir.rglob("*"):
        assert not file.is_file() or b"bWU6cyBlOmNyZXQ" not in file.read_bytes(), file


def test_names_that_the_operator_has_not_configured_are_asked_for_from_a_slot(steps, registry):
    registry.images.image("app", "1", {"app": "it"})
    docker = Docker(steps, registry)
    result = docker.base(f"{registry.name}/app:1", insecure=[])
    assert result["ok"] and result["other_network"]
    assert not registry.asked, "a Dockerfile cannot make the host ask an address of its choice"
    result = steps.run("pull", **dict(docker.how, network="slot"))
    assert result["ok"]


def test_where_no_registry_answers_a_name_is_not_known(steps, registry):
    registry.close()
    result = steps.run("base", f"{registry.name}/app:1", insecure=[registry.name])
    assert result["reason"].endswith("is not known here and its registry does not answer; `doze base import NAME FILE.tar` brings one in.")
    first = steps.log
    steps.fresh()
    for n in range(3):
        (steps.store / f"silent/x{n}.example").touch()
        os.utime(steps.store / f"silent/x{n}.example", (1000000000, 1000000000))
    assert f"the registry '{registry.name}' does not answer" in first
    steps.run("base", f"{registry.name}/app:1", insecure=[registry.name])
    assert f"the registry '{registry.name}' does not answer" in steps.log, "asked again, since nothing stands in for it"
    assert os.listdir(steps.store / "silent") == [registry.name], "what was noted long ago says nothing any more"


def test_where_something_stands_in_a_silent_registry_is_not_asked_each_time(steps, tmp_path):
    """debian:12 has a stand-in, which is imported here so that nothing need be made."""
    steps.run("import", "debian-12", stdin=tar_of({"usr/bin/true": "", "etc/dpkg/dpkg.cfg.d/x": "", "etc/apt/apt.conf.d/x": "", "usr/share/x": ""}))
    how = dict(registries={"docker.io": {}, "public.ecr.aws": {}})
    front = libexec_of_the_tree(tmp_path / "libexec")
    steps.fresh()
    assert steps.run("base", "--libexec", str(front), "debian:12", **how)["ok"], steps.log
    assert "does not answer" in steps.log and "stands in for it" in steps.log
    steps.fresh()
    assert steps.run("base", "--libexec", str(front), "debian:12", **how)["ok"]
    assert "does not answer" not in steps.log and "stands in for it" in steps.log


def test_never_asks_nobody(steps, registry):
    registry.images.image("library/app", "1", {"app": "it"})
    result = Docker(steps, registry).base("app:1", pull=None)
    assert "no registry may be asked" in result["reason"] and not registry.asked


def test_the_services_base_is_amazon_linux_where_it_has_no_image_for_this_host(steps, registry):
    arm = registry.images.image("lambda/microvms", None, {"app": "it"}, arch="arm64")
    registry.images.index("lambda/microvms", "al2023-minimal", arm64=arm)
    registry.images.image("amazonlinux/amazonlinux", "2023-minimal", {"etc/os-release": "ID=amzn"})
    how = dict(registries={"public.ecr.aws": {"mirror": registry.name}}, insecure=[registry.name])
    name = "public.ecr.aws/lambda/microvms:al2023-minimal"
    assert steps.run("base", name, **how)["ok"], steps.log
    assert "amazonlinux/amazonlinux@sha256:" in steps.log
    assert name in steps.bases()
    registry.asked.clear()
    steps.fresh()
    assert steps.run("base", name, **how)["ok"] and not registry.asked


def test_a_mirror_that_lacks_an_image_is_no_end(steps, registry):
    other = Registry()
    other.images.image("team/app", "1", {"app": "it"})
    result = steps.run("base", f"{other.name}/team/app:1", registries={other.name: {"mirror": registry.name}},
                       insecure=[registry.name, other.name])
    other.close()
    assert result["ok"], steps.log
    assert f"'{registry.name}', the mirror of '{other.name}' has no image" in steps.log


LEGAL = ["mine", "registry.example.com:5000/a/b/c:1.0-x", "debian-12"]


def test_a_base_is_imported_listed_and_removed_by_any_legal_name(steps):
    root = tar_of({"etc/os-release": "ID=mine"})
    for name in LEGAL:
        assert steps.run("import", name, stdin=root)["ok"], steps.log
    assert set(steps.bases()) == set(LEGAL)
    for name in LEGAL:
        assert steps.run("remove", name)["ok"], steps.log
    assert steps.bases() == {}
    result = steps.run("remove", "mine")
    assert (result["code"], result["reason"]) == ("NOT_FOUND", "There is no base 'mine'.")


def test_what_was_imported_comes_before_any_registry(steps, registry):
    registry.images.image("library/node", "22", {"app": "theirs"})
    docker = Docker(steps, registry)
    steps.run("import", "node:22", stdin=tar_of({"app": "mine"}))
    mine = steps.bases()
    for name in ("node:22", "docker.io/library/node:22"):
        steps.fresh()
        assert docker.base(name, pull="always")["ok"] and not registry.asked
    steps.fresh()
    assert steps.run("pull-base", "node:22", **docker.how)["ok"], steps.log
    assert steps.bases() != mine, "asked for by its name, the registry's image replaces the import"


def test_archives_of_images_are_imported_with_their_configuration(steps, registry, tmp_path):
    registry.images.image("library/app", "1", {"app": "it"})
    assert Docker(steps, registry).base("app:1")["ok"], steps.log
    for form in ("oci-archive", "docker-archive"):
        steps.buildah("push", "docker.io/library/app:1", f"{form}:{tmp_path}/{form}.tar")
        assert steps.run("import", f"example.com/{form}:1", stdin=pathlib.Path(tmp_path, f"{form}.tar").read_bytes())["ok"], steps.log
        shown = json.loads(steps.buildah("inspect", "--type", "image", f"example.com/{form}:1"))
        assert shown["OCIv1"]["config"]["Cmd"] == ["/app"]
    assert not (steps.dir / "import.tar").exists()


def test_a_base_that_a_build_uses_is_not_removed_under_it(steps):
    steps.run("import", "mine", stdin=tar_of({"etc/os-release": "ID=mine"}))
    container = steps.buildah("from", "--pull-never", "docker.io/library/mine:latest").strip()
    result = steps.run("remove", "mine")
    assert result["code"] == "CONFLICT" and "is in use by a build" in result["reason"], result
    assert set(steps.bases()) == {"mine"}
    steps.buildah("rm", container)
    assert steps.run("remove", "mine")["ok"], steps.log
