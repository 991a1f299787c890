"""Stand-ins as images: how they look to a Dockerfile. The base is a small tree whose apt-get only records."""
import pathlib
import shutil
import tempfile

import pytest

from small_tree import small_tree
from step_rig import Steps

SITE_CA = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


@pytest.fixture(scope="module", name="steps")
def _steps():
    work = pathlib.Path(tempfile.mkdtemp(prefix="doze-stand-ins-"))
    work.chmod(0o755)
    small_tree(work / "tree.tar")
    steps = Steps(work, "debian-12", (work / "tree.tar").read_bytes())
    yield steps
    steps.close()
    shutil.rmtree(work, ignore_errors=True)


def build(steps, dockerfile, *options):
    """Builds it without a network; the configuration of the image and the log."""
    log, result, image = steps.build(dockerfile, {}, *options, first=["base"])
    assert result["ok"], log
    return image.config, log


def test_a_stand_in_has_the_configuration_of_the_official_image(steps):
    config, log = build(steps, "FROM python:3.11-slim\n")
    assert config["Cmd"] == ["python3"] and not config.get("Entrypoint")
    assert {"PYTHON_VERSION=3.11.2", "LANG=C.UTF-8"} <= set(config["Env"])
    assert "no registry answers for 'python:3.11-slim'; Python 3.11 on debian-12 stands in for it" in log


def test_a_web_server_has_the_places_of_the_official_image(steps):
    config, log = build(steps, "FROM httpd:2.4\nRUN grep -n 'LoadModule proxy' conf/httpd.conf && cat htdocs/index.html && httpd-foreground -t\n")
    assert config["Cmd"] == ["httpd-foreground"] and config["WorkingDir"] == "/usr/local/apache2" and config["StopSignal"] == "SIGWINCH"
    assert {"HTTPD_PREFIX=/usr/local/apache2", "HTTPD_VERSION=2.4.62"} <= set(config["Env"]) and "80/tcp" in config["ExposedPorts"]
    assert ":#LoadModule proxy_module modules/mod_proxy.so\n" in log and "It works!" in log
    assert "\nserver: -d /usr/local/apache2 -f /usr/local/apache2/logs/httpd.conf.read -DFOREGROUND -t\n" in log
    assert "\nread: LoadModule dir_module modules/mod_dir.so\n" in log


def test_an_entry_point_of_the_users_does_not_get_the_stand_ins_command(steps):
    config, _ = build(steps, 'FROM python:3.11-slim\nENTRYPOINT ["python", "app.py"]\n')
    assert config["Entrypoint"] == ["python", "app.py"] and not config.get("Cmd")


def test_the_steps_are_those_of_the_users_file(steps):
    _, log = build(steps, "FROM python:3.11-slim\nRUN echo one\nRUN echo two\n")
    assert "STEP 1/3: FROM" in log and "STEP 3/3: RUN echo two" in log


def test_a_stage_copies_out_of_a_stand_in(steps):
    _, log = build(steps, "FROM debian:12\nCOPY --from=python:3.11-slim /usr/local/bin/python /x\n"
                          "COPY --from=python:3.11-slim /usr/local/lib/python3.11/site-packages /y\nRUN ls -d /x /y\n")
    assert "\n/x\n/y\n" in log


def test_a_stand_in_is_made_once(steps):
    _, log = build(steps, "FROM python:3.11-slim\nRUN cat /apt-log\n")
    assert "making what stands in" not in log
    assert "install -qq -y --no-install-recommends ca-certificates netbase tzdata python3 " in log


def test_amazon_linux_has_the_front_and_debian_has_not(steps):
    _, log = build(steps, "FROM public.ecr.aws/lambda/microvms:al2023-minimal\nRUN ls /usr/bin/yum /etc/pip.conf && grep nobody /etc/group\n")
    assert "nobody:x:65534:" in log and "no registry answers" not in log
    _, log = build(steps, "FROM debian:12\nRUN ls /usr/bin /etc\n")
    assert "yum" not in log and "pip.conf" not in log


def test_run_trusts_the_sites_certificates_and_no_image_keeps_it(steps):
    config, log = build(steps, "FROM debian:12\nENV PIP_CERT=/mine\nRUN env && ls -l /dev/doze-cacerts /dev/doze-ca.crt\n",
                        "--ca", SITE_CA)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE"):
        assert f"{name}=/dev/doze-ca.crt" in log
    assert "PIP_CERT=/mine" in log and "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/dev/doze-cacerts" in log
    assert [line for line in config["Env"] if not line.startswith("PATH=")] == ["PIP_CERT=/mine"]


STORE = "/etc/ssl/certs/ca-certificates.crt"
COUNT = f"grep -c BEGIN {STORE} || true"


def test_the_store_of_an_image_has_the_sites_certificates_while_a_step_runs(steps):
    _, log = build(steps, f"""FROM debian:12
RUN mkdir -p /etc/ssl/certs && echo of-the-image >{STORE}
RUN {COUNT}; head -n 1 {STORE}; grep -c BEGIN /dev/doze-ca.crt
RUN echo of-the-user >>{STORE}
RUN echo new >{STORE}.new && mv {STORE}.new {STORE} && cat {STORE}
""", "--ca", SITE_CA)
    site = SITE_CA.read_text().count("BEGIN")
    assert f"\n{site}\nof-the-image\n{site}\n" in log  # while it runs
    assert "\nnew\n" in log  # the store can be replaced


def test_no_image_keeps_the_sites_certificates_and_what_a_step_added_stays(steps):
    first = f"FROM debian:12\nRUN mkdir -p /etc/ssl/certs && echo of-the-image >{STORE}\nRUN echo of-the-user >>{STORE}\n"
    build(steps, first, "--ca", SITE_CA)
    _, log = build(steps, first + f"RUN cat {STORE}\n")
    assert "\nof-the-image\nof-the-user\n" in log and "BEGIN" not in log


@pytest.mark.parametrize("name, sentence", [
    ("python:3.99", "only the older Python 3.14 is here ([build] stand_in_older = 1 takes it)"),
    ("node:22-alpine", "nothing here is like Alpine (musl, apk)"),
    ("python@sha256:" + 64 * "0", "nothing can stand in for a digest"),
    ("debian:buster", "no Debian of that version is here"),
])
def test_what_nothing_can_stand_in_for_fails_with_a_sentence(steps, name, sentence):
    _, result = steps.run("base", steps.place(f"FROM {name}\n"))
    assert result["code"] == "CONTAINER_BUILD_FAILED"
    assert result["reason"].startswith("The container image build failed.")
    assert f"No registry answers for '{name}', and {sentence}" in result["reason"]
    assert "`doze base import NAME FILE.tar`" in result["reason"]
