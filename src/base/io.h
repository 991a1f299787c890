/* io.h - files below a directory that we hold, and whole reads and writes.
 *
 * Every path that comes from a stranger is opened with io_open_below: openat2 with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, O_CLOEXEC. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* An owned descriptor, or -errno. */
int io_open_below(int dirfd, const char *path, int flags, mode_t mode) must_check;

/* These transfer all @size bytes and return 0, or -errno; they handle EINTR and short transfers.
 * The reading ones return -ENODATA if the file ends early. */
int io_read_full(int fd, void *to, size_t size) must_check;
int io_write_full(int fd, const void *data, size_t size) must_check;
int io_pread_full(int fd, void *to, size_t size, off_t at) must_check;
int io_pwrite_full(int fd, const void *data, size_t size, off_t at) must_check;

/* Appends the rest of the file to *b; -EFBIG if that is more than @most bytes. */
int io_read_all(int fd, struct buf *b, size_t most) must_check;

/* Copies the data of @from into @to, keeps its holes, and sets the size. 0 or -errno. */
int io_copy_sparse(int from, int to) must_check;

/* Replaces the file @name in @dirfd by these bytes. A crash leaves either the old file or the new
 * one, because the bytes are written and synced under a temporary name before the rename. */
int io_replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
	       struct err *e) must_check;

/* Makes a directory, or accepts the one that exists (but no link to one). 0 or -errno. */
int io_mkdir(int dirfd, const char *name, mode_t mode) must_check;

/* Deletes @name and everything below it without following links. It is no error if nothing is
 * there. 0 or -errno. */
int io_remove_tree(int dirfd, const char *name) must_check;

/* Sends one message on a socket, with the descriptor @pass unless that is -1, and never raises
 * SIGPIPE. Returns how many bytes were taken, or -errno. */
ssize_t io_send_fd(int sock, const void *data, size_t size, int pass, int flags) must_check;

int io_nonblock(int fd) must_check; /* -errno */

#endif
