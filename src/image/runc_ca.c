#include "image/runc_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

#define STORE_MAX (16 * MIB)

/* Debian and Alpine; Amazon Linux and Red Hat. */
static const char *const places[] = {
	"etc/ssl/certs/ca-certificates.crt",
	"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
};

/* The image's links lead nowhere but into the image. */
static int store_open(const char *root, const char *place)
{
	struct open_how how = { .flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	autoclose int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, place, &how, sizeof(how));
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Gives the file this content, and leaves its times. */
static int store_write(int fd, const struct buf *text, struct err *e)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, "look at a store of certificates");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (ftruncate(fd, 0) || io_pwrite_full(fd, text->data, text->size, 0) ||
	    futimens(fd, times))
		return err_sys(e, "write a store of certificates");
	return 0;
}

static int file_read(int dir, const char *name, struct buf *to)
{
	autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : io_read_all(fd, to, STORE_MAX);
}

/* What a store holds while the container lives. */
static void store_compose(const struct buf *was, const struct buf *site, struct buf *to)
{
	buf_add(to, was->data, was->size);
	buf_adds(to, "\n");
	buf_add(to, site->data, site->size);
}

/* The names of what is kept while the container lives. */
static char *kept_name(const char *name, size_t place)
{
	return xasprintf("ca-%.80s-%zu", name, place);
}

/* The composed file is written in place, because it is bound into the container. */
static int composed_write(int dir, const struct buf *text, struct err *e)
{
	autoclose int fd = openat(dir, RUNC_CA_FILE,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || io_write_full(fd, text->data, text->size))
		return err_sys(e, "write '" RUNC_CA_FILE "'");
	return 0;
}

static int store_put(int dir, const char *root, const char *name, size_t place,
		     const struct buf *site, struct buf *composed, struct err *e)
{
	autofree char *kept = kept_name(name, place);
	autobuf struct buf was = { 0 }, now = { 0 };
	autoclose int fd = store_open(root, places[place]);

	if (fd < 0 || io_read_all(fd, &was, STORE_MAX))
		return 0; /* there is none, or it is no store */
	store_compose(&was, site, &now);
	if (!composed->size)
		buf_add(composed, now.data, now.size);
	if (io_replace(dir, kept, was.data, was.size, 0600, e))
		return -1;
	return store_write(fd, &now, e);
}

int runc_ca_put(int dir, const char *root, const char *name, struct err *e)
{
	autobuf struct buf site = { 0 }, composed = { 0 };
	autofree char *kept = xasprintf("ca-%.80s", name);

	if (file_read(dir, "site.crt", &site))
		return err_set(e, ERR_INTERNAL, "the site's certificates cannot be read");
	if (io_replace(dir, kept, root, strlen(root), 0600, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (store_put(dir, root, name, i, &site, &composed, e))
			return -1;
	return composed_write(dir, composed.size ? &composed : &site, e);
}

/* A step may have replaced the store, which is then the image's, or added to it. */
static int store_take(int dir, const char *root, const char *name, size_t place,
		      const struct buf *site, struct err *e)
{
	autofree char *kept = kept_name(name, place);
	autobuf struct buf was = { 0 }, ours = { 0 }, now = { 0 };
	autoclose int fd = -1;

	if (file_read(dir, kept, &was))
		return 0;
	unlinkat(dir, kept, 0);
	fd = store_open(root, places[place]);
	store_compose(&was, site, &ours);
	if (fd < 0 || io_read_all(fd, &now, 2 * STORE_MAX) || now.size < ours.size ||
	    memcmp(now.data, ours.data, ours.size) != 0)
		return 0;
	buf_add(&was, now.data + ours.size, now.size - ours.size);
	return store_write(fd, &was, e);
}

int runc_ca_take(int dir, const char *name, struct err *e)
{
	autobuf struct buf site = { 0 }, root = { 0 };
	autofree char *kept = xasprintf("ca-%.80s", name);

	if (file_read(dir, kept, &root))
		return 0;
	if (file_read(dir, "site.crt", &site))
		return err_set(e, ERR_INTERNAL, "the site's certificates cannot be read");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (store_take(dir, buf_str(&root), name, i, &site, e))
			return -1;
	unlinkat(dir, kept, 0);
	return 0;
}
