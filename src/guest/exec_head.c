#include "guest/exec_head.h"

#include <elf.h>
#include <string.h>

bool exec_interpreter(const uint8_t *head, size_t n, char *interpreter, size_t room)
{
	size_t at = 2, len = 0;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return false;
	while (at < n && (head[at] == ' ' || head[at] == '\t'))
		at++;
	while (at + len < n && len + 1 < room && !strchr(" \t\n", head[at + len]))
		len++; /* strchr finds the NUL too */
	memcpy(interpreter, head + at, len);
	interpreter[len] = '\0';
	return len > 0;
}

bool exec_is_elf(const uint8_t *head, size_t n)
{
	return n >= EI_NIDENT && !memcmp(head, ELFMAG, SELFMAG);
}

static bool exec_elf_head(const uint8_t *head, size_t n, Elf64_Ehdr *to)
{
	if (!exec_is_elf(head, n) || n < sizeof(*to) || head[EI_CLASS] != ELFCLASS64 ||
	    head[EI_DATA] != ELFDATA2LSB)
		return false;
	memcpy(to, head, sizeof(*to));
	return true;
}

bool exec_elf_loader(const uint8_t *head, size_t n, uint64_t *at, uint64_t *size)
{
	Elf64_Ehdr elf;

	if (!exec_elf_head(head, n, &elf) || elf.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (size_t i = 0; i < elf.e_phnum; i++) {
		Elf64_Phdr part;

		if (elf.e_phoff > n || n - elf.e_phoff < (i + 1) * sizeof(part))
			return false;
		memcpy(&part, head + elf.e_phoff + i * sizeof(part), sizeof(part));
		if (part.p_type != PT_INTERP)
			continue;
		*at = part.p_offset;
		*size = part.p_filesz;
		return part.p_filesz > 0;
	}
	return false;
}

const char *exec_elf_machine(const uint8_t *head, size_t n)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} known[] = {
		{ EM_X86_64, "x86_64" }, { EM_AARCH64, "aarch64" }, { EM_386, "i386" },
		{ EM_ARM, "arm" },       { EM_RISCV, "riscv64" },   { EM_PPC64, "ppc64le" },
		{ EM_S390, "s390x" },    { EM_MIPS, "mips" },
	};
	uint16_t machine;

	if (n < EI_NIDENT + 4)
		return NULL;
	/* e_machine follows e_type; its own byte order is the file's. */
	machine = head[EI_DATA] == ELFDATA2MSB
			  ? (uint16_t)(head[EI_NIDENT + 2] << 8 | head[EI_NIDENT + 3])
			  : (uint16_t)(head[EI_NIDENT + 3] << 8 | head[EI_NIDENT + 2]);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].machine == machine)
			return known[i].name;
	return NULL;
}

static bool exec_is_text(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (head[i] < ' ' && !strchr("\t\n\r\f\033", head[i]))
			return false;
	return n && !memchr(head, '\0', n);
}

bool exec_is_crlf(const uint8_t *head, size_t n)
{
	const uint8_t *end = n ? memchr(head, '\n', n) : NULL;

	return end && end > head && end[-1] == '\r' && exec_is_text(head, n);
}

static bool exec_starts(const uint8_t *head, size_t n, const char *with, size_t size)
{
	return n >= size && !memcmp(head, with, size);
}

/* A "#!" that does not stand at the very start. */
static bool exec_has_late_line(const uint8_t *head, size_t n)
{
	size_t at = 0;

	while (at < n &&
	       (head[at] == ' ' || head[at] == '\t' || head[at] == '\n' || head[at] == '\r'))
		at++;
	return at && exec_starts(head + at, n - at, "#!", 2);
}

const char *exec_kind(const uint8_t *head, size_t n)
{
// clang-format off
#define START(bytes) bytes, sizeof(bytes) - 1
	static const struct {
		const char *with;
		size_t size;
		const char *what;
	} kinds[] = {
		{ START("\xef\xbb\xbf"),     "begins with a byte order mark: save it as UTF-8 without one" },
		{ START("\xff\xfe"),         "is UTF-16, as PowerShell writes it: save it as UTF-8" },
		{ START("\xfe\xff"),         "is UTF-16: save it as UTF-8" },
		{ START("MZ"),               "is a program for Windows: build it for Linux" },
		{ START("\xcf\xfa\xed\xfe"), "is a program for macOS: build it for Linux (GOOS=linux, or in the Dockerfile)" },
		{ START("\xca\xfe\xba\xbe"), "is a Java class or a program for macOS: run a class with java, build a program for Linux" },
		{ START("PK\x03\x04"),       "is an archive (zip or jar): run a jar with java -jar, unpack a zip" },
		{ START("\x1f\x8b"),         "is compressed with gzip: unpack it in the Dockerfile" },
		{ START("\x28\xb5\x2f\xfd"), "is compressed with zstd: unpack it in the Dockerfile" },
		{ START("\xfd" "7zXZ"),      "is compressed with xz: unpack it in the Dockerfile" },
		{ START("!<arch>"),          "is a package or a library archive, not a program" },
		{ START("\0asm"),            "is WebAssembly: start it with a runtime for it" },
		{ START("version https://git-lfs"), "is a pointer of Git LFS, not the file itself: run git lfs pull before packing" },
		{ START("<!DOCTYPE"),        "is an HTML page, as a failed download leaves it" },
		{ START("<!doctype"),        "is an HTML page, as a failed download leaves it" },
		{ START("<html"),            "is an HTML page, as a failed download leaves it" },
	};
	// clang-format on

	if (!n)
		return "is empty";
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (exec_starts(head, n, kinds[i].with, kinds[i].size))
			return kinds[i].what;
	if (exec_has_late_line(head, n))
		return "has its '#!' not at the very start: delete what stands before it";
	if (exec_starts(head, n, "#!", 2))
		return "has a first line that names no interpreter, or a longer one than 255 bytes";
	if (exec_is_elf(head, n))
		return "is damaged, or no program but a part of one";
	if (exec_is_text(head, n))
		return "is a text without a '#!' line: make '#!/bin/sh', or its interpreter, the "
		       "first line";
	return "is not a program that Linux knows";
}
