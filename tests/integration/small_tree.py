"""A base of a few files: busybox, and an apt-get that only records."""
import io
import shutil
import tarfile

APPLETS = "sh cat chmod chown cp dirname env grep head id ln ls mkdir mktemp mv printf rm sed sort tail test touch".split()
SCRIPTS = {
    "usr/bin/apt-get": '#!/bin/sh\necho "$*" >>/apt-log\n',
    "usr/bin/python3": "#!/bin/sh\necho 3.11.2\n",
    "usr/bin/python3.11": "#!/bin/sh\necho 3.11.2\n",
    "usr/bin/pip3": "#!/bin/sh\n",
    "usr/sbin/apache2": '#!/bin/sh\n[ "$*" != -v ] || echo "Server version: Apache/2.4.62 (Debian)"\n'
                        'for f in "$@"; do [ ! -f "$f" ] || sed -n "s/^LoadModule/read: &/p" "$f"; done\necho "server: $*"\n',
    "etc/apache2/mods-available/proxy.load": "LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n",
    "etc/apache2/mods-available/dir.load": "LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so\n",
    "etc/apache2/magic": "",
    "etc/mime.types": "",
    "etc/group": "root:x:0:\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/os-release": 'PRETTY_NAME="A small tree"\n',
}
FOLDERS = ["bin", "usr/bin", "usr/lib/python3.11", "usr/lib/python3", "usr/share", "usr/local/bin", "usr/local/lib", "etc/apt/apt.conf.d",
           "etc/dpkg/dpkg.cfg.d", "root", "tmp", "proc", "sys", "dev", "var/lib/apt/lists"]


def small_tree(to):
    with tarfile.open(to, "w") as tar:
        for name in FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(shutil.which("busybox"), "bin/busybox")
        for name in APPLETS:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
        for name, text in SCRIPTS.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
