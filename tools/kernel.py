"""Debian's cloud kernel out of its package, and the cpio archives that it boots.

What came out of a kernel package is kept in a cache folder, under the package's name and version and the modules that
were wanted.  Needs apt-get (with lists: `apt-get update`), dpkg-deb, strip and, by the kernel's compression, lz4, xz
or zstd."""
import hashlib
import pathlib
import shutil
import struct
import subprocess
import tempfile

META = "linux-image-cloud-"
LAYOUT = "2"  # of a folder in the cache
BZIMAGE_MAGIC = b"HdrS"
FORMATS = [  # first bytes of the payload, program that unpacks it
    (b"\x02\x21\x4c\x18", ["lz4", "-dc"]),
    (b"\xfd7zXZ\x00", ["xz", "-dc", "--single-stream"]),
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
    (b"\x1f\x8b", ["gzip", "-dcq"]),
]


class Failed(Exception):
    pass


def run(argv, **options):
    try:
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              **options).stdout
    except FileNotFoundError:
        raise Failed(f"'{argv[0]}' is not installed") from None
    except subprocess.CalledProcessError as error:
        text = error.stderr.decode(errors="replace").strip()
        raise Failed(f"{' '.join(map(str, argv[:3]))}: {text}") from None


def show(package):
    """The fields of the version that apt would install."""
    text = run(["apt-cache", "show", "--no-all-versions", package]).decode()
    return dict(line.split(": ", 1) for line in text.splitlines() if line[:1].isalpha() and ": " in line)


def kernel_package(arch):
    try:
        depends = show(META + arch)["Depends"]
    except (Failed, KeyError):
        raise Failed(f"apt knows no {META}{arch}: run 'apt-get update' first") from None
    for name in depends.replace("|", ",").split(","):
        name = name.strip().split(" ")[0]
        if name.startswith("linux-image-"):
            return name, show(name)["Version"]
    raise Failed(f"{META}{arch} depends on no linux-image")


def unpack_kernel(image):
    """The ELF inside a bzImage; any other image is taken as it is."""
    data = image.read_bytes()
    if data[0x202:0x206] != BZIMAGE_MAGIC:
        return data
    setup_sects = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (setup_sects + 1) * 512 + offset
    payload = data[start:start + length]
    for magic, program in FORMATS:
        if payload.startswith(magic):
            # The last four bytes of the payload are its unpacked size, which lz4 takes for a block.
            size = struct.unpack("<I", payload[-4:])[0]
            body = payload if magic == b"\x1f\x8b" else payload[:-4]
            kernel = run(program, input=body)
            if len(kernel) != size or kernel[:4] != b"\x7fELF":
                raise Failed(f"{image.name}: unpacked to something that is not the kernel")
            return kernel
    raise Failed(f"{image.name}: unknown compression {payload[:6].hex()}")


def module_name(path):
    return path.name.split(".")[0].replace("-", "_")


def module_info(path, key):
    prefix = b"\0" + key + b"="
    data = b"\0" + path.read_bytes()
    at = data.find(prefix)
    return data[at + len(prefix):data.index(b"\0", at + 1)].decode() if at >= 0 else ""


def module_order(wanted, modules, builtin, done):
    """Names in the order in which they can be loaded; `done` are loaded before."""
    order = []

    def visit(name):
        if name in done or name in builtin:
            return
        if name not in modules:
            raise Failed(f"the kernel package has no module '{name}'")
        done.add(name)
        for dependency in module_info(modules[name], b"depends").split(","):
            if dependency:
                visit(dependency.replace("-", "_"))
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def unpack_package(package, version, wanted, target):
    """Fill `target` (which does not exist) with vmlinuz, vmlinux, release, modules/ and a list of files for each group."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".kernel-") as scratch:
        scratch = pathlib.Path(scratch)
        run(["apt-get", "-q", "download", f"{package}={version}"], cwd=scratch)
        deb = next(scratch.glob("*.deb"))
        run(["dpkg-deb", "-x", str(deb), str(scratch / "tree")])
        draft = scratch / "draft"
        (draft / "modules").mkdir(parents=True)
        images = list((scratch / "tree/boot").glob("vmlinu*"))
        if len(images) != 1:
            raise Failed(f"{package} has {len(images)} kernel images")
        shutil.copy(images[0], draft / "vmlinuz")
        (draft / "vmlinux").write_bytes(unpack_kernel(images[0]))
        tree = next((scratch / "tree/lib/modules").iterdir())
        modules = {module_name(path): path for path in tree.rglob("*.ko")}
        builtin = {module_name(pathlib.Path(line))
                   for line in (tree / "modules.builtin").read_text().splitlines()}
        done = set()
        (draft / "release").write_text(tree.name + "\n")
        for group, names in wanted.items():
            order = module_order(names, modules, builtin, done)
            (draft / group).write_text("".join(f"/modules/{name}.ko\n" for name in order))
            for name in order:
                run(["strip", "--strip-unneeded", "-R", ".BTF", "-o", str(draft / f"modules/{name}.ko"),
                     str(modules[name])])
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # another process has made it meanwhile
                raise


def kernel_files(cache, arch, wanted):
    """The folder with the kernel and the modules `wanted`: {group: [names]}, loaded group after group."""
    package, version = kernel_package(arch)
    label = "+".join([LAYOUT, *(name for group in wanted.values() for name in group)])
    if len(label) > 100:
        label = hashlib.sha256(label.encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{package}_{version.replace(':', '%3a')}_{label}"
    if not target.is_dir():
        unpack_package(package, version, wanted, target)
    return target


def cpio_entry(name, mode, data=b"", device=(0, 0)):
    raw = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0]
    entry = b"070701" + b"".join(b"%08X" % value for value in fields) + raw
    entry += b"\0" * (-len(entry) % 4)
    return entry + data + b"\0" * (-len(data) % 4)


def cpio_archive(entries):
    archive = b"".join(entries) + cpio_entry("TRAILER!!!", 0)
    return archive + b"\0" * (-len(archive) % 512)
