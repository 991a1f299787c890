#include "guest/exec_fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/exec_head.h"

/* The question, and where its answer goes.  A rule that does not apply writes nothing. */
struct fault {
	const struct exec_look *look;
	const struct user *user;
	int error;
	char *text;
	size_t room;
};

static bool fault_say(const struct fault *f, const char *fmt, ...) printf_like(2, 3);

static bool fault_say(const struct fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, f->room, fmt, ap);
	va_end(ap);
	return true;
}

/* What the kernel runs in the end: the interpreter of a script, or the program itself. */
static const struct exec_file *fault_binary(const struct exec_look *l)
{
	return *l->interpreter && l->interpreted_by.exists ? &l->interpreted_by : &l->program;
}

static const char *fault_binary_name(const struct exec_look *l)
{
	return fault_binary(l) == &l->program ? l->path : l->interpreter;
}

/* There is no such file. */

static bool fault_words_in_one(const struct fault *f)
{
	return !f->look->program.exists && strpbrk(f->look->name, " \t") &&
	       fault_say(f, "the name holds a space: in the JSON form each word is an element of "
			    "its own, [\"python\", \"app.py\"]");
}

static bool fault_variable(const struct fault *f)
{
	return !f->look->program.exists && strchr(f->look->name, '$') &&
	       fault_say(f, "the JSON form does not expand variables: use the shell form, without "
			    "brackets");
}

static bool fault_link(const struct fault *f)
{
	return *f->look->link && fault_say(f, "'%s' is a link to '%s', which does not exist",
					   f->look->path, f->look->link);
}

static bool fault_in_workdir(const struct fault *f)
{
	return f->look->in_workdir &&
	       fault_say(f,
			 "the working directory has a file of this name, but PATH does not lead "
			 "there: write './%s'",
			 f->look->name);
}

static bool fault_in_no_path(const struct fault *f)
{
	return f->look->path_list && !*f->look->path &&
	       fault_say(f, "no directory of PATH (%s) has it: check its spelling, or install it",
			 f->look->path_list);
}

static bool fault_no_shell(const struct fault *f)
{
	return !strcmp(f->look->path, "/bin/sh") &&
	       fault_say(f, "the image has no shell: write CMD and ENTRYPOINT in the JSON form, "
			    "[\"program\", \"argument\"]");
}

static bool fault_absent(const struct fault *f)
{
	if (f->look->program.exists || !*f->look->path)
		return false;
	if (*f->look->name == '/')
		return fault_say(f, "the image has no such file");
	return fault_say(f, "the working directory '%s' has no such file",
			 f->look->workdir ? f->look->workdir : "/");
}

/* The file is there, but not what it needs. */

static bool fault_crlf(const struct fault *f)
{
	const char *name = f->look->interpreter;
	size_t len = strlen(name);

	return len && name[len - 1] == '\r' && !f->look->interpreted_by.exists &&
	       fault_say(f,
			 "its first line ends with a carriage return (CRLF, as Windows saves it), "
			 "so that '%.*s\\r' is looked for: save the file with LF line ends",
			 (int)len - 1, name);
}

static bool fault_no_interpreter(const struct fault *f)
{
	return *f->look->interpreter && !f->look->interpreted_by.exists &&
	       fault_say(f,
			 "its first line names the interpreter '%s', which the image does not have",
			 f->look->interpreter);
}

static const char *fault_library(const char *loader)
{
	return strstr(loader, "musl") ? "musl" : strstr(loader, "ld-linux") ? "glibc" : NULL;
}

static bool fault_no_loader(const struct fault *f)
{
	const struct exec_look *l = f->look;
	const char *wanted = fault_library(l->loader), *there = fault_library(l->other_loader);

	if (!*l->loader || l->has_loader)
		return false;
	if (wanted && there && strcmp(wanted, there) != 0)
		return fault_say(f,
				 "'%s' is linked with %s (it needs '%s'), but the image has %s: "
				 "build it in the same base image, or link it statically",
				 fault_binary_name(l), wanted, l->loader, there);
	return fault_say(f,
			 "'%s' needs the loader '%s', which the image does not have: take a base "
			 "with a C library, or link it statically",
			 fault_binary_name(l), l->loader);
}

/* It may not be run. */

static bool fault_not_regular(const struct fault *f)
{
	const struct exec_file *program = &f->look->program;

	if (!program->exists || S_ISREG(program->mode))
		return false;
	return fault_say(f,
			 S_ISDIR(program->mode) ? "'%s' is a directory, not a program"
						: "'%s' is not a regular file",
			 f->look->path);
}

static bool fault_no_x(const struct fault *f)
{
	const struct exec_file *file = fault_binary(f->look);
	const struct exec_file *program = &f->look->program;

	file = program->mode & 0111 ? file : program;
	return file->exists && S_ISREG(file->mode) && !(file->mode & 0111) &&
	       fault_say(f,
			 "the file is not executable (mode %04o): add COPY --chmod=755 or RUN "
			 "chmod +x '%s'",
			 (unsigned)file->mode & 07777,
			 file == program ? f->look->path : f->look->interpreter);
}

