"""What the jobs of tests/bench/vmm print, as figures: a row of {words} becomes {name: {figure: summary}}, and a table to look at."""
import collections
import pathlib
import re
import statistics

SYSCALL_NAMES = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
KVM_NAMES = "/usr/include/linux/kvm.h"
MONITOR = pathlib.Path(__file__).resolve().parent.parent.parent / "src/vmm"
DIRECTIONS = {"": 0, "W": 1, "R": 2, "WR": 3}  # of an ioctl, from the caller's side, in its two top bits
RESTORE_FIGURES = ("cpu_ns", "wall_ns", "mark_cpu_ns", "mark_wall_ns", "private_kib", "anonymous_kib", "rss_kib", "guest_kib")


def words(line):
    return dict(word.split("=", 1) for word in line.split()[1:])


def summary(samples):
    return {"n": len(samples), "median": statistics.median(samples), "min": min(samples), "max": max(samples)}


def summaries(samples):
    return {name: {key: summary(values) for key, values in figures.items()} for name, figures in samples.items()}


def table():
    return collections.defaultdict(lambda: collections.defaultdict(list))


class CallNames:
    """In words: a system call, an ioctl of KVM by its request."""

    def __init__(self):
        self.calls = {nr: name for name, nr in re.findall(r"#define __NR_(\w+) (\d+)", pathlib.Path(SYSCALL_NAMES).read_text())}
        self.calls["-1"] = "its own code"
        ours = set(re.findall(r"\bKVM_\w+", "".join(file.read_text() for file in MONITOR.rglob("*.c"))))
        requests = re.findall(r"#define (KVM_\w+)\s+_IO(|W|R|WR)\(KVMIO,\s*(0x\w+)", pathlib.Path(KVM_NAMES).read_text())
        self.requests = {(DIRECTIONS[direction], int(nr, 16)): name
                         for name, direction, nr in sorted(requests, key=lambda request: request[0] in ours)}

    def of(self, nr, request):
        request = int(request) & 0xffffffff  # a C library may extend its sign
        known = self.requests.get((request >> 30, request & 0xff)) if request >> 8 & 0xff == 0xae else None
        return known or self.calls.get(nr, nr) + (f" {request:#x}" if request else "")


def restore(text):
    names, samples, out = CallNames(), table(), collections.defaultdict(dict)
    for line in text.splitlines():
        if line.startswith("MEASURE "):
            got = words(line)
            for key in RESTORE_FIGURES:
                samples[got["name"]][key].append(int(got[key]))
        elif line.startswith("SYSCALL "):
            got = words(line)
            out[got["name"]].setdefault("calls", {})[names.of(got["nr"], got["request"])] = [
                int(got[key]) for key in ("exec", "exec_ticks", "mark", "mark_ticks")]
        elif line.startswith("SYSCALLS "):
            got = words(line)
            out[got["name"]].update(syscalls=int(got["exec"]), syscalls_after_request=int(got["mark"]))
    for name, figures in summaries(samples).items():
        out[name].update(figures)
    return out


def floor_of(name, figures):
    """The floor of the same memory size."""
    mib = re.search(r"-(\d+)", name)
    floor = figures.get(f"floor-{mib.group(1)}") if mib else None
    return floor["cpu_ns"]["median"] if floor else None


def restore_table(figures):
    print(f"{'million (instructions or ns), median':38} {'CPU':>9} {'time':>9} {'x floor':>8} {'after request':>14} {'x floor':>8}"
          f" {'calls':>6} {'after':>6} {'own kB':>11}")
    for name, f in figures.items():
        if "cpu_ns" not in f:
            continue
        floor, cpu, mark = floor_of(name, figures), f["cpu_ns"]["median"], f["mark_cpu_ns"]["median"]
        marked = mark != cpu
        ratio = [f"{value / floor:8.2f}" if floor and show else " " * 8 for value, show in ((cpu, True), (mark, marked))]
        after = f"{mark / 1e6:14.3f}" if marked else " " * 14
        print(f"{name:38} {cpu / 1e6:9.3f} {f['wall_ns']['median'] / 1e6:9.3f} {ratio[0]} {after} {ratio[1]}"
              f" {f.get('syscalls', ''):>6} {f.get('syscalls_after_request', 0) or '':>6} {f['anonymous_kib']['median']:11g}")


def memory(text):
    """KiB that each of the clones takes."""
    samples = table()
    for line in text.splitlines():
        if line.startswith("MEMORY "):
            got = words(line)
            n = int(got.pop("n"))
            for key, kib in got.items():
                if key != "name":
                    samples[got["name"]][key].append(round(int(kib) / n, 1))
    return summaries(samples)


def jail(text):
    samples = table()
    for line in text.splitlines():
        if line.startswith("JAIL "):
            for key, value in words(line).items():
                samples["jail"][key].append(int(value))
    return summaries(samples)


def dirty(text):
    """By the MiB that were written: the writing and the finding, without and with the log."""
    samples = table()
    for line in text.splitlines():
        if line.startswith("DIRTY "):
            got = words(line)
            how = "log" if got["log"] == "1" else "map"
            for key in ("run_ns", "look_ns"):
                samples[got["mib"]][f"{how}_{key}"].append(int(got[key]))
    return summaries(samples)


def suspend(text):
    samples = table()
    for line in text.splitlines():
        if line.startswith("SUSPEND "):
            got = words(line)
            for key in ("paused_us", "bytes"):
                samples[got["mib"]][key].append(int(got[key]))
    return summaries(samples)


def speed(text):
    """Nanoseconds for a MiB or a request: {what: {monitor: summary}}."""
    samples = table()
    for line in text.splitlines():
        if line.startswith("SPEED "):
            _, monitor, what, ns = line.split()
            samples[what][monitor].append(int(ns))
    return summaries(samples)


def plain_table(figures):
    for name, row in figures.items():
        print(f"{name:20} " + "  ".join(f"{key}={value['median']:g} ({value['min']:g} to {value['max']:g})" for key, value in row.items()))
