"""A daemon whose bases come from a registry: images without a shell, a C library, users and /tmp become microVMs."""
import pathlib
import shutil
import subprocess
import zipfile

import pytest

from registry_rig import DockerRegistry, Images

HERE = pathlib.Path(__file__).parent
MUSL = pathlib.Path("/lib/x86_64-linux-musl/libc.so")
ALPINE = """FROM registry.test/library/alpine:3
RUN echo 'web:x:1000:1000::/home/web:/bin/sh' >> /etc/passwd && mkdir -p /home/web
USER web
EXPOSE 8080
CMD ["/app"]
"""
# name: the Dockerfile, and what the application sees
BARE = {
    "bare": ("FROM registry.test/library/bare:1@{digest}\nEXPOSE 8080\n",
             {"pid": 1, "uid": 0, "/bin/sh": False, "/etc/passwd": False, "/tmp": False, "/lib": False}),
    "alpine": (ALPINE, {"pid": 1, "uid": 1000, "/bin/sh": True, "/etc/passwd": True, "/tmp": False, "/lib": True}),
}


def compiled(tmp_path, *options):
    subprocess.run(["musl-gcc", "-O1", "-o", tmp_path / "app", HERE / "bare.c", *options], check=True)
    return (tmp_path / "app").read_bytes()


@pytest.fixture(name="images_there")
def _images_there(doze, tmp_path):
    if not shutil.which("docker-registry") or not MUSL.exists():
        pytest.skip("docker-registry or musl-tools is missing: tools/deps build test")
    images, busybox = Images(), pathlib.Path("/bin/busybox").read_bytes()
    bare = images.image("library/bare", "1", {"app": compiled(tmp_path, "-static")})
    images.image("library/alpine", "3", {"app": compiled(tmp_path), "bin/sh": busybox, "bin/mkdir": busybox, "bin/echo": busybox,
                                         "etc/passwd": "root:x:0:0::/root:/bin/sh\n", "lib/ld-musl-x86_64.so.1": MUSL.read_bytes()})
    registry = DockerRegistry(tmp_path, doze.settings["build"]["insecure_registries"].rpartition(":")[2])
    try:
        registry.push(images)
        yield bare["digest"]
    finally:
        registry.close()


def assert_a_dockerfile_reaches_no_address_of_the_host(doze, tmp_path):
    """The registry's own address is one that no configuration names as a registry."""
    name = doze.settings["build"]["insecure_registries"].replace("127.0.0.1", "localhost") + "/library/bare:1"
    with zipfile.ZipFile(tmp_path / "private.zip", "w") as archive:
        archive.writestr("Dockerfile", f"FROM {name}\n")
    doze.create_image("private", doze.upload(tmp_path / "private.zip", "private.zip"))
    reason = doze.wait_version(doze.image_arn("private"), "1.0")["stateReason"]
    assert f"The base image '{name}' is not known here and its registry does not answer (one on a private address needs" in reason, reason


def test_images_with_nothing_in_them_become_microvms(doze, microvms, images_there, tmp_path):
    for name, (dockerfile, _) in BARE.items():
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("Dockerfile", dockerfile.format(digest=images_there))
        doze.create_image(name, doze.upload(tmp_path / f"{name}.zip", f"{name}.zip"))
    for name, (_, seen) in BARE.items():
        version = doze.wait_version(doze.image_arn(name), "1.0")
        assert version["state"] == "SUCCESSFUL", doze.build_log(name)
        vm = microvms(doze.image_arn(name))
        assert doze.call(vm) == seen, name
        doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
        doze.wait_state(vm["microvmId"], "SUSPENDED")
        doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
        assert doze.call(vm) == seen, f"{name}, after it slept"
    assert images_there in doze.build_log("bare"), "the digest is noted"
    assert_a_dockerfile_reaches_no_address_of_the_host(doze, tmp_path)
    assert f"registry.test/library/bare@{images_there}" in doze.cli("base", "ls").stdout
    assert "registry.test/library/alpine:3  pulled" in doze.cli("base", "pull", "registry.test/library/alpine:3").stdout
    assert "removed" in doze.cli("base", "rm", "registry.test/library/alpine:3").stdout
    refused = doze.cli("base", "pull", "registry.test/library/nope:3", check=False)
    assert refused.returncode == 1 and "has no image 'library/nope' with the tag '3', and the" in refused.stderr
