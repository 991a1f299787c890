"""Is this machine's /dev/kvm usable?  One that only emulates kernel-mode code opens and answers like any other.

A guest in 64-bit kernel mode runs three instructions that KVM's emulator does not know, then a counted loop; a loop that
does less than 20 million instructions a second of this thread's CPU time is emulated as well."""
import ctypes
import fcntl
import mmap
import os
import struct
import time

KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE = 0xAE00, 0xAE01, 0xAE04
KVM_CREATE_VCPU, KVM_SET_TSS_ADDR, KVM_RUN = 0xAE41, 0xAE47, 0xAE80
KVM_SET_USER_MEMORY_REGION, KVM_SET_REGS = 0x4020AE46, 0x4090AE82
KVM_GET_SREGS, KVM_SET_SREGS = 0x8138AE83, 0x4138AE84
KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2 = 0xC008AE05, 0x4008AE90
EXIT_IO = 2
LOOPS = 200_000
CODE = bytes.fromhex("660fefc0 660ffec1 f3480fb8c1 b001e6f4"  # pxor, paddd, popcnt, out 0xf4
                     "b9%s ffc975fc b002e6f4 f4" % LOOPS.to_bytes(4, "little").hex())
CODE_AT, TABLES_AT, SIZE = 0x1000, 0x2000, 65536


def segment(selector, kind, long_mode):
    # base, limit, selector, type, present, dpl, db, s, l, g, avl, unusable, padding
    return struct.pack("<QIH10B", 0, 0xFFFFFFFF, selector, kind, 1, 0, not long_mode, 1, long_mode, 1, 0, 0, 0)


def set_up(vcpu):
    sregs = bytearray(312)
    fcntl.ioctl(vcpu, KVM_GET_SREGS, sregs)
    code, data = segment(8, 11, True), segment(16, 3, False)
    sregs[:6 * 24] = code + data * 5  # cs, ds, es, fs, gs, ss
    struct.pack_into("<QQQQQQ", sregs, 224, 0x80050033, 0, TABLES_AT, 0x620, 0, 0x500)  # cr0 cr2 cr3 cr4 cr8 efer
    fcntl.ioctl(vcpu, KVM_SET_SREGS, sregs)
    regs = [0] * 18
    regs[6], regs[16], regs[17] = 0x8000, CODE_AT, 2  # rsp, rip, rflags
    fcntl.ioctl(vcpu, KVM_SET_REGS, struct.pack("<18Q", *regs))


def probe(fds):
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    fds.append(kvm)
    if fcntl.ioctl(kvm, KVM_GET_API_VERSION) != 12:
        return False, "/dev/kvm speaks another version"
    machine = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    fds.append(machine)
    memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at, value in ((TABLES_AT, 0x3007), (0x3000, 0x4007), (0x4000, 0x87)):
        struct.pack_into("<Q", memory, at, value)
    memory[CODE_AT:CODE_AT + len(CODE)] = CODE
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(machine, KVM_SET_USER_MEMORY_REGION, struct.pack("<IIQQQ", 0, 0, 0, SIZE, address))
    fcntl.ioctl(machine, KVM_SET_TSS_ADDR, 0x7FFBD000)
    vcpu = fcntl.ioctl(machine, KVM_CREATE_VCPU, 0)
    fds.append(vcpu)
    cpuid = bytearray(8 + 40 * 256)
    struct.pack_into("<I", cpuid, 0, 256)
    fcntl.ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid)
    fcntl.ioctl(vcpu, KVM_SET_CPUID2, cpuid)
    set_up(vcpu)
    run = mmap.mmap(vcpu, fcntl.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE))
    for stage in ("kernel-mode code is emulated", "kernel mode does not go on"):
        begin = time.thread_time()
        fcntl.ioctl(vcpu, KVM_RUN, 0)
        if struct.unpack_from("<I", run, 8)[0] != EXIT_IO:
            return False, stage
    rate = 2 * LOOPS / max(time.thread_time() - begin, 1e-6) / 1e6
    return rate >= 20, f"kernel mode runs {rate:.0f} million instructions a second"


def usable():
    """(whether, why)"""
    fds = []
    try:
        return probe(fds)
    except OSError as error:
        return False, f"/dev/kvm: {error.strerror}"
    finally:
        for fd in reversed(fds):
            os.close(fd)
