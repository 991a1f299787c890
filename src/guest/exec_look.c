#include "guest/exec_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest/exec_head.h"

#define LOOK_WORDS 4 /* of the command line, which may name a script */

static void look_text(char *to, size_t room, const char *text)
{
	snprintf(to, room, "%s", text);
}

static ssize_t look_head(int fd, uint8_t *head, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = pread(fd, head + n, room - n, (off_t)n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static void look_file(const char *path, struct exec_file *f)
{
	struct statvfs fs;
	struct stat st;
	int fd;

	*f = (struct exec_file){ 0 };
	if (stat(path, &st))
		return;
	f->exists = true;
	f->mode = st.st_mode;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	f->mount_noexec = !statvfs(path, &fs) && fs.f_flag & ST_NOEXEC;
	if (!S_ISREG(st.st_mode))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	f->n_head = (size_t)look_head(fd, f->head, sizeof(f->head));
	close(fd);
}

static bool look_may_run(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* The first of PATH that can be run counts, or else the first of that name. */
static void look_in_path(struct exec_look *l)
{
	const char *at = l->path_list;

	while (*at) {
		char path[EXEC_NAME];
		size_t len = strcspn(at, ":");
		bool any;

		snprintf(path, sizeof(path), "%.*s%s%s", (int)len, at, len ? "/" : "", l->name);
		any = !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
		if (any && (!*l->path || look_may_run(path)))
			look_text(l->path, sizeof(l->path), path);
		if (any && look_may_run(path))
			return;
		at += len + (at[len] ? 1 : 0);
	}
	l->in_workdir = !*l->path && !access(l->name, F_OK);
}

/* An ELF program names the loader of its C library. */
static void look_loader(struct exec_look *l, const char *path, const struct exec_file *f)
{
	static const char *const others[] = {
		"/lib/ld-musl-x86_64.so.1",
		"/lib/ld-musl-aarch64.so.1",
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/ld-linux-aarch64.so.1",
	};
	uint64_t at, size;
	int fd;

	if (!exec_elf_loader(f->head, f->n_head, &at, &size) || size >= sizeof(l->loader))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pread(fd, l->loader, size, (off_t)at) != (ssize_t)size)
		*l->loader = '\0';
	close(fd);
	l->has_loader = !access(l->loader, F_OK);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], l->loader) != 0 && !access(others[i], F_OK))
			look_text(l->other_loader, sizeof(l->other_loader), others[i]);
}

static void look_program(struct exec_look *l)
{
	ssize_t n;

	look_file(l->path, &l->program);
	if (!l->program.exists) {
		n = readlink(l->path, l->link, sizeof(l->link) - 1);
		l->link[n < 0 ? 0 : n] = '\0';
		return;
	}
	if (exec_interpreter(l->program.head, l->program.n_head, l->interpreter,
			     sizeof(l->interpreter))) {
		look_file(l->interpreter, &l->interpreted_by);
		look_loader(l, l->interpreter, &l->interpreted_by);
	} else {
		look_loader(l, l->path, &l->program);
	}
}

static void look_for_crlf(struct exec_look *l, const char *path)
{
	static struct exec_file f;

	look_file(path, &f);
	if (!exec_is_crlf(f.head, f.n_head) || l->crlf)
		return;
	l->crlf = true;
	look_text(l->crlf_name, sizeof(l->crlf_name), path);
}

void exec_look(const struct app_spec *s, struct exec_look *l)
{
	struct utsname kernel;

	*l = (struct exec_look){ .name = s->argv[0], .workdir = s->workdir };
	uname(&kernel);
	look_text(l->machine, sizeof(l->machine), kernel.machine);
	if (strchr(l->name, '/')) {
		look_text(l->path, sizeof(l->path), l->name);
	} else {
		l->path_list = spec_env(s, "PATH");
		if (l->path_list)
			look_in_path(l);
	}
	if (*l->path)
		look_program(l);
	if (*l->path)
		look_for_crlf(l, l->path);
	for (size_t i = 1; i < s->n_argv && i < LOOK_WORDS; i++)
		look_for_crlf(l, s->argv[i]);
}
