#include "vmm/dev/cow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "vmm/virtio/queue.h"

#define COPY_SIZE (16 * DISK_DELTA_BLOCK)

typedef ssize_t cow_io(int fd, const struct iovec *iov, int n, off_t at);

int cow_open(struct cow *c, int root, const int *layers, unsigned n_layers, struct err *e)
{
	struct stat st;

	assert(n_layers && n_layers <= COW_LAYERS);
	c->root_fd = -1;
	c->n_layers = 0;
	if (fstat(root, &st))
		return err_sys(e, "look at the disk");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % DISK_DELTA_BLOCK)
		return err_set(e, ERR_INVALID, "the disk is not a file of whole blocks of 4 KiB");
	c->size = (uint64_t)st.st_size;
	for (unsigned i = 0; i < n_layers; i++)
		if (disk_delta_open(&c->layer[i], layers[i], c->size, e))
			return -1;
	c->root_fd = root;
	c->n_layers = n_layers;
	return 0;
}

void cow_close(struct cow *c)
{
	for (unsigned i = 0; i < c->n_layers; i++)
		disk_delta_close(&c->layer[i]);
	c->n_layers = 0;
	fd_close(&c->root_fd);
}

/* Move @size bytes between the front of the span and a file.  An early end is an error, because all
 * files have their full size. */
static int cow_move(cow_io *io, int fd, uint64_t at, struct span *s, size_t size)
{
	while (size) {
		size_t sum = 0, cut;
		unsigned n = 0;
		ssize_t done;

		while (sum < size)
			sum += s->at[n++].iov_len;
		cut = sum - size;
		s->at[n - 1].iov_len -= cut;
		done = io(fd, s->at, (int)n, (off_t)at);
		s->at[n - 1].iov_len += cut;
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		span_skip(s, (size_t)done);
		at += (uint64_t)done;
		size -= (size_t)done;
	}
	return 0;
}

/* Find the layer of the first of @n blocks, and how many of them it holds in a row. */
static int64_t cow_find(struct cow *c, uint64_t block, uint64_t n, int *fd, uint64_t *at)
{
	for (unsigned i = 0; i < c->n_layers; i++) {
		struct disk_delta *l = &c->layer[i];
		bool has;
		int64_t run = disk_delta_run(l, block, n, &has);

		if (run < 0)
			return run;
		n = (uint64_t)run;
		if (has) {
			*fd = l->fd;
			*at = disk_delta_offset(l, block);
			return run;
		}
	}
	*fd = c->root_fd;
	*at = block * DISK_DELTA_BLOCK;
	return (int64_t)n;
}

int cow_read(struct cow *c, uint64_t at, struct span *to)
{
	assert(at <= c->size && to->size <= c->size - at);
	while (to->size) {
		uint64_t within = at % DISK_DELTA_BLOCK, from;
		uint64_t n = (within + to->size + DISK_DELTA_BLOCK - 1) / DISK_DELTA_BLOCK;
		size_t size;
		int fd, rc;
		int64_t run = cow_find(c, at / DISK_DELTA_BLOCK, n, &fd, &from);

		if (run < 0)
			return (int)run;
		size = (size_t)run * DISK_DELTA_BLOCK - within;
		if (size > to->size)
			size = to->size;
		rc = cow_move(preadv, fd, from + within, to, size);
		if (rc)
			return rc;
		at += size;
	}
	return 0;
}

/* Write part of a block: in place if the top layer has it, else with the rest of it from below. */
static int cow_write_part(struct cow *c, uint64_t at, struct span *from, size_t size)
{
	uint64_t block = at / DISK_DELTA_BLOCK, within = at % DISK_DELTA_BLOCK;
	struct disk_delta *top = &c->layer[0];
	struct iovec whole = { c->block, DISK_DELTA_BLOCK };
	struct span up = { &whole, 1, DISK_DELTA_BLOCK };
	bool has;
	int64_t run = disk_delta_run(top, block, 1, &has);
	int rc;

	if (run < 0)
		return (int)run;
	if (has)
		return cow_move(pwritev, top->fd, disk_delta_offset(top, block) + within, from,
				size);
	rc = cow_read(c, block * DISK_DELTA_BLOCK, &up);
	if (rc)
		return rc;
	span_take(from, c->block + within, size);
	rc = io_pwrite_full(top->fd, c->block, DISK_DELTA_BLOCK,
			    (off_t)disk_delta_offset(top, block));
	return rc ? rc : disk_delta_set(top, block, 1);
}

static int cow_write_blocks(struct cow *c, uint64_t block, struct span *from, uint64_t n)
{
	struct disk_delta *top = &c->layer[0];
	int rc = cow_move(pwritev, top->fd, disk_delta_offset(top, block), from,
			  n * DISK_DELTA_BLOCK);

	return rc ? rc : disk_delta_set(top, block, n);
}

