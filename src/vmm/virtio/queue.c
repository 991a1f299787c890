#include "vmm/virtio/queue.h"

#include <endian.h>
#include <linux/virtio_mmio.h>
#include <stdatomic.h>
#include <string.h>

#include "vmm/virtio/device.h"

/* The rings are shared with running vCPUs.  An index is loaded with acquire before the entries that
 * it covers are read, and stored with release after they are written.  Twice we write one index and
 * then read another: after asking for a kick, is there a chain; after giving back, is an interrupt
 * wanted? Both accesses are then sequentially consistent, to pair with the driver's full barrier.
 */

static uint16_t ring_load(const uint16_t *at, int order)
{
	return le16toh(order == __ATOMIC_SEQ_CST ? __atomic_load_n(at, __ATOMIC_SEQ_CST)
						 : __atomic_load_n(at, __ATOMIC_ACQUIRE));
}

static void ring_store(uint16_t *at, uint16_t value, int order)
{
	if (order == __ATOMIC_SEQ_CST)
		__atomic_store_n(at, htole16(value), __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(at, htole16(value), __ATOMIC_RELEASE);
}

/* The driver's event index follows its ring, and ours follows the used ring. */
static const uint16_t *vq_used_event(const struct vq *vq)
{
	return &vq->avail->ring[vq->size];
}

static uint16_t *vq_avail_event(const struct vq *vq)
{
	return (uint16_t *)(void *)&vq->used->ring[vq->size];
}

static bool vq_fault(struct vq *vq, const char *why)
{
	virtio_fault(vq->dev, why);
	return false;
}

bool vq_start(struct vq *vq)
{
	uint64_t n = vq->size;

	vq->running = false;
	if (!n || n > VQ_SIZE_MAX || (n & (n - 1)) != 0)
		return false;
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4)
		return false;
	vq->desc = mem_slice(vq->mem, vq->desc_gpa, n * sizeof(*vq->desc));
	vq->avail = mem_slice(vq->mem, vq->avail_gpa, sizeof(*vq->avail) + (n + 1) * 2);
	vq->used = mem_slice(vq->mem, vq->used_gpa,
			     sizeof(*vq->used) + n * sizeof(vq->used->ring[0]) + 2);
	if (!vq->desc || !vq->avail || !vq->used)
		return false;
	vq->signalled_used = vq->next_used;
	vq->held = 0;
	vq->running = true;
	return true;
}

bool vq_is_waiting(const struct vq *vq)
{
	return vq->running && ring_load(&vq->avail->idx, __ATOMIC_ACQUIRE) != vq->next_avail;
}

/* A value that is already there is not written again, because the page may be an image's that is
 * still shared. */
bool vq_is_empty(struct vq *vq)
{
	if (vq_is_waiting(vq))
		return false;
	if (!vq->running || !vq->event_idx)
		return true;
	if (ring_load(vq_avail_event(vq), __ATOMIC_ACQUIRE) == vq->next_avail)
		return true;
	ring_store(vq_avail_event(vq), vq->next_avail, __ATOMIC_SEQ_CST);
	return ring_load(&vq->avail->idx, __ATOMIC_SEQ_CST) == vq->next_avail;
}

/* Copy the descriptor before reading any of it, because the guest may write it at any time. */
static struct vring_desc desc_read(const uint8_t *at)
{
	struct vring_desc d;

	memcpy(&d, at, sizeof(d));
	atomic_signal_fence(memory_order_seq_cst);
	return (struct vring_desc){ .addr = le64toh(d.addr),
				    .len = le32toh(d.len),
				    .flags = le16toh(d.flags),
				    .next = le16toh(d.next) };
}

/* Append a segment to the chain.  Readable segments must come first. */
static const char *vq_gather_one(struct vq *vq, struct vq_chain *c, const struct vring_desc *d)
{
	bool in = d->flags & VRING_DESC_F_WRITE;
	struct span *to = in ? &c->in : &c->out;
	unsigned n = c->out.n + c->in.n;
	uint64_t most = vq->dev->ops->chain_most ? vq->dev->ops->chain_most : VQ_BYTES_MAX;
	void *at = mem_slice(vq->mem, d->addr, d->len);

	if (!at)
		return "a descriptor outside memory";
	if (!in && c->in.n)
		return "a readable descriptor behind a writable one";
	if (n == VQ_SEG_MAX)
		return "a chain without end";
	if (d->len > most - (c->out.size + c->in.size))
		return "a chain of too many bytes";
	c->seg[n] = (struct iovec){ at, d->len };
	if (!to->n++)
		to->at = &c->seg[n];
	to->size += d->len;
	return NULL;
}

/* Every turn adds a segment or enters the one indirect table, so a loop ends like a chain that is
 * too long. */
