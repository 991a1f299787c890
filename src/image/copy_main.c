/* copy_main.c - doze-copy [--chown=USER[:GROUP]] [--chmod=MODE] [--parents] [--own] [--look]
 * [--exclude=PATTERN]... -- SOURCE... TARGET */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "image/copy.h"

static int copy_option(struct copy *c, const char *arg, struct buf *exclude, struct err *e)
{
	if (!strncmp(arg, "--chown=", 8))
		return copy_owner(c, arg + 8, e);
	if (!strncmp(arg, "--exclude=", 10)) {
		buf_addf(exclude, "%s\n", arg + 10);
		return 0;
	}
	if (!strncmp(arg, "--chmod=", 8)) {
		c->chmod = arg + 8;
		return copy_mode_valid(c->chmod)
			       ? 0
			       : err_set(e, ERR_INVALID, "'%s' is no mode", c->chmod);
	}
	if (!strcmp(arg, "--parents")) {
		c->parents = true;
		return 0;
	}
	if (!strcmp(arg, "--look")) {
		c->look = true;
		return 0;
	}
	if (strcmp(arg, "--own") != 0)
		return err_set(e, ERR_INVALID, "'%s' is not known", arg);
	c->uid = c->uid == COPY_KEEP ? 0 : c->uid;
	c->gid = c->gid == COPY_KEEP ? 0 : c->gid;
	return 0;
}

int main(int argc, char **argv)
{
	struct copy c = { .uid = COPY_KEEP, .gid = COPY_KEEP };
	autobuf struct buf exclude = { 0 };
	struct err e = { 0 };
	int i = 1, rc = 0;

	if (argc < 2)
		return 0; /* what had to run has run */
	umask(022);
	for (; !rc && i < argc && strcmp(argv[i], "--") != 0; i++)
		rc = copy_option(&c, argv[i], &exclude, &e);
	if (!rc && i + 2 >= argc)
		rc = err_set(&e, ERR_INVALID, "a source or the destination is missing");
	if (exclude.size)
		c.exclude = ignore_parse((const char *)exclude.data, exclude.size);
	c.target = argv[argc - 1];
	for (i++; !rc && i < argc - 1; i++)
		rc = copy_source(&c, argv[i], &e);
	ignore_free(c.exclude);
	if (rc)
		fprintf(stderr, "COPY: %s\n", e.text);
	return rc ? 1 : 0;
}
