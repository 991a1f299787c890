"""doze-build-step in namespaces like those of priv, without a daemon: builds small images, and reads what they hold."""
import base64
import io
import json
import os
import pathlib
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import tempfile
import threading
import time

from libexec import libexec_of_the_tree

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", "build")).resolve()
STEP = BUILD / "src/image/doze-build-step"
# As priv/buildns.c maps them: inside, outside, how many.
IDS = [(0, 900000, 1), (1, 1100000, 65536), (65537, 1 << 31, (1 << 31) - 65537), (1 << 31, 2000200001, 147283647),
       (4294901759, 4294901759, 65536)]


def inside(outside):
    for first, host, count in IDS:
        if host <= outside < host + count:
            return outside - host + first
    return -1


def base_tar():
    """A root of busybox alone, with users."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        def add(name, data=None, mode=0o755, link=None, **attributes):
            info = tarfile.TarInfo(name)
            info.pax_headers = {f"SCHILY.xattr.{name.replace('_', '.')}": value for name, value in attributes.items()}
            info.mode, info.mtime = mode, 1000000000
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            elif data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data else None)
        for name in "bin", "etc", "root", "usr", "var", "home":
            add(name)
        add("tmp", mode=0o1777)
        add("bin/busybox", pathlib.Path("/bin/busybox").read_bytes())
        for applet in subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split():
            if applet != "busybox":
                add(f"bin/{applet}", link="busybox")
        bind = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0).decode("latin1")  # cap_net_bind_service=ep
        add("usr/capped", b"x", security_capability=bind)
        add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n", 0o644)
        add("etc/group", b"root:x:0:\nweb:x:1000:\nstaff:x:50:\n", 0o644)
    return raw.getvalue()


class Built:
    """An image of the store: the layers from the top down, and the configuration."""

    def __init__(self, store, tag):
        images = json.loads((store / "overlay-images/images.json").read_text())
        image = next(i for i in images if any(n.startswith(tag) for n in i.get("names", [])))
        parents = {l["id"]: l.get("parent") for l in json.loads((store / "overlay-layers/layers.json").read_text())}
        key = "=" + base64.b64encode(f"sha256:{image['id']}".encode()).decode()
        self.config = json.loads((store / "overlay-images" / image["id"] / key).read_text())["config"]
        self.layers, layer = [], image["layer"]
        while layer:
            self.layers.append(store / "overlay" / layer / "diff")
            layer = parents[layer]

    def find(self, path):
        """The file of the first layer that has it, or None."""
        parts = path.strip("/").split("/")
        for layer in self.layers:
            at = layer
            for part in parts:
                at = at / part
                try:
                    info = os.lstat(at)
                except (FileNotFoundError, NotADirectoryError):
                    break
                if stat.S_ISCHR(info.st_mode):  # a whiteout
                    return None
            else:
                return at
            # a folder of this layer may hide those below it
            try:
                if os.getxattr(at.parent, "trusted.overlay.opaque") == b"y":
                    return None
            except OSError:
                pass
        return None

    def describe(self, path):
        """(kind and mode, uid, gid), as the image has them."""
        at = self.find(path)
        if at is None:
            return None
        info = os.lstat(at)
        return f"{stat.S_IMODE(info.st_mode):o}", inside(info.st_uid), inside(info.st_gid)

    def read(self, path):
        at = self.find(path)
        if at is None:
            return None
        if at.is_symlink():
            return "-> " + os.readlink(at)
        return "dir" if at.is_dir() else at.read_bytes().decode(errors="replace")


class Steps:
    def __init__(self, work, name="busy:1", base=None):
        """With one base: a tar, or a root of busybox."""
        self.work, self.lock = pathlib.Path(work), threading.Lock()
        self.store = self.work / "store"
        self.libexec = self.work / "libexec"
        libexec_of_the_tree(self.libexec)
        self.store.mkdir()
        # A file system of its own, as priv makes it: the builder prunes one that is fairly full.
        self.disk = tempfile.NamedTemporaryFile(prefix="doze-layers-", dir="/dev/shm")
        os.truncate(self.disk.name, 3 << 30)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", f"root_owner={IDS[0][1]}:{IDS[0][1]}",
                        self.disk.name], check=True)
        subprocess.run(["mount", "-o", "loop,noatime", self.disk.name, str(self.store)], check=True)
        self.small = self.work / "small"  # for a build whose own directory has little room
        self.small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.small)], check=True)
        self.holder = subprocess.Popen(["unshare", "-U", "-m", "-i", "-u", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c",
                                        "echo ready; exec sleep 100000"], stdout=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while os.readlink(f"/proc/{self.holder.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for ids in "uid_map", "gid_map":
            with open(f"/proc/{self.holder.pid}/{ids}", "w") as f:
                f.write("".join(f"{a} {b} {n}\n" for a, b, n in IDS))
        self.holder.stdout.readline()
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as f:
            self.inside = int(f.read().split()[0])
        self.count = 0
        try:
            self.run("import", self.directory(), name, stdin=base or base_tar())
        except BaseException:
            self.close()
            raise

    def close(self):
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        subprocess.run(["umount", str(self.small), str(self.store)], check=True)
        self.disk.close()

    def directory(self, below=None):
        with self.lock:
            self.count += 1
            where = (below or self.work) / f"b{self.count}"
        where.mkdir()
        os.chown(where, IDS[0][1], IDS[0][1])
        return where

    def run(self, job, where, *args, stdin=b""):
        """The log and result.json of one job."""
        given = where / "stdin"
        given.write_bytes(stdin)
        with open(given, "rb") as f:
            done = subprocess.run(["nsenter", "-t", str(self.inside), "-U", "-m", "-i", "-u", "-p", "-S", "0", "-G", "0", f"-w{where}",
                                   "unshare", "-m", "sh", "-c", 'exec 3<.; exec "$@"', "sh", str(self.libexec / "doze-build-step"), job, "--dir", str(where), "--store", str(self.store),
                                   "--libexec", str(self.libexec), "--arch", "amd64", *args],
                                  stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300)
        log = done.stdout.decode(errors="replace")
        try:
            return log, json.loads((where / "result.json").read_text())
        except FileNotFoundError:
            raise AssertionError(f"{job}: no result: {log}") from None

    def place(self, dockerfile, files=(), where=None):
        """A build's directory with this context. Files are texts, or tuples of a text and a mode, or "-> target" for a link."""
        where = where or self.directory()
        context = where / "context"
        for name, data in {**dict(files), "Dockerfile": dockerfile}.items():
            at = context / name
            at.parent.mkdir(parents=True, exist_ok=True)
            data, mode = data if isinstance(data, tuple) else (data, 0o644)
            if isinstance(data, str) and data.startswith("-> "):
                at.symlink_to(data[3:])
                continue
            at.write_bytes(data if isinstance(data, bytes) else data.encode())
            at.chmod(mode)
        subprocess.run(["chown", "-hR", f"{IDS[0][1]}:{IDS[0][1]}", str(context)], check=True)
        return where

    def build(self, dockerfile, files, *args, where=None, first=()):
        """The log, the result and the image, after the jobs that come first."""
        where, log = self.place(dockerfile, files, where), ""
        for job in (*first, "build"):
            tag = f"localhost/doze/image/{where.name}:1"
            said, result = self.run(job, where, *(("--tag", tag) if job == "build" else ()), *args)
            log += said
            if not result["ok"]:
                return log, result, None
        return log, result, Built(self.store, tag)