static const char *vq_gather(struct vq *vq, struct vq_chain *c)
{
	const uint8_t *table = (const uint8_t *)vq->desc; /* an indirect one may lie anyhow */
	uint32_t n = vq->size, i = c->head;
	bool may_enter = vq->indirect;
	const char *why;

	for (;;) {
		struct vring_desc d;

		if (i >= n)
			return "a descriptor outside its table";
		d = desc_read(table + i * sizeof(d));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!may_enter || d.flags & VRING_DESC_F_NEXT || d.len % sizeof(d))
				return "an indirect table out of place";
			table = mem_slice(vq->mem, d.addr, d.len);
			if (!table)
				return "an indirect table outside memory";
			n = d.len / (uint32_t)sizeof(d);
			i = 0;
			may_enter = false;
			continue;
		}
		why = vq_gather_one(vq, c, &d);
		if (why || !(d.flags & VRING_DESC_F_NEXT))
			return why;
		i = d.next;
	}
}

bool vq_pop(struct vq *vq, struct vq_chain *c)
{
	uint16_t waiting;
	const char *why;

	if (vq->dev->drained || vq_is_empty(vq))
		return false;
	waiting = (uint16_t)(ring_load(&vq->avail->idx, __ATOMIC_ACQUIRE) - vq->next_avail);
	if (waiting > vq->size)
		return vq_fault(vq, "an index of available chains that jumps");
	if (vq->held >= vq->size)
		return vq_fault(vq, "more chains than the queue has room for");
	c->head = ring_load(&vq->avail->ring[vq->next_avail % vq->size], __ATOMIC_ACQUIRE);
	c->out = c->in = (struct span){ .at = c->seg };
	why = vq_gather(vq, c);
	if (why)
		return vq_fault(vq, why);
	vq->next_avail++;
	vq->held++;
	return true;
}

void vq_unpop(struct vq *vq)
{
	if (!vq->running)
		return;
	assert(vq->held);
	vq->next_avail--;
	vq->held--;
}

void vq_push_head(struct vq *vq, uint16_t head, size_t written)
{
	struct vring_used_elem done = { htole32(head), htole32((uint32_t)written) };

	if (!vq->running)
		return; /* the guest faulted meanwhile */
	assert(vq->held && head < vq->size);
	vq->used->ring[vq->next_used % vq->size] = done;
	vq->next_used++;
	vq->held--;
	ring_store(&vq->used->idx, vq->next_used, __ATOMIC_RELEASE);
}

void vq_push(struct vq *vq, const struct vq_chain *c, size_t written)
{
	vq_push_head(vq, c->head, written);
}

void vq_notify(struct vq *vq)
{
	uint16_t before = vq->signalled_used;
	bool wanted;

	if (!vq->running || vq->next_used == before)
		return;
	vq->signalled_used = vq->next_used;
	ring_store(&vq->used->idx, vq->next_used, __ATOMIC_SEQ_CST); /* once more, as a barrier */
	if (vq->event_idx)
		wanted = vring_need_event(ring_load(vq_used_event(vq), __ATOMIC_SEQ_CST),
					  vq->next_used, before);
	else
		wanted = !(ring_load(&vq->avail->flags, __ATOMIC_SEQ_CST) &
			   VRING_AVAIL_F_NO_INTERRUPT);
	if (wanted)
		virtio_interrupt(vq->dev, VIRTIO_MMIO_INT_VRING);
}

/* Take @size bytes, which must be there, off the front, and copy them to @to or from @from unless
 * that is NULL. */
static void span_move(struct span *s, uint8_t *to, const uint8_t *from, size_t size)
{
	s->size -= size;
	while (size) {
		struct iovec *v = s->at;
		size_t n = v->iov_len < size ? v->iov_len : size;

		if (to) {
			memcpy(to, v->iov_base, n);
			to += n;
		} else if (from) {
			memcpy(v->iov_base, from, n);
			from += n;
		}
		v->iov_base = (uint8_t *)v->iov_base + n;
		v->iov_len -= n;
		size -= n;
		if (!v->iov_len) {
			s->at++;
			s->n--;
		}
	}
	atomic_signal_fence(memory_order_seq_cst);
}

bool span_take(struct span *s, void *to, size_t size)
{
	if (size > s->size)
		return false;
	span_move(s, to, NULL, size);
	return true;
}

bool span_put(struct span *s, const void *from, size_t size)
{
	if (size > s->size)
		return false;
	span_move(s, NULL, from, size);
	return true;
}

bool span_skip(struct span *s, size_t size)
{
	if (size > s->size)
		return false;
	span_move(s, NULL, NULL, size);
	return true;
}

void span_trim(struct span *s, size_t size)
{
	while (s->size > size) {
		struct iovec *last = &s->at[s->n - 1];
		size_t over = s->size - size;
		size_t n = last->iov_len < over ? last->iov_len : over;

		last->iov_len -= n;
		s->size -= n;
		if (!last->iov_len)
			s->n--;
	}
}

bool span_split(struct span *s, struct span *front, size_t size)
{
	if (size > s->size)
		return false;
	front->n = 0;
	front->size = size;
	for (size_t left = size; left;) {
		size_t n = s->at->iov_len < left ? s->at->iov_len : left;

		front->at[front->n++] = (struct iovec){ s->at->iov_base, n };
		left -= n;
		span_skip(s, n);
	}
	return true;
}

uint8_t *span_last_byte(struct span *s)
{
	struct iovec *v;

	if (!s->size)
		return NULL;
	v = &s->at[s->n - 1];
	s->size--;
	if (!--v->iov_len)
		s->n--;
	return (uint8_t *)v->iov_base + v->iov_len;
}
