"""The smallest useful application: one page from memory."""
from flask import Flask

app = Flask(__name__)
visits = 0


@app.route("/")
def hello():
    global visits
    visits += 1
    return f"Hello from a microVM! This is visit {visits}.\n"
