#include "proxy/datagram_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "proxy/datagram_flow.h"

#define PORT_BATCH    64 /* datagrams taken in one go */
#define PORT_BATCHES  4  /* of them, and then other work has its turn */
#define PORT_PIECE    (64 * KIB)
#define PORT_TICK_MS  1000
#define PORT_LEAVE_MS 2000 /* for flows that cannot be given away at once */
#define PORT_LOOK_MS  10

struct datagram_port {
	struct publication *pub; /* borrowed */
	uv_poll_t poll;
	uv_timer_t tick;
	int fd; /* owned */
	unsigned handles;
	struct flows flows;
	struct list batch;      /* flows with datagrams of the batch */
	int64_t leave_until_ms; /* monotonic; 0: it stays */
	void (*left)(struct publication *pub);
};

/* All ports share them: there is one loop, and they are empty between events. */
static uint8_t port_bytes[PORT_BATCH][PORT_PIECE];
static uint8_t port_controls[PORT_BATCH][FLOW_LOCAL];
static struct sockaddr_storage port_from[PORT_BATCH];

/* The address of ours that the datagram came to, for the answer to come from; the kernel chooses
 * the interface. */
static void port_keep_local(const struct msghdr *m, struct flow_address *at)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	at->local_size = 0;
	if (!c || m->msg_controllen > sizeof(at->local))
		return;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	else if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
		return;
	memcpy(at->local, m->msg_control, m->msg_controllen);
	at->local_size = m->msg_controllen;
}

static void port_tick(uv_timer_t *timer)
{
	struct datagram_port *d = timer->data;
	int64_t silence_ms = d->pub->proxy->conf->clients.flow_timeout_ms;
	struct flow_node *late;

	while ((late = flows_late(&d->flows, clock_mono_ms(), silence_ms)))
		flow_end(container_of(late, struct datagram_flow, node));
	if (!flows_oldest(&d->flows))
		uv_timer_stop(timer);
}

static void port_watch_silence(struct datagram_port *d)
{
	if (!uv_is_active((uv_handle_t *)&d->tick))
		uv_timer_start(&d->tick, port_tick, PORT_TICK_MS, PORT_TICK_MS);
}

static struct datagram_flow *port_flow(struct datagram_port *d, const struct msghdr *m)
{
	struct flow_address at = { .from_size = m->msg_namelen };
	uint8_t key[FLOW_KEY];
	struct flow_node *node;

	memcpy(&at.from, m->msg_name, m->msg_namelen);
	if (!flows_key(&at.from, key))
		return NULL;
	node = flows_find(&d->flows, key);
	if (node)
		return container_of(node, struct datagram_flow, node);
	port_keep_local(m, &at);
	port_watch_silence(d);
	return flow_new(d->pub, &d->flows, &at, key);
}

static void port_take(struct datagram_port *d, const struct msghdr *m, size_t size)
{
	struct datagram_flow *f = port_flow(d, m);

	if (!f)
		return;
	if (f->guest && list_empty(&f->in_batch))
		list_add(&d->batch, &f->in_batch);
	flow_put(f, m->msg_iov->iov_base, size);
}

static int port_receive(struct datagram_port *d)
{
	struct mmsghdr messages[PORT_BATCH];
	struct iovec parts[PORT_BATCH];
	int n;

	for (size_t i = 0; i < PORT_BATCH; i++) {
		parts[i] = (struct iovec){ port_bytes[i], PORT_PIECE };
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &port_from[i],
							     .msg_namelen = sizeof(port_from[i]),
							     .msg_iov = &parts[i],
							     .msg_iovlen = 1,
							     .msg_control = port_controls[i],
							     .msg_controllen = FLOW_LOCAL } };
	}
	n = recvmmsg(d->fd, messages, PORT_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		port_take(d, &messages[i].msg_hdr, messages[i].msg_len);
	return n;
}

static void port_ready(uv_poll_t *poll, int status, int events)
{
	struct datagram_port *d = poll->data;
	struct datagram_flow *f;

	(void)status, (void)events;
	for (int i = 0; i < PORT_BATCHES; i++) {
		int n = port_receive(d);

		while ((f = list_first(&d->batch, struct datagram_flow, in_batch))) {
			list_del(&f->in_batch);
			flow_flush(f);
		}
		if (n < PORT_BATCH)
			break;
	}
}

static void port_closed(uv_handle_t *handle)
{
	struct datagram_port *d = handle->data;

	if (!--d->handles)
		free(d);
}

struct datagram_port *datagram_port_new(struct publication *pub, int fd, struct err *e)
{
	struct datagram_port *d = xcalloc(1, sizeof(*d));
	int rc = io_nonblock(fd);

	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){ 1 }, sizeof(int));
	if (!rc)
		rc = uv_poll_init(pub->proxy->loop, &d->poll, fd);
	if (rc) {
		err_set(e, ERR_INTERNAL, "watch a socket of datagrams: %s", uv_strerror(rc));
		close(fd);
		free(d);
		return NULL;
	}
	uv_timer_init(pub->proxy->loop, &d->tick);
	d->poll.data = d->tick.data = d;
	d->handles = 2;
	d->pub = pub;
	d->fd = fd;
	flows_init(&d->flows);
	list_init(&d->batch);
	return d;
}

void datagram_port_serve(struct datagram_port *d)
{
	uv_poll_start(&d->poll, UV_READABLE, port_ready);
}

void datagram_port_take(struct datagram_port *d, const struct route_flow *flow, int fd)
{
	struct flow_address at = { .from_size = flow->from_size, .local_size = flow->local_size };
	uint8_t key[FLOW_KEY];

	memcpy(&at.from, flow->from, at.from_size);
	memcpy(at.local, flow->local, at.local_size);
	if (!flows_key(&at.from, key) || flows_find(&d->flows, key)) {
		close(fd);
		return;
	}
	port_watch_silence(d);
	flow_take(d->pub, &d->flows, &at, key, fd);
}

static void port_leave_look(uv_timer_t *timer)
{
	struct datagram_port *d = timer->data;
	struct list waiting = LIST_INIT(waiting);
	struct flow_node *node;

	while ((node = flows_oldest(&d->flows))) {
		struct datagram_flow *f = container_of(node, struct datagram_flow, node);

		if (flow_give(f))
			continue;
		list_del(&node->in_used);
		list_add(&waiting, &node->in_used);
	}
	while ((node = list_first(&waiting, struct flow_node, in_used))) {
		list_del(&node->in_used);
		list_add(&d->flows.used, &node->in_used);
	}
	if (flows_oldest(&d->flows) && clock_mono_ms() < d->leave_until_ms)
		return;
	d->left(d->pub);
}

void datagram_port_leave(struct datagram_port *d, void (*left)(struct publication *pub))
{
	if (d->leave_until_ms)
		return;
	d->left = left;
	uv_poll_stop(&d->poll);
	d->leave_until_ms = clock_mono_ms() + PORT_LEAVE_MS;
	uv_timer_start(&d->tick, port_leave_look, 0, PORT_LOOK_MS);
}

void datagram_port_free(struct datagram_port *d)
{
	struct flow_node *node;

	if (!d)
		return;
	while ((node = flows_oldest(&d->flows)))
		flow_end(container_of(node, struct datagram_flow, node));
	flows_free(&d->flows);
	uv_poll_stop(&d->poll);
	uv_close((uv_handle_t *)&d->poll, port_closed);
	uv_close((uv_handle_t *)&d->tick, port_closed);
	fd_close(&d->fd);
}
