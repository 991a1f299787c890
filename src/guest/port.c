#include "guest/port.h"

#include <errno.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

#define PORT_PIECE (32 * KIB) /* the driver's largest transfer */

void port_send(struct port *p)
{
	size_t sent = 0;

	while (sent < p->out.size) {
		ssize_t n = write(p->fd, p->out.data + sent, p->out.size - sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* An event follows when the host reads again. */
		sent += (size_t)n;
	}
	buf_drop(&p->out, sent);
}

void port_send_id(struct port *p, uint8_t type, uint64_t id)
{
	size_t mark = agent_begin(&p->out, type);

	agent_put_u64(&p->out, FIELD_ID, id);
	agent_end(&p->out, mark);
	port_send(p);
}

bool port_is_full(const struct port *p)
{
	return p->out.size > PORT_BACKLOG;
}

static void port_parse(struct port *p)
{
	struct agent_frame f;
	size_t done = 0, used;
	int rc;

	while ((rc = agent_frame_next(p->in.data + done, p->in.size - done, LIMIT_AGENT_TO_GUEST,
				      &f, &used)) == 1) {
		done += used;
		p->frame(p, &f);
	}
	if (rc < 0) {
		log_err("the host's stream is broken, it is not read any more");
		p->broken = true;
		done = p->in.size;
	}
	buf_drop(&p->in, done);
}

static void port_read(struct port *p)
{
	while (!p->broken) {
		ssize_t n;

		buf_reserve(&p->in, PORT_PIECE);
		n = read(p->fd, p->in.data + p->in.size, PORT_PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* There are no bytes, or no peer. */
		p->in.size += (size_t)n;
		port_parse(p);
	}
}

static void port_ready(struct watch *w, uint32_t events)
{
	struct port *p = container_of(w, struct port, watch);

	if (events & EPOLLIN)
		port_read(p);
	if (p->out.size)
		port_send(p);
}

int port_open(struct port *p, struct loop *l, int fd,
	      void (*frame)(struct port *p, const struct agent_frame *f), struct err *e)
{
	*p = (struct port){ .loop = l, .fd = fd, .frame = frame };
	return loop_watch(l, &p->watch, fd, EPOLLIN | EPOLLOUT | EPOLLET, port_ready, e);
}
