"""The part of docs/performance.md that tests/bench/vmm measured."""
import json

VMM_ROWS = [  # name in docs/bench/vmm-restore.json without its shape, in words, goal in floors
    ("floor", "the least program that can (tests/kvm/floor.c)", ""),
    ("vmm-exec", "doze-vmm, exec to the guest's first byte, filters included, namespaces and cgroup not", "3"),
    ("vmm-shell", "doze-vmm, a ready spare: RESTORE to the first byte", "0.6"),
    ("vmm-stopped", "doze-vmm, a restored stopped clone: CONTINUE to the first byte", ""),
    ("qemu", "QEMU microvm, exec to the first byte", ""),
]


def restore(data):
    """What a restore on KVM costs, in instructions, each shape beside its floor."""
    figures = data["figures"]
    shapes = sorted({n.split("-", 2)[2] for n in figures if n.startswith("vmm-exec-")}, key=lambda shape: [int(n) for n in shape.split("-")])
    out = ["## A restore on KVM", "",
           f"`tests/bench/vmm --write restore`, commit {data['commit']}, {data['when']}: {data['unit']} of CPU in the nested host (tests/kvm), median.",
           "Firecracker 1.16.1 by the same method: 5.31 M, 289 system calls, 404 kB.  Memory is the monitor's own (anonymous), without the",
           "guest's and without the pages of its program, which all machines share.", "",
           "| what | MiB-vCPUs | million | x floor | goal | system calls (after the request) | kB (goal 128) |", "|---|---|---|---|---|---|---|"]
    for shape in shapes:
        floor = figures[f"floor-{shape.split('-')[0]}"]["cpu_ns"]["median"]
        for name, words, goal in VMM_ROWS:
            f = figures.get(f"{name}-{shape.split('-')[0] if name == 'floor' else shape}")
            if not f or "cpu_ns" not in f:
                continue
            cpu = f["mark_cpu_ns" if name in ("vmm-shell", "vmm-stopped") else "cpu_ns"]["median"]
            out.append(f"| {words} | {shape} | {cpu / 1e6:.3f} | {cpu / floor:.2f} | {goal} | {f.get('syscalls', '')}"
                       f" ({f.get('syscalls_after_request', 0) or '-'}) | {f['anonymous_kib']['median']:g} |")
    return out + ["", *calls(figures, shapes[0]), "", *boot(figures)]


def boot(figures):
    """Cold boots, of the same run."""
    out = ["Cold boot, exec to the guest's init, the same kernel and command line; Firecracker with its own 1574 M (goal 0.95 x that: 1495):", "",
           "| what | MiB-vCPUs | million |", "|---|---|---|"]
    for name, words in (("vmm-boot", "doze-vmm"), ("qemu-boot", "QEMU microvm")):
        for key, f in figures.items():
            if key.startswith(f"{name}-"):
                out.append(f"| {words} | {key.removeprefix(name + '-')} | {f['cpu_ns']['median'] / 1e6:.0f} |")
    return out


def calls(figures, shape):
    """Where they go: what costs 1 % or more of one of the two."""
    columns = [(figures[f"vmm-exec-{shape}"].get("calls", {}), 0), (figures[f"vmm-shell-{shape}"].get("calls", {}), 2)]
    sums = [sum(row[at + 1] for row in rows.values()) for rows, at in columns]
    if columns[0][0].get("its own code") and figures[f"vmm-shell-{shape}"].get("calls"):
        sums[0] -= columns[0][0]["its own code"][1]  # it has waited for its request in there
    out = [f"Where they go ({shape}; thousand, counted with the kernel's tracing, which is in it; the guest is in KVM_RUN; system calls of 1 % and more):", "",
           "| | exec to the first byte | calls | from a ready spare | calls |", "|---|---|---|---|---|"]
    rows = []
    for name in {**columns[0][0], **columns[1][0]}:
        cells = [(rows_of.get(name, [0] * 4)[at + 1], rows_of.get(name, [0] * 4)[at]) for rows_of, at in columns]
        if any(ticks >= 0.01 * total for (ticks, _), total in zip(cells, sums)):
            rows.append((cells, name))
    for cells, name in sorted(rows, key=lambda row: -row[0][0][0]):
        out.append(f"| {name} | " + " | ".join(f"{ticks / 1e3:.1f} | {n or ''}" for ticks, n in cells) + " |")
    return out


