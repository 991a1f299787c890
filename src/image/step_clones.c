/* Dresses a base of ours so that clones of one snapshot draw different secrets (docs/clones.md). */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

#define CLONES_FILES    "usr/lib/doze/"
#define CLONES_CONF     "etc/ssl/openssl.cnf"
#define CLONES_CONF_MAX MIB
#define CLONES_INCLUDE  "\n.include /usr/lib/doze/openssl.cnf\n"

/* src/provider says what each of them does. */
static const char *const clones_files[] = { "rand.so", "openssl.cnf", "node.cjs" };

/* Where an OpenSSL looks, besides CLONES_CONF: the library of Debian's, which finds nothing here if
 * the base lacks the package openssl, and the one that Python's `cryptography` brings. */
static const char *const clones_links[] = { "usr/lib/ssl/openssl.cnf",
					    "opt/pyca/cryptography/openssl/openssl.cnf" };

/* Makes the directories that lead to the file. */
static int clones_parents(const char *root, const char *file, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", root, file);

	for (char *at = strchr(path + strlen(root) + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return err_sys(e, "make '%s'", path);
		*at = '/';
	}
	return 0;
}

static int clones_link(const char *root, const char *name, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", root, name);

	if (clones_parents(root, name, e))
		return -1;
	return symlink("/" CLONES_CONF, path) && errno != EEXIST ? err_sys(e, "make '%s'", path)
								 : 0;
}

static int clones_read(const struct step *s, const char *name, struct buf *data, struct err *e)
{
	autofree char *from = xasprintf("%s/front/%s", s->libexec, name);
	autoclose int in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0 || io_read_all(in, data, MIB))
		return err_sys(e, "read '%s'", from);
	return 0;
}

static int clones_copy(const struct step *s, const char *root, const char *name, struct err *e)
{
	autofree char *to = xasprintf("%s/" CLONES_FILES "%s", root, name);
	autobuf struct buf data = { 0 };
	autoclose int out = -1;

	if (clones_read(s, name, &data, e))
		return -1;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || io_write_full(out, data.data, data.size))
		return err_sys(e, "write '%s'", to);
	return 0;
}

static int clones_configure(const char *root, struct err *e)
{
	autofree char *path = xasprintf("%s/" CLONES_CONF, root);
	autobuf struct buf text = { 0 };
	autoclose int fd = -1;

	if (clones_parents(root, CLONES_CONF, e))
		return -1;
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || io_read_all(fd, &text, CLONES_CONF_MAX))
		return err_sys(e, "read '%s'", path);
	if (!strstr(buf_str(&text), CLONES_INCLUDE) &&
	    io_write_full(fd, CLONES_INCLUDE, strlen(CLONES_INCLUDE)))
		return err_sys(e, "write '%s'", path);
	return 0;
}

int step_clones(struct step *s, const char *root, struct err *e)
{
	if (clones_parents(root, CLONES_FILES, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(clones_files); i++)
		if (clones_copy(s, root, clones_files[i], e))
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(clones_links); i++)
		if (clones_link(root, clones_links[i], e))
			return -1;
	return clones_configure(root, e);
}

int step_clones_text(const struct step *s, struct buf *to, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(clones_files); i++) {
		buf_addf(to, "%s\n", clones_files[i]);
		if (clones_read(s, clones_files[i], to, e))
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(clones_links); i++)
		buf_addf(to, "%s\n", clones_links[i]);
	return 0;
}
