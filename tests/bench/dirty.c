/* dirty.c - two ways to find what a guest has written, side by side: KVM's log of dirty pages, and
 * the page map of the process, whose private pages are the written ones where the memory is a
 * file's private mapping.
 *
 * dirty MIB - a guest of 768 MiB writes a byte into each page of MIB of them, without and with the
 * log.  A line for each: DIRTY mib=N log=0|1 run_ns=N look_ns=N pages=N: what the writing costs,
 * what it costs to find the pages, how many there are. */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "machine/scan.h"

#define MEMORY (768 * MIB)
#define FIRST  (64 * MIB) /* of what is written; the code is at ENTRY */
#define ENTRY  0x1000
#define PAGE   4096

/* Protected mode, flat.  1: mov %al, (%edi); add $4096, %edi; cmp %ecx, %edi; jb 1b; hlt */
static const uint8_t writer[] = { 0x39, 0xcf, 0x73, 0x0a, 0x88, 0x07, 0x81, 0xc7,
				  0x00, 0x10, 0x00, 0x00, 0xeb, 0xf2, 0xf4 };

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int must(int rc, const char *what)
{
	if (rc < 0) {
		perror(what);
		exit(1);
	}
	return rc;
}

static void set_flat(struct kvm_segment *s, uint8_t type)
{
	*s = (struct kvm_segment){ .limit = UINT32_MAX,
				   .selector = 8,
				   .type = type,
				   .present = 1,
				   .db = 1,
				   .s = 1,
				   .g = 1 };
}

static void set_registers(int vcpu, uint32_t end)
{
	struct kvm_regs regs = { .rip = ENTRY, .rflags = 2, .rdi = FIRST, .rcx = end };
	struct kvm_sregs sregs;

	must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	set_flat(&sregs.cs, 11);
	set_flat(&sregs.ds, 3);
	sregs.es = sregs.ss = sregs.ds;
	sregs.cr0 |= 1;
	must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static uint64_t look_in_log(int vm)
{
	static uint64_t bits[MEMORY / PAGE / 64];
	struct kvm_dirty_log log = { .dirty_bitmap = bits };
	uint64_t n = 0;

	must(ioctl(vm, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		n += (uint64_t)__builtin_popcountll(bits[i]);
	return n;
}

static uint64_t look_in_page_map(int pagemap, const uint8_t *memory)
{
	static struct scan scan;
	uint64_t n = 0;
	struct err e;
	int rc;

	scan_begin(&scan, pagemap, (uintptr_t)memory, MEMORY / PAGE, true);
	while ((rc = scan_step(&scan, &e)) > 0)
		for (size_t i = 0; i < scan.n_runs; i++)
			n += scan.run[i].n;
	must(rc, "scan the page map");
	return n;
}

static void run(unsigned mib, bool log)
{
	int pagemap = must(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), "open the page map");
	int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm");
	int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM"), vcpu;
	int file = must(memfd_create("memory", MFD_CLOEXEC), "memfd_create");
	struct kvm_userspace_memory_region slot = { .memory_size = MEMORY };
	int64_t begin, written, looked;
	uint8_t *memory;
	uint64_t n;

	must(ftruncate(file, MEMORY), "ftruncate");
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
	must(memory == MAP_FAILED ? -1 : 0, "mmap");
	memcpy(memory + ENTRY, writer, sizeof(writer));
	slot.userspace_addr = (uintptr_t)memory;
	slot.flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	set_registers(vcpu, (uint32_t)(FIRST + mib * MIB));
	begin = now_ns();
	must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN"); /* until it halts */
	written = now_ns();
	n = log ? look_in_log(vm) : look_in_page_map(pagemap, memory);
	looked = now_ns();
	printf("DIRTY mib=%u log=%d run_ns=%" PRId64 " look_ns=%" PRId64 " pages=%" PRIu64 "\n",
	       mib, log, written - begin, looked - written, n);
	close(vcpu);
	close(vm);
	close(kvm);
	close(pagemap);
	close(file);
	munmap(memory, MEMORY);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: dirty MIB\n");
		return 2;
	}
	run((unsigned)strtoul(argv[1], NULL, 10), false);
	run((unsigned)strtoul(argv[1], NULL, 10), true);
	return 0;
}
