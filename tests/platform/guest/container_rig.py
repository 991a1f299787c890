"""One root file system in two worlds: in runc with the specification that Docker makes by default,
and in a guest."""
import errno
import json
import os
import pathlib
import shutil
import struct
import subprocess

import machine as m

HERE = pathlib.Path(__file__).resolve().parent

CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
                "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"]
MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
SAFE = ["nosuid", "noexec", "nodev"]
MOUNTS = [
    ("/proc", "proc", ["rw", *SAFE]),
    ("/dev", "tmpfs", ["rw", "nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", ["rw", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/sys", "sysfs", ["ro", *SAFE]),
    ("/sys/fs/cgroup", "cgroup", ["ro", *SAFE]),
    ("/dev/mqueue", "mqueue", ["rw", *SAFE]),
    ("/dev/shm", "tmpfs", ["rw", *SAFE, "mode=1777", "size=67108864"]),
]
# What Docker's profile refuses with EPERM to a process with the default capabilities; clone3 is refused with ENOSYS.
REFUSED = """acct add_key bpf clock_adjtime clock_settime create_module delete_module fanotify_init finit_module fsconfig fsmount fsopen
fspick get_mempolicy init_module ioperm iopl kexec_file_load kexec_load keyctl lookup_dcookie mbind mount mount_setattr move_mount
move_pages open_by_handle_at open_tree perf_event_open pivot_root quotactl quotactl_fd reboot request_key set_mempolicy setdomainname
sethostname setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd vhangup""".split()

HANDED_IN = {
    "hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
             "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    "resolv.conf": "nameserver 169.254.53.53\n",
    "hostname": "localhost\n",
}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:60000:w:/home/web:/bin/sh\n"
GROUP = "root:x:0:root\nbin:x:1:root,daemon\nweb:x:60000:\nextra:x:777:foo,web\nmore:x:778:web\n"
IMAGE_ENV = ["LANG=C.UTF-8", "KEY=first", "PATH=/plain:/secret:/bin", "SPACE=a value", "KEY=second"]
ARGV, WORKDIR = ["facts", "two words"], "/srv/made/here"


def make_tree(tree, program):
    """A root file system with what an image may bring."""
    for name in ("bin", "etc", "mnt", "tmp", "var/log"):
        (tree / name).mkdir(parents=True)
    (tree / "tmp").chmod(0o1777)
    (tree / "etc/passwd").write_text(PASSWD)
    (tree / "etc/group").write_text(GROUP)
    (tree / "etc/one-of-three").write_text("three names\n")
    for name in ("etc/two-of-three", "mnt/three-of-three"):
        os.link(tree / "etc/one-of-three", tree / name)
    (tree / "var/log/access.log").symlink_to("/dev/stdout")
    for name in ("facts", "suid", "capable"):
        shutil.copy(program, tree / "bin" / name)
        (tree / "bin" / name).chmod(0o4755 if name == "suid" else 0o755)
    # In PATH before the program: one that nobody may run, and one that only root sees.
    for name, folder_mode, mode in (("plain", 0o755, 0o644), ("secret", 0o700, 0o755)):
        (tree / name).mkdir(folder_mode)
        shutil.copy(program, tree / name / "facts")
        (tree / name / "facts").chmod(mode)
    # struct vfs_cap_data, version 2: CAP_NET_BIND_SERVICE, permitted and effective
    os.setxattr(tree / "bin/capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))


def docker_env(image):
    """PATH and HOSTNAME first; a variable of the image replaces one of its name, or comes behind."""
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": "localhost"}
    for each in image:
        name, value = each.split("=", 1)
        variables[name] = value
    return [f"{name}={value}" for name, value in variables.items()]


def seccomp():
    rules = [{"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM},
             {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}]
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": rules}


def docker_spec(bundle, user):
    """Docker's config.json for `docker run IMAGE` without any option.  @user is uid, gid, groups."""
    uid, gid, groups = user
    names = ["CAP_" + name for name in CAPABILITIES]
    mounts = [{"destination": at, "type": kind, "source": "shm" if at == "/dev/shm" else kind, "options": options}
              for at, kind, options in MOUNTS]
    mounts += [{"destination": f"/etc/{name}", "type": "bind", "source": str(bundle / name), "options": ["rbind", "rprivate"]}
               for name in HANDED_IN]
    devices = [{"allow": False, "access": "rwm"}]
    devices += [{"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
                for major, minor in ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))]
    return {
        "ociVersion": "1.0.2", "hostname": "localhost",
        "root": {"path": "rootfs", "readonly": False},
        "process": {"terminal": False, "user": {"uid": uid, "gid": gid, "additionalGids": groups},
                    "args": ARGV, "env": docker_env(IMAGE_ENV), "cwd": WORKDIR, "oomScoreAdj": 0, "noNewPrivileges": False,
                    "capabilities": {"bounding": names, **({} if uid else {"effective": names, "permitted": names})}},
        "mounts": mounts,
        "linux": {"cgroupsPath": f"/doze-facts-{os.getpid()}", "resources": {"devices": devices}, "seccomp": seccomp(),
                  "maskedPaths": MASKED, "readonlyPaths": READONLY,
                  "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
                  "namespaces": [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc", "cgroup")]},
    }


# A container has the limits of dockerd, as docker.service sets them.  A test's host may forbid to raise its own so far.
DAEMON_LIMITS = {"limit nofile": "1048576 1048576", "limit nproc": "unlimited unlimited", "limit core": "unlimited unlimited"}


def run_in_docker(folder, program, user):
    """What the program writes in a container."""
    bundle = folder / "bundle"
    make_tree(bundle / "rootfs", program)
    (bundle / "rootfs/etc/mtab").symlink_to("/proc/mounts")
    for name, text in HANDED_IN.items():
        (bundle / name).write_text(text)
    (bundle / "config.json").write_text(json.dumps(docker_spec(bundle, user)))
    runc, name = ["runc", "--root", folder / "state"], f"doze-facts-{os.getpid()}"
    try:
        # Detached, runc hands its own standard input, output and error on, as containerd's shim has it do.
        done = subprocess.run([*runc, "run", "--detach", "--bundle", bundle, name], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 0))
    finally:
        subprocess.run([*runc, "delete", "--force", name], capture_output=True)
    return done.stdout, done.stderr


def make_disk(folder, program):
    make_tree(folder / "tree", program)
    disk = folder / "disk"
    subprocess.run(["truncate", "-s", "256M", disk], check=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "-d", folder / "tree", disk],
                   check=True)
    return disk


def run_in_guest(folder, files, program, *fields):
    """What it writes in a guest of a START with these fields, and what the agent writes; and its exit code."""
    guest, _ = m.Machine.booted(str(folder), str(files / "vmlinux"), str(files / "initrd"), str(make_disk(folder, program)))
    try:
        guest.agent.send(m.START, *[(m.ARG, each) for each in ARGV], *[(m.ENV, each) for each in IMAGE_ENV], (m.WORKDIR, WORKDIR),
                         *fields)
        code = dict(guest.agent.wait(m.EXIT, timeout=60))[m.CODE]
        logs = [dict(fields) for kind, fields in guest.agent.frames if kind == m.LOG]
        return [b"".join(each[m.BYTES] for each in logs if each[m.STREAM] == stream).decode() for stream in (1, 2, 3)], code
    finally:
        guest.close()
