#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int io_open_below(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int io_read_full(int fd, void *to, size_t size)
{
	uint8_t *at = to;

	while (size) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_write_full(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_pread_full(int fd, void *to, size_t size, off_t at)
{
	uint8_t *p = to;

	while (size) {
		ssize_t n = pread(fd, p, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_pwrite_full(int fd, const void *data, size_t size, off_t at)
{
	const uint8_t *from = data;

	while (size) {
		ssize_t n = pwrite(fd, from, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_read_all(int fd, struct buf *b, size_t most)
{
	size_t begin = b->size;

	for (;;) {
		ssize_t n;

		buf_reserve(b, 16 * KIB);
		n = read(fd, b->data + b->size, 16 * KIB);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		b->size += (size_t)n;
		if (b->size - begin > most)
			return -EFBIG;
	}
}

static int io_copy_run(int from, int to, off_t at, off_t end)
{
	static const size_t piece = 1 * MIB;
	autofree uint8_t *bounce = xmalloc(piece);

	while (at < end) {
		size_t want = (size_t)(end - at) < piece ? (size_t)(end - at) : piece;
		ssize_t n = pread(from, bounce, want, at);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0; /* the file was truncated meanwhile */
		rc = io_pwrite_full(to, bounce, (size_t)n, at);
		if (rc)
			return rc;
		at += n;
	}
	return 0;
}

int io_copy_sparse(int from, int to)
{
	struct stat st;
	off_t at = 0;

	if (fstat(from, &st))
		return -errno;
	while (at < st.st_size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			break; /* only a hole is left */
		if (data < 0)
			return -errno;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		rc = io_copy_run(from, to, data, hole);
		if (rc)
			return rc;
		at = hole;
	}
	return ftruncate(to, st.st_size) ? -errno : 0;
}

int io_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
	       struct err *e)
{
	autofree char *draft = xasprintf(".%s.new", name);
	autoclose int fd = -1;
	int rc;

	unlinkat(dirfd, draft, 0); /* a crash may have left one */
	fd = io_open_below(dirfd, draft, O_WRONLY | O_CREAT | O_EXCL, mode);
	errno = -fd;
	if (fd < 0)
		return err_sys(e, "create '%s'", draft);
	rc = io_write_full(fd, data, size);
	errno = -rc;
	if (rc || fsync(fd)) {
		err_sys(e, "write '%s'", draft);
		unlinkat(dirfd, draft, 0);
		return -1;
	}
	if (renameat(dirfd, draft, dirfd, name) || fsync(dirfd))
		return err_sys(e, "replace '%s'", name);
	return 0;
}

int io_mkdir(int dirfd, const char *name, mode_t mode)
{
	struct stat st;

	if (!mkdirat(dirfd, name, mode))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* The number of descriptors bounds the depth. The trees that we delete are in our own data
 * directory. */
static int io_remove_below(int dirfd) /* takes over dirfd */
{
	DIR *dir = fdopendir(dirfd);
	struct dirent *entry;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		close(dirfd);
		return rc;
	}
	while (!rc && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = io_remove_tree(dirfd, entry->d_name);
	closedir(dir);
	return rc;
}

int io_remove_tree(int dirfd, const char *name)
{
	int fd, rc;

	if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = io_remove_below(fd);
	if (rc)
		return rc;
	return unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

ssize_t io_send_fd(int sock, const void *data, size_t size, int pass, int flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size }; /* sendmsg only reads it */
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (pass >= 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int io_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}
