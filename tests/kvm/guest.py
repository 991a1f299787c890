"""The guests that test a monitor: an initramfs for each mode of guest/init.c."""
import struct

import l1  # it says where `kernel` is
import kernel
from kernel import Failed, cpio_archive, cpio_entry

MODES = ("tick", "beat", "disk", "free", "quiet", "poweroff", "reboot", "panic", "triple", "attack", "flood", "speed", "dirty")
# cli; mov $0x3f8, %dx; mov $'#', %al; 1: out %al, %dx; jmp 1b
QUIET_LOOP = bytes.fromhex("fa 66baf803 b023 ee ebfd")
CALL_SIZE = 5  # what the compiler puts in front of every function, for ftrace
SHT_SYMTAB, SHT_RELA = 2, 4
BUS = ("virtio_ring", "virtio", "virtio_mmio")
MODULES = {"disk": (*BUS, "virtio_blk"), "dirty": (*BUS, "virtio_blk"), "free": (*BUS, "virtio_balloon"),
           "speed": (*BUS, "virtio_blk", "failover", "net_failover", "virtio_net")}  # in the order of loading


def sections(module):
    """(name offset, type, flags, address, offset, size, link, info, align, entry size) of each"""
    table, = struct.unpack_from("<Q", module, 0x28)
    size, number, _ = struct.unpack_from("<HHH", module, 0x3A)
    return [struct.unpack_from("<IIQQQQIIQQ", module, table + i * size) for i in range(number)]


def quiet_module(donor):
    """A module of this very kernel whose start is the quiet loop: there are no headers here to compile one."""
    module = bytearray(donor.read_bytes())
    table = sections(module)
    symbols = next(s for s in table if s[1] == SHT_SYMTAB)
    names = table[symbols[6]][4]
    for at in range(symbols[4], symbols[4] + symbols[5], 24):
        name, _, _, index, value, size = struct.unpack_from("<IBBHQQ", module, at)
        if module[names + name:].startswith(b"init_module\0"):
            break
    else:
        raise Failed(f"{donor.name} has no init_module")
    begin, end = value + CALL_SIZE, value + CALL_SIZE + len(QUIET_LOOP)
    if size < end - value:
        raise Failed(f"init_module of {donor.name} is too short")
    module[table[index][4] + begin:table[index][4] + end] = QUIET_LOOP
    for section in table:
        if section[1] == SHT_RELA and section[7] == index:
            for at in range(section[4], section[4] + section[5], 24):
                place, = struct.unpack_from("<Q", module, at)
                if begin - 4 < place < end:  # also one that begins before the loop and reaches into it
                    struct.pack_into("<Q", module, at + 8, 0)  # R_X86_64_NONE
    return bytes(module)


def initrd(mode, init, kernel_folder):
    if mode not in MODES:
        raise Failed(f"there is no guest '{mode}'")
    parts = [*(cpio_entry(name, 0o040755) for name in ("dev", "proc", "sys")), cpio_entry("dev/console", 0o020600, device=(5, 1)),
             cpio_entry("init", 0o100755, init.read_bytes()), cpio_entry("mode", 0o100644, mode.encode())]
    if mode == "quiet":
        parts.append(cpio_entry("quiet.ko", 0o100644, quiet_module(kernel_folder / "modules/overlay.ko")))
    parts += [cpio_entry(f"{i}.ko", 0o100644, (kernel_folder / f"modules/{name}.ko").read_bytes())
              for i, name in enumerate(MODULES.get(mode, ()))]
    return cpio_archive(parts)


def needed(word, build, cache):
    """The bytes that `guest:MODE` in a job's `needs` stands for; guest:doze is doze-init's own initramfs."""
    if word != "doze":
        return initrd(word, build / "tests/kvm/guest-init", l1.kernel_folder(cache))
    kernel.run([l1.ROOT / "tools/make-guest", cache / "guest", "--init", build / "src/guest/doze-init", "--cache", cache])
    return (cache / "guest/initrd").read_bytes()
