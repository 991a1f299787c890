/* Why a program could not be started: each row is a mistake that people make. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "guest/exec_fault.h"

#define GLIBC "/lib64/ld-linux-x86-64.so.2"
#define MUSL  "/lib/ld-musl-x86_64.so.1"
#define DIRS  "/usr/bin:/bin"

enum { NONE, FILE_X, FILE_644, FILE_700, A_DIRECTORY };

/* What the look found.  Zero is "nothing of the kind". */
struct fault_row {
	const char *name;
	int error;
	const char *path; /* where it is; NULL: PATH does not have it */
	int program, interpreted_by;
	const char *interpreter, *loader, *other_loader, *link;
	uint16_t machine; /* of an ELF program */
	const char *text; /* of a text */
	bool in_workdir, noexec, has_loader;
	unsigned uid;
	const char *says[3];
};

// clang-format off
static const struct fault_row rows[] = {
	{ .name = "gunicrn", .error = ENOENT, .says = { "run 'gunicrn': No such file or directory: ", "PATH (" DIRS ")" } },
	{ .name = "server", .error = ENOENT, .in_workdir = true, .says = { "working directory", "'./server'" } },
	{ .name = "python app.py", .error = ENOENT, .says = { "holds a space", "[\"python\", \"app.py\"]" } },
	{ .name = "$HOME/server", .error = ENOENT, .path = "$HOME/server", .says = { "does not expand variables" } },
	{ .name = "/app/server", .error = ENOENT, .path = "/app/server", .says = { "the image has no such file" } },
	{ .name = "./server", .error = ENOENT, .path = "./server", .says = { "the working directory '/srv' has no such file" } },
	{ .name = "/app/server", .error = ENOTDIR, .path = "/app/server", .says = { "the image has no such file" } },
	{ .name = "/app/server", .error = ENOENT, .path = "/app/server", .link = "/opt/gone", .says = { "is a link to '/opt/gone'" } },
	{ .name = "/bin/sh", .error = ENOENT, .path = "/bin/sh", .says = { "the image has no shell", "JSON form" } },

	{ .name = "/crlf.sh", .error = ENOENT, .path = "/crlf.sh", .program = FILE_X, .interpreter = "/bin/sh\r",
	  .says = { "carriage return", "CRLF", "'/bin/sh\\r'" } },
	{ .name = "/run.py", .error = ENOENT, .path = "/run.py", .program = FILE_X, .interpreter = "/usr/bin/python3",
	  .says = { "interpreter '/usr/bin/python3'", "does not have" } },
	{ .name = "server", .error = ENOENT, .path = "/bin/server", .program = FILE_X, .loader = GLIBC, .other_loader = MUSL,
	  .says = { "'/bin/server' is linked with glibc", "the image has musl" } },
	{ .name = "server", .error = ENOENT, .path = "/bin/server", .program = FILE_X, .loader = MUSL, .other_loader = GLIBC,
	  .says = { "'/bin/server' is linked with musl", "the image has glibc" } },
	{ .name = "server", .error = ENOENT, .path = "/bin/server", .program = FILE_X, .loader = GLIBC,
	  .says = { "needs the loader '" GLIBC "'", "statically" } },
	{ .name = "/run.py", .error = ENOENT, .path = "/run.py", .program = FILE_X, .interpreter = "/opt/python", .interpreted_by = FILE_X,
	  .loader = GLIBC, .other_loader = MUSL, .says = { "'/opt/python' is linked with glibc" } },

	{ .name = "/plain.sh", .error = EACCES, .path = "/plain.sh", .program = FILE_644,
	  .says = { "run '/plain.sh': Permission denied: ", "mode 0644", "chmod +x '/plain.sh'" } },
	{ .name = "/run.py", .error = EACCES, .path = "/run.py", .program = FILE_X, .interpreter = "/python", .interpreted_by = FILE_644,
	  .says = { "mode 0644", "chmod +x '/python'" } },
	{ .name = "/app", .error = EACCES, .path = "/app", .program = A_DIRECTORY, .says = { "'/app' is a directory" } },
	{ .name = "/data/x", .error = EACCES, .path = "/data/x", .program = FILE_X, .noexec = true, .says = { "mounted noexec" } },
	{ .name = "/app", .error = EACCES, .path = "/app", .program = FILE_700, .uid = 1000,
	  .says = { "user 1000 may not run '/app'", "mode 0700", "owner 0:0" } },
	{ .name = "/root/app", .error = EACCES, .path = "/root/app", .program = FILE_X, .uid = 1000,
	  .says = { "user 1000 may not search a directory" } },
	{ .name = "/app", .error = EACCES, .path = "/app", .program = FILE_700, .says = { "run '/app': Permission denied" } },

	{ .name = "/app", .error = ENOEXEC, .path = "/app", .program = FILE_X, .machine = EM_AARCH64,
	  .says = { "run '/app': Exec format error: ", "'/app' is a program for aarch64", "this microVM is x86_64" } },
	{ .name = "/app", .error = ENOEXEC, .path = "/app", .program = FILE_X, .machine = EM_X86_64, .says = { "damaged" } },
	{ .name = "/app", .error = ENOEXEC, .path = "/app", .program = FILE_X, .text = "echo hello\n",
	  .says = { "'/app' is a text without a '#!' line" } },
	{ .name = "/app", .error = ENOEXEC, .path = "/app", .program = FILE_X, .says = { "'/app' is empty" } },

	{ .name = "/app", .error = E2BIG, .path = "/app", .program = FILE_X, .says = { "too long" } },
	{ .name = "/app", .error = EIO, .path = "/app", .program = FILE_X, .says = { "run '/app': Input/output error" } },
};
// clang-format on

