#include "vmm/dev/blk.h"

#include <endian.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/core.h"
#include "vmm/virtio/queue.h"

#define BLK_STACK (256 * KIB)

static uint8_t blk_status(int rc)
{
	return rc ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* Are the @size bytes from this sector on whole sectors of the disk? */
static bool blk_inside(const struct blk *b, uint64_t sector, uint64_t size)
{
	uint64_t sectors = b->cow->size / COW_SECTOR;

	return size % COW_SECTOR == 0 && sector <= sectors && size / COW_SECTOR <= sectors - sector;
}

static uint8_t blk_in(struct blk *b, struct blk_request *r)
{
	size_t size = r->chain.in.size;
	int rc;

	if (!blk_inside(b, r->sector, size))
		return VIRTIO_BLK_S_IOERR;
	rc = cow_read(b->cow, r->sector * COW_SECTOR, &r->chain.in);
	r->written += size - r->chain.in.size;
	return blk_status(rc);
}

static uint8_t blk_out(struct blk *b, struct blk_request *r)
{
	if (!blk_inside(b, r->sector, r->chain.out.size))
		return VIRTIO_BLK_S_IOERR;
	return blk_status(cow_write(b->cow, r->sector * COW_SECTOR, &r->chain.out));
}

/* A running microVM does not outlive its host, so the page cache is as safe as its memory. */
static uint8_t blk_flush(struct blk *b, struct blk_request *r)
{
	(void)b;
	(void)r;
	return VIRTIO_BLK_S_OK;
}

static uint8_t blk_get_id(struct blk *b, struct blk_request *r)
{
	static const char id[VIRTIO_BLK_ID_BYTES] = "doze";

	(void)b;
	if (!span_put(&r->chain.in, id, sizeof(id)))
		return VIRTIO_BLK_S_IOERR;
	r->written += sizeof(id);
	return VIRTIO_BLK_S_OK;
}

/* Discard and write-zeroes: a row of ranges. */
static uint8_t blk_ranges(struct blk *b, struct blk_request *r)
{
	bool discard = r->type == VIRTIO_BLK_T_DISCARD;
	uint32_t allowed = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	struct virtio_blk_discard_write_zeroes range;

	if (!r->chain.out.size || r->chain.out.size % sizeof(range) ||
	    r->chain.out.size > BLK_RANGES_MAX * sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	while (span_take(&r->chain.out, &range, sizeof(range))) {
		uint64_t sector = le64toh(range.sector);
		uint64_t size = (uint64_t)le32toh(range.num_sectors) * COW_SECTOR;
		int rc;

		if (le32toh(range.flags) & ~allowed)
			return VIRTIO_BLK_S_UNSUPP;
		if (le32toh(range.num_sectors) > BLK_RANGE_MAX || !blk_inside(b, sector, size))
			return VIRTIO_BLK_S_IOERR;
		if (discard)
			rc = cow_discard(b->cow, sector * COW_SECTOR, size);
		else
			rc = cow_zero(b->cow, sector * COW_SECTOR, size);
		if (rc)
			return VIRTIO_BLK_S_IOERR;
	}
	return VIRTIO_BLK_S_OK;
}

static const struct blk_op {
	uint32_t type;
	uint8_t (*serve)(struct blk *b, struct blk_request *r);
} blk_op_table[] = {
	{ VIRTIO_BLK_T_IN, blk_in },          { VIRTIO_BLK_T_OUT, blk_out },
	{ VIRTIO_BLK_T_FLUSH, blk_flush },    { VIRTIO_BLK_T_GET_ID, blk_get_id },
	{ VIRTIO_BLK_T_DISCARD, blk_ranges }, { VIRTIO_BLK_T_WRITE_ZEROES, blk_ranges },
};

static void blk_serve(struct blk *b, struct blk_request *r)
{
	uint8_t status = VIRTIO_BLK_S_UNSUPP;

	r->written = 1; /* the status */
	for (size_t i = 0; i < ARRAY_SIZE(blk_op_table); i++)
		if (blk_op_table[i].type == r->type)
			status = blk_op_table[i].serve(b, r);
	*r->status = status;
}

static void *blk_thread(void *arg)
{
	static const uint64_t one = 1;
	struct blk *b = arg;

	if (b->enter)
		b->enter();
	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct blk_request *r = &b->requests[b->done % BLK_IN_FLIGHT];

		while (b->done == b->taken && !b->ending)
			pthread_cond_wait(&b->work, &b->lock);
		if (b->done == b->taken)
			break;
		pthread_mutex_unlock(&b->lock);
		blk_serve(b, r);
		pthread_mutex_lock(&b->lock);
		b->done++;
		if (b->done == b->taken)
			pthread_cond_signal(&b->idle);
		if (!atomic_exchange(&b->signalled, true))
			(void)!write(b->finished_fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Read the header of a popped chain, and find the place of its status. */
static bool blk_parse(struct blk_request *r)
{
	struct virtio_blk_outhdr head;

	r->status = span_last_byte(&r->chain.in);
	if (!r->status || !span_take(&r->chain.out, &head, sizeof(head)))
		return false;
	r->type = le32toh(head.type);
	r->sector = le64toh(head.sector);
	return true;
}

static void blk_kick(struct virtio_dev *dev, unsigned q)
{
	struct blk *b = container_of(dev, struct blk, dev);
	uint64_t taken = b->taken; /* only we change it */

	while (taken - b->given < BLK_IN_FLIGHT) {
		struct blk_request *r = &b->requests[taken % BLK_IN_FLIGHT];

		if (!vq_pop(&dev->vq[q], &r->chain))
			break;
		if (!blk_parse(r)) {
			virtio_fault(dev, "a disk request without header or status");
			break;
		}
		taken++;
	}
	if (taken == b->taken)
		return;
	pthread_mutex_lock(&b->lock);
	b->taken = taken;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

/* Give back what is done.  If the guest has faulted or reset, the queue takes nothing. */
static void blk_give_back(struct blk *b)
{
	struct vq *vq = &b->dev.vq[0];
	uint64_t done;

	pthread_mutex_lock(&b->lock);
	done = b->done;
	pthread_mutex_unlock(&b->lock);
	for (; b->given < done; b->given++) {
		const struct blk_request *r = &b->requests[b->given % BLK_IN_FLIGHT];

		vq_push(vq, &r->chain, r->written);
	}
	vq_notify(vq);
}

static void blk_finished(struct watch *w, uint32_t events)
{
	struct blk *b = container_of(w, struct blk, finished);

	(void)events;
	atomic_store(&b->signalled, false); /* before the look, so that none is missed */
	blk_give_back(b);
	virtio_kick(&b->dev, 0); /* there is room again */
}

/* The thread completes everything it has, which is soon unless the host's disk hangs. */
static void blk_settle(struct virtio_dev *dev)
{
	struct blk *b = container_of(dev, struct blk, dev);

	pthread_mutex_lock(&b->lock);
	while (b->done != b->taken)
		pthread_cond_wait(&b->idle, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void blk_drain(struct virtio_dev *dev)
{
	blk_settle(dev);
	blk_give_back(container_of(dev, struct blk, dev));
}

static bool blk_loaded(struct virtio_dev *dev)
{
	const struct blk *b = container_of(dev, struct blk, dev);

	return b->cow && le64toh(b->config.capacity) == b->cow->size / COW_SECTOR &&
	       le32toh(b->config.seg_max) <= VQ_SEG_MAX - 2;
}

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.tag = "VBLK",
	.id = VIRTIO_ID_BLOCK,
	.n_queues = 1,
	.features = 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |
		    1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_TOPOLOGY |
		    1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_DISCARD |
		    1ULL << VIRTIO_BLK_F_WRITE_ZEROES,
	.kick = blk_kick,
	.settle = blk_settle,
	.reset = blk_drain,
	.drain = blk_drain,
	.loaded = blk_loaded,
};

static const struct virtio_blk_config blk_config = {
	.size_max = BLK_SEGMENT_SIZE,
	.seg_max = VQ_SEG_MAX - 2, /* less header and status */
	.blk_size = COW_SECTOR,
	.physical_block_exp = 3, /* 4 KiB */
	.min_io_size = DISK_DELTA_BLOCK / COW_SECTOR,
	.max_discard_sectors = BLK_RANGE_MAX,
	.max_discard_seg = BLK_RANGES_MAX,
	.discard_sector_alignment = DISK_DELTA_BLOCK / COW_SECTOR,
	.max_write_zeroes_sectors = BLK_RANGE_MAX,
	.max_write_zeroes_seg = BLK_RANGES_MAX,
	.write_zeroes_may_unmap = 1,
};
static_assert((VQ_SEG_MAX - 2) * BLK_SEGMENT_SIZE + 64 <= VQ_BYTES_MAX, "a request fits");
static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the config space above is little endian");

/* Signals of the process are for the vCPU threads; the disk thread takes none. */
static int blk_spawn(struct blk *b)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, BLK_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&b->thread, &attr, blk_thread, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int blk_init(struct blk *b, struct loop *l, const struct mem *mem, void (*enter)(void),
	     struct err *e)
{
	b->config = blk_config;
	b->enter = enter;
	b->dev.config = &b->config;
	b->dev.config_size = sizeof(b->config);
	if (virtio_init(&b->dev, &blk_ops, l, mem, e))
		return -1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->idle, NULL);
	b->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->finished_fd < 0) {
		err_sys(e, "make the disk's eventfd");
		goto undo;
	}
	if (l && loop_watch(l, &b->finished, b->finished_fd, EPOLLIN | EPOLLET, blk_finished, e))
		goto undo;
	if (blk_spawn(b)) {
		err_set(e, ERR_INTERNAL, "make the disk thread");
		goto undo;
	}
	return 0;
undo:
	if (l)
		loop_unwatch(l, &b->finished);
	fd_close(&b->finished_fd);
	virtio_close(&b->dev);
	return -1;
}

void blk_attach(struct blk *b, struct cow *cow)
{
	b->cow = cow;
	b->config.capacity = htole64(cow->size / COW_SECTOR);
}

void blk_close(struct blk *b)
{
	pthread_mutex_lock(&b->lock);
	b->ending = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	if (b->dev.loop)
		loop_unwatch(b->dev.loop, &b->finished);
	fd_close(&b->finished_fd);
	virtio_close(&b->dev);
	pthread_cond_destroy(&b->idle);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
}