static bool fault_noexec(const struct fault *f)
{
	const struct exec_file *file = fault_binary(f->look);
	bool own = f->look->program.mount_noexec;

	return (own || file->mount_noexec) &&
	       fault_say(f, "'%s' lies on a file system that is mounted noexec",
			 own ? f->look->path : fault_binary_name(f->look));
}

static bool fault_in_group(const struct user *u, gid_t gid)
{
	bool is = u->gid == gid;

	for (size_t i = 0; i < u->n_groups; i++)
		is |= u->groups[i] == gid;
	return is;
}

static bool fault_not_his(const struct fault *f)
{
	const struct exec_file *file = &f->look->program;
	const struct user *u = f->user;
	mode_t bit = u->uid == file->uid ? 0100 : fault_in_group(u, file->gid) ? 0010 : 0001;

	if (!file->exists || !u->uid)
		return false;
	if (!(file->mode & bit))
		return fault_say(f, "user %u may not run '%s' (mode %04o, owner %u:%u)", u->uid,
				 f->look->path, (unsigned)file->mode & 07777, file->uid, file->gid);
	return fault_say(f,
			 "user %u may not search a directory on the way to '%s': RUN chmod o+x it",
			 u->uid, f->look->path);
}

/* It is nothing that the kernel runs. */

static bool fault_machine(const struct fault *f)
{
	const struct exec_file *file = fault_binary(f->look);
	const char *machine;

	if (!exec_is_elf(file->head, file->n_head))
		return false;
	machine = exec_elf_machine(file->head, file->n_head);
	if (machine && !strcmp(machine, f->look->machine))
		return false;
	return fault_say(f, "'%s' is a program for %s, but this microVM is %s: build it for that",
			 fault_binary_name(f->look), machine ? machine : "another processor",
			 f->look->machine);
}

static bool fault_kind(const struct fault *f)
{
	return f->look->program.exists &&
	       fault_say(f, "'%s' %s", f->look->path,
			 exec_kind(f->look->program.head, f->look->program.n_head));
}

static bool fault_too_long(const struct fault *f)
{
	return fault_say(f, "its arguments and environment are too long");
}

// clang-format off
/* The first rule that applies to execve's error tells the cause. */
static const struct {
	int error;
	bool (*tell)(const struct fault *f);
} fault_rules[] = {
	{ ENOENT,  fault_words_in_one },
	{ ENOENT,  fault_variable },
	{ ENOENT,  fault_link },
	{ ENOENT,  fault_in_workdir },
	{ ENOENT,  fault_in_no_path },
	{ ENOENT,  fault_crlf },
	{ ENOENT,  fault_no_interpreter },
	{ ENOENT,  fault_no_loader },
	{ ENOENT,  fault_no_shell },
	{ ENOENT,  fault_absent },
	{ ENOTDIR, fault_absent },
	{ EACCES,  fault_not_regular },
	{ EACCES,  fault_no_x },
	{ EACCES,  fault_noexec },
	{ EACCES,  fault_not_his },
	{ ENOEXEC, fault_machine },
	{ ENOEXEC, fault_kind },
	{ E2BIG,   fault_too_long },
};
// clang-format on

void exec_fault(const struct exec_look *l, int error, const struct user *u, char *text, size_t room)
{
	struct fault f = { .look = l, .user = u, .error = error };
	size_t n;

	snprintf(text, room, "run '%s': %s: ", l->name, strerror(error));
	n = strlen(text);
	f.text = text + n;
	f.room = room - n;
	for (size_t i = 0; i < ARRAY_SIZE(fault_rules); i++)
		if (fault_rules[i].error == error && fault_rules[i].tell(&f))
			return;
	text[n - 2] = '\0';
}

/* `CMD ['a', 'b']` is no JSON, so that it is taken for the words of a shell. */
static bool hint_is_quoted_list(const struct app_spec *s)
{
	return s->n_argv > 2 && !strcmp(s->argv[1], "-c") &&
	       (!strncmp(s->argv[2], "['", 2) || !strncmp(s->argv[2], "[\"", 2));
}

bool exec_hint(const struct exec_look *l, const struct app_spec *s, char *text, size_t room)
{
	if (l->crlf)
		snprintf(text, room,
			 "'%s' has lines that end with a carriage return (CRLF, as Windows saves "
			 "them): save it with LF line ends",
			 l->crlf_name);
	else if (hint_is_quoted_list(s))
		snprintf(text, room,
			 "the command was not read as a list, but given to a shell: JSON needs "
			 "double quotes, [\"program\", \"argument\"]");
	else
		return false;
	return true;
}
