/* boot.c - what the guest finds in its memory and in vCPU 0's registers when it starts. */
#include <asm/bootparam.h>
#include <string.h>

#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/load.h"
#include "vmm/kvm/vm.h"

/* In the first pages of memory, which the kernel takes as its own when it has read them. */
#define GDT_GPA          0x1000
#define TABLES_GPA       0x2000 /* six pages: PML4, PDPT, four directories: the first 4 GiB */
#define PARAMS_GPA       0x8000 /* zero page, or PVH's start info and what it points to */
#define STACK_GPA        0xa000
#define COMMAND_LINE_GPA 0x20000
#define COMMAND_LINE_MAX 2047 /* the kernel's own limit */
#define LOW_END          0x9fc00

#define PVH_MAGIC    0x336ec578
#define MAP_RAM      1
#define MAP_TAKEN    2
#define MAP_MAX      8
#define LOADER_OTHER 0xff

/* The kernel's include/xen/interface/hvm/start_info.h. */
struct pvh_start {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, command_line, rsdp, map;
	uint32_t n_map, zero;
};

struct pvh_module {
	uint64_t gpa, size, command_line, zero;
};

struct pvh_map {
	uint64_t gpa, size;
	uint32_t type, zero;
};

struct pvh_page {
	struct pvh_start start;
	struct pvh_module initrd;
	struct pvh_map map[MAP_MAX];
};

/* What is memory, and what of the first MiB is taken. */
static unsigned boot_map(const struct mem *m, struct pvh_map map[MAP_MAX])
{
	unsigned n = 0;

	map[n++] = (struct pvh_map){ 0, LOW_END, MAP_RAM, 0 };
	map[n++] = (struct pvh_map){ LOW_END, LOAD_LEAST - LOW_END, MAP_TAKEN, 0 };
	map[n++] = (struct pvh_map){ LOAD_LEAST, m->range[0].size - LOAD_LEAST, MAP_RAM, 0 };
	for (unsigned i = 1; i < m->n_ranges; i++)
		map[n++] = (struct pvh_map){ m->range[i].gpa, m->range[i].size, MAP_RAM, 0 };
	return n;
}

static void boot_put(const struct mem *m, uint64_t gpa, const void *bytes, size_t size)
{
	void *to = mem_slice(m, gpa, size);

	assert(to && "arch_boot has looked at the memory's size");
	memcpy(to, bytes, size);
}

static void boot_put_pvh(const struct mem *m, const struct load *l)
{
	struct pvh_page page = {
		.start = { .magic = PVH_MAGIC,
			   .version = 1,
			   .n_modules = l->initrd_size ? 1 : 0,
			   .modules = PARAMS_GPA + offsetof(struct pvh_page, initrd),
			   .command_line = COMMAND_LINE_GPA,
			   .rsdp = ACPI_GPA,
			   .map = PARAMS_GPA + offsetof(struct pvh_page, map) },
		.initrd = { l->initrd, l->initrd_size, 0, 0 },
	};

	page.start.n_map = boot_map(m, page.map);
	boot_put(m, PARAMS_GPA, &page, sizeof(page));
}

static void boot_put_zero_page(const struct mem *m, const struct load *l)
{
	struct boot_params page = { 0 };
	struct pvh_map map[MAP_MAX];
	unsigned n = boot_map(m, map);

	memcpy((uint8_t *)&page + BZIMAGE_HEADER, l->header, l->header_size);
	page.hdr.type_of_loader = LOADER_OTHER;
	page.hdr.loadflags |= LOADED_HIGH;
	page.hdr.cmd_line_ptr = COMMAND_LINE_GPA;
	page.hdr.ramdisk_image = (uint32_t)l->initrd;
	page.hdr.ramdisk_size = (uint32_t)l->initrd_size;
	page.acpi_rsdp_addr = ACPI_GPA;
	for (unsigned i = 0; i < n; i++)
		page.e820_table[i] =
			(struct boot_e820_entry){ map[i].gpa, map[i].size, map[i].type };
	page.e820_entries = (uint8_t)n;
	boot_put(m, PARAMS_GPA, &page, sizeof(page));
}

/* The first 4 GiB at their own addresses, in pages of 2 MiB. */
static void boot_put_tables(const struct mem *m)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };
	uint64_t *at = mem_slice(m, TABLES_GPA, 6 * 4096);

	assert(at);
	at[0] = (TABLES_GPA + 4096) | 3;
	for (uint64_t i = 0; i < 4; i++)
		at[512 + i] = (TABLES_GPA + (2 + i) * 4096) | 3;
	for (uint64_t i = 0; i < 4 * 512; i++)
		at[1024 + i] = i * 2 * MIB | 0x83;
	boot_put(m, GDT_GPA, gdt, sizeof(gdt));
}

/* PVH: 32 bits, no paging.  bzImage: 64 bits, with the tables above. */
static int boot_set_registers(struct vm *vm, const struct load *l, struct err *e)
{
	const struct kvm_segment code = { .limit = UINT32_MAX,
					  .selector = 0x10,
					  .type = 11,
					  .present = 1,
					  .s = 1,
					  .db = l->elf,
					  .l = !l->elf,
					  .g = 1 };
	const struct kvm_segment data = { .limit = UINT32_MAX,
					  .selector = 0x18,
					  .type = 3,
					  .present = 1,
					  .s = 1,
					  .db = 1,
					  .g = 1 };
	const struct kvm_segment task = { .limit = 0x67, .type = 11, .present = 1 };
	struct kvm_regs regs = { .rip = l->entry, .rflags = 2, .rsp = STACK_GPA };
	struct kvm_sregs sregs;
	int fd = vm->vcpus[0].fd;

	if (vm_ioctl(fd, KVM_GET_SREGS, &sregs, "tell registers", e) < 0)
		return -1;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = task;
	sregs.cr0 = l->elf ? 0x11 : 0x80000011;
	if (l->elf) {
		regs.rbx = PARAMS_GPA;
	} else {
		regs.rsi = PARAMS_GPA;
		sregs.gdt.base = GDT_GPA;
		sregs.gdt.limit = 4 * 8 - 1;
		sregs.cr3 = TABLES_GPA;
		sregs.cr4 = 0x20;
		sregs.efer = 0x500;
	}
	if (vm_ioctl(fd, KVM_SET_SREGS, &sregs, "take registers", e) < 0 ||
	    vm_ioctl(fd, KVM_SET_REGS, &regs, "take registers", e) < 0)
		return -1;
	return 0;
}

int arch_boot(struct vm *vm, const struct arch_boot *b, struct err *e)
{
	size_t length = strlen(b->command_line);
	autobuf struct buf acpi = { 0 };
	const struct mem *m = vm->mem;
	struct load l;

	if (length > COMMAND_LINE_MAX)
		return err_set(e, ERR_INVALID, "the kernel's command line is too long");
	if (m->range[0].size < 2 * LOAD_LEAST)
		return err_set(e, ERR_INVALID, "the guest has too little memory");
	if (load_kernel(&l, m, b, e) < 0)
		return -1;
	acpi_build(&acpi, vm->n_vcpus, b->n_virtio);
	boot_put(m, ACPI_GPA, acpi.data, acpi.size);
	boot_put(m, COMMAND_LINE_GPA, b->command_line, length + 1);
	if (l.elf) {
		boot_put_pvh(m, &l);
	} else {
		boot_put_zero_page(m, &l);
		boot_put_tables(m);
	}
	return boot_set_registers(vm, &l, e);
}
