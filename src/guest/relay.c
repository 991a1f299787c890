#include "guest/relay.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/limits.h"

static uint8_t relay_piece[LIMIT_HTTP_BUFFER]; /* empty between events */

static void relay_ready(struct watch *w, uint32_t events);

static struct relay_side *relay_other(struct relay_side *side)
{
	struct relay *r = side->relay;

	return side == &r->side[0] ? &r->side[1] : &r->side[0];
}

static int relay_watch(struct relay_side *side)
{
	struct loop *loop = side->relay->loop;
	bool reads = !side->ended && !relay_other(side)->rest.size;
	uint32_t events = (reads ? EPOLLIN : 0) | (side->rest.size ? EPOLLOUT : 0);
	struct err e;

	if (!events)
		loop_unwatch(loop, &side->watch);
	else if (side->watch.active)
		loop_rewatch(loop, &side->watch, events);
	else
		return loop_watch(loop, &side->watch, side->fd, events, relay_ready, &e);
	return 0;
}

/* Has the peer of this side got everything, so that a reset takes nothing from it?  On a socket
 * that cannot tell, the peer has to end the relay itself. */
static bool relay_has_all(const struct relay_side *side)
{
	int queued = 0;

	return side->shut && !ioctl(side->fd, SIOCOUTQ, &queued) && !queued;
}

static bool relay_is_over(const struct relay *r, bool *broken)
{
	const struct relay_side *a = &r->side[0], *b = &r->side[1];

	*broken = false;
	if (a->ended && b->ended && a->shut && b->shut)
		return true;
	*broken = (a->ended && a->deaf && relay_has_all(b)) ||
		  (b->ended && b->deaf && relay_has_all(a));
	return *broken;
}

/* After bytes or an end, pass the end on and watch what matters now. */
static void relay_settle(struct relay *r)
{
	bool broken;

	for (int i = 0; i < 2; i++) {
		struct relay_side *from = &r->side[!i], *to = &r->side[i];

		if (from->ended && !to->rest.size && !to->shut) {
			shutdown(to->fd, SHUT_WR);
			to->shut = true;
		}
	}
	if (relay_is_over(r, &broken))
		r->done(r, broken);
	else if (relay_watch(&r->side[0]) || relay_watch(&r->side[1]))
		r->done(r, true);
}

static void relay_deafen(struct relay_side *side)
{
	side->deaf = side->shut = true;
	buf_free(&side->rest);
}

static void relay_write(struct relay_side *to, const uint8_t *data, size_t size)
{
	ssize_t n;

	if (to->deaf)
		return;
	n = send(to->fd, data, size, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		relay_deafen(to);
		return;
	}
	if (n < 0)
		n = 0;
	buf_add(&to->rest, data + n, size - (size_t)n);
}

void relay_write_now(struct relay_side *to)
{
	ssize_t n = send(to->fd, to->rest.data, to->rest.size, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		relay_deafen(to);
	if (n < 0)
		return;
	buf_drop(&to->rest, (size_t)n);
	if (!to->rest.size)
		buf_free(&to->rest);
}

/* What a peer sent before it reset its connection comes before the error. */
static void relay_move(struct relay_side *from)
{
	ssize_t n = recv(from->fd, relay_piece, sizeof(relay_piece), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		relay_deafen(from);
	from->ended = n <= 0;
	if (n > 0)
		relay_write(relay_other(from), relay_piece, (size_t)n);
}

static void relay_ready(struct watch *w, uint32_t events)
{
	struct relay_side *side = container_of(w, struct relay_side, watch);
	struct relay_side *other = relay_other(side);
	bool wrote = false;

	if (side->rest.size && (events & ~(uint32_t)EPOLLIN)) {
		wrote = true;
		relay_write_now(side);
	}
	if (!side->ended && !other->rest.size && (events & ~(uint32_t)EPOLLOUT))
		relay_move(side);
	/* Otherwise both sides wait for the same as before. */
	if (wrote || side->ended || other->rest.size || other->deaf)
		relay_settle(side->relay);
}

void relay_init(struct relay *r, struct loop *l, void (*done)(struct relay *r, bool broken))
{
	*r = (struct relay){ .loop = l, .done = done };
	r->side[0].relay = r->side[1].relay = r;
	r->side[0].fd = r->side[1].fd = -1;
}

void relay_start(struct relay *r)
{
	for (int i = 0; i < 2; i++)
		if (r->side[i].rest.size)
			relay_write_now(&r->side[i]);
	relay_settle(r);
}

void relay_close(struct relay *r)
{
	for (int i = 0; i < 2; i++) {
		loop_unwatch(r->loop, &r->side[i].watch);
		fd_close(&r->side[i].fd);
		buf_free(&r->side[i].rest);
	}
}
