"""A clone is warmed by running its application's interpreter once more (src/guest/exercise.h): the application sees nothing of it."""
import json
import zipfile

from rig import wait_for

DOCKERFILE = """FROM public.ecr.aws/lambda/microvms:al2023-minimal
RUN dnf install -y python3 && dnf clean all
COPY app.py /app.py
CMD ["python3", "/app.py"]
"""
APP = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        listening = [line for name in ("tcp", "tcp6") for line in open("/proc/net/" + name) if line.split()[3] == "0A"]
        seen = {"pids": [n for n in os.listdir("/proc") if n.isdigit()], "listening": len(listening),
                "bytecode": os.path.exists("/__pycache__")}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def clones(doze, image):
    """Those that wait for this image, once no clone is on its way any more."""
    stats = json.loads(doze.cli("stats").stdout)
    of = [m for m in stats["machines"] if not m["microvmId"]]
    return [m["machine"] for m in of if m["image"] == image] if stats["pool"]["ready"] == len(of) else []


def test_the_application_sees_nothing_of_the_exercise(doze, microvms, tmp_path):
    with zipfile.ZipFile(tmp_path / "seen.zip", "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("app.py", APP)
    doze.create_image("seen", doze.upload(tmp_path / "seen.zip", "seen.zip"))
    version = doze.wait_version(doze.image_arn("seen"), "1.0")
    assert version["state"] == "SUCCESSFUL", doze.build_log("seen")
    wait_for("a clone waits", lambda: clones(doze, "seen"), 120)
    waiting = clones(doze, "seen")
    vm = microvms(doze.image_arn("seen"))
    seen = doze.call(vm)
    stats = json.loads(doze.cli("stats").stdout)
    taken = next(m["machine"] for m in stats["machines"] if m["microvmId"] == vm["microvmId"])
    assert taken in waiting, "it was not a clone of the pool"
    # its own port, the agent's for the host, and the agent's for leases
    assert seen == {"pids": ["1"], "listening": 3, "bytecode": False}
