"""Registries that say what a test wants, images made by hand, and build steps (doze-build-step) without a daemon."""
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import threading
import urllib.parse

from rig import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEP = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build")) / "src/image/doze-build-step"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files):
    """A tar of {name: text or bytes}, the same bytes each time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Images:
    """What a registry has: blobs by digest, and (repository, tag or digest) -> manifest."""

    def __init__(self):
        self.blobs, self.manifests = {}, {}

    def blob(self, data):
        self.blobs[digest(data)] = data
        return digest(data)

    def _manifest(self, repository, tag, kind, document):
        data = json.dumps(dict(document, schemaVersion=2, mediaType=kind)).encode()
        for name in (tag, digest(data)):
            if name:
                self.manifests[repository, name] = (kind, data)
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def image(self, repository, tag, files, arch="amd64", history=1, **more):
        """An image of one layer, with so many entries of history; its descriptor.  @more goes into the layer's descriptor."""
        plain = tar_of(files)
        layer = gzip.compress(plain, mtime=0)
        config = json.dumps({"architecture": arch, "os": "linux", "config": {"Cmd": ["/app"]},
                             "history": history * [{"created_by": "a test"}],
                             "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}}).encode()
        return self._manifest(repository, tag, MANIFEST, {
            "config": {"mediaType": CONFIG, "digest": self.blob(config), "size": len(config)},
            "layers": [dict(mediaType=LAYER, digest=self.blob(layer), size=len(layer), **more)]})

    def index(self, repository, tag, more=(), **archs):
        """A list of images, by architecture: their descriptors.  `more` are entries as they are."""
        return self._manifest(repository, tag, INDEX, {"manifests": [
            dict(image, platform={"os": "linux", "architecture": arch}) for arch, image in archs.items()] + list(more)})


class Registry:
    """The distribution API on loopback.  `faults` are (pattern of the path, answer) and come before what `images` has; an answer
    takes the handler and returns whether it has answered."""

    def __init__(self, images=None):
        self.images, self.faults, self.asked = images or Images(), [], []
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def say(self, status, data=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def error(self, status, code, **headers):
                self.say(status, json.dumps({"errors": [{"code": code, "message": "no"}]}).encode(),
                         Content_Type="application/json", **headers)

            def do_GET(self):
                registry.asked.append(self.path)
                if not any(re.search(pattern, self.path) and answer(self) for pattern, answer in registry.faults):
                    registry.answer(self)

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.name = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, ask):
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/(.+)", ask.path)
        if ask.path == "/v2/":
            ask.say(200, b"{}", Docker_Distribution_Api_Version="registry/2.0")
        elif not match:
            ask.error(404, "NAME_UNKNOWN")
        elif match[2] == "blobs":
            data = self.images.blobs.get(match[3])
            ask.say(200, data) if data is not None else ask.error(404, "BLOB_UNKNOWN")
        elif (match[1], match[3]) in self.images.manifests:
            kind, data = self.images.manifests[match[1], match[3]]
            ask.say(200, data, Content_Type=kind, Docker_Content_Digest=digest(data))
        elif any(repository == match[1] for repository, _ in self.images.manifests):
            ask.error(404, "MANIFEST_UNKNOWN")
        else:
            ask.error(404, "NAME_UNKNOWN")

    def fetched(self, kind):
        """The layers ("blobs") or manifests that were asked for since the last call."""
        found = [path for path in self.asked if f"/{kind}/" in path]
        self.asked.clear()
        return found

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class DockerRegistry:
    """Debian's docker-registry on a loopback port."""

    def __init__(self, place, port):
        self.name, self.place = f"127.0.0.1:{port}", place
        (place / "config.yml").write_text(json.dumps({"version": 0.1, "log": {"level": "error"}, "http": {"addr": self.name},
                                                      "storage": {"filesystem": {"rootdirectory": str(place / "blobs")}}}))
        self.process = subprocess.Popen(["docker-registry", "serve", place / "config.yml"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for("the registry serves", lambda: self._ask("GET", "/v2/")[0] == 200)

    def _ask(self, method, path, data=None, kind=None):
        connection = http.client.HTTPConnection(self.name, timeout=30)
        try:
            connection.request(method, path, data, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except ConnectionRefusedError:
            return 0, {}, b""
        finally:
            connection.close()

    def push(self, images):
        """All of them; a list after what it lists."""
        for repository in {repository for repository, _ in images.manifests}:
            for name, data in images.blobs.items():
                place = urllib.parse.urlsplit(self._ask("POST", f"/v2/{repository}/blobs/uploads/")[1]["Location"])
                assert self._ask("PUT", f"{place.path}?{place.query}&digest={name}", data, "application/octet-stream")[0] == 201
        for (repository, name), (kind, data) in sorted(images.manifests.items(), key=lambda item: item[1][0] == INDEX):
            status, _, body = self._ask("PUT", f"/v2/{repository}/manifests/{name}", data, kind)
            assert status == 201, body

    def close(self):
        self.process.kill()
        self.process.wait()


class Steps:
    """Build steps with a store of their own, in a mount namespace, as root."""

    def __init__(self, place):
        self.store, self.dir = place / "store", place / "build"
        self.store.mkdir()
        self.dir.mkdir()
        self.log = ""

    def fresh(self):
        """As for another build."""
        shutil.rmtree(self.dir)
        self.dir.mkdir()

    def run(self, job, *words, registries=None, insecure=(), network="host", pull="missing", stdin=b""):
        options = ["--dir", str(self.dir), "--store", str(self.store), "--network", network]
        options += ["--pull", pull] if pull else []
        for host in insecure:
            options += ["--insecure", host]
        if registries is not None:
            stdin = json.dumps(registries).encode()
            options.append("--registries")
        with open(self.dir.parent / "stdin", "w+b") as file:
            file.write(stdin)
            file.seek(0)
            done = subprocess.run(["unshare", "--mount", "bash", "-c", 'exec 3<"$0"; exec "$@"', self.dir, STEP, job, *options, *words],
                                  stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, cwd=self.dir)
        self.log = done.stdout.decode()
        assert done.returncode in (0, 1), self.log
        return json.loads((self.dir / "result.json").read_text())

    def dockerfile(self, text):
        (self.dir / "context").mkdir(exist_ok=True)
        (self.dir / "context/Dockerfile").write_text(text)

    def bases(self):
        """What `list` shows: name -> digest."""
        return {base["name"]: base["digest"] for base in self.run("list")["bases"]}

    def buildah(self, *words):
        return subprocess.run(["unshare", "--mount", "buildah", "--root", self.store, "--runroot", self.dir / "run", "--storage-driver",
                               "overlay", *words], check=True, capture_output=True, text=True,
                              env=dict(os.environ, _CONTAINERS_USERNS_CONFIGURED="done", _CONTAINERS_ROOTLESS_UID="1000",
                                       _CONTAINERS_ROOTLESS_GID="1000")).stdout

    def clear(self):
        self.fresh()
        subprocess.run(["umount", "-q", self.store / "overlay"], check=False)
        shutil.rmtree(self.store, ignore_errors=True)
