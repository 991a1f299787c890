#include "control/api/credentials_outside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/steady.h"
#include "control/api/credentials_read.h"
#include "control/channels/priv.h"

#define CREDENTIALS_LAST_S 3300 /* where nothing says how long: looked at again before that */

/* static: a file.  It is read anew each time, so whoever renews it needs no restart. */

static void credentials_give_text(struct control *ctl, const char *microvm, const char *text,
				  size_t size, const char *from, credentials_given *given)
{
	int64_t fallback_ms = steady_ms() + 1000 * (int64_t)CREDENTIALS_LAST_S;
	struct credentials_text read;
	struct credentials c;
	struct err e;

	if (credentials_read(text, size, &read, &e)) {
		err_wrap(&e, "%s", from);
		given(ctl, microvm, NULL, &e);
		return;
	}
	c = (struct credentials){ read.key, read.secret, read.token,
				  read.expires_ms ? steady_of_wall(read.expires_ms) : fallback_ms,
				  NULL };
	if (c.expires_ms <= steady_ms()) {
		err_set(&e, ERR_INVALID, "%s: they have expired", from);
		given(ctl, microvm, NULL, &e);
	} else {
		given(ctl, microvm, &c, NULL);
	}
	credentials_text_free(&read);
}

static int credentials_read_file(const char *path, struct buf *text, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		return err_set(e, ERR_INVALID,
			       "'%s' may be read by others: it must be a file of the user "
			       "doze-control with the mode 0600",
			       path);
	rc = io_read_all(fd, text, CREDENTIALS_MOST);
	return rc ? err_set(e, ERR_INVALID, "read '%s': %s", path, strerror(-rc)) : 0;
}

void credentials_of_file(struct control *ctl, const struct iam_role *role, const struct microvm *vm,
			 credentials_given *given)
{
	const char *path = role->conf->credentials_file;
	autobuf struct buf text = { .secret = true };
	struct err e;

	if (credentials_read_file(path, &text, &e))
		given(ctl, vm->id, NULL, &e);
	else
		credentials_give_text(ctl, vm->id, buf_str(&text), text.size, path, given);
}

/* process: a program that priv runs. */

struct credentials_program {
	struct list in;
	struct control *ctl;
	const struct iam_role *role;
	int fd; /* of what it prints; owned */
	struct credentials_asked {
		char microvm[MICROVM_ID_SIZE];
		credentials_given *given;
	} * asked;
	size_t n;
};

static void credentials_program_free(struct credentials_program *p)
{
	list_del(&p->in);
	fd_close(&p->fd);
	free(p->asked);
	free(p);
}

/* The file has its full size from the start, and zeros where nothing was printed. */
static int credentials_printed(const struct credentials_program *p, struct buf *text, struct err *e)
{
	ssize_t n;

	buf_reserve(text, CREDENTIALS_MOST);
	n = pread(p->fd, text->data, CREDENTIALS_MOST, 0);
	if (n < 0)
		return err_sys(e, "read what a program printed");
	text->size = strnlen((const char *)text->data, (size_t)n);
	return 0;
}

static void credentials_program_ended(void *arg, int rc, const struct err *e)
{
	struct credentials_program *p = arg;
	autobuf struct buf text = { .secret = true };
	struct err failure;

	/* Whoever is given some may ask again at once, for another program. */
	list_del(&p->in);
	list_init(&p->in);
	if (rc)
		failure = *e;
	else
		rc = credentials_printed(p, &text, &failure);
	for (size_t i = 0; i < p->n; i++) {
		const struct credentials_asked *a = &p->asked[i];

		if (rc)
			a->given(p->ctl, a->microvm, NULL, &failure);
		else
			credentials_give_text(p->ctl, a->microvm, buf_str(&text), text.size,
					      p->role->conf->credentials_process, a->given);
	}
	credentials_program_free(p);
}

/* Nobody can make the file larger, so a program cannot fill the host's memory with it. */
static int credentials_paper(struct err *e)
{
	autoclose int fd = memfd_create("credentials", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, CREDENTIALS_MOST) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return err_sys(e, "make a file for credentials");
	return fd_steal(&fd);
}

static struct credentials_program *credentials_program_of(struct control *ctl,
							  const struct iam_role *role)
{
	list_each(p, &ctl->api->programs, struct credentials_program, in)
	{
		if (p->role == role)
			return p;
	}
	return NULL;
}

void credentials_of_program(struct control *ctl, const struct iam_role *role,
			    const struct microvm *vm, credentials_given *given)
{
	struct credentials_program *p = credentials_program_of(ctl, role);
	bool starts = !p;
	struct err e;
	int fd;

	if (starts) {
		fd = credentials_paper(&e);
		if (fd < 0) {
			given(ctl, vm->id, NULL, &e);
			return;
		}
		p = xcalloc(1, sizeof(*p));
		p->ctl = ctl;
		p->role = role;
		p->fd = fd;
		list_add(&ctl->api->programs, &p->in);
	}
	p->asked = xrealloc(p->asked, (p->n + 1) * sizeof(*p->asked));
	p->asked[p->n].given = given;
	memcpy(p->asked[p->n++].microvm, vm->id, sizeof(vm->id));
	if (starts)
		priv_credentials(ctl, role->name, p->fd, credentials_program_ended, p);
}

void credentials_forget_programs(struct control *ctl)
{
	list_each(p, &ctl->api->programs, struct credentials_program, in)
	{
		credentials_program_free(p);
	}
}
