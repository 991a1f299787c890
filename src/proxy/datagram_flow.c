#include "proxy/datagram_flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/recording.h"
#include "wire/datagram.h"

#define FLOW_WAITING       32          /* datagrams while the microVM wakes ... */
#define FLOW_WAITING_BYTES (128 * KIB) /* ... with their lengths */
#define FLOW_QUEUED        (8 * MIB)   /* of all flows of a microVM: not taken by the guest yet */
#define FLOW_QUEUED_LEAST  (64 * KIB)  /* of each */
#define FLOW_BATCH         64          /* answers that are sent in one go */

static void flow_say_dropped(const struct datagram_flow *f)
{
	char text[ROUTE_NOTE_SIZE];

	if (!f->dropped)
		return;
	snprintf(text, sizeof(text),
		 "%llu datagrams of a client of the published port %u were dropped: more came than "
		 "could wait or be passed on",
		 (unsigned long long)f->dropped, f->pub->row.port);
	control_note(f->caller.proxy, f->caller.route, text);
}

static void flow_free(struct datagram_flow *f)
{
	buf_free(&f->out);
	buf_free(&f->in);
	free(f);
}

void flow_end(struct datagram_flow *f)
{
	if (!f->caller.route)
		return; /* its connection is closing already */
	flow_say_dropped(f);
	publication_leave(f->caller.route);
	quota_leave(f->source);
	caller_leave(&f->caller);
	flows_del(f->flows, &f->node);
	list_del(&f->in_batch);
	if (f->guest)
		conn_close(f->guest);
	else
		flow_free(f);
}

/* Above the microVM's bandwidth (throttle.h) a datagram is lost, as on any narrow way. */
static bool flow_has_bandwidth(const struct datagram_flow *f, size_t size)
{
	struct proxy *p = f->caller.proxy;
	int64_t now_ns;

	if (!worker_shares_limit_bytes(p->conf))
		return true;
	now_ns = clock_mono_us() * 1000;
	if (worker_shares_charge(&p->shares, p->conf, f->caller.route, 0, now_ns))
		return false;
	(void)worker_shares_charge(&p->shares, p->conf, f->caller.route, size, now_ns);
	return true;
}

static void flow_send(struct datagram_flow *f, struct mmsghdr *messages, unsigned n)
{
	unsigned sent = 0;

	while (sent < n) {
		int done = sendmmsg(f->pub->fd, messages + sent, n - sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done <= 0)
			break; /* the network has no room, or the client is gone */
		sent += (unsigned)done;
	}
	f->dropped += n - sent;
}

/* Sends whole frames on, and returns the bytes that they took; -1: these are no frames. */
static ssize_t flow_answer(struct datagram_flow *f, const uint8_t *data, size_t size)
{
	struct mmsghdr messages[FLOW_BATCH];
	struct iovec parts[FLOW_BATCH];
	size_t done = 0, used, length;
	const uint8_t *datagram;
	unsigned n = 0;
	int rc;

	while ((rc = datagram_next(data + done, size - done, &datagram, &length, &used)) == 1) {
		done += used;
		if (!flow_has_bandwidth(f, length)) {
			f->dropped++;
			continue;
		}
		parts[n] = (struct iovec){ (void *)(uintptr_t)datagram, length };
		messages[n] = (struct mmsghdr){ .msg_hdr = { .msg_name = &f->at.from,
							     .msg_namelen = f->at.from_size,
							     .msg_iov = &parts[n],
							     .msg_iovlen = 1,
							     .msg_control = f->at.local,
							     .msg_controllen = f->at.local_size } };
		if (++n < FLOW_BATCH)
			continue;
		flow_send(f, messages, n);
		n = 0;
	}
	flow_send(f, messages, n);
	return rc < 0 ? -1 : (ssize_t)done;
}

static size_t flow_data(struct conn *conn, const uint8_t *data, size_t size)
{
	struct datagram_flow *f = conn_owner(conn);
	size_t had = f->in.size;
	ssize_t used;

	if (!f->caller.route)
		return size;
	control_touch(f->caller.proxy, f->caller.route);
	flows_use(f->flows, &f->node, clock_mono_ms());
	if (had)
		buf_add(&f->in, data, size);
	used = flow_answer(f, had ? f->in.data : data, had ? f->in.size : size);
	if (used < 0) {
		log_debug("a guest sent what is no datagram port=%u", f->pub->row.port);
		flow_end(f);
		return size;
	}
	if (had)
		buf_drop(&f->in, (size_t)used);
	else
		buf_add(&f->in, data + used, size - (size_t)used);
	if (!f->in.size)
		buf_free(&f->in);
	return size;
}

static void flow_guest_ended(struct conn *conn)
{
	flow_end(conn_owner(conn));
}

static void flow_closed(struct conn *conn)
{
	struct datagram_flow *f = conn_owner(conn);

	f->guest = NULL;
	if (f->caller.route)
		flow_end(f);
	else
		flow_free(f);
}

static const struct conn_ops flow_ops = {
	.data = flow_data,
	.end = flow_guest_ended,
	.closed = flow_closed,
};

static bool flow_opened(struct caller *c, int fd)
{
	struct datagram_flow *f = container_of(c, struct datagram_flow, caller);
	struct err e;

	f->guest = conn_new(c->proxy->loop, fd, NULL, &flow_ops, f, &e);
	if (f->guest) {
		flow_flush(f);
	} else {
		log_err("cannot use a connection into a guest error=\"%s\"", e.text);
		flow_end(f);
	}
	return true;
}

