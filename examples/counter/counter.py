"""Counts requests, in memory and in a file, and answers every lifecycle hook.

GET /  adds one and answers JSON: n from memory, file_n from the file, the microVM's id, a random
value drawn when it started running, and how often it was resumed.  Hooks come to port 9000.
"""
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNT_FILE = "/app/count"
HOOKS = "/aws/lambda-microvms/runtime/v1/"

lock = threading.Lock()
state = {"n": 0, "microvmId": None, "random": None, "payload": None, "resumed": 0, "hooks": []}


def count():
    """One more, in both places."""
    with lock:
        state["n"] += 1
        try:
            with open(COUNT_FILE, encoding="ascii") as file:
                file_n = int(file.read())
        except FileNotFoundError:
            file_n = 0
        file_n += 1
        with open(COUNT_FILE + ".new", "w", encoding="ascii") as file:
            file.write(str(file_n))
        os.replace(COUNT_FILE + ".new", COUNT_FILE)
        return {**state, "file_n": file_n}


def on_run(body):
    """Here a clone becomes itself: what must differ between clones is drawn now."""
    message = json.loads(body)
    state["microvmId"] = message.get("microvmId")
    state["payload"] = message.get("runHookPayload")
    state["random"] = os.urandom(8).hex()


def on_resume(_body):
    state["resumed"] += 1


ON_HOOK = {"ready": None, "validate": None, "run": on_run, "resume": on_resume, "suspend": None,
           "terminate": None}


class Handler(BaseHTTPRequestHandler):
    """What both ports share."""
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = (json.dumps(value) + "\n").encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class App(Handler):
    def do_GET(self):
        if self.path == "/":
            self.answer(200, count())
        elif self.path == "/state":
            self.answer(200, state)
        else:
            self.answer(404, {"message": "only / and /state are here"})


class Hooks(Handler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        name = self.path.removeprefix(HOOKS)
        if name not in ON_HOOK:
            self.answer(404, {"message": "no such hook"})
            return
        with lock:
            state["hooks"].append(name)
            if ON_HOOK[name]:
                ON_HOOK[name](body)
        print("hook", name)
        self.answer(200, {})


app = ThreadingHTTPServer(("0.0.0.0", 8080), App)
threading.Thread(target=app.serve_forever, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", 9000), Hooks).serve_forever()
