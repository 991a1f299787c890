"""What the tests drive doze with: its own programs, and the clients that users have."""
import contextlib
import errno
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PREFIX = pathlib.Path(os.environ.get("PREFIX", "/usr/local"))
CLIENTS = pathlib.Path(sys.prefix)
REGION = "us-east-1"
ACCOUNT = "000000000000"
BASE_ARN = f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/build"
NAME = "chk"  # instances of ours are chk<pid>
# Runs of the tests beside each other on one host need different numbers from 0 to 20: ids and networks follow from it.
WORLD = int(os.environ.get("DOZE_TEST_WORLD", "0"))

EXAMPLES = {
    "flask-hello": {},
    "node-hello": {},
    "coordinator": {},
    "counter": {"hooks": {"port": 9000,
                          "microvmImageHooks": {"ready": "ENABLED", "validate": "ENABLED"},
                          "microvmHooks": {"run": "ENABLED", "resume": "ENABLED", "suspend": "ENABLED",
                                           "terminate": "ENABLED", "runTimeoutInSeconds": 20,
                                           "resumeTimeoutInSeconds": 20, "suspendTimeoutInSeconds": 20,
                                           "terminateTimeoutInSeconds": 20}}},
}


def wait_for(what, condition, seconds=60, every=0.05):
    """Poll until condition() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(every)


def encrypts(place):
    """Does the kernel encrypt files of this file system?"""
    fd = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0xC0096616, bytearray((24).to_bytes(8, "little") + bytes(24)))  # FS_IOC_GET_ENCRYPTION_POLICY_EX
        return True
    except OSError as error:
        return error.errno == errno.ENODATA
    finally:
        os.close(fd)


def free_ports(n):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(n)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


def pid_lives(pid):
    """A process that ended and that nobody reaped yet does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def clear_leftovers():
    for etc in pathlib.Path("/etc").glob(f"doze-{NAME}*"):
        pid = etc.name.removeprefix(f"doze-{NAME}")
        if pid.isdigit() and not pid_lives(int(pid)):
            remove_instance(f"{NAME}{pid}")


def remove_instance(name):
    subprocess.run([PREFIX / "bin/doze", "--instance", name, "down"], check=False, capture_output=True, timeout=300)
    # What a broken daemon did not clear itself.
    subprocess.run([ROOT / "tools/sweep", name], check=False, capture_output=True, timeout=60)
    unmount(pathlib.Path(f"/var/lib/doze-{name}"))
    for parent in ("/var/lib", "/var/log", "/run", "/etc"):
        shutil.rmtree(f"{parent}/doze-{name}", ignore_errors=True)


def unmount(path):
    while path.is_mount():
        subprocess.run(["umount", "--lazy", path], check=True)


def booting(doze):
    """QEMUs of this instance that boot a kernel, by pid."""
    first = doze.settings["machine"]["uid_first"]
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            uid = place.stat().st_uid
        except OSError:  # it has ended meanwhile
            continue
        if words[0].endswith(b"qemu-system-x86_64") and b"-kernel" in words and first <= uid < first + 4000:
            found.append(int(place.name))
    return found


