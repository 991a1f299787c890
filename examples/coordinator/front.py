"""Ephemeral coordination: a Redis server that lives as long as one job, with an HTTP front.

GET  /              how much is stored
GET  /limits        the hash that was loaded before the snapshot
POST /jobs          body: append a job            POST /jobs/take   take the oldest one
POST /locks/NAME    take a lock (409 if taken)    DELETE /locks/NAME
POST /add/NAME      add one to a counter
"""
import json
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Redis:
    """The few words of the protocol that are needed here, on a connection per request."""

    def __init__(self):
        self.file = socket.create_connection(("127.0.0.1", 6379), timeout=5).makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.file.close()

    def __call__(self, *words):
        parts = [str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(parts))
        for part in parts:
            self.file.write(b"$%d\r\n%s\r\n" % (len(part), part))
        self.file.flush()
        return self.read()

    def read(self):
        line = self.file.readline().rstrip()
        kind, rest = line[:1], line[1:].decode()
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest


def load():
    """Wait for the server, then fill it."""
    for _ in range(100):
        try:
            with Redis() as redis, open("seed.json", encoding="utf-8") as file:
                seed = json.load(file)
                redis("DEL", "jobs", "limits")
                for job in seed["jobs"]:
                    redis("RPUSH", "jobs", job)
                for name, value in seed["limits"].items():
                    redis("HSET", "limits", name, value)
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the Redis server does not answer")


def status(redis, _name, _body):
    return 200, {"jobs": redis("LLEN", "jobs"), "keys": redis("DBSIZE")}


def limits(redis, _name, _body):
    flat = redis("HGETALL", "limits")
    return 200, dict(zip(flat[::2], flat[1::2]))


def add_job(redis, _name, body):
    return 201, {"jobs": redis("RPUSH", "jobs", body)}


def take_job(redis, _name, _body):
    job = redis("LPOP", "jobs")
    return (200, {"job": job}) if job else (404, {"message": "no job is left"})


def take_lock(redis, name, _body):
    taken = redis("SET", "lock:" + name, "1", "NX", "EX", "60")
    return (201, {"lock": name}) if taken else (409, {"message": "the lock is taken"})


def drop_lock(redis, name, _body):
    return 200, {"dropped": redis("DEL", "lock:" + name)}


def add_one(redis, name, _body):
    return 200, {"value": redis("INCR", "counter:" + name)}


ROUTES = {("GET", ""): status, ("GET", "limits"): limits, ("POST", "jobs"): add_job,
          ("POST", "jobs/take"): take_job, ("POST", "locks/"): take_lock,
          ("DELETE", "locks/"): drop_lock, ("POST", "add/"): add_one}


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        path = self.path.strip("/")
        route, name = ROUTES.get((self.command, path)), ""
        if not route and "/" in path:
            head, name = path.split("/", 1)
            route = ROUTES.get((self.command, head + "/"))
        if route:
            with Redis() as redis:
                code, value = route(redis, name, body)
        else:
            code, value = 404, {"message": "not here"}
        answer = (json.dumps(value) + "\n").encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = handle_any


load()
ThreadingHTTPServer(("0.0.0.0", 8080), Front).serve_forever()
