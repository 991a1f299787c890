/* The stream device under a hostile guest.  The host opens streams all the time, sends, holds back
 * what it gets for a step, and gives up some of them. */

#include <errno.h>
#include <string.h>

#include "guest.h"
#include "vmm/dev/vsock.h"

#define STREAMS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
	struct vsock_conn conn;
	uint32_t held;
	unsigned age;
};

static struct vsock vsock;
static struct end ends[STREAMS + 1]; /* the last is the guest's own */

static struct end *end_of(struct vsock_conn *c)
{
	return container_of(c, struct end, conn);
}

static ssize_t end_read(struct vsock_conn *c, const struct iovec *to, unsigned n)
{
	struct end *e = end_of(c);

	if (++e->age % 4 == 3)
		return e->age % 8 == 7 ? 0 : -EAGAIN;
	if (e->age % 64 == 62)
		return -EPIPE;
	memset(to[n - 1].iov_base, 'x', to[n - 1].iov_len);
	return (ssize_t)to[0].iov_len;
}

static bool end_put(struct vsock_conn *c, struct span *bytes)
{
	struct end *e = end_of(c);

	e->held += (uint32_t)bytes->size;
	if (e->held > VSOCK_CREDIT)
		__builtin_trap();
	return e->age % 32 != 31;
}

static void end_closed(struct vsock_conn *c, bool refused)
{
	(void)refused;
	end_of(c)->held = 0;
}

static const struct vsock_end_ops end_ops = {
	.read = end_read,
	.put = end_put,
	.closed = end_closed,
};

/* What was held in the last step is passed on; something new is begun. */
static void go_on(struct virtio_dev *dev)
{
	(void)dev;
	for (size_t i = 0; i <= STREAMS; i++) {
		struct end *e = &ends[i];
		struct vsock_conn *c = &e->conn;

		if (c->state == VSOCK_CLOSED) {
			if (i < STREAMS && vsock_connect(&vsock, c, 1, &end_ops))
				e->held = 0;
			continue;
		}
		if (c->got - c->taken > VSOCK_CREDIT)
			__builtin_trap();
		vsock_taken(c, c->got - c->taken);
		e->held = 0;
		if (i < STREAMS && ++e->age % 16 == 15)
			vsock_abort(c);
		else
			vsock_readable(c);
	}
	if (vsock.n_streams + vsock.n_resets >= VSOCK_RESETS)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest g;
	struct err e;

	guest_open(&g);
	memset(&vsock, 0, sizeof(vsock));
	memset(ends, 0, sizeof(ends));
	if (vsock_init(&vsock, NULL, &g.mem, 1, &ends[STREAMS].conn, &end_ops, &e))
		return 0;
	guest_play(&g, &vsock.dev, data, size, go_on);
	guest_close(&g);
	vsock_close(&vsock);
	return 0;
}
