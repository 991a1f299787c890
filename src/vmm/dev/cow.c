#include "vmm/dev/cow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define COPY_SIZE (16 * LAYER_BLOCK)

typedef ssize_t cow_io(int fd, const struct iovec *iov, int n, off_t at);

int cow_open(struct cow *c, int root, const int *layers, unsigned n_layers, struct err *e)
{
	struct stat st;

	assert(n_layers && n_layers <= COW_LAYERS);
	c->root_fd = -1;
	c->n_layers = 0;
	if (fstat(root, &st))
		return err_sys(e, "look at the disk");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size % LAYER_BLOCK)
		return err_set(e, ERR_INVALID, "the disk is not a file of whole blocks of 4 KiB");
	c->size = (uint64_t)st.st_size;
	for (unsigned i = 0; i < n_layers; i++)
		if (layer_open(&c->layer[i], layers[i], c->size, e))
			return -1;
	c->root_fd = root;
	c->n_layers = n_layers;
	return 0;
}

void cow_close(struct cow *c)
{
	for (unsigned i = 0; i < c->n_layers; i++)
		layer_close(&c->layer[i]);
	c->n_layers = 0;
	fd_close(&c->root_fd);
}

/* @size bytes off the front of the span, to or from a file.  An early end is an error: all files
 * have their full size. */
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

/* Where the first of @n blocks is, and how many more of them follow it there. */
static int64_t cow_find(struct cow *c, uint64_t block, uint64_t n, int *fd, uint64_t *at)
{
	for (unsigned i = 0; i < c->n_layers; i++) {
		struct layer *l = &c->layer[i];
		bool has;
		int64_t run = layer_run(l, block, n, &has);

		if (run < 0)
			return run;
		n = (uint64_t)run;
		if (has) {
			*fd = l->fd;
			*at = layer_offset(l, block);
			return run;
		}
	}
	*fd = c->root_fd;
	*at = block * LAYER_BLOCK;
	return (int64_t)n;
}

int cow_read(struct cow *c, uint64_t at, struct span *to)
{
	assert(at <= c->size && to->size <= c->size - at);
	while (to->size) {
		uint64_t within = at % LAYER_BLOCK, from;
		uint64_t n = (within + to->size + LAYER_BLOCK - 1) / LAYER_BLOCK;
		size_t size;
		int fd, rc;
		int64_t run = cow_find(c, at / LAYER_BLOCK, n, &fd, &from);

		if (run < 0)
			return (int)run;
		size = (size_t)run * LAYER_BLOCK - within;
		if (size > to->size)
			size = to->size;
		rc = cow_move(preadv, fd, from + within, to, size);
		if (rc)
			return rc;
		at += size;
	}
	return 0;
}

/* Part of a block: in place if the top has it, else with the rest of it from below. */
static int cow_write_part(struct cow *c, uint64_t at, struct span *from, size_t size)
{
	uint64_t block = at / LAYER_BLOCK, within = at % LAYER_BLOCK;
	struct layer *top = &c->layer[0];
	struct iovec whole = { c->block, LAYER_BLOCK };
	struct span up = { &whole, 1, LAYER_BLOCK };
	bool has;
	int64_t run = layer_run(top, block, 1, &has);
	int rc;

	if (run < 0)
		return (int)run;
	if (has)
		return cow_move(pwritev, top->fd, layer_offset(top, block) + within, from, size);
	rc = cow_read(c, block * LAYER_BLOCK, &up);
	if (rc)
		return rc;
	span_take(from, c->block + within, size);
	rc = io_pwrite_full(top->fd, c->block, LAYER_BLOCK, (off_t)layer_offset(top, block));
	return rc ? rc : layer_set(top, block, 1);
}

static int cow_write_blocks(struct cow *c, uint64_t block, struct span *from, uint64_t n)
{
	struct layer *top = &c->layer[0];
	int rc = cow_move(pwritev, top->fd, layer_offset(top, block), from, n * LAYER_BLOCK);

	return rc ? rc : layer_set(top, block, n);
}

int cow_write(struct cow *c, uint64_t at, struct span *from)
{
	int rc = layer_begin(&c->layer[0]);

	assert(at <= c->size && from->size <= c->size - at);
	while (from->size && !rc) {
		uint64_t within = at % LAYER_BLOCK;
		size_t size = from->size - from->size % LAYER_BLOCK;

		if (!within && size) {
			rc = cow_write_blocks(c, at / LAYER_BLOCK, from, size / LAYER_BLOCK);
		} else {
			size = LAYER_BLOCK - within < from->size ? LAYER_BLOCK - within
								 : from->size;
			rc = cow_write_part(c, at, from, size);
		}
		at += size;
	}
	return rc;
}