int cow_write(struct cow *c, uint64_t at, struct span *from)
{
	int rc = disk_delta_begin(&c->layer[0]);

	assert(at <= c->size && from->size <= c->size - at);
	while (from->size && !rc) {
		uint64_t within = at % DISK_DELTA_BLOCK;
		size_t size = from->size - from->size % DISK_DELTA_BLOCK;

		if (!within && size) {
			rc = cow_write_blocks(c, at / DISK_DELTA_BLOCK, from,
					      size / DISK_DELTA_BLOCK);
		} else {
			size = DISK_DELTA_BLOCK - within < from->size ? DISK_DELTA_BLOCK - within
								      : from->size;
			rc = cow_write_part(c, at, from, size);
		}
		at += size;
	}
	return rc;
}

static int cow_punch(const struct disk_delta *l, uint64_t block, uint64_t n)
{
	if (fallocate(l->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)disk_delta_offset(l, block), (off_t)(n * DISK_DELTA_BLOCK)))
		return -errno;
	return 0;
}

static int cow_write_zeros(struct cow *c, uint64_t at, uint64_t size)
{
	static uint8_t zeros[DISK_DELTA_BLOCK] = { 0 };
	int rc = 0;

	while (size && !rc) {
		size_t piece = DISK_DELTA_BLOCK - at % DISK_DELTA_BLOCK;
		struct iovec seg = { zeros, piece < size ? piece : size };
		struct span from = { &seg, 1, seg.iov_len };

		size -= from.size;
		piece = from.size;
		rc = cow_write(c, at, &from);
		at += piece;
	}
	return rc;
}

/* The whole blocks of a range become holes that the top layer owns. */
static int cow_make_holes(struct cow *c, uint64_t first, uint64_t end)
{
	struct disk_delta *top = &c->layer[0];
	int rc = disk_delta_begin(top);

	if (!rc)
		rc = cow_punch(top, first, end - first);
	return rc ? rc : disk_delta_set(top, first, end - first);
}

int cow_zero(struct cow *c, uint64_t at, uint64_t size)
{
	uint64_t first = (at + DISK_DELTA_BLOCK - 1) / DISK_DELTA_BLOCK,
		 end = (at + size) / DISK_DELTA_BLOCK;
	int rc;

	assert(at <= c->size && size <= c->size - at);
	if (first >= end)
		return cow_write_zeros(c, at, size);
	rc = cow_write_zeros(c, at, first * DISK_DELTA_BLOCK - at);
	if (!rc)
		rc = cow_make_holes(c, first, end);
	if (rc == -EOPNOTSUPP) /* a file system without holes */
		rc = cow_write_zeros(c, first * DISK_DELTA_BLOCK, (end - first) * DISK_DELTA_BLOCK);
	return rc ? rc
		  : cow_write_zeros(c, end * DISK_DELTA_BLOCK, at + size - end * DISK_DELTA_BLOCK);
}

int cow_discard(struct cow *c, uint64_t at, uint64_t size)
{
	uint64_t first = (at + DISK_DELTA_BLOCK - 1) / DISK_DELTA_BLOCK,
		 end = (at + size) / DISK_DELTA_BLOCK;
	int rc = 0;

	assert(at <= c->size && size <= c->size - at);
	if (first < end)
		rc = cow_make_holes(c, first, end);
	return rc == -EOPNOTSUPP ? 0 : rc;
}

/* What lies in @to where it lacks a block may be anything: zeros are made there, not left out. */
static int cow_copy_blocks(const struct disk_delta *from, struct disk_delta *to, uint64_t block,
			   uint64_t n)
{
	static uint8_t piece[COPY_SIZE];

	while (n) {
		uint64_t now = n < COPY_SIZE / DISK_DELTA_BLOCK ? n : COPY_SIZE / DISK_DELTA_BLOCK;
		struct iovec seg = { piece, now * DISK_DELTA_BLOCK };
		struct span s = { &seg, 1, seg.iov_len };
		int rc = cow_move(preadv, from->fd, disk_delta_offset(from, block), &s, s.size);

		if (rc)
			return rc;
		rc = -EOPNOTSUPP;
		if (!piece[0] && !memcmp(piece, piece + 1, now * DISK_DELTA_BLOCK - 1))
			rc = cow_punch(to, block, now);
		if (rc == -EOPNOTSUPP)
			rc = io_pwrite_full(to->fd, piece, now * DISK_DELTA_BLOCK,
					    (off_t)disk_delta_offset(to, block));
		if (!rc)
			rc = disk_delta_set(to, block, now);
		if (rc)
			return rc;
		block += now;
		n -= now;
	}
	return 0;
}

int cow_copy_present(struct disk_delta *from, struct disk_delta *to)
{
	for (uint64_t block = 0; block < from->n_blocks && !from->empty;) {
		bool there, here;
		int64_t run = disk_delta_run(from, block, from->n_blocks - block, &there);
		int rc = 0;

		if (run > 0 && there)
			run = disk_delta_run(to, block, (uint64_t)run, &here);
		if (run < 0)
			return (int)run;
		if (there && !here)
			rc = disk_delta_begin(to);
		if (there && !here && !rc)
			rc = cow_copy_blocks(from, to, block, (uint64_t)run);
		if (rc)
			return rc;
		block += (uint64_t)run;
	}
	return 0;
}

int cow_sync(struct cow *c)
{
	return fsync(c->layer[0].fd) ? -errno : 0;
}
