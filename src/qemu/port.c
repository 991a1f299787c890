#include "qemu/port.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/io.h"

#define PORT_PIECE (16 * KIB)

/* Returns false if there are no bytes. */
static bool port_read(struct port *p)
{
	size_t room = agent_room(&p->agent);
	uint8_t bytes[PORT_PIECE];
	ssize_t n;

	do
		n = recv(p->fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	agent_give(&p->agent, bytes, (size_t)n);
	return true;
}

void port_drain(struct port *p)
{
	while (p->fd >= 0 && agent_room(&p->agent) && port_read(p))
		;
}

static void port_write(struct port *p)
{
	const struct buf *b = &p->agent.to_guest;
	ssize_t n = b->size ? send(p->fd, b->data, b->size, MSG_NOSIGNAL) : 0;

	if (n > 0)
		agent_took(&p->agent, (size_t)n);
}

/* Write what there is, and watch for the events that matter now. */
static void port_moved(struct agent *a)
{
	struct port *p = container_of(a, struct port, agent);
	uint32_t events = 0;

	if (p->fd < 0)
		return;
	port_write(p);
	if (agent_room(a))
		events |= EPOLLIN;
	if (a->to_guest.size)
		events |= EPOLLOUT;
	loop_rewatch(p->loop, &p->watch, events);
}

static void port_ready(struct watch *w, uint32_t events)
{
	struct port *p = container_of(w, struct port, watch);

	if (events & EPOLLIN) {
		port_drain(p);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		loop_unwatch(p->loop, &p->watch); /* QEMU ended; its exit is handled elsewhere. */
		return;
	}
	port_moved(&p->agent);
}

void port_init(struct port *p, struct loop *l)
{
	p->loop = l;
	p->fd = -1;
	p->agent.moved = port_moved;
}

int port_open(struct port *p, int fd, struct err *e)
{
	p->fd = fd;
	if (io_nonblock(fd))
		return err_sys(e, "set the agent's port non-blocking");
	p->agent.open = true;
	return loop_watch(p->loop, &p->watch, fd, EPOLLIN, port_ready, e);
}

void port_close(struct port *p)
{
	loop_unwatch(p->loop, &p->watch);
	fd_close(&p->fd);
	agent_free(&p->agent);
}

size_t port_unsent(const struct port *p)
{
	int queued = 0;

	if (p->fd < 0 || ioctl(p->fd, SIOCOUTQ, &queued))
		queued = 0;
	return p->agent.to_guest.size + (size_t)queued;
}
