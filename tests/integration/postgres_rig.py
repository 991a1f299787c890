"""A PostgreSQL server of its own: Debian's programs, a user of the system, a socket in a directory of its own, and fsync on."""

import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile


def bin_dir():
    """Where the newest of Debian's versions has its programs."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    assert found, "PostgreSQL is missing: tools/deps test"
    return found[-1]


class Postgres:
    """It runs from its making until close(); crash() and start() in between."""

    USER = "postgres"

    def __init__(self, place="/dev/shm"):
        """In memory, so that no test waits for a disk; what a server loses by ending at once, it loses there too."""
        self.bin = bin_dir()
        self.dir = tempfile.mkdtemp(prefix="doze-pg-", dir=place)
        self.data = f"{self.dir}/data"
        os.chmod(self.dir, 0o755)
        user = pwd.getpwnam(self.USER)
        os.chown(self.dir, user.pw_uid, user.pw_gid)
        self._as_user("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-instructions")
        with open(f"{self.data}/postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.dir}'\nunix_socket_permissions = 0777\n"
                       "shared_buffers = 16MB\nmax_connections = 20\nautovacuum = off\n")
        self.start()
        self.sql("CREATE ROLE doze LOGIN")
        self.new_database()

    def _as_user(self, program, *args, check=True):
        return subprocess.run(["setpriv", f"--reuid={self.USER}", f"--regid={self.USER}", "--init-groups", f"{self.bin}/{program}", *args], check=check, cwd="/",
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def start(self):
        self._as_user("pg_ctl", "-D", self.data, "-l", f"{self.dir}/log", "-w", "-t", "60", "start")

    def stop(self, mode="fast"):
        self._as_user("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def crash(self):
        """It ends at once, and recovers from its log when it is started again."""
        self.stop("immediate")

    def freeze(self, frozen=True):
        """The server and its backends are silent, but their sockets stay."""
        with open(f"{self.data}/postmaster.pid", encoding="utf-8") as file:
            leader = int(file.readline())
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(leader)], capture_output=True, text=True, check=True).stdout.split()
        for pid in [leader, *map(int, children)]:
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def sql(self, text, database="postgres"):
        done = subprocess.run([f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-U", "postgres", "-d", database, "-c", text],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self, what, *values):
        """As control_rig's rows: `what` is what follows SELECT * FROM, a sign ? for each value."""
        for value in values:
            what = what.replace("?", "'" + str(value).replace("'", "''") + "'", 1)
        return json.loads(self.sql(f"SELECT coalesce(json_agg(r), '[]') FROM (SELECT * FROM {what}) AS r", "doze"))

    def new_database(self, name="doze"):
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {name} OWNER doze")

    def url(self, database="doze", user="doze"):
        return f"postgresql://{user}@/{database}?host={self.dir}"

    def close(self):
        self._as_user("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
