/* doze-build-runc - runc for the containers of a build, with variables and certificates that no
 * image keeps.
 *
 * The builder can give RUN a variable only by writing it into the image. This program stands
 * between the builder and runc. It adds the lines of DOZE_RUN_ENV ("KEY=value") to the process of
 * the container, except for keys that have a value there, and becomes runc. It edits the text of
 * config.json rather than its values, because that holds numbers that only runc has to understand.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "image/runc_ca.h"

#define RUNC_CONFIG (16 * MIB)

/* Where the string's text ends, at its closing quote. */
static const char *runc_string_end(const char *at)
{
	while (*at && *at != '"')
		at += *at == '\\' && at[1] ? 2 : 1;
	return at;
}

/* Whether one of the array's strings begins with the line's key. @at is behind the bracket. */
static bool runc_has(const char *at, const char *line)
{
	size_t key = strcspn(line, "=") + 1;

	while (*at && *at != ']') {
		if (*at++ != '"')
			continue;
		if (!strncmp(at, line, key))
			return true;
		at = runc_string_end(at);
		at += *at == '"';
	}
	return false;
}

/* Copies @config to @to with the lines in the first array "env", which is that of the process: in a
 * text of the user's the quotes would have backslashes. */
static void runc_add(const char *config, const char *lines, struct buf *to)
{
	static const char name[] = "\"env\":[";
	const char *array = strstr(config, name);

	if (!array) {
		buf_adds(to, config);
		return;
	}
	array += sizeof(name) - 1;
	buf_add(to, config, (size_t)(array - config));
	for (const char *next; *lines; lines = next) {
		size_t n = strcspn(lines, "\n");
		autofree char *line = xasprintf("%.*s", (int)n, lines);

		next = lines + n + (lines[n] == '\n');
		if (strchr(line, '=') && !strpbrk(line, "\"\\") && !runc_has(array, line))
			buf_addf(to, "\"%s\",", line);
	}
	if (*array == ']' && to->data[to->size - 1] == ',')
		to->size--; /* there is nothing behind the last of ours */
	buf_adds(to, array);
}

/* The path of the container's root, as the configuration names it. */
static char *runc_root(const char *config)
{
	static const char name[] = "\"root\":{\"path\":\"";
	const char *at = strstr(config, name);

	if (!at)
		return NULL;
	at += sizeof(name) - 1;
	return xasprintf("%.*s", (int)(runc_string_end(at) - at), at);
}

static int runc_create(const char *bundle, const char *name, struct err *e)
{
	const char *lines = getenv("DOZE_RUN_ENV"), *place = getenv("DOZE_RUN_CA");
	autobuf struct buf config = { 0 }, edited = { 0 };
	autoclose int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, ca = -1;
	autofree char *root = NULL;

	if (dir < 0)
		return err_sys(e, "open '%s'", bundle);
	fd = openat(dir, "config.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || io_read_all(fd, &config, RUNC_CONFIG))
		return err_sys(e, "read the container's configuration");
	runc_add(buf_str(&config), lines ? lines : "", &edited);
	if (io_replace(dir, "config.json", edited.data, edited.size, 0600, e))
		return -1;
	root = runc_root(buf_str(&config));
	if (!place || !root)
		return 0;
	ca = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fchdir(dir) || ca < 0) /* the root may be relative to the bundle */
		return err_sys(e, "open '%s'", place);
	return runc_ca_put(ca, root, name, e);
}

static int runc_delete(const char *name, struct err *e)
{
	const char *place = getenv("DOZE_RUN_CA");
	autoclose int ca = place ? open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return ca < 0 ? 0 : runc_ca_take(ca, name, e);
}

int main(int argc, char **argv)
{
	const char *bundle = NULL, *name = argc > 1 ? argv[argc - 1] : "";
	bool ends = false;
	struct err e;

	for (int i = 1; i + 1 < argc; i++) {
		ends = ends || !strcmp(argv[i], "delete");
		if (!strcmp(argv[i], "--bundle") || !strcmp(argv[i], "-b"))
			bundle = argv[i + 1];
	}
	if ((bundle && runc_create(bundle, name, &e)) || (ends && runc_delete(name, &e))) {
		fprintf(stderr, "doze: %s\n", e.text);
		return 1;
	}
	argv[0] = (char[]){ "runc" };
	execvp("runc", argv);
	fprintf(stderr, "doze: runc: %s\n", strerrordesc_np(errno));
	return 127;
}
