#include "objects/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "objects/discard.h"

#define DRAFT_PIECE (128 * KIB) /* of a body */
#define COPY_READ   (1 * MIB)   /* of a copy that is summed */
#define COPY_PIECE  (64 * MIB)  /* that is copied at a time */

void draft_begin(struct draft *d, struct bucket *b)
{
	*d = (struct draft){ .bucket = bucket_ref(b), .fd = -1 };
	rand_uuid(d->data);
	b->busy++;
}

int draft_take(struct draft *d, const void *data, size_t size, struct err *e)
{
	if (size > LIMIT_S3_OBJECT - d->size)
		return err_set(e, ERR_INVALID, "Your proposed upload exceeds the maximum size.");
	buf_add(&d->taken, data, size);
	d->size += size;
	return 0;
}

bool draft_full(const struct draft *d)
{
	return d->taken.size >= DRAFT_PIECE;
}

void draft_change_over(struct draft *d)
{
	struct buf empty = d->writing;

	d->writing = d->taken;
	d->taken = empty;
	buf_clear(&d->taken);
}

void draft_keep(struct draft *d)
{
	if (!d->bucket)
		return;
	d->bucket->busy--;
	bucket_unref(d->bucket);
	d->bucket = NULL;
	buf_free(&d->taken);
	buf_free(&d->writing);
}

void draft_drop(struct store *s, struct draft *d)
{
	if (!d->bucket)
		return;
	/* Whichever of the two comes last frees the blocks, and a draft may be large. */
	discard_fd(s, STORE_BULK, &d->fd);
	if (d->made)
		discard_data(s, d->bucket, d->data);
	draft_keep(d);
}

void copying_begin(struct copying *c)
{
	c->summing = s3_sum_new(c->sum_kind); /* on the loop: its tables are made at first use */
}

void copying_free(struct store *s, struct copying *c)
{
	discard_fd(s, STORE_READS, &c->fd);
	s3_sum_free(c->summing, NULL);
	free(c->names);
	*c = (struct copying){ .fd = -1 };
}

/* The file is created when there is something to write. */
static int draft_make(struct draft *d)
{
	if (d->made)
		return 0;
	d->fd = io_open_below(d->bucket->data, d->data, O_RDWR | O_CREAT | O_EXCL, 0600);
	d->made = d->fd >= 0;
	return d->made ? 0 : d->fd;
}

int draft_write(struct draft *d)
{
	int rc = draft_make(d);

	if (!rc)
		rc = io_pwrite_full(d->fd, d->writing.data, d->writing.size, (off_t)d->written);
	if (!rc)
		d->written += d->writing.size;
	buf_clear(&d->writing);
	return rc;
}

int draft_sync(struct draft *d)
{
	int rc = draft_make(d);

	if (!rc && (fsync(d->fd) || fsync(d->bucket->data)))
		rc = -errno;
	fd_close(&d->fd);
	return rc;
}

static int copy_summed(int from, uint64_t at, uint64_t size, int to, uint64_t to_at,
		       struct s3_sum *sum)
{
	autofree uint8_t *piece = xmalloc(COPY_READ);

	while (size) {
		size_t n = size < COPY_READ ? (size_t)size : COPY_READ;
		int rc = io_pread_full(from, piece, n, (off_t)at);

		if (!rc)
			rc = io_pwrite_full(to, piece, n, (off_t)to_at);
		if (rc)
			return rc == -ENODATA ? -EIO : rc;
		s3_sum_add(sum, piece, n);
		at += n;
		to_at += n;
		size -= n;
	}
	return 0;
}

/* The kernel copies where it can: on some file systems both files then share their blocks. */
static int copy_plain(int from, uint64_t begin, uint64_t size, int to, uint64_t to_begin,
		      struct s3_sum *sum)
{
	off_t at = (off_t)begin, to_at = (off_t)to_begin;

	while (size) {
		ssize_t n = copy_file_range(from, &at, to, &to_at, (size_t)size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return copy_summed(from, (uint64_t)at, size, to, (uint64_t)to_at, sum);
		if (n <= 0)
			return n ? -errno : -EIO;
		size -= (uint64_t)n;
	}
	return 0;
}

/* Opens the next of the named files, if none is open.  1: there is one. */
static int copying_open(struct copying *c, int dir)
{
	struct stat st;

	if (c->fd >= 0)
		return 1;
	if (c->next == c->n)
		return 0;
	c->fd = io_open_below(dir, c->names[c->next++], O_RDONLY, 0);
	if (c->fd < 0)
		return c->fd;
	if (fstat(c->fd, &st))
		return -errno;
	c->at = 0;
	c->left = (uint64_t)st.st_size;
	return 1;
}

int draft_copy(struct draft *d, struct copying *c)
{
	int rc = copying_open(c, d->bucket->data);
	uint64_t size;

	if (rc <= 0)
		return rc;
	size = c->left < COPY_PIECE ? c->left : COPY_PIECE;
	rc = draft_make(d);
	if (!rc)
		rc = (c->sum_kind ? copy_summed : copy_plain)(c->fd, c->at, size, d->fd, d->written,
							      c->summing);
	if (rc)
		return rc;
	d->written += size;
	d->size = d->written;
	c->at += size;
	c->left -= size;
	if (!c->left)
		fd_close(&c->fd);
	return c->fd >= 0 || c->next < c->n;
}
