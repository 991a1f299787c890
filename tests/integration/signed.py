"""Signed requests to the API by hand, at the time that the role believes it is."""
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import json
import ssl
import threading

V = "/2025-09-09"
POOL = concurrent.futures.ThreadPoolExecutor(512)


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


def sign(method, host, path, body, now, key, secret, service, region):
    """Headers of Signature Version 4.  The path is quoted once more, as all services but S3 want it."""
    stamp = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    target, _, query = path.partition("?")
    canonical = "\n".join([method, target.replace("%", "%25"), query, f"host:{host}", f"x-amz-date:{stamp}", "",
                           "host;x-amz-date", hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    made = f"AWS4{secret}".encode()
    for part in (stamp[:8], region, service, "aws4_request", text):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    return {"host": host, "x-amz-date": stamp,
            "authorization": f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, "
                             f"Signature={made.hex()}"}


class Api:
    """Of one control.  A call raises Refused; `later` gives a future of it."""

    def __init__(self, control, key, secret, region):
        self.control, self.who = control, (key, secret)
        self.region, self.local = region, threading.local()

    def _connection(self, timeout):
        if not self.control.tls:
            return http.client.HTTPConnection("127.0.0.1", self.control.port, timeout=timeout)
        return http.client.HTTPSConnection("127.0.0.1", self.control.port, timeout=timeout,
                                           context=ssl.create_default_context(cafile=self.control.ca))

    def raw(self, method, path, body=None, timeout=30):
        data = b"" if body is None else json.dumps(body).encode()
        connection = self._connection(timeout)
        try:
            head = sign(method, f"127.0.0.1:{self.control.port}", path, data, self.control.lies.now(), *self.who,
                        "lambda", self.region)
            connection.request(method, path, data, {**head, "content-type": "application/json"})
            self._is_sent()
            answer = connection.getresponse()
            return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, **more):
        status, headers, data = self.raw(method, path, body, **more)
        if status >= 300:
            said = json.loads(data or b"{}")
            raise Refused(status, headers.get("x-amzn-errortype", ""), said.get("message", said.get("Message", "")))
        return json.loads(data) if data else {}

    def _is_sent(self):
        if getattr(self.local, "sent", None):
            self.local.sent.set()

    def later(self, what, *args, **more):
        """A future of the answer; the request is on its way when this returns."""
        sent = threading.Event()

        def ask():
            self.local.sent = sent
            try:
                return getattr(self, what)(*args, **more)
            finally:
                sent.set()
                self.local.sent = None

        asked = POOL.submit(ask)
        sent.wait(10)
        return asked

    def run(self, image, **members):
        return self.call("POST", f"{V}/microvms", {"imageIdentifier": image, **members})["microvmId"]

    def get(self, vm):
        return self.call("GET", f"{V}/microvms/{vm}")

    def state(self, vm):
        return self.get(vm)["state"]

    def suspend(self, vm):
        return self.call("POST", f"{V}/microvms/{vm}/suspend", timeout=120)

    def resume(self, vm):
        return self.call("POST", f"{V}/microvms/{vm}/resume", timeout=120)

    def terminate(self, vm):
        return self.call("DELETE", f"{V}/microvms/{vm}", timeout=120)

    def image(self, image):
        return self.call("GET", f"{V}/microvm-images/{quoted(image)}")

    def version(self, image, number="1.0"):
        return self.call("GET", f"{V}/microvm-images/{quoted(image)}/versions/{number}")

    def create_image(self, name, **members):
        return self.call("POST", f"{V}/microvm-images", {"name": name, **members})["imageArn"]

    def update_image(self, image, **members):
        return self.call("PUT", f"{V}/microvm-images/{quoted(image)}", members)

    def delete_image(self, image):
        return self.call("DELETE", f"{V}/microvm-images/{quoted(image)}")

    def set_status(self, image, number, status):
        return self.call("PATCH", f"{V}/microvm-images/{quoted(image)}/versions/{number}", {"status": status})

    def delete_version(self, image, number):
        return self.call("DELETE", f"{V}/microvm-images/{quoted(image)}/versions/{number}")

    def tags(self, image):
        return self.call("GET", f"/2017-03-31/tags/{quoted(image)}")["Tags"]

    def tag(self, image, **tags):
        return self.call("POST", f"/2017-03-31/tags/{quoted(image)}", {"Tags": tags})

    def drain(self):
        return self.call("POST", "/doze/v1/drain", timeout=600)


def quoted(arn):
    return arn.replace(":", "%3A").replace("/", "%2F")
