/* io.h - files below a directory that we hold, and whole reads and writes.
 *
 * Every path of a stranger is opened with io_open_below: openat2 with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, O_CLOEXEC. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* An owned descriptor, or -errno. */
int io_open_below(int dirfd, const char *path, int flags, mode_t mode) must_check;

/* All of it, or -errno; EINTR and short transfers are handled.  io_read_full answers -ENODATA at
 * an early end.  io_pread_full and io_pwrite_full likewise at an offset. */
int io_read_full(int fd, void *to, size_t size) must_check;
int io_write_full(int fd, const void *data, size_t size) must_check;
int io_pread_full(int fd, void *to, size_t size, off_t at) must_check;
int io_pwrite_full(int fd, const void *data, size_t size, off_t at) must_check;

/* Append the file to *b; -EFBIG if it is longer than @most. */
int io_read_all(int fd, struct buf *b, size_t most) must_check;

/* The data of @from (its holes stay holes) into @to, then the size set.  -errno. */
int io_copy_sparse(int from, int to) must_check;

/* Replace the file @name in @dirfd by these bytes: temporary name, fsync, rename, fsync of the
 * directory.  A crash leaves the old file or the new one. */
int io_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
	       struct err *e) must_check;

/* mkdir that is content with a directory that exists (not with a link); -errno. */
int io_mkdir(int dirfd, const char *name, mode_t mode) must_check;

/* Delete @name and all below it, following no link.  Missing is fine.  -errno. */
int io_remove_tree(int dirfd, const char *name) must_check;

/* One message on a socket, with the descriptor @pass unless that is -1; never a SIGPIPE.  The bytes
 * that were taken, or -errno. */
ssize_t io_send_fd(int sock, const void *data, size_t size, int pass, int flags) must_check;

int io_nonblock(int fd) must_check; /* -errno */

#endif
