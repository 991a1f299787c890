/* What the first bytes of a file say of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "guest/exec_head.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_the_interpreter_is_the_first_word_of_the_first_line(void **unused)
{
	static const struct {
		const uint8_t *head;
		size_t n;
		const char *interpreter; /* NULL: none */
	} rows[] = {
		{ BYTES("#!/bin/sh\necho\n"), "/bin/sh" },
		{ BYTES("#! /usr/bin/env python3\n"), "/usr/bin/env" },
		{ BYTES("#!\t/bin/bash -e\n"), "/bin/bash" },
		{ BYTES("#!/bin/sh\r\necho\r\n"), "/bin/sh\r" },
		{ BYTES("#!/bin/sh"), "/bin/sh" },
		{ BYTES("#!/bin/sh\0x"), "/bin/sh" },
		{ BYTES("#!\n/bin/sh\n"), NULL },
		{ BYTES("#!"), NULL },
		{ BYTES("#"), NULL },
		{ BYTES(""), NULL },
		{ BYTES("echo\n"), NULL },
		{ BYTES(" #!/bin/sh\n"), NULL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char got[32] = "";

		assert_int_equal(exec_interpreter(rows[i].head, rows[i].n, got, sizeof(got)),
				 rows[i].interpreter != NULL);
		if (rows[i].interpreter)
			assert_string_equal(got, rows[i].interpreter);
	}
}

static void test_an_interpreter_that_is_too_long_is_cut(void **unused)
{
	uint8_t head[64];
	char got[8];

	(void)unused;
	memset(head, 'x', sizeof(head));
	memcpy(head, "#!", 2);
	assert_true(exec_interpreter(head, sizeof(head), got, sizeof(got)));
	assert_string_equal(got, "xxxxxxx");
}

/* A program with two parts, of which the second one is the loader's name. */
static size_t elf_make(uint8_t *to, uint64_t table, uint16_t machine)
{
	Elf64_Ehdr elf = { .e_machine = machine,
			   .e_phoff = table,
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2 };
	Elf64_Phdr parts[2] = { { .p_type = PT_LOAD },
				{ .p_type = PT_INTERP, .p_offset = 777, .p_filesz = 28 } };

	memcpy(elf.e_ident, ELFMAG, SELFMAG);
	elf.e_ident[EI_CLASS] = ELFCLASS64;
	elf.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(to, &elf, sizeof(elf));
	memcpy(to + sizeof(elf), parts, sizeof(parts));
	return sizeof(elf) + sizeof(parts);
}

static void test_an_elf_program_names_its_loader_and_its_processor(void **unused)
{
	uint8_t head[512];
	size_t n = elf_make(head, sizeof(Elf64_Ehdr), EM_AARCH64);
	uint64_t at = 0, size = 0;

	(void)unused;
	assert_true(exec_is_elf(head, n));
	assert_true(exec_elf_loader(head, n, &at, &size));
	assert_int_equal(at, 777);
	assert_int_equal(size, 28);
	assert_string_equal(exec_elf_machine(head, n), "aarch64");
	head[EI_NIDENT + 2] = 0xee;
	head[EI_NIDENT + 3] = 0xee;
	assert_null(exec_elf_machine(head, n));
}

static void test_a_damaged_elf_program_names_nothing(void **unused)
{
	uint8_t head[512];
	size_t n = elf_make(head, sizeof(Elf64_Ehdr), EM_X86_64);
	uint64_t at, size;

	(void)unused;
	for (size_t cut = 0; cut < n; cut++)
		assert_false(exec_elf_loader(head, cut, &at, &size));
	for (uint64_t table = UINT64_MAX; table > UINT64_MAX - 200; table--) {
		n = elf_make(head, table, EM_X86_64);
		assert_false(exec_elf_loader(head, n, &at, &size));
	}
	assert_null(exec_elf_machine(head, EI_NIDENT));
}

static void test_what_is_no_program_is_called_by_its_name(void **unused)
{
	static const struct {
		const uint8_t *head;
		size_t n;
		const char *says;
	} rows[] = {
		{ BYTES(""), "empty" },
		{ BYTES("echo hello\n"), "without a '#!' line" },
		{ BYTES("\nimport os\n"), "without a '#!' line" },
		{ BYTES("\n#!/bin/sh\n"), "not at the very start" },
		{ BYTES("  #!/bin/sh\n"), "not at the very start" },
		{ BYTES("\xef\xbb\xbf#!/bin/sh\n"), "byte order mark" },
		{ BYTES("\xff\xfe#\0!\0"), "UTF-16" },
		{ BYTES("MZ\x90\0"), "Windows" },
		{ BYTES("\xcf\xfa\xed\xfe\x07\0\0\1"), "macOS" },
		{ BYTES("PK\x03\x04\x14"), "java -jar" },
		{ BYTES("\x1f\x8b\x08"), "gzip" },
		{ BYTES("version https://git-lfs.github.com/spec/v1\n"), "Git LFS" },
		{ BYTES("<!DOCTYPE html>"), "HTML" },
		{ BYTES("#!\n"), "names no interpreter" },
		{ BYTES("\x7f"
			"ELF\2\1\1\0\0\0\0\0\0\0\0\0"),
		  "damaged" },
		{ BYTES("\1\2\3\4"), "not a program" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strstr(exec_kind(rows[i].head, rows[i].n), rows[i].says))
			fail_msg("row %zu: %s", i, exec_kind(rows[i].head, rows[i].n));
}

static void test_only_a_text_with_such_a_first_line_is_crlf(void **unused)
{
	(void)unused;
	assert_true(exec_is_crlf(BYTES("#!/bin/sh\r\necho\r\n")));
	assert_true(exec_is_crlf(BYTES("echo\r\n")));
	assert_true(exec_is_crlf(BYTES("\r\n")));
	assert_false(exec_is_crlf(BYTES("echo\n\r\n")));
	assert_false(exec_is_crlf(BYTES("\n")));
	assert_false(exec_is_crlf(BYTES("a\r")));
	assert_false(exec_is_crlf(BYTES("")));
	assert_false(exec_is_crlf(BYTES("\x89PNG\r\n\x1a\n\0\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_interpreter_is_the_first_word_of_the_first_line),
		cmocka_unit_test(test_an_interpreter_that_is_too_long_is_cut),
		cmocka_unit_test(test_an_elf_program_names_its_loader_and_its_processor),
		cmocka_unit_test(test_a_damaged_elf_program_names_nothing),
		cmocka_unit_test(test_what_is_no_program_is_called_by_its_name),
		cmocka_unit_test(test_only_a_text_with_such_a_first_line_is_crlf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
