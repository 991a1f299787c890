#include "guest/agent.h"

#include "base/log.h"
#include "guest/port.h"

struct agent {
	struct loop *loop;
	struct port port;
};

static void agent_frame(struct port *p, const struct agent_frame *f)
{
	uint64_t id = 0;

	if (!agent_get_u64(f, FIELD_ID, &id))
		return;
	if (f->type == AGENT_RESUMED || f->type == AGENT_WARM)
		port_send_id(p, AGENT_ACK, id);
}

static void agent_hello(struct agent *a)
{
	size_t mark = agent_begin(&a->port.out, AGENT_HELLO);

	agent_put_u64(&a->port.out, FIELD_PROTOCOL, AGENT_PROTOCOL);
	agent_end(&a->port.out, mark);
	port_send(&a->port);
}

int agent_run(int fd, struct err *e)
{
	static struct agent agent;
	int rc;

	agent.loop = loop_new(e);
	if (!agent.loop || port_open(&agent.port, agent.loop, fd, agent_frame, e))
		return -1;
	agent_hello(&agent);
	rc = loop_run(agent.loop, e);
	loop_free(agent.loop);
	return rc;
}
