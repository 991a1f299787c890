#include "machine/agent.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/limits.h"
#include "wire/agent.h"

#define AGENT_PIECE   LIMIT_IPC_BODY
#define AGENT_TO_HOLD (2 * LIMIT_AGENT_TO_GUEST + 64 * KIB)

static void agent_rewatch(struct agent *a)
{
	uint32_t events = 0;

	if (!a->broken && a->from_guest.size < LIMIT_AGENT_HELD)
		events |= EPOLLIN;
	if (a->to_guest.size)
		events |= EPOLLOUT;
	loop_rewatch(a->loop, &a->watch, events);
}

/* The length of as many whole frames as fit into @most; -1: broken. */
static ssize_t agent_whole(const struct buf *b, size_t most_frame, size_t most)
{
	struct agent_frame f;
	size_t whole = 0, used;
	int rc;

	if (!b->size)
		return 0;
	while ((rc = agent_frame_next(b->data + whole, b->size - whole, most_frame, &f, &used)) ==
		       1 &&
	       whole + used <= most)
		whole += used;
	return rc < 0 && !whole ? -1 : (ssize_t)whole;
}

void agent_kick(struct agent *a)
{
	ssize_t whole;

	while ((whole = agent_whole(&a->from_guest, LIMIT_AGENT_TO_HOST, AGENT_PIECE)) > 0 &&
	       a->deliver(a, a->from_guest.data, (size_t)whole))
		buf_drop(&a->from_guest, (size_t)whole);
	if (whole < 0 && !a->broken) {
		a->broken = true;
		a->fault(a);
	}
	agent_rewatch(a);
}

/* false: nothing there */
static bool agent_read(struct agent *a)
{
	size_t room = LIMIT_AGENT_HELD - a->from_guest.size;
	ssize_t n;

	buf_reserve(&a->from_guest, room);
	do
		n = recv(a->fd, a->from_guest.data + a->from_guest.size, room, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	a->from_guest.size += (size_t)n;
	return true;
}

void agent_drain(struct agent *a)
{
	while (a->fd >= 0 && !a->broken && a->from_guest.size < LIMIT_AGENT_HELD && agent_read(a))
		agent_kick(a);
}

static void agent_write(struct agent *a)
{
	ssize_t n = send(a->fd, a->to_guest.data, a->to_guest.size, MSG_NOSIGNAL);

	if (n > 0)
		buf_drop(&a->to_guest, (size_t)n);
}

static void agent_ready(struct watch *w, uint32_t events)
{
	struct agent *a = container_of(w, struct agent, watch);

	if (a->to_guest.size)
		agent_write(a);
	if (events & EPOLLIN)
		agent_drain(a);
	else if (events & (EPOLLHUP | EPOLLERR)) {
		loop_unwatch(a->loop, &a->watch); /* QEMU ended; its process tells the rest */
		return;
	}
	agent_rewatch(a);
}

void agent_init(struct agent *a, struct loop *l)
{
	a->loop = l;
	a->fd = -1;
}

void agent_preset(struct agent *a, const uint8_t *data, size_t size)
{
	assert(a->fd < 0 && size <= LIMIT_AGENT_HELD);
	buf_clear(&a->from_guest);
	buf_add(&a->from_guest, data, size);
}

int agent_open(struct agent *a, int fd, struct err *e)
{
	a->fd = fd;
	if (io_nonblock(fd))
		return err_sys(e, "set the agent's port non-blocking");
	return loop_watch(a->loop, &a->watch, fd, EPOLLIN, agent_ready, e);
}

void agent_close(struct agent *a)
{
	loop_unwatch(a->loop, &a->watch);
	fd_close(&a->fd);
	buf_free(&a->from_guest);
	buf_free(&a->from_owner);
	buf_free(&a->to_guest);
}

int agent_put_bytes(struct agent *a, const uint8_t *data, size_t size, struct err *e)
{
	ssize_t whole;

	if (a->fd < 0)
		return err_set(e, ERR_CONFLICT, "there is no guest to speak with");
	buf_add(&a->from_owner, data, size);
	whole = agent_whole(&a->from_owner, LIMIT_AGENT_TO_GUEST, SIZE_MAX);
	if (whole < 0) {
		buf_clear(&a->from_owner);
		return err_set(e, ERR_INVALID, "these bytes are no frame of the agent's stream");
	}
	if (!whole)
		return 0;
	if (a->to_guest.size + (size_t)whole > AGENT_TO_HOLD) {
		buf_drop(&a->from_owner, (size_t)whole);
		return err_set(e, ERR_CAPACITY, "the guest's agent does not read");
	}
	buf_add(&a->to_guest, a->from_owner.data, (size_t)whole);
	buf_drop(&a->from_owner, (size_t)whole);
	agent_write(a);
	agent_rewatch(a);
	return 0;
}

void agent_owner_left(struct agent *a)
{
	buf_clear(&a->from_owner);
}

size_t agent_unsent(const struct agent *a)
{
	int queued = 0;

	if (a->fd < 0 || ioctl(a->fd, SIOCOUTQ, &queued))
		queued = 0;
	return a->to_guest.size + (size_t)queued;
}
