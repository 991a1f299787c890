"""No two microVMs of one snapshot draw the same secret, from whatever library (docs/clones.md).

Every generator was used before the snapshot. What a library keeps for itself is then in the snapshot, and in every clone of it.
DOZE_LONG=1 draws from 100 clones instead of 3 (DOZE_CLONES: so many), in more languages, and on the newer base too.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import zipfile

import pytest

from rig import ROOT

LONG = bool(os.environ.get("DOZE_LONG"))
CLONES = int(os.environ.get("DOZE_CLONES", "100" if LONG else "3"))
FOLDER = pathlib.Path(__file__).parent / "clones"
PAGE = (ROOT / "docs/clones.md").read_text()

COMMANDS = {"node": "node /srv/draws.mjs"}
MORE = {"ruby": "ruby /srv/draws.rb", "php": "php /srv/draws.php", "java": "java -cp /srv Draws", "go": "/srv/draws-go",
        "rust": "/srv/draws-rust"}
PACKAGES = "ruby php-cli default-jre-headless openssh-server"

# What repeats because the application keeps it: the words of the page that say so and name the cure.
REPEATS = {
    "python random": "`random`",
    "python tls ticket key name": "session tickets",
    "python ssh host key": "SSH host keys",
    "node Math.random": "`Math.random`",
    "node worker Math.random": "`Math.random`",
    "ruby rand": "`Kernel#rand`",
    "php mt_rand": "`mt_rand`",
    "java Math.random": "`java.util.Random`",
    "java DRBG": '`getInstance("DRBG")`',
    "java SHA1PRNG": "`SHA1PRNG`",
    "go math/rand": "`math/rand`",
    "rust thread_rng": "`thread_rng`",
}
COUNTED = {"sysgenid"}  # the number of resumes; equal in clones of the same age
CARGO = """[package]
name = "draws-rust"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "draws-rust"
path = "draws.rs"

[dependencies]
rand = "0.8"
uuid = { version = "1", features = ["v4"] }
"""


def build_go(folder):
    subprocess.run(["go", "build", "-o", "draws-go", "draws.go"], cwd=folder, check=True,
                   env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})


def build_rust(folder):
    (folder / "Cargo.toml").write_text(CARGO)
    subprocess.run(["cargo", "build", "--quiet", "--release"], cwd=folder, check=True)
    shutil.move(folder / "target/release/draws-rust", folder)
    shutil.rmtree(folder / "target")


def build_java(folder):
    subprocess.run(["javac", "--release", "17", "Draws.java"], cwd=folder, check=True)


TOOLCHAINS = {"go": ("go", build_go), "rust": ("cargo", build_rust), "java": ("javac", build_java)}


def application(folder, base, node):
    """The folder of the application, and its languages."""
    shutil.copytree(FOLDER, folder)
    commands = dict(COMMANDS)
    debian = base.startswith("node:")  # it has Node, and no dnf
    lines = [f"FROM {base}", "RUN apt-get update -qq && apt-get install -qq -y python3 openssl" if debian
             else f"RUN dnf install -y python3 nodejs{node} && dnf clean all"]
    if LONG:
        commands.update(MORE)
        for language, (program, build) in TOOLCHAINS.items():
            if shutil.which(program):
                build(folder)
            else:
                del commands[language]
        # The keys are made by the package's own script, as in anybody's Dockerfile; Java's wants the folder.
        lines.append(f"RUN mkdir -p /usr/share/man/man1 && apt-get update -qq && apt-get install -qq -y {PACKAGES} && rm -rf /var/lib/apt/lists/*")
        lines.append("RUN apt-get update -qq && apt-get install -qq -y python3-cryptography" if debian
                     else "RUN dnf install -y python3-pip && pip3 install --no-cache-dir cryptography && dnf clean all")
    lines += ["ENV NODE_OPTIONS=--max-old-space-size=200", "COPY . /srv/",
              "RUN openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=draws -keyout /srv/tls.key -out /srv/tls.crt",
              "CMD " + json.dumps(["python3", "/srv/draws.py", *(f"{name}={command}" for name, command in commands.items())])]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    return set(commands) | {"python"}


def pack(folder, to):
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                info = zipfile.ZipInfo.from_file(file, file.relative_to(folder))
                info.external_attr = (0o100755 if os.access(file, os.X_OK) else 0o100644) << 16
                archive.writestr(info, file.read_bytes())
    return to


def draws(doze, image, n, accepted):
    """What so many clones drew, each twice, and the first of them again after a sleep.  `accepted` gets what they drew for connections."""
    for i in range(n):
        vm = doze.api.run_microvm(imageIdentifier=image)
        try:
            yield from doze.call(vm)
            if i == 0:
                doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
                doze.wait_state(vm["microvmId"], "SUSPENDED")
                doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
                yield from doze.call(vm)
            accepted += [value for resumes, value in doze.call(vm, "/connections") if resumes > 1]
        finally:
            doze.api.terminate_microvm(microvmIdentifier=vm["microvmId"])


def repeated(rows):
    """label -> the values that came more than once"""
    seen = collections.defaultdict(collections.Counter)
    for row in rows:
        for label, value in row.items():
            seen[label][value] += 1
    return {label: [value for value, n in values.items() if n > 1] for label, values in seen.items()
            if any(n > 1 for n in values.values())}


BASES = [("public.ecr.aws/lambda/microvms:al2023-minimal", "22")]
if LONG:
    BASES.append(("node:24-trixie", "24"))


@pytest.mark.parametrize("base, node", BASES)
def test_clones_draw_different_secrets(doze, tmp_path, base, node):
    languages = application(tmp_path / "app", base, node)
    name = f"clones-{node}"
    doze.create_image(name, doze.upload(pack(tmp_path / "app", tmp_path / "app.zip"), f"{name}.zip"), memory=1024 if LONG else 512,
                      hooks={"port": 8080, "microvmImageHooks": {"ready": "ENABLED", "readyTimeoutInSeconds": 600}})
    image = doze.image_arn(name)
    assert doze.wait_version(image, "1.0", 900)["state"] == "SUCCESSFUL", doze.build_log(name)
    accepted = []
    rows = list(draws(doze, image, CLONES, accepted))
    assert ("python cryptography" in rows[0]) == LONG
    assert {label.split()[0] for label in rows[0]} - COUNTED == languages
    assert len(rows) == 2 * CLONES + 2
    # Two draws of one request are of one generation; those before and after a sleep are not.
    for first, second in zip(rows[::2], rows[1::2]):
        assert first.pop("python generation") == second["python generation"]
        second["generation"] = second.pop("python generation")
        assert len(second["generation"]) == 33
    assert rows[2]["sysgenid"] > rows[0]["sysgenid"] > 1
    # Those of the pool were connected to while they were warmed, before anybody asked for them.
    assert len(accepted) >= 2 * CLONES
    assert len(set(accepted)) == len(accepted), "warm clones drew the same"
    again = {label: values for label, values in repeated(rows).items() if label not in REPEATS and label not in COUNTED}
    assert not again, f"{len(again)} of {len(rows[0])} generators repeat"


def test_the_page_says_what_repeats_and_how_to_cure_it():
    assert [words for words in REPEATS.values() if words not in PAGE] == []
