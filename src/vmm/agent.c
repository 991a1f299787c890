#include "vmm/agent.h"

#include <errno.h>

#include "base/limits.h"
#include "base/log.h"
#include "vmm/virtio/queue.h"

static_assert(VSOCK_CREDIT <= LIMIT_AGENT_HELD, "there is room for what the guest may send");

static struct vmm_agent *agent_of(struct agent *a)
{
	return container_of(a, struct vmm_agent, agent);
}

static ssize_t vmm_agent_read(struct vsock_conn *c, const struct iovec *to, unsigned n)
{
	struct vmm_agent *a = container_of(c, struct vmm_agent, conn);
	const struct buf *b = &a->agent.to_guest;
	struct iovec v[VQ_SEG_MAX];
	struct span in = { .at = v, .n = n };
	size_t size;

	for (unsigned i = 0; i < n; i++) {
		v[i] = to[i];
		in.size += to[i].iov_len;
	}
	size = b->size < in.size ? b->size : in.size;
	if (!size)
		return -EAGAIN;
	span_put(&in, b->data, size);
	agent_took(&a->agent, size);
	return (ssize_t)size;
}

/* Whole frames have gone to the owner.  The rest waits, and the guest gets no credit for it. */
static void vmm_agent_count(struct vmm_agent *a)
{
	uint32_t held = (uint32_t)a->agent.from_guest.size, got = a->conn.got - a->conn.taken;

	if (got > held)
		vsock_taken(&a->conn, got - held);
}

static bool vmm_agent_put(struct vsock_conn *c, struct span *bytes)
{
	struct vmm_agent *a = container_of(c, struct vmm_agent, conn);
	bool room = bytes->size <= agent_room(&a->agent);

	a->putting = true;
	for (unsigned i = 0; i < bytes->n && room; i++)
		if (agent_room(&a->agent)) /* There is none once it is broken. */
			agent_give(&a->agent, bytes->at[i].iov_base, bytes->at[i].iov_len);
	a->putting = false;
	vmm_agent_count(a);
	return room;
}

static void vmm_agent_closed(struct vsock_conn *c, bool refused)
{
	(void)c;
	(void)refused;
	log_warn("the guest's agent ended its stream");
}

const struct vsock_end_ops vmm_agent_ops = {
	.read = vmm_agent_read,
	.put = vmm_agent_put,
	.closed = vmm_agent_closed,
};

static void vmm_agent_moved(struct agent *agent)
{
	struct vmm_agent *a = agent_of(agent);

	if (a->putting || a->conn.state != VSOCK_OPEN)
		return;
	vmm_agent_count(a);
	if (agent->to_guest.size)
		vsock_readable(&a->conn);
	else
		vsock_kick(&a->conn);
}

void vmm_agent_init(struct vmm_agent *a)
{
	*a = (struct vmm_agent){ .agent = { .moved = vmm_agent_moved } };
}