class Doze:
    def __init__(self, scratch, name=None, **settings):
        self.name = name or f"{NAME}{os.getpid()}"
        self.scratch = scratch
        self.api_port, self.s3_port, self.endpoint_port = free_ports(3)
        self.etc, self.data, self.run_dir, self.log = (
            pathlib.Path(f"{p}/doze-{self.name}") for p in ("/etc", "/var/lib", "/run", "/var/log"))
        self.settings = {
            "service": {"api_port": self.api_port, "s3_port": self.s3_port, "endpoint_port": self.endpoint_port},
            "machine": {"uid_first": 500000 + 4000 * WORLD, "uid_count": 4000},
            "build": {"map_first": 600000 + 65536 * WORLD},
            "network": {"slots": f"100.{101 + WORLD}.0.0/16"},
            "role guest": {"credentials": "doze"},
        }
        for section, keys in settings.items():
            self.settings.setdefault(section, {}).update(keys)
        self.environment = None
        self.write_config()

    def write_config(self):
        self.etc.mkdir(parents=True, exist_ok=True)
        text = "".join(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
                       for section, keys in self.settings.items())
        (self.etc / "doze.ini").write_text(text)

    def own_disk(self, gib):
        """The data directory on a file system of its own, which tests may fill."""
        image = self.scratch / "disk"
        with open(image, "wb") as file:
            file.truncate(gib << 30)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-O", "encrypt", "-E", "lazy_itable_init=1,lazy_journal_init=1",
                        image], check=True)
        self.data.mkdir(mode=0o755)
        subprocess.run(["mount", "-o", "loop", image, self.data], check=True)

    @contextlib.contextmanager
    def full_disk(self, leaving):
        """That disk, with no more than so many bytes left; room that something gives back is taken too."""
        ballast, over = self.data / "ballast", threading.Event()

        def fill(file):
            disk = os.statvfs(self.data)
            more = disk.f_bavail * disk.f_frsize - leaving
            if more > 0:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, more)

        def keep_full(file):
            while not over.wait(0.01):
                with contextlib.suppress(OSError):  # another was faster
                    fill(file)

        with open(ballast, "wb") as file:
            fill(file)
            keeper = threading.Thread(target=keep_full, args=(file,))
            keeper.start()
            try:
                yield
            finally:
                over.set()
                keeper.join()
                ballast.unlink()

    # The daemon.
    def cli(self, *words, check=True, timeout=300, **more):
        done = subprocess.run([PREFIX / "bin/doze", "--instance", self.name, *map(str, words)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=timeout, **more)
        assert not check or done.returncode == 0, f"doze {words}: {done.stderr}\n{done.stdout}"
        return done

    def up(self):
        self.cli("up")
        self.environment = self.read_environment()
        self.connect()

    def read_environment(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        clean["XDG_CACHE_HOME"] = str(self.scratch)
        clean["PATH"] = f"{CLIENTS}/bin:{clean['PATH']}"
        lines = self.cli("env", env=clean).stdout
        out = subprocess.run(["sh", "-c", f"{lines}\nexec env -0"], env=clean, check=True, stdout=subprocess.PIPE).stdout
        return dict(item.split("=", 1) for item in out.decode().split("\0") if "=" in item)

    def connect(self):
        import boto3
        from botocore.config import Config
        config = Config(retries={"max_attempts": 1}, read_timeout=120, max_pool_connections=128)
        saved = dict(os.environ)
        os.environ.update(self.environment)
        try:
            session = boto3.session.Session(aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                                            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
                                            region_name=REGION)
            verify = self.environment["AWS_CA_BUNDLE"]
            self.api = session.client("lambda-microvms", config=config, verify=verify,
                                      endpoint_url=self.environment["AWS_ENDPOINT_URL_LAMBDA_MICROVMS"])
            self.s3 = session.client("s3", config=config, verify=verify,
                                     endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"])
            self.sts = session.client("sts", config=config, verify=verify,
                                      endpoint_url=self.environment["AWS_ENDPOINT_URL_STS"])
        finally:
            os.environ.clear()
            os.environ.update(saved)

    def pid(self):
        try:
            return int((self.run_dir / "dozed.pid").read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return 0

    def alive(self):
        return self.pid() > 0 and pid_lives(self.pid())

    def role_pid(self, role):
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:3] == [b"dozed", b"--role", role.encode()] and self.name.encode() in words:
                return int(proc.name)
        return 0

    def down(self, *words):
        self.cli("down", *words)

    def remove(self):
        remove_instance(self.name)

    def keep_logs(self):
        target = ROOT / "build-check/logs" / self.name
        if self.log.exists() and target.parent.exists():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(self.log, target)

    # The clients.
    def aws(self, *words, check=True):
        done = subprocess.run([CLIENTS / "bin/aws", *map(str, words)], env=self.environment, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        assert not check or done.returncode == 0, f"aws {words}: {done.stderr}"
        return done.stdout.strip() if check else done

    def node(self, script, *words):
        done = subprocess.run([CLIENTS / "bin/node", script, *map(str, words)], env=self.environment, text=True,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, cwd=CLIENTS / "js")
        assert done.returncode == 0, f"node {script}: {done.stderr}\n{done.stdout}"
        return done.stdout

    # Images and microVMs.
    def upload(self, path, key, bucket="apps"):
        with contextlib.suppress(self.s3.exceptions.BucketAlreadyOwnedByYou, self.s3.exceptions.BucketAlreadyExists):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.upload_file(str(path), bucket, key)
        return f"s3://{bucket}/{key}"

    def example_zip(self, name):
        subprocess.run([sys.executable, ROOT / "examples/make-zips", name, "--to", str(self.scratch)], check=True,
                       stdout=subprocess.DEVNULL)
        return self.scratch / f"{name}.zip"

    def image_arn(self, name):
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:microvm-image:{name}"

    def create_image(self, name, uri, memory=512, **members):
        return self.api.create_microvm_image(
            name=name, codeArtifact={"uri": uri}, baseImageArn=BASE_ARN, buildRoleArn=ROLE_ARN,
            resources=[{"minimumMemoryInMiB": memory}], **members)

    def build_example(self, name, **members):
        uri = self.upload(self.example_zip(name), f"{name}.zip")
        self.create_image(name, uri, **{**EXAMPLES[name], **members})
        version = self.wait_version(self.image_arn(name), "1.0")
        assert version["state"] == "SUCCESSFUL", f"{version.get('stateReason')}\n{self.build_log(name)}"
        return self.image_arn(name)

    def rebuild(self, name):
        """A version of it for the engine of this instance."""
        self.cli("image", "rebuild", name, timeout=600)
        return self.image_arn(name)

    def wait_version(self, arn, version, seconds=400):
        def over():
            got = self.api.get_microvm_image_version(imageIdentifier=arn, imageVersion=version)
            return got if got["state"] in ("SUCCESSFUL", "FAILED") else None
        return wait_for(f"{arn} {version} is built", over, seconds, 0.2)

    def build_log(self, name, version=None):
        return self.cli("image", "log", name, *([version] if version else []), check=False).stdout

    def state(self, microvm):
        return self.api.get_microvm(microvmIdentifier=microvm)["state"]

    def wait_state(self, microvm, state, seconds=60):
        def over():
            got = self.api.get_microvm(microvmIdentifier=microvm)
            assert got["state"] in (state, "PENDING") or state == "TERMINATED" or got["state"] != "TERMINATED", got
            return got["state"] == state
        wait_for(f"{microvm} is {state}", over, seconds)

    def token(self, microvm, port=8080, minutes=30):
        answer = self.api.create_microvm_auth_token(microvmIdentifier=microvm, expirationInMinutes=minutes,
                                                    allowedPorts=[{"port": port}])
        return answer["authToken"]["X-aws-proxy-auth"]

    # The endpoint.
    def tls(self):
        return ssl.create_default_context(cafile=str(self.data / "ca.crt"))

    def open_endpoint(self, endpoint, timeout=90):
        """A TLS connection to a microVM's endpoint: (socket, host)."""
        host, _, port = endpoint.partition(":")
        raw = socket.create_connection(("127.0.0.1", int(port or 443)), timeout=timeout)
        return self.tls().wrap_socket(raw, server_hostname=host), endpoint

    def request(self, endpoint, path="/", token=None, port=8080, method="GET", body=None, headers=None, timeout=90):
        """(status, headers, body bytes)"""
        sock, host = self.open_endpoint(endpoint, timeout)
        with contextlib.closing(sock):
            connection = http.client.HTTPConnection(host)
            connection.sock = sock
            fields = {"X-aws-proxy-port": str(port), **(headers or {})}
            if token:
                fields["X-aws-proxy-auth"] = token
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()  # names in any case

    def call(self, vm, path="/", port=8080, token=None, **more):
        """The JSON of a 200 from this microVM (an answer of Run or Get)."""
        token = token or self.token(vm["microvmId"], port)
        status, _, body = self.request(vm["endpoint"], path, token, port, **more)
        assert status == 200, f"{status} {body[:300]}"
        return json.loads(body)
