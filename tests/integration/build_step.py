"""doze-build-step in namespaces like those that priv makes for it (priv/buildns.c), without a daemon."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUSER, NEWIPC, NEWUTS, NEWPID = 0x20000, 0x10000000, 0x08000000, 0x04000000, 0x20000000
REC_SLAVE = 0x4000 | 0x80000
IDS = 65536


def check(answer):
    if answer:
        raise OSError(ctypes.get_errno(), "the namespaces of a build step cannot be made")


class BuildStep:
    """A store and the directories of builds below `work`, which anyone may enter. `first` begins IDS ids that nothing else uses."""

    def __init__(self, work, libexec, first):
        self.libexec, self.first, self.count, self.work = pathlib.Path(libexec), first, 0, work
        self.store = work / "layers"
        for folder in (work, self.store):
            folder.mkdir(exist_ok=True)
            os.chown(folder, first, first)
            folder.chmod(0o755)

    def remove(self):
        shutil.rmtree(self.work)

    def _enter(self):
        """In a child, as root: it ends in the namespaces as their root."""
        pid = os.getpid()
        check(LIBC.unshare(NEWNS))
        check(LIBC.mount(None, b"/", None, REC_SLAVE, None))
        ready, go = os.pipe(), os.pipe()
        mapper = os.fork()
        if not mapper:
            os.read(ready[0], 1)
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                    file.write(f"0 {self.first} {IDS}\n")
            os.write(go[1], b"x")
            os._exit(0)
        os.setgroups([])
        os.setresgid(self.first, self.first, self.first)
        os.setresuid(self.first, self.first, self.first)
        LIBC.prctl(4, 1, 0, 0, 0)  # dumpable, so that the mapper may write the maps
        check(LIBC.unshare(NEWUSER | NEWNS | NEWIPC | NEWUTS | NEWPID))
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os.waitpid(mapper, 0)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)

    def _become(self, place, output, stdin, words):
        self._enter()
        pid = os.fork()
        if pid:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff)
        check(LIBC.mount(b"proc", b"/proc", b"proc", 0xe, None))
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        for fd, to in ((os.open(stdin, os.O_RDONLY), 0), (output, 1), (output, 2), (folder, 3)):
            os.dup2(fd, to)
        os.chdir(place)
        os.umask(0o22)
        os.execvpe(words[0], words, {"PATH": os.environ["PATH"], "_CONTAINERS_USERNS_CONFIGURED": "done",
                                     "_CONTAINERS_ROOTLESS_UID": "1000", "_CONTAINERS_ROOTLESS_GID": "1000",
                                     "HOME": str(place), "TMPDIR": str(place)})

    def _wait(self, place, words, stdin):
        """Runs the words in the namespaces; what they said, both ways."""
        log = place.with_suffix(".log")
        with open(log, "wb") as output:
            pid = os.fork()
            if not pid:
                try:
                    self._become(place, output.fileno(), stdin, [os.fspath(word) for word in words])
                finally:
                    os._exit(99)
            os.waitpid(pid, 0)
        return log.read_text(errors="replace")

    def place(self, files=None):
        """A new build's directory; `files` are its context."""
        self.count += 1
        place = self.work / f"build-{self.count}"
        for folder in ("context", "run"):
            (place / folder).mkdir(parents=True)
        for name, text in (files or {}).items():
            (place / "context" / name).write_text(text)
        subprocess.run(["chown", "-R", f"{self.first}:{self.first}", place], check=True)
        return place

    def job(self, place, job, *arguments, stdin="/dev/null"):
        """Runs one job there. Returns its result and its output."""
        (place / "result.json").unlink(missing_ok=True)
        said = self._wait(place, [self.libexec / "doze-build-step", job, "--dir", place, "--store", self.store,
                                  "--libexec", self.libexec, *arguments], stdin)
        result = place / "result.json"
        return (json.loads(result.read_text()) if result.exists() else {}), said

    def buildah(self, place, *words):
        return self._wait(place, ["buildah", "--root", self.store, "--runroot", "run", "--storage-driver", "overlay", *words],
                          "/dev/null")