def head(title, data, what):
    return [f"## {title}", "", f"`tests/bench/vmm --write {data['name'].removeprefix('vmm-')}`, commit {data['commit']}, {data['when']}: {what}", ""]


def agent(data):
    """The first byte over vsock, in a guest that is a product's."""
    out = head("A restore on KVM up to the agent's answer", data,
               f"million {data['unit']} until doze-init in the guest has answered RESUMED over vsock, interrupts on.")
    out += ["Nearly all of it is the guest's: timers that were due, a new identity, the page faults of both.", "",
            "| MiB-vCPUs | from the exec | from a ready spare | from a restored stopped clone |", "|---|---|---|---|"]
    for shape in sorted({n.split("-", 2)[2] for n in data["figures"]}):
        cells = [data["figures"][f"agent-{how}-{shape}"][key] for how, key in (("exec", "cpu_ns"), ("shell", "mark_cpu_ns"), ("stopped", "mark_cpu_ns"))]
        out.append(f"| {shape} | " + " | ".join(f"{f['median'] / 1e6:.2f} ({f['min'] / 1e6:.2f} to {f['max'] / 1e6:.2f})" for f in cells) + " |")
    return out


def cold(data):
    """The same where the image's memory has to be read."""
    out = head("A restore on KVM from a cold cache", data,
               f"million {data['unit']} from RESTORE to the agent's answer (128 MiB), the image on a disk behind which is memory: an access costs work, no time.")
    out += ["| the image's memory is | CPU of the machine | time |", "|---|---|---|"]
    for name, words in (("warm", "in the host's"), ("cold", "not in it"), ("ahead", "not in it, and `touched` is read ahead")):
        f = data["figures"][f"cold-{name}-128"]
        out.append(f"| {words} | {f['mark_cpu_ns']['median'] / 1e6:.2f} | {f['mark_wall_ns']['median'] / 1e6:.2f}"
                   f" ({f['mark_wall_ns']['min'] / 1e6:.2f} to {f['mark_wall_ns']['max'] / 1e6:.2f}) |")
    return out


def vcpus(data):
    """What each further vCPU costs."""
    out = head("A restore on KVM, by the number of vCPUs", data, f"million {data['unit']} to the first byte of a guest that is nothing but its CPUs.")
    out += ["Goal: 0.25 for a further vCPU.", "", "| vCPUs | from the exec | for each more | from a ready spare | from a restored stopped clone | own memory, kB |",
            "|---|---|---|---|---|---|"]
    before = None
    for n in sorted(int(name.split("-")[2]) for name in data["figures"] if name.startswith("vcpus-exec-")):
        rows = [data["figures"][f"vcpus-{how}-{n}"] for how in ("exec", "shell", "stopped")]
        total = rows[0]["cpu_ns"]["median"]
        more = f"{(total - before[1]) / (n - before[0]) / 1e6:.3f}" if before else ""
        before = (n, total)
        out.append(f"| {n} | {total / 1e6:.3f} | {more} | {rows[1]['mark_cpu_ns']['median'] / 1e6:.3f} | {rows[2]['mark_cpu_ns']['median'] / 1e6:.3f}"
                   f" | {rows[0]['anonymous_kib']['median']:g} |")
    return out


def jail(data):
    """What priv does before the exec."""
    f = data["figures"]["jail"]
    out = head("What priv does before a restore on KVM", data, f"million {data['unit']} of all the host.")
    cells = [f"{f[key]['median'] / 1e6:.2f} ({f[key]['min'] / 1e6:.2f} to {f[key]['max'] / 1e6:.2f})" for key in ("cgroup_ns", "start_ns")]
    return out + [f"A cgroup: {cells[0]}. A process in namespaces, in an empty root, as a user of its own, up to its exec: {cells[1]}.",
                  "A ready spare has them behind it."]


