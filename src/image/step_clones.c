/* Dresses a base of ours so that clones of one snapshot draw different secrets (docs/clones.md). */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

#define CLONES_CONF     "etc/ssl/openssl.cnf"
#define CLONES_CONF_MAX MIB
#define CLONES_INCLUDE  "\n.include /usr/lib/doze/openssl.cnf\n"

/* src/provider says what each of them does. */
static const char *const clones_files[] = { "rand.so", "openssl.cnf", "node.cjs" };

static int clones_directory(const char *root, const char *name, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", root, name);

	return mkdir(path, 0755) && errno != EEXIST ? err_sys(e, "make '%s'", path) : 0;
}

static int clones_copy(const struct step *s, const char *root, const char *name, struct err *e)
{
	autofree char *from = xasprintf("%s/front/%s", s->libexec, name);
	autofree char *to = xasprintf("%s/usr/lib/doze/%s", root, name);
	autoclose int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	autobuf struct buf data = { 0 };

	if (in < 0 || io_read_all(in, &data, MIB))
		return err_sys(e, "read '%s'", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || io_write_full(out, data.data, data.size))
		return err_sys(e, "write '%s'", to);
	return 0;
}

/* The library looks at usr/lib/ssl, and the programs that bring their own OpenSSL at etc/ssl.  A
 * base without the package openssl has neither. */
static int clones_configure(const char *root, struct err *e)
{
	autofree char *path = xasprintf("%s/" CLONES_CONF, root);
	autofree char *link = xasprintf("%s/usr/lib/ssl/openssl.cnf", root);
	autobuf struct buf text = { 0 };
	autoclose int fd = -1;

	if (clones_directory(root, "etc/ssl", e) || clones_directory(root, "usr/lib/ssl", e))
		return -1;
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || io_read_all(fd, &text, CLONES_CONF_MAX))
		return err_sys(e, "read '%s'", path);
	if (!strstr(buf_str(&text), CLONES_INCLUDE) &&
	    io_write_full(fd, CLONES_INCLUDE, strlen(CLONES_INCLUDE)))
		return err_sys(e, "write '%s'", path);
	if (symlink("/" CLONES_CONF, link) && errno != EEXIST)
		return err_sys(e, "make '%s'", link);
	return 0;
}

int step_clones(struct step *s, const char *root, struct err *e)
{
	if (clones_directory(root, "usr/lib/doze", e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(clones_files); i++)
		if (clones_copy(s, root, clones_files[i], e))
			return -1;
	return clones_configure(root, e);
}
