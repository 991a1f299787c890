/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <elf.h>
#include <string.h>

#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/elf.h"

static uint8_t head[4096];

static Elf64_Phdr *elf_make(void)
{
	Elf64_Ehdr h = { .e_machine = EM_X86_64,
			 .e_phoff = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1 };
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = 0x1000,
			 .p_paddr = MIB,
			 .p_filesz = 0x1000,
			 .p_memsz = 0x2000 };

	memset(head, 0, sizeof(head));
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(head, &h, sizeof(h));
	memcpy(head + sizeof(h), &p, sizeof(p));
	return (Elf64_Phdr *)(void *)(head + sizeof(h));
}

static int elf_try(struct elf *elf)
{
	struct err e;

	return elf_read(elf, head, sizeof(head), 0x3000, MIB, 16 * MIB, &e);
}

static void test_an_elf_kernel_is_read(void **unused)
{
	struct elf elf;

	(void)unused;
	elf_make();
	assert_int_equal(elf_try(&elf), 0);
	assert_int_equal(elf.n_segments, 1);
	assert_int_equal(elf.end, MIB + 0x2000);
}

static void test_segments_outside_file_or_memory_are_refused(void **unused)
{
	static const struct {
		uint64_t offset, gpa, file_size, size;
	} bad[] = {
		{ 0x4000, MIB, 0x1000, 0x1000 },      { 0x1000, MIB, 0x2001, 0x3000 },
		{ 0x1000, MIB, 0x1000, 0xfff },       { 0x1000, MIB - 1, 0x1000, 0x1000 },
		{ 0x1000, 16 * MIB, 0x1000, 0x1000 }, { UINT64_MAX, MIB, 2, 2 },
		{ 0x1000, MIB, 0x1000, UINT64_MAX },  { 0, UINT64_MAX, 1, 2 },
	};
	struct elf elf;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		Elf64_Phdr *p = elf_make();

		p->p_offset = bad[i].offset;
		p->p_paddr = bad[i].gpa;
		p->p_filesz = bad[i].file_size;
		p->p_memsz = bad[i].size;
		assert_int_equal(elf_try(&elf), -1);
	}
}

static void test_the_entry_is_the_note_s_and_in_a_segment(void **unused)
{
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint64_t entry;
	} note = { { 4, 8, 18 }, "Xen", MIB + 0x50 };
	struct elf elf;
	uint32_t entry = 0;
	struct err e;

	(void)unused;
	elf_make();
	assert_int_equal(elf_try(&elf), 0);
	assert_int_equal(elf_entry(&elf, (void *)&note, sizeof(note), &entry, &e), 0);
	assert_int_equal(entry, MIB + 0x50);
	note.entry = 0x50;
	assert_int_equal(elf_entry(&elf, (void *)&note, sizeof(note), &entry, &e), -1);
	note.h.n_descsz = UINT32_MAX;
	assert_int_equal(elf_entry(&elf, (void *)&note, sizeof(note), &entry, &e), -1);
	assert_int_equal(elf_entry(&elf, (void *)&note, 3, &entry, &e), -1);
}

static void bzimage_make(void)
{
	memset(head, 0, sizeof(head));
	head[0x1f1] = 3;
	head[0x201] = 0x6a;
	memcpy(head + 0x202, "HdrS", 4);
	head[0x206] = 0x0f;
	head[0x207] = 0x02;
	head[0x236] = 1;
	head[0x25b] = 1;    /* 16 MiB */
	head[0x262] = 0x10; /* 1 MiB */
	memset(head + 0x22c, 0xff, 3);
}

static int bzimage_try(struct bzimage *b, uint64_t most)
{
	struct err e;

	return bzimage_read(b, head, sizeof(head), 0x3000, MIB, most, &e);
}

static void test_a_bzimage_is_read(void **unused)
{
	struct bzimage b;

	(void)unused;
	bzimage_make();
	assert_int_equal(bzimage_try(&b, 64 * MIB), 0);
	assert_int_equal(b.offset, 4 * 512);
	assert_int_equal(b.size, 0x3000 - 4 * 512);
	assert_int_equal(b.gpa, 16 * MIB);
	assert_int_equal(b.entry, 16 * MIB + 0x200);
	assert_int_equal(b.end, 17 * MIB);
	assert_int_equal(b.initrd_most, 16 * MIB);
}

static void test_a_bzimage_that_does_not_fit_or_is_old_is_refused(void **unused)
{
	struct bzimage b;

	(void)unused;
	bzimage_make();
	assert_int_equal(bzimage_try(&b, 16 * MIB), -1);
	bzimage_make();
	head[0x206] = 0x0b;
	assert_int_equal(bzimage_try(&b, 64 * MIB), -1);
	bzimage_make();
	head[0x236] = 0;
	assert_int_equal(bzimage_try(&b, 64 * MIB), -1);
	bzimage_make();
	head[0x1f1] = 0xff;
	assert_int_equal(bzimage_try(&b, 64 * MIB), -1);
	bzimage_make();
	head[0x201] = 0xff;
	assert_int_equal(bzimage_try(&b, 64 * MIB), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_elf_kernel_is_read),
		cmocka_unit_test(test_segments_outside_file_or_memory_are_refused),
		cmocka_unit_test(test_the_entry_is_the_note_s_and_in_a_segment),
		cmocka_unit_test(test_a_bzimage_is_read),
		cmocka_unit_test(test_a_bzimage_that_does_not_fit_or_is_old_is_refused),
	};

	return cmocka_run_group_tests_name("vmm/kernel", tests, NULL, NULL);
}