def memory(data):
    """What a paused clone costs its host."""
    out = head("Host memory of a paused clone on KVM", data, "KiB for each of 100 clones of one image (128 MiB, 1 vCPU), all that the host has less.")
    out += ["Goal: 500, the pages of the guest's own aside. Firecracker 1.16.1: 772 (421 anonymous, 200 slab, 80 stacks, 45 page tables).",
            "A vCPU that has run keeps 160 more in KVM: 40 pages in stock for its page tables, which are in no column but the first.", "",
            "| clone | what the host has less | anonymous | of it the guest's | slab | stacks | page tables | KVM's page tables |", "|---|---|---|---|---|---|---|---|"]
    names = {"stopped": "restored, never run", "ran": "ran to its first byte, then paused"}
    for name, f in data["figures"].items():
        cells = [f"{f[key]['median']:g}" for key in ("used", "AnonPages", "guest", "Slab", "KernelStack", "PageTables", "SecPageTables")]
        out.append(f"| {names[name]} | {' | '.join(cells)} |")
    return out


def dirty(data):
    """Why a save looks at the page map."""
    out = head("What a guest has written, found in two ways", data, f"million {data['unit']}; a guest of 768 MiB over a file.")
    out += ["KVM's log finds few pages cheaper and many dearer. It does not see what the monitor's devices write, and takes two bits for each page of",
            "each clone in the kernel; the page map needs nothing while a guest runs. doze-vmm looks at the page map.", "",
            "| MiB written | writing them | with the log on | finding them by the page map | by the log |", "|---|---|---|---|---|"]
    for mib, f in data["figures"].items():
        out.append(f"| {mib} | " + " | ".join(f"{f[key]['median'] / 1e6:.2f}" for key in ("map_run_ns", "log_run_ns", "map_look_ns", "log_look_ns")) + " |")
    return out


def suspend(data):
    """How long it stands still, by dirty memory, and the line through the first and the last."""
    rows = [(int(mib), f["paused_us"], f["bytes"]["median"]) for mib, f in data["figures"].items()]
    (least, first, _), (most, last, _) = rows[0], rows[-1]
    slope = (last["median"] - first["median"]) / (most - least) / 1e3
    out = head("Suspend on KVM, by dirty memory", data, f"{data['unit']} that a microVM of 768 MiB stands still while it is saved into memory.")
    out += [f"Constant {first['median'] / 1e3:.1f} M, {slope:.2f} M for each MiB; the last column is the distance from that line.", "",
            "| MiB that the guest wrote | million, median | spread | written MB | off the line |", "|---|---|---|---|---|"]
    for mib, us, size in rows:
        line = first["median"] + slope * 1e3 * (mib - least)
        out.append(f"| {mib} | {us['median'] / 1e3:.1f} | {us['min'] / 1e3:.1f} to {us['max'] / 1e3:.1f} | {size / 1e6:.1f} |"
                   f" {100 * (us['median'] / line - 1):+.1f} % |")
    return out


def speed(data):
    """Throughput beside QEMU's."""
    out = head("Disk and network on KVM, beside QEMU's microvm", data,
               f"thousand {data['unit']} for a MiB, or for a request of 4 KiB, by the guest's clock, on one host.")
    out += ["How many times faster doze-vmm is stands behind QEMU's figures; goal 1.0.", "",
            "| what | doze-vmm | QEMU | QEMU with vhost-net |", "|---|---|---|---|"]
    for what, f in data["figures"].items():
        own = f["vmm"]["median"]
        cells = [f"{f[peer]['median'] / 1e3:.0f} ({f[peer]['median'] / own:.2f})" if peer in f else "" for peer in ("qemu", "qemu-vhost")]
        if what.startswith("disk"):
            cells[1] = ""
        out.append(f"| {what} | {own / 1e3:.0f} ({f['vmm']['min'] / 1e3:.0f} to {f['vmm']['max'] / 1e3:.0f}) | {' | '.join(cells)} |")
    return out


def lines(root):
    out = []
    for part in (restore, agent, cold, vcpus, jail, memory, dirty, suspend, speed):
        file = root / f"docs/bench/vmm-{part.__name__}.json"
        if file.exists():
            out += [*part(json.loads(file.read_text())), ""]
    return out
