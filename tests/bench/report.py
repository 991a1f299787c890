"""docs/performance.md out of docs/bench/*.json."""
import json

import report_proxy
import report_vmm

# file, title, bench, figures (key, words, unit), goal
ROWS = [
    ("run-pool-512", "RunMicrovm to the first 200, from the pool (class 512)", "run-pool", [
        ("total_ms", "all: run, token, new TLS connection, request", "ms"), ("run_ms", "RunMicrovm", "ms"),
        ("token_ms", "CreateMicrovmAuthToken", "ms"), ("request_ms", "connect, handshake, request, answer", "ms")],
     "p50 <= 100 ms; measured of the service itself: 1,850 to 2,700 ms"),
    ("run-pool-2048", "The same, class 2048", "run-pool", [("total_ms", "all", "ms")], "p50 <= 100 ms"),
    ("run-warm-512", "The same with a warm_request (class 512)", "run-warm", [("total_ms", "all", "ms")], "p50 <= 75 ms"),
    ("run-cold-512", "The same with an empty pool (class 512)", "run-cold", [
        ("total_ms", "all", "ms"), ("request_ms", "of it the held request", "ms")], "p50 <= 400 ms"),
    ("run-cold-2048", "The same, class 2048", "run-cold", [("total_ms", "all", "ms")], "p50 <= 400 ms"),
    ("suspend", "Suspend and wake (flask-hello, class 512)", "suspend", [
        ("suspend_ms", "SuspendMicrovm to SUSPENDED and the process gone", "ms"),
        ("wake_ms", "a request to a SUSPENDED microVM, with its TLS connection, to the 200", "ms"),
        ("written_mib", "on disk per suspend", "MiB")], "suspend p50 <= 100 ms, wake p50 <= 350 ms"),
    ("burst-100", "100 runs at once", "burst", [
        ("answered", "answered", ""), ("first_ms", "the first", "ms"), ("third_ms", "the first past the pool", "ms"),
        ("to_200_ms", "each", "ms"), ("all_ms", "all", "ms")], "none fails; the first past the pool <= 1.5 s, all <= 45 s"),
    ("density-200", "200 clones alive, each with its own identity", "density", [
        ("alive", "alive and answered", ""), ("pss_mib", "PSS of one", "MiB"),
        ("host_memory_mib_each", "host memory that each took", "MiB"),
        ("idle_cpu_percent", "CPU of an idle one, of a core", "%")], "PSS <= 40 MB, idle < 1 % of a core"),
    ("build", "Zip to ACTIVE (flask-hello, ready base)", "build", [
        ("zip_to_active_s", "new requirements", "s"), ("app_changed_s", "only app.py changed", "s")],
     "<= 30 s, <= 15 s; measured of the service itself: 72 to 258 s"),
    ("s3-slow-disk", "S3 while 64 uploads of 100 MiB go to a disk of 20 MiB/s", "s3", [
        ("get_ms", "GET of another object", "ms"), ("list_ms", "LIST", "ms"),
        ("put_ms", "PUT of 4 KiB, whose four syncs wait for that disk", "ms"),
        ("quiet_get_ms", "GET without the uploads", "ms"), ("quiet_list_ms", "LIST without the uploads", "ms"),
        ("quiet_put_ms", "PUT without the uploads", "ms")],
     "p99 of GET and LIST <= 50 ms. The disk is made slow by tests/unit/objects/slow_disk.c"),
    ("api-store", "100,000 microVMs and 1,000 images in the store", "api", [
        ("start_to_first_answer_s", "the control role's start to its first answer", "s"), ("start_cpu_s", "of it CPU time", "s"),
        ("memory_mib", "its resident memory then", "MiB"), ("get_ms", "GetMicrovm", "ms"), ("list_page_ms", "a page of ListMicrovms", "ms"),
        ("get_microvm_per_s", "signed GetMicrovm a second, on one core", ""), ("get_microvm_cpu_us", "CPU time of one", "us"),
        ("create_auth_token_per_s", "signed CreateMicrovmAuthToken a second, on one core", ""), ("create_auth_token_cpu_us", "CPU time of one", "us"),
        ("run_sqlite_ms", "RunMicrovm to its answer, with SQLite", "ms"), ("run_postgres_ms", "the same with PostgreSQL, in the same run", "ms")],
     "start <= 2 s, memory <= 200 MB, GetMicrovm p50 <= 1 ms, page p50 <= 5 ms, >= 5,000 of both calls a second. Single calls are those of a client in Python on "
     "one kept connection; the rates are of a client in C on 16, on a core of its own (tests/bench/api_calls.py). All are TLS but the runs; both "
     "databases sync to the same disk"),
    ("datagrams", "Datagrams of 512 bytes through a published port of UDP, for 5 s", "datagrams", [
        ("lost_percent_10000", "lost of 10,000 a second", "%"), ("cpu_us_10000", "the proxy's CPU for each", "us"),
        ("lost_percent_50000", "lost of 50,000 a second", "%"), ("cpu_us_50000", "the proxy's CPU for each", "us"),
        ("lost_percent_100000", "lost of 100,000 a second", "%"), ("cpu_us_100000", "the proxy's CPU for each", "us"),
        ("lost_in_socket_percent_100000", "of these, in the kernel's buffer", "%")],
     "nothing lost of 50,000 a second. The machine is one that counts frames, so this is the proxy alone; "
     "what the kernel's buffer holds follows net.core.rmem_max"),
]


def cell(value, unit):
    if isinstance(value, dict):
        tail = f"{value['p95']:g}" + (f", p99 {value['p99']:g}" if "p99" in value else "")
        return f"{value['median']:g} {unit} | {value['min']:g} to {value['max']:g} | {tail} | {value['n']}"
    return f"{value:g} {unit} | | |"


def write_report(root):
    out = [(root / "tests/bench/introduction.md").read_text()]
    hosts = set()
    for name, title, bench, figures, goal in ROWS:
        file = root / f"docs/bench/{name}.json"
        if not file.exists():
            continue
        data = json.loads(file.read_text())
        at = data["host"]
        hosts.add(f"Host: {at['cpu']}, {at['cores']} cores, {at['memoryGiB']} GiB, Linux {at['kernel']}.")
        out += [f"## {title}", "", f"`tests/bench/run {bench}`, commit {data['commit']}, {data['when']}. Goal: {goal}.", "",
                "| what | median | spread | p95 | n |", "|---|---|---|---|---|"]
        out += [f"| {words} | {cell(data['figures'][key], unit)} |" for key, words, unit in figures]
        if data.get("breakdown"):
            out += ["", "Of the first build:", "", "```", *data["breakdown"], "```"]
        out += [""]
    out += report_proxy.lines(root)
    out += report_vmm.lines(root)
    out += sorted(hosts)
    (root / "docs/performance.md").write_text("\n".join(out).rstrip() + "\n")
