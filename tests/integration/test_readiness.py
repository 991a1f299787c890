"""A build without a /ready hook takes its snapshot when the application has started (image/ready.h): with DOZE_LONG=1."""
import os
import re
import zipfile

import pytest

pytestmark = pytest.mark.skipif(not os.environ.get("DOZE_LONG"), reason="nine builds")

DOCKERFILE = """FROM public.ecr.aws/lambda/microvms:al2023-minimal
RUN dnf install -y python3
COPY app.py /
{more}
CMD ["python3", "-u", "/app.py"]
"""
APP = """import http.server, pathlib, socket, sys, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")
def serve(port, host=""):
    http.server.ThreadingHTTPServer((host, port), Answer).serve_forever()
def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
"""
CASES = {  # the application, more of the Dockerfile, what the log says, the port that serves
    "loads-first": ("work(45)\nserve(8080)", "EXPOSE 8080",
                    [r"waiting until port 8080 listens", r"after 30 seconds nothing listens on port 8080; the application works: it uses \d+ % ",
                     r"ready after \d\d\.\d seconds: port 8080 listens, and the application has been quiet"], 8080),
    "listens-first": ("threading.Thread(target=serve, args=(8080,)).start()\nwork(40)\nprint('loaded')", "EXPOSE 8080",
                      [r"loaded[\s\S]*ready after [4-9]\d\.\d seconds: port 8080 listens"], 8080),
    "worker": ("work(3)\ntime.sleep(10000)", "",
               [r"nothing listens on port 8080, and the application has been quiet for 1\d\.\d seconds, so it counts as one without a port"], None),
    "two-ports": ("threading.Thread(target=serve, args=(80,)).start()\nwork(15)\nserve(9090)", "EXPOSE 80 9090",
                  [r"waiting until ports 80 and 9090 listen", r"ready after .* ports 80 and 9090 listen, and"], 9090),
    "one-of-two": ("serve(80)", "EXPOSE 80 443",
                   [r"ready after .* nothing listens on port 443, but the other EXPOSEd ones listen, and"], 80),
    "another-port": ("serve(5000)", "EXPOSE 80", [r"nothing listens on port 80; port 5000 listens instead, and .*; requests must name the port"], 5000),
    "udp": ("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nwork(5)\ns.bind(('', 5353))\ns.recv(1)", "EXPOSE 5353/udp",
            [r"waiting until port 5353/udp listens", r"ready after .* port 5353/udp listens, and"], None),
    "elsewhere": ("serve(8080, '10.0.2.15')", "", [r"10\.0\.2\.15:8080 listens, but requests come to 127\.0\.0\.1 or ::1"], None),
    "healthcheck": ("threading.Thread(target=serve, args=(8080,)).start()\ntime.sleep(15)\npathlib.Path('/tmp/up').touch()",
                    "EXPOSE 8080\nHEALTHCHECK CMD test -e /tmp/up",
                    [r"waiting until the image's HEALTHCHECK succeeds", r"ready after [1-4]\d\.\d seconds: the image's HEALTHCHECK succeeded"], 8080),
}


@pytest.mark.parametrize("case", CASES)
def test_the_snapshot_is_of_a_started_application(doze, microvms, tmp_path, case):
    app, more, said, port = CASES[case]
    archive = tmp_path / f"{case}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("Dockerfile", DOCKERFILE.format(more=more))
        file.writestr("app.py", APP + app + "\n")
    doze.create_image(f"ready-{case}", doze.upload(archive, f"ready-{case}.zip"))
    version = doze.wait_version(doze.image_arn(f"ready-{case}"), "1.0")
    log = doze.build_log(f"ready-{case}")
    assert version["state"] == "SUCCESSFUL", f"{version.get('stateReason')}\n{log}"
    for pattern in said:
        assert re.search(pattern, log), f"'{pattern}' is not in\n{log}"
    if port:
        vm = microvms(doze.image_arn(f"ready-{case}"))
        status, _, body = doze.request(vm["endpoint"], "/", doze.token(vm["microvmId"], port), port)
        assert (status, body) == (200, b"hi")