static int cow_punch(const struct layer *l, uint64_t block, uint64_t n)
{
	if (fallocate(l->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)layer_offset(l, block), (off_t)(n * LAYER_BLOCK)))
		return -errno;
	return 0;
}

static int cow_write_zeros(struct cow *c, uint64_t at, uint64_t size)
{
	static uint8_t zeros[LAYER_BLOCK] = { 0 };
	int rc = 0;

	while (size && !rc) {
		size_t piece = LAYER_BLOCK - at % LAYER_BLOCK;
		struct iovec seg = { zeros, piece < size ? piece : size };
		struct span from = { &seg, 1, seg.iov_len };

		size -= from.size;
		piece = from.size;
		rc = cow_write(c, at, &from);
		at += piece;
	}
	return rc;
}

/* The whole blocks of a range become holes that are there. */
static int cow_make_holes(struct cow *c, uint64_t first, uint64_t end)
{
	struct layer *top = &c->layer[0];
	int rc = layer_begin(top);

	if (!rc)
		rc = cow_punch(top, first, end - first);
	return rc ? rc : layer_set(top, first, end - first);
}

int cow_zero(struct cow *c, uint64_t at, uint64_t size)
{
	uint64_t first = (at + LAYER_BLOCK - 1) / LAYER_BLOCK, end = (at + size) / LAYER_BLOCK;
	int rc;

	assert(at <= c->size && size <= c->size - at);
	if (first >= end)
		return cow_write_zeros(c, at, size);
	rc = cow_write_zeros(c, at, first * LAYER_BLOCK - at);
	if (!rc)
		rc = cow_make_holes(c, first, end);
	if (rc == -EOPNOTSUPP) /* a file system without holes */
		rc = cow_write_zeros(c, first * LAYER_BLOCK, (end - first) * LAYER_BLOCK);
	return rc ? rc : cow_write_zeros(c, end * LAYER_BLOCK, at + size - end * LAYER_BLOCK);
}

int cow_discard(struct cow *c, uint64_t at, uint64_t size)
{
	uint64_t first = (at + LAYER_BLOCK - 1) / LAYER_BLOCK, end = (at + size) / LAYER_BLOCK;
	int rc = 0;

	assert(at <= c->size && size <= c->size - at);
	if (first < end)
		rc = cow_make_holes(c, first, end);
	return rc == -EOPNOTSUPP ? 0 : rc;
}

/* What lies in @to where it lacks a block may be anything: zeros are made there, not left out. */
static int cow_copy_blocks(const struct layer *from, struct layer *to, uint64_t block, uint64_t n)
{
	static uint8_t piece[COPY_SIZE];

	while (n) {
		uint64_t now = n < COPY_SIZE / LAYER_BLOCK ? n : COPY_SIZE / LAYER_BLOCK;
		struct iovec seg = { piece, now * LAYER_BLOCK };
		struct span s = { &seg, 1, seg.iov_len };
		int rc = cow_move(preadv, from->fd, layer_offset(from, block), &s, s.size);

		if (rc)
			return rc;
		rc = -EOPNOTSUPP;
		if (!piece[0] && !memcmp(piece, piece + 1, now * LAYER_BLOCK - 1))
			rc = cow_punch(to, block, now);
		if (rc == -EOPNOTSUPP)
			rc = io_pwrite_full(to->fd, piece, now * LAYER_BLOCK,
					    (off_t)layer_offset(to, block));
		if (!rc)
			rc = layer_set(to, block, now);
		if (rc)
			return rc;
		block += now;
		n -= now;
	}
	return 0;
}

int cow_copy_present(struct layer *from, struct layer *to)
{
	for (uint64_t block = 0; block < from->n_blocks && !from->empty;) {
		bool there, here;
		int64_t run = layer_run(from, block, from->n_blocks - block, &there);
		int rc = 0;

		if (run > 0 && there)
			run = layer_run(to, block, (uint64_t)run, &here);
		if (run < 0)
			return (int)run;
		if (there && !here)
			rc = layer_begin(to);
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
