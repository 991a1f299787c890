"""A dozed that only stops: DIR holds what it needs and says what it answers.

It holds the lock on the pid file, serves GET /doze/v1/drain from answers.json once SIGINT has come, one answer each, and ends
after the last one.
"""
import fcntl
import http.server
import json
import os
import pathlib
import signal
import ssl
import sys
import threading

home, pid_file, port, last_word = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
answers = json.loads((home / "answers.json").read_text())
stopping, over = threading.Event(), threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/doze/v1/drain" and answers
        status, body = (200, {"draining": False}) if known else (404, {"message": "There is no such operation."})
        if known and stopping.is_set():
            body = answers.pop(0)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        if stopping.is_set() and not answers:
            over.set()

    def log_message(self, *_):
        pass


signal.signal(signal.SIGINT, lambda *_: stopping.set())
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(home / "both.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(pid_file, "w", encoding="ascii") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    print("up", flush=True)
    while not over.wait(0.05):
        pass
    lock.write(last_word)
    lock.flush()
    os._exit(0)
