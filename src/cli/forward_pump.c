#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/forward.h"
#include "wire/datagram.h"

#define PUMP_PIECE   (64 * KIB)
#define PUMP_FLOW_MS 60000 /* a flow that is silent for so long is over */

struct pump {
	struct endpoint *endpoint; /* borrowed */
	int local;                 /* borrowed */
	struct buf up, down;       /* towards the microVM; towards the client */
	bool local_ended, remote_ended, gone;
};

static uint8_t pump_piece[PUMP_PIECE];

static bool pump_ended(const struct endpoint *p)
{
	return SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN;
}

/* Take what the microVM sent.  False: there is nothing at the moment. */
static bool pump_receive(struct pump *m)
{
	ssize_t n = endpoint_read(m->endpoint, pump_piece, sizeof(pump_piece));

	if (n > 0)
		buf_add(&m->down, pump_piece, (size_t)n);
	m->remote_ended = n < 0;
	m->gone |= n < 0 && !pump_ended(m->endpoint);
	return n > 0;
}

static void pump_send_up(struct pump *m)
{
	ssize_t n = m->up.size ? endpoint_write(m->endpoint, m->up.data, m->up.size) : 0;

	m->gone |= n < 0;
	if (n <= 0)
		return;
	buf_drop(&m->up, (size_t)n);
	if (!m->up.size && m->local_ended)
		endpoint_shutdown(m->endpoint);
}

static void pump_take_bytes(struct pump *m)
{
	ssize_t n = recv(m->local, pump_piece, sizeof(pump_piece), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	m->gone |= n < 0;
	m->local_ended = n <= 0;
	if (n > 0)
		buf_add(&m->up, pump_piece, (size_t)n);
	else if (!n && !m->up.size)
		endpoint_shutdown(m->endpoint);
}

static void pump_give_bytes(struct pump *m)
{
	ssize_t n = m->down.size ? send(m->local, m->down.data, m->down.size,
					MSG_DONTWAIT | MSG_NOSIGNAL)
				 : 0;

	m->gone |= n < 0 && errno != EAGAIN && errno != EINTR;
	if (n > 0)
		buf_drop(&m->down, (size_t)n);
	if (!m->down.size && m->remote_ended)
		shutdown(m->local, SHUT_WR);
}

/* Waits for what matters now. */
static void pump_wait(const struct pump *m)
{
	struct pollfd at[] = { { .fd = m->local }, { .fd = m->endpoint->fd } };

	if (!m->local_ended && !m->up.size)
		at[0].events |= POLLIN;
	if (m->down.size)
		at[0].events |= POLLOUT;
	if (!m->remote_ended && !m->down.size)
		at[1].events |= POLLIN;
	if (m->up.size)
		at[1].events |= POLLOUT;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (!at[i].events)
			at[i].fd = -1;
	(void)poll(at, ARRAY_SIZE(at), -1);
}

void forward_pump_bytes(struct endpoint *p, int local)
{
	struct pump m = { .endpoint = p, .local = local };

	while (!m.gone && (!m.local_ended || !m.remote_ended || m.up.size || m.down.size)) {
		/* OpenSSL may hold bytes that no poll tells of. */
		bool moved = !m.remote_ended && !m.down.size && pump_receive(&m);

		pump_send_up(&m);
		pump_give_bytes(&m);
		if (!m.gone && !m.local_ended && !m.up.size)
			pump_take_bytes(&m);
		if (!moved && !m.gone)
			pump_wait(&m);
	}
	buf_free(&m.up);
	buf_free(&m.down);
	endpoint_close(p);
}

static void pump_give_datagrams(struct pump *m)
{
	size_t done = 0, length, used;
	const uint8_t *datagram;
	int rc;

	while ((rc = datagram_next(m->down.data + done, m->down.size - done, &datagram, &length,
				   &used)) == 1) {
		(void)!send(m->local, datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		done += used;
	}
	buf_drop(&m->down, done);
	m->gone |= rc < 0 || m->remote_ended;
}

/* Those for which there is no room are dropped, as a network would do it. */
static bool pump_take_datagrams(struct pump *m)
{
	ssize_t n = recv(m->local, pump_piece, sizeof(pump_piece), MSG_DONTWAIT);

	if (n < 0 || n > DATAGRAM_MAX)
		return false;
	if (m->up.size < 4 * PUMP_PIECE)
		datagram_put(&m->up, pump_piece, (size_t)n);
	return true;
}

void forward_pump_datagrams(struct endpoint *p, int local)
{
	struct pollfd at[] = { { .fd = local, .events = POLLIN }, { .fd = p->fd } };
	struct pump m = { .endpoint = p, .local = local };

	do {
		bool moved = pump_receive(&m);

		while (pump_take_datagrams(&m))
			moved = true;
		pump_send_up(&m);
		pump_give_datagrams(&m);
		if (m.gone || moved)
			continue;
		at[1].events = (short)(POLLIN | (m.up.size ? POLLOUT : 0));
		if (!poll(at, ARRAY_SIZE(at), PUMP_FLOW_MS))
			break;
	} while (!m.gone);
	buf_free(&m.up);
	buf_free(&m.down);
	endpoint_close(p);
}
