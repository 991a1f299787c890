"""The endpoint proxy beside its peers, for docs/performance.md, out of docs/bench/proxy.json."""
import json

SHAPES = [  # name, words, figures (key, words)
    ("h1-keepalive", "HTTP/1.1, 32 kept connections, 1 KiB", [("rps", "requests/s"), ("p99_us", "p99, µs"), ("cpu_us", "CPU each, µs")]),
    ("h2-100-streams", "HTTP/2, 4 connections of 100 streams, 1 KiB",
     [("rps", "requests/s"), ("p99_us", "p99, µs"), ("cpu_us", "CPU each, µs")]),
    ("tls-each", "HTTP/1.1, a TLS connection for each request", [("rps", "requests/s"), ("p99_us", "p99, µs"), ("cpu_us", "CPU each, µs")]),
    ("one-connection", "HTTP/1.1, one connection", [("p50_us", "p50, µs"), ("cpu_us", "CPU each, µs")]),
    *((f"{way}-{version}", f"1 GiB {way}, {words}, one stream", [("mib_s", "MiB/s"), ("cpu_us", "CPU of the GiB, µs")])
      for way in ("down", "up") for version, words in (("h1", "HTTP/1.1"), ("h2", "HTTP/2"))),
    ("idle", "an idle connection, HTTP/1.1 and TLS", [("kib", "memory, KiB")]),
]
PEERS = ["doze", "nginx", "haproxy"]


def cell(figures, peer, shape, key):
    value = figures.get(f"{peer} {shape} {key}")
    return "-" if value is None else f"{value['median']:,.0f} ({value['min']:,.0f} to {value['max']:,.0f})" \
        if value["median"] >= 100 else f"{value['median']:g} ({value['min']:g} to {value['max']:g})"


def lines(root):
    file = root / "docs/bench/proxy.json"
    if not file.exists():
        return []
    data = json.loads(file.read_text())
    out = ["## The endpoint beside nginx and haproxy, one worker each", "",
           f"`tests/bench/run proxy`, commit {data['commit']}, {data['when']}, load of the host {data['host']['load']:g} when it ended. "
           "The same backend, certificate and clients, in turn; doze checks a token. Medians, and the least and the most.", "",
           "| what | figure | doze | nginx | haproxy |", "|---|---|---|---|---|"]
    for shape, words, keys in SHAPES:
        out += [f"| {words} | {name} | " + " | ".join(cell(data["figures"], peer, shape, key) for peer in PEERS) + " |"
                for key, name in keys]
    direct = data["figures"].get("direct one-connection p50_us")
    if direct:
        out += [f"| the backend without a proxy, one connection | p50, µs | {direct['median']:g} | | |"]
    return [*out, ""]