static void flow_refused(struct caller *c, enum refusal why, const char *reason)
{
	struct datagram_flow *f = container_of(c, struct datagram_flow, caller);
	char text[ROUTE_NOTE_SIZE];

	recording_refused(c->proxy, c->route, why);
	snprintf(text, sizeof(text),
		 "%zu datagrams of a client of the published port %u were dropped: %s", f->n_out,
		 f->pub->row.port, reason);
	control_note(c->proxy, c->route, text);
	flow_end(f);
}

static void flow_cut(struct link *l)
{
	struct datagram_flow *f = container_of(l, struct datagram_flow, caller.link);

	if (f->guest)
		flow_end(f);
	else
		caller_cut(l);
}

static const struct caller_ops flow_caller = {
	.opened = flow_opened,
	.refuse = flow_refused,
};

static bool flow_may_come(struct publication *pub, const struct sockaddr_storage *from)
{
	struct quota_source *source = quota_source(pub->proxy->quota, from);
	bool room = quota_room(source) == QUOTA_ROOM;

	quota_drop(source);
	return room && publication_is_from(pub, from);
}

static struct quota_source *flow_source(struct publication *pub, struct flows *flows,
					const struct sockaddr_storage *from)
{
	size_t most = (size_t)pub->proxy->conf->clients.published_connections;
	struct flow_node *oldest = flows_oldest(flows);

	/* Nobody says when a flow is over, so the one that is silent longest makes room for one
	 * that may come. */
	if (pub->route->n_published >= most && oldest && flow_may_come(pub, from))
		flow_end(container_of(oldest, struct datagram_flow, node));
	return publication_admits(pub, from) ? publication_source(pub, from) : NULL;
}

static struct datagram_flow *flow_make(struct publication *pub, struct flows *flows,
				       const struct flow_address *at, const uint8_t key[FLOW_KEY],
				       struct quota_source *source)
{
	struct datagram_flow *f;

	quota_enter(source);
	publication_enter(pub);
	f = xcalloc(1, sizeof(*f));
	caller_init(&f->caller, pub->proxy, &flow_caller);
	f->caller.link.cut = flow_cut;
	f->caller.route = pub->route;
	f->caller.port = pub->row.target;
	f->caller.way = CONNECT_DATAGRAMS;
	list_init(&f->in_batch);
	f->pub = pub;
	f->flows = flows;
	f->source = source;
	f->at = *at;
	flows_add(flows, &f->node, key, clock_mono_ms());
	return f;
}

struct datagram_flow *flow_new(struct publication *pub, struct flows *flows,
			       const struct flow_address *at, const uint8_t key[FLOW_KEY])
{
	struct quota_source *source = flow_source(pub, flows, &at->from);

	return source ? flow_make(pub, flows, at, key, source) : NULL;
}

/* It was let in already. */
void flow_take(struct publication *pub, struct flows *flows, const struct flow_address *at,
	       const uint8_t key[FLOW_KEY], int guest)
{
	struct datagram_flow *f =
		flow_make(pub, flows, at, key, quota_source(pub->proxy->quota, &at->from));

	list_add(&pub->route->relays, &f->caller.link.in_route);
	(void)flow_opened(&f->caller, guest);
}

bool flow_give(struct datagram_flow *f)
{
	struct route_flow row = { .port = f->pub->row.port,
				  .from_size = (uint16_t)f->at.from_size,
				  .local_size = (uint16_t)f->at.local_size };
	autoclose int fd = -1;

	if (!f->guest || f->out.size || f->in.size || conn_queued(f->guest) || conn_kept(f->guest))
		return false;
	fd = conn_duplicate(f->guest);
	memcpy(row.endpoint, f->caller.route->row.endpoint, sizeof(row.endpoint));
	memcpy(row.machine, f->caller.route->row.machine, sizeof(row.machine));
	memcpy(row.from, &f->at.from, f->at.from_size);
	memcpy(row.local, f->at.local, f->at.local_size);
	if (fd >= 0)
		control_give_flow(f->caller.proxy, &row, fd);
	flow_end(f);
	return true;
}

static void flow_drop_first(struct datagram_flow *f)
{
	const uint8_t *datagram;
	size_t length, used;

	if (datagram_next(f->out.data, f->out.size, &datagram, &length, &used) != 1)
		return;
	buf_drop(&f->out, used);
	f->n_out--;
	f->dropped++;
}

static void flow_put_waiting(struct datagram_flow *f, const void *datagram, size_t size)
{
	bool is_first = !f->n_out;

	while (f->n_out >= FLOW_WAITING || (f->n_out && f->out.size + size > FLOW_WAITING_BYTES))
		flow_drop_first(f);
	datagram_put(&f->out, datagram, size);
	f->n_out++;
	if (is_first)
		caller_gate(&f->caller);
}

/* A guest that is busy for some milliseconds loses nothing, and one that takes nothing costs a
 * bounded memory, however many flows it has. */
static bool flow_is_full(const struct datagram_flow *f)
{
	size_t share = FLOW_QUEUED / f->caller.route->n_published;

	return conn_queued(f->guest) >= (share > FLOW_QUEUED_LEAST ? share : FLOW_QUEUED_LEAST);
}

void flow_put(struct datagram_flow *f, const void *datagram, size_t size)
{
	flows_use(f->flows, &f->node, clock_mono_ms());
	control_touch(f->caller.proxy, f->caller.route);
	if (!flow_has_bandwidth(f, size)) {
		f->dropped++;
	} else if (!f->guest) {
		flow_put_waiting(f, datagram, size);
	} else if (flow_is_full(f)) {
		f->dropped++;
	} else {
		datagram_put(&f->out, datagram, size);
		f->n_out++;
	}
}

void flow_flush(struct datagram_flow *f)
{
	if (!f->guest || !f->out.size)
		return;
	conn_write(f->guest, f->out.data, f->out.size);
	buf_clear(&f->out);
	f->n_out = 0;
}
