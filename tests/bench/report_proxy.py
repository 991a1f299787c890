"""The endpoint proxy beside its peers, for docs/performance.md, out of docs/bench/proxy*.json."""
import json

EACH = [("rps", "requests/s"), ("p99_us", "p99, µs"), ("cpu_us", "CPU each, µs")]
SHAPES = [  # name, words, figures (key, words)
    ("h1-keepalive", "HTTP/1.1, 32 kept connections, 1 KiB", EACH),
    ("h2-100-streams", "HTTP/2, 4 connections of 100 streams, 1 KiB", EACH),
    ("tls-each", "HTTP/1.1, a TLS connection for each request", EACH),
    ("one-connection", "HTTP/1.1, one connection", [("p50_us", "p50, µs"), ("cpu_us", "CPU each, µs")]),
    *((f"{way}-{version}", f"1 GiB {way}, {words}, one stream", [("mib_s", "MiB/s"), ("cpu_us", "CPU of the GiB, µs")])
      for way in ("down", "up") for version, words in (("h1", "HTTP/1.1"), ("h2", "HTTP/2"))),
    ("tcp-keepalive", "raw TCP (a published port, haproxy's TCP mode), 32 kept connections, 1 KiB", EACH),
    ("tcp-down", "1 GiB down, raw TCP", [("mib_s", "MiB/s"), ("cpu_us", "CPU of the GiB, µs")]),
    ("idle", "an idle connection, HTTP/1.1 and TLS", [("kib", "memory, KiB")]),
]
PEERS = ["doze", "nginx", "haproxy"]
PARTS = [("proxy", "one worker each"), ("proxy-2", "two workers each, on two cores that the clients and the backend need too")]


def cell(figures, peer, shape, key):
    value = figures.get(f"{peer} {shape} {key}")
    return "-" if value is None else f"{value['median']:,.0f} ({value['min']:,.0f} to {value['max']:,.0f})" \
        if value["median"] >= 100 else f"{value['median']:g} ({value['min']:g} to {value['max']:g})"


def read(root, name):
    file = root / f"docs/bench/{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def beside(data, words):
    out = [f"## The endpoint beside nginx and haproxy, {words}", "",
           f"`tests/bench/run proxy`, commit {data['commit']}, {data['when']}, load of the host {data['host']['load']:g} when it ended. "
           "The same backend, certificate and clients, in turn; doze checks a token. Medians, and the least and the most.", "",
           "| what | figure | doze | nginx | haproxy |", "|---|---|---|---|---|"]
    for shape, text, keys in SHAPES:
        out += [f"| {text} | {name} | " + " | ".join(cell(data["figures"], peer, shape, key) for peer in PEERS) + " |"
                for key, name in keys if f"doze {shape} {key}" in data["figures"]]
    direct = data["figures"].get("direct one-connection p50_us")
    if direct:
        out += [f"| the backend without a proxy, one connection | p50, µs | {direct['median']:g} | | |"]
    return [*out, ""]


def holding(data):
    idle, two, one = ({key.split()[1]: value for key, value in data["figures"].items() if key.startswith(name + " ")}
                      for name in ("idle", "held_h2", "held_h1"))
    out = ["## What the endpoint holds", "", f"`tests/bench/run held`, commit {data['commit']}, {data['when']}.", "",
           f"- {idle['connections']:,} idle connections of HTTP/1.1 over TLS at {idle['workers']} workers, as many as the limit of open files "
           f"asks for: {idle['ended']} were ended, each takes {idle['kib_each']:g} KiB ({idle['rss_mib']:,} MiB in all), and a new "
           f"connection's request took {idle['next_request_ms']:.1f} ms meanwhile."]
    for held, words in ((two, "over 100 connections of HTTP/2"), (one, "each on a connection of HTTP/1.1 of its own, all opened at once")):
        out += [f"- {held['requests']:,} requests that came while their microVM slept, {words}: {held['served']:,} were served within "
                f"{held['served_in_s']:g} s of {held['wakes']} wake, and while they waited each took {held['kib_each']:g} KiB "
                f"({held['rss_mib']:,} MiB in all)."]
    return [*out, ""]


def counted(data):
    out = ["## Instructions of the endpoint for a request", "",
           f"`tests/bench/run instructions`, commit {data['commit']}, {data['when']}: user-space instructions by callgrind. A test compares "
           f"them where the toolchain is the same ({', '.join(data['toolchain']['compiler'])}; {', '.join(data['toolchain']['packages'])}).", "",
           "| what | instructions |", "|---|---|"]
    return [*out, *(f"| {text} | {data['figures'][shape]:,} |" for shape, text, _ in SHAPES if shape in data["figures"]), ""]


def lines(root):
    out = []
    for name, words in PARTS:
        data = read(root, name)
        out += beside(data, words) if data else []
    for name, part in (("proxy-held", holding), ("proxy-instructions", counted)):
        data = read(root, name)
        out += part(data) if data else []
    return out
