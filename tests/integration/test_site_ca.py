"""The site's certificates in a guest: variables for programs with a store of their own, and Java's store."""
import zipfile

import pytest
from small_tree import small_tree

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
DOCKERFILE = """FROM smalltree
RUN mkdir -p /etc/ssl/certs/java /www && echo mine >/etc/ssl/certs/java/cacerts
ENV PIP_CERT=/mine
COPY serve /serve
CMD ["/serve"]
"""
SERVE = """#!/bin/sh
env >/www/env
head -c 4 /etc/ssl/certs/java/cacerts >/www/java
ls /opt /etc/pki >/www/others 2>&1
exec /bin/busybox httpd -f -p 8080 -h /www
"""


@pytest.fixture
def page(doze, microvms, tmp_path):
    """Serves what its process sees."""
    small_tree(tmp_path / "tree.tar")
    doze.cli("base", "import", "smalltree", tmp_path / "tree.tar")
    with zipfile.ZipFile(tmp_path / "ca.zip", "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        entry = zipfile.ZipInfo("serve")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, SERVE)
    doze.create_image("site-ca", doze.upload(tmp_path / "ca.zip", "site-ca.zip"))
    arn = doze.image_arn("site-ca")
    version = doze.wait_version(arn, "1.0")
    assert version["state"] == "SUCCESSFUL", doze.build_log("site-ca")
    vm = microvms(arn)

    def get(path):
        status, _, body = doze.request(vm["endpoint"], path, doze.token(vm["microvmId"]))
        assert status == 200
        return body

    return get


def test_a_guest_is_told_of_the_sites_certificates_unless_the_user_said_otherwise(page):
    seen = page("/env").decode().splitlines()
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert f"{name}={BUNDLE}" in seen
    assert "PIP_CERT=/mine" in seen
    assert page("/java") == bytes.fromhex("feedfeed")
    assert b"java" not in page("/others") and b"ca-trust" not in page("/others")
