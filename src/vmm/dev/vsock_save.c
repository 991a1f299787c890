/* vsock_save.c - what of the streams goes over a snapshot. */

#include <endian.h>
#include <string.h>

#include "vmm/dev/vsock.h"

#define RECORD_VERSION 1

static const struct snap_field own_saved[] = {
	SNAP(1, struct vsock_conn, state),
	SNAP(2, struct vsock_conn, host_port),
	SNAP(3, struct vsock_conn, guest_port),
	SNAP(4, struct vsock_conn, owes),
	SNAP(5, struct vsock_conn, guest_shut),
	SNAP(6, struct vsock_conn, host_shut),
	SNAP(7, struct vsock_conn, sent),
	SNAP(8, struct vsock_conn, peer_alloc),
	SNAP(9, struct vsock_conn, peer_fwd),
	SNAP(10, struct vsock_conn, got),
	SNAP(11, struct vsock_conn, taken),
	SNAP(12, struct vsock_conn, told),
	SNAP_END,
};
static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the file is");

static void save_hosts(const struct vsock *v, struct buf *to)
{
	size_t mark = record_begin(to, VSOCK_STREAMS_TAG, 0, RECORD_VERSION);

	for (uint32_t i = 0; i < v->n_resets; i++)
		buf_add(to, &v->resets[(v->first_reset + i) % VSOCK_RESETS],
			sizeof(struct vsock_reset));
	for (size_t i = 0; i < VSOCK_STREAMS; i++) {
		const struct vsock_conn *c = v->streams[i];
		struct vsock_reset r = { c ? c->host_port : 0, c ? c->guest_port : 0 };

		if (c)
			buf_add(to, &r, sizeof(r));
	}
	record_end(to, mark);
}

void vsock_save_streams(const struct vsock *v, struct buf *to)
{
	size_t mark = record_begin(to, VSOCK_OWN_TAG, 0, RECORD_VERSION);

	snap_put(to, own_saved, v->own);
	record_end(to, mark);
	if (v->n_streams || v->n_resets)
		save_hosts(v, to);
}

static int load_hosts(struct vsock *v, const struct record *r, struct err *e)
{
	if (r->index || r->version > RECORD_VERSION || r->size % sizeof(struct vsock_reset) ||
	    r->size > (VSOCK_STREAMS + VSOCK_HEARD) * sizeof(struct vsock_reset))
		return err_set(e, ERR_INVALID, "the snapshot's record %s makes no sense", r->tag);
	memcpy(v->resets, r->data, r->size);
	v->first_reset = 0;
	v->n_resets = (uint32_t)(r->size / sizeof(struct vsock_reset));
	return 0;
}

int vsock_load_streams(struct vsock *v, struct rows *rows, struct err *e)
{
	struct record r;

	if (record_find(rows, VSOCK_OWN_TAG, 0, RECORD_VERSION, &r, e) ||
	    snap_get(r.data, r.size, own_saved, v->own, e))
		return -1;
	v->own->readable = true;
	if (!vsock_conn_makes_sense(v->own)) {
		v->own->state = VSOCK_CLOSED;
		return err_set(e, ERR_INVALID, "the snapshot's record %s makes no sense", r.tag);
	}
	for (size_t at = 0; record_next(rows->data, rows->size, &at, &r);)
		if (!memcmp(r.tag, VSOCK_STREAMS_TAG, 4) && load_hosts(v, &r, e))
			return -1;
	return 0;
}
