#include "objects/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define DRAFT_PIECE (1 * MIB)
#define DRAFT_RANGE (64 * MIB)

int draft_begin(struct draft *d, struct bucket *b, struct err *e)
{
	*d = (struct draft){ .bucket = b, .fd = -1 };
	rand_uuid(d->data);
	d->fd = io_open_below(b->data, d->data, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (d->fd < 0)
		return store_fail(e, -d->fd, "make a file for the object");
	b->busy++;
	return 0;
}

int draft_write(struct draft *d, const void *data, size_t size, struct err *e)
{
	int rc;

	if (size > LIMIT_S3_OBJECT - d->size)
		return err_set(e, ERR_INVALID, "Your proposed upload exceeds the maximum size.");
	rc = io_write_full(d->fd, data, size);
	if (rc)
		return store_fail(e, -rc, "write the object");
	d->size += size;
	return 0;
}

void draft_keep(struct draft *d)
{
	if (d->fd < 0)
		return;
	fd_close(&d->fd);
	d->bucket->busy--;
}

void draft_drop(struct draft *d)
{
	if (d->fd < 0)
		return;
	bucket_unlink_data(d->bucket, d->data);
	draft_keep(d);
}

static int draft_copy_summed(int from, uint64_t at, uint64_t left, int to, struct s3_sum *sum)
{
	autofree uint8_t *piece = xmalloc(DRAFT_PIECE);

	while (left) {
		size_t want = left < DRAFT_PIECE ? (size_t)left : DRAFT_PIECE;
		ssize_t n = pread(from, piece, want, (off_t)at);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		s3_sum_add(sum, piece, (size_t)n);
		rc = io_write_full(to, piece, (size_t)n);
		if (rc)
			return rc;
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

/* By the kernel, where it can: no byte comes through here, on some file systems none is copied. */
static int draft_copy_plain(int from, uint64_t begin, uint64_t left, int to, struct s3_sum *sum)
{
	off_t at = (off_t)begin;

	while (left) {
		ssize_t n = copy_file_range(from, &at, to, NULL,
					    left < DRAFT_RANGE ? (size_t)left : DRAFT_RANGE, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return draft_copy_summed(from, (uint64_t)at, left, to, sum);
		if (n <= 0)
			return n ? -errno : -EIO;
		left -= (uint64_t)n;
	}
	return 0;
}

static int draft_copy(struct draft_job *j, int from, uint64_t at, uint64_t left)
{
	if (j->sum_kind == S3_SUM_NONE)
		return draft_copy_plain(from, at, left, j->draft->fd, j->summing);
	return draft_copy_summed(from, at, left, j->draft->fd, j->summing);
}

static int draft_copy_file(struct draft_job *j, const char *name)
{
	autoclose int fd = bucket_open_data(j->draft->bucket, name);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	return draft_copy(j, fd, 0, (uint64_t)st.st_size);
}

static void draft_work(uv_work_t *work)
{
	struct draft_job *j = container_of(work, struct draft_job, work);

	if (j->source >= 0)
		j->rc = draft_copy(j, j->source, j->at, j->left);
	for (size_t i = 0; i < j->n && !j->rc; i++)
		j->rc = draft_copy_file(j, j->names[i]);
	if (!j->rc && (fsync(j->draft->fd) || fsync(j->draft->bucket->data)))
		j->rc = -errno;
}

static void draft_worked(uv_work_t *work, int status)
{
	struct draft_job *j = container_of(work, struct draft_job, work);
	struct stat st;

	if (status && !j->rc)
		j->rc = -ECANCELED;
	if (!j->rc && !fstat(j->draft->fd, &st))
		j->draft->size = (uint64_t)st.st_size;
	fd_close(&j->source);
	s3_sum_free(j->summing, j->sum);
	free(j->names);
	j->names = NULL;
	j->done(j);
}

void draft_start(uv_loop_t *loop, struct draft_job *j)
{
	j->rc = 0;
	j->summing = s3_sum_new(j->sum_kind); /* here: its tables are made at first use */
	if (uv_queue_work(loop, &j->work, draft_work, draft_worked))
		abort(); /* only a NULL function makes it fail */
}