static void row_file(struct exec_file *f, int kind)
{
	static const mode_t modes[] = { 0, S_IFREG | 0755, S_IFREG | 0644, S_IFREG | 0700,
					S_IFDIR | 0755 };

	f->exists = kind != NONE;
	f->mode = modes[kind];
}

static void row_bytes(struct exec_file *f, const struct fault_row *row)
{
	if (row->machine) {
		memcpy(f->head, ELFMAG, SELFMAG);
		f->head[EI_DATA] = ELFDATA2LSB;
		f->head[EI_NIDENT + 2] = (uint8_t)row->machine;
		f->n_head = 64;
	} else if (row->text) {
		f->n_head = strlen(row->text);
		memcpy(f->head, row->text, f->n_head);
	}
}

static void row_copy(char *to, size_t room, const char *text)
{
	snprintf(to, room, "%s", text ? text : "");
}

static void row_look(const struct fault_row *row, struct exec_look *l)
{
	*l = (struct exec_look){
		.name = row->name,
		.path_list = strchr(row->name, '/') ? NULL : DIRS,
		.workdir = "/srv",
		.in_workdir = row->in_workdir,
		.has_loader = row->has_loader,
		.machine = "x86_64",
	};
	row_copy(l->path, sizeof(l->path), row->path);
	row_copy(l->link, sizeof(l->link), row->link);
	row_copy(l->interpreter, sizeof(l->interpreter), row->interpreter);
	row_copy(l->loader, sizeof(l->loader), row->loader);
	row_copy(l->other_loader, sizeof(l->other_loader), row->other_loader);
	row_file(&l->program, row->program);
	row_file(&l->interpreted_by, row->interpreted_by);
	row_bytes(&l->program, row);
	l->program.mount_noexec = row->noexec;
}

static void test_each_mistake_is_told_in_one_sentence(void **unused)
{
	static struct exec_look look;
	static struct user user;
	char text[2048];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		row_look(&rows[i], &look);
		user.uid = rows[i].uid;
		user.gid = rows[i].uid;
		exec_fault(&look, rows[i].error, &user, text, sizeof(text));
		for (size_t n = 0; n < ARRAY_SIZE(rows[i].says) && rows[i].says[n]; n++)
			if (!strstr(text, rows[i].says[n]))
				fail_msg("row %zu: '%s' does not say '%s'", i, text,
					 rows[i].says[n]);
		assert_null(strstr(text, ". ")); /* one sentence */
		assert_true(strlen(text) < 440); /* stateReason takes it whole */
	}
}

static void test_a_group_of_the_user_may_run_what_others_may_not(void **unused)
{
	static struct exec_look look;
	static struct user user = { .uid = 1000, .gid = 1000, .groups = { 50 }, .n_groups = 1 };
	const struct fault_row row = { .name = "/app", .path = "/app", .program = FILE_X };
	char text[2048];

	(void)unused;
	row_look(&row, &look);
	look.program.mode = S_IFREG | 0710;
	look.program.gid = 50;
	exec_fault(&look, EACCES, &user, text, sizeof(text));
	assert_non_null(strstr(text, "search a directory"));
	look.program.gid = 51;
	exec_fault(&look, EACCES, &user, text, sizeof(text));
	assert_non_null(strstr(text, "may not run"));
}

static void test_a_long_name_does_not_overrun(void **unused)
{
	static struct exec_look look;
	static struct user user;
	static char name[3000];
	char text[256];

	(void)unused;
	memset(name, 'n', sizeof(name) - 1);
	look = (struct exec_look){ .name = name, .path_list = DIRS };
	for (size_t room = 4; room <= sizeof(text); room++) {
		exec_fault(&look, ENOENT, &user, text, room);
		assert_int_equal(strlen(text), room - 1);
	}
}

static void test_a_command_that_is_no_json_is_hinted_at(void **unused)
{
	static struct exec_look look;
	static const struct {
		const char *words;
		bool hints;
	} lists[] = {
		{ "['python', 'app.py']", true },
		{ "[\"python\", 'app.py']", true },
		{ "[ \"$DEBUG\" = 1 ] && exec app", false },
		{ "[ -e /x ] || exit 1", false },
		{ "python app.py", false },
		{ "", false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		char shell[] = "/bin/sh", option[] = "-c";
		char *argv[] = { shell, option, (char *)(uintptr_t)lists[i].words, NULL };
		struct app_spec s = { .argv = argv, .n_argv = 3 };
		char text[512] = "";

		assert_int_equal(exec_hint(&look, &s, text, sizeof(text)), lists[i].hints);
		assert_int_equal(!!strstr(text, "double quotes"), lists[i].hints);
	}
}

static void test_a_script_with_crlf_lines_is_hinted_at(void **unused)
{
	static struct exec_look look = { .crlf = true, .crlf_name = "/start.sh" };
	char shell[] = "sh", script[] = "/start.sh";
	char *argv[] = { shell, script, NULL };
	struct app_spec s = { .argv = argv, .n_argv = 2 };
	char text[512];

	(void)unused;
	assert_true(exec_hint(&look, &s, text, sizeof(text)));
	assert_non_null(strstr(text, "'/start.sh' has lines that end with a carriage return"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_mistake_is_told_in_one_sentence),
		cmocka_unit_test(test_a_group_of_the_user_may_run_what_others_may_not),
		cmocka_unit_test(test_a_long_name_does_not_overrun),
		cmocka_unit_test(test_a_command_that_is_no_json_is_hinted_at),
		cmocka_unit_test(test_a_script_with_crlf_lines_is_hinted_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
