/* What the kernel refuses to run, and what is told of it: real files, looked at and then tried.
 * The programs lie in a folder of their own, which is the working directory. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>

#include "base/io.h"
#include "guest/exec_fault.h"

struct look_row {
	const char *word;     /* of the command line */
	const char *contents; /* NULL: no such file is made; ELF_*: a program */
	mode_t mode;
	int error; /* of execve; 0: it can be started */
	const char *says;
};

#define ELF_FOREIGN "ELF for another processor"
#define ELF_LOADER  "ELF with a loader that is nowhere"
#define FOLDER      "FOLDER"
#define LINK        "LINK to nowhere"

// clang-format off
static const struct look_row rows[] = {
	{ "./good.sh", "#!/bin/sh\nexit 0\n", 0755, 0, "" },
	{ "good-in-path.sh", "#!/bin/sh\nexit 0\n", 0755, 0, "" },
	{ "./crlf.sh", "#!/bin/sh\r\nexit 0\r\n", 0755, ENOENT, "carriage return" },
	{ "./absent", NULL, 0, ENOENT, "has no such file" },
	{ "no-such-program", NULL, 0, ENOENT, "no directory of PATH (" },
	{ "sub/here", "#!/bin/sh\n", 0644, EACCES, "mode 0644" },
	{ "./interpreter.sh", "#!/no/interpreter -x\n", 0755, ENOENT, "'/no/interpreter'" },
	{ "./bare", "exit 0\n", 0755, ENOEXEC, "without a '#!' line" },
	{ "./empty", "", 0755, ENOEXEC, "is empty" },
	{ "./foreign", ELF_FOREIGN, 0755, ENOEXEC, "is a program for s390x" },
	{ "./loader", ELF_LOADER, 0755, ENOENT, "/lib/ld-nowhere.so.1" },
	{ "./folder", FOLDER, 0755, EACCES, "is a directory" },
	{ "./link", LINK, 0, ENOENT, "is a link to '/no/target'" },
};
// clang-format on

static size_t look_elf(uint8_t *to, uint16_t machine, const char *loader)
{
	Elf64_Ehdr elf = { .e_type = ET_DYN,
			   .e_machine = machine,
			   .e_version = EV_CURRENT,
			   .e_phoff = sizeof(elf),
			   .e_ehsize = sizeof(elf),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1 };
	Elf64_Phdr part = { .p_type = PT_INTERP,
			    .p_offset = sizeof(elf) + sizeof(part),
			    .p_filesz = strlen(loader) + 1 };

	memcpy(elf.e_ident, ELFMAG, SELFMAG);
	elf.e_ident[EI_CLASS] = ELFCLASS64;
	elf.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(to, &elf, sizeof(elf));
	memcpy(to + sizeof(elf), &part, sizeof(part));
	memcpy(to + part.p_offset, loader, part.p_filesz);
	return part.p_offset + part.p_filesz;
}

static void look_make(const struct look_row *row)
{
	uint8_t bytes[512];
	size_t size;
	int fd;

	if (!row->contents)
		return;
	if (!strcmp(row->contents, FOLDER) || !strcmp(row->contents, LINK)) {
		assert_int_equal(*row->contents == 'F' ? mkdir(row->word, 0755)
						       : symlink("/no/target", row->word),
				 0);
		return;
	}
	size = strlen(row->contents);
	memcpy(bytes, row->contents, size);
	if (!strcmp(row->contents, ELF_FOREIGN))
		size = look_elf(bytes, EM_S390, "/lib/ld.so");
	else if (!strcmp(row->contents, ELF_LOADER))
		size = look_elf(bytes, EM_X86_64, "/lib/ld-nowhere.so.1");
	fd = open(row->word, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, row->mode);
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, bytes, size), 0);
	close(fd);
}

/* What execve answers: 0 if it starts. */
static int look_try(const struct exec_look *l, char **argv)
{
	char *env[] = { NULL };
	int status;
	pid_t pid = fork();

	if (!pid) {
		errno = ENOENT;
		if (*l->path)
			execve(l->path, argv, env);
		_exit(errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void test_what_the_kernel_refuses_is_told_by_its_cause(void **unused)
{
	static struct exec_look look;
	static struct user user;
	char path[] = "PATH=sub:/usr/bin:/bin:.";
	char *env[] = { path, NULL };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[2048];
		char *argv[] = { (char *)(uintptr_t)rows[i].word, NULL };
		struct app_spec s = { .argv = argv, .n_argv = 1, .env = env, .n_env = 1 };
		int error;

		look_make(&rows[i]);
		exec_look(&s, &look);
		error = look_try(&look, argv);
		if (error != rows[i].error)
			fail_msg("%s: execve answers %d", rows[i].word, error);
		exec_fault(&look, error, &user, text, sizeof(text));
		if (error && !strstr(text, rows[i].says))
			fail_msg("%s: '%s' does not say '%s'", rows[i].word, text, rows[i].says);
	}
}

static void test_a_script_among_the_arguments_is_looked_at_too(void **unused)
{
	static struct exec_look look;
	char shell[] = "/bin/sh", script[] = "./crlf.sh", text[512];
	char *argv[] = { shell, script, NULL };
	struct app_spec s = { .argv = argv, .n_argv = 2 };

	(void)unused;
	exec_look(&s, &look);
	assert_true(exec_hint(&look, &s, text, sizeof(text)));
	assert_non_null(strstr(text, "'./crlf.sh'"));
	s.n_argv = 1;
	exec_look(&s, &look);
	assert_false(exec_hint(&look, &s, text, sizeof(text)));
}

static int look_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void look_remove(const char *folder)
{
	nftw(folder, look_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_kernel_refuses_is_told_by_its_cause),
		cmocka_unit_test(test_a_script_among_the_arguments_is_looked_at_too),
	};
	char folder[] = "/tmp/exec-look-XXXXXX";
	int rc;

	umask(022);
	if (!mkdtemp(folder) || chdir(folder) || mkdir("sub", 0755))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	look_remove(folder);
	return rc;
}
