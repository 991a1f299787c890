#include "guest/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "ipc/agent.h"

#define DIAG_ABORTS 65536 /* in one walk; the guest's memory runs out long before */

/* A request without a family walks both families at once (the kernel's oldest interface). */
struct diag_request {
	struct nlmsghdr head;
	struct inet_diag_req req;
};

struct diag_kill {
	struct nlmsghdr head;
	struct inet_diag_req_v2 req;
};

typedef void diag_each(const struct inet_diag_msg *m, struct buf *found);

int diag_open(struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? err_sys(e, "open the kernel's socket list") : fd;
}

/* Read one datagram of answers.  Returns 1 if more follow, 0 at the end, -1 on an error. */
static int diag_batch(struct nlmsghdr *h, size_t size, diag_each *each, struct buf *found)
{
	while (size >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= size) {
		size_t step = NLMSG_ALIGN(h->nlmsg_len);

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -1;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			each(NLMSG_DATA(h), found);
		if (step >= size)
			break;
		size -= step;
		h = (struct nlmsghdr *)(void *)((char *)h + step);
	}
	return 1;
}

/* Drop leftover answers, which would be taken for those of the next walk. */
static void diag_drain(int fd)
{
	char answer[4 * KIB];

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static int diag_walk(int fd, uint32_t states, diag_each *each, struct buf *found)
{
	static _Alignas(struct nlmsghdr) char answer[32 * KIB];
	struct diag_request ask = {
		.head = { .nlmsg_len = sizeof(ask),
			  .nlmsg_type = TCPDIAG_GETSOCK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .idiag_states = states },
	};
	int rc;

	if (send(fd, &ask, sizeof(ask), 0) < 0)
		return -1;
	do {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);

		if (n <= 0)
			return -1;
		rc = diag_batch((struct nlmsghdr *)(void *)answer, (size_t)n, each, found);
	} while (rc > 0);
	if (rc < 0)
		diag_drain(fd);
	return rc;
}

/* Addresses are in network order.  An IPv4 address is in the first word; ::ffff:a.b.c.d is IPv4
 * too. */
static uint32_t diag_v4(const struct inet_diag_msg *m, const __be32 a[4], bool *is_v4)
{
	bool mapped = m->idiag_family == AF_INET6 && !a[0] && !a[1] && a[2] == htonl(0xffff);

	*is_v4 = m->idiag_family == AF_INET || mapped;
	return ntohl(mapped ? a[3] : a[0]);
}

static bool diag_is_any(const struct inet_diag_msg *m, const __be32 a[4])
{
	return !a[0] && (m->idiag_family == AF_INET || (!a[1] && !a[2] && !a[3]));
}

static bool diag_is_loopback(const struct inet_diag_msg *m, const __be32 a[4])
{
	bool is_v4;
	uint32_t v4 = diag_v4(m, a, &is_v4);

	if (is_v4)
		return v4 >> 24 == IN_LOOPBACKNET;
	return !a[0] && !a[1] && !a[2] && a[3] == htonl(1);
}

/* 127.0.0.2 and its like are on the loopback, but streams do not connect to them. */
static bool diag_is_reachable(const struct inet_diag_msg *m, const __be32 a[4])
{
	bool is_v4;
	uint32_t v4 = diag_v4(m, a, &is_v4);

	return diag_is_any(m, a) || (is_v4 ? v4 == INADDR_LOOPBACK : diag_is_loopback(m, a));
}

static bool diag_is_agents(const struct inet_diag_msg *m)
{
	bool is_v4;

	return diag_v4(m, m->id.idiag_src, &is_v4) == ntohl(inet_addr(SLOT_GUEST_IP)) && is_v4 &&
	       (m->id.idiag_sport == htons(AGENT_STREAM_PORT) ||
		m->id.idiag_sport == htons(AGENT_METADATA_PORT));
}

static void diag_place(struct diag_place *to, const struct inet_diag_msg *m, uint16_t port)
{
	to->family = m->idiag_family;
	to->port = port;
	memcpy(to->address, m->id.idiag_src, sizeof(to->address));
}

static void diag_each_listener(const struct inet_diag_msg *m, struct buf *found)
{
	struct diag_ports *ports = (struct diag_ports *)(void *)found->data;
	uint16_t port = ntohs(m->id.idiag_sport);

	if (diag_is_reachable(m, m->id.idiag_src))
		ports->bits[port / 64] |= 1ULL << port % 64;
	else if (!diag_is_agents(m) && ports->n_places < DIAG_PLACES)
		diag_place(&ports->places[ports->n_places++], m, port);
}

int diag_listening(int fd, struct diag_ports *ports)
{
	struct buf found = { .data = (uint8_t *)ports, .size = sizeof(*ports) };

	memset(ports, 0, sizeof(*ports));
	return diag_walk(fd, 1u << TCP_LISTEN, diag_each_listener, &found);
}

/* The kernel takes one connection more than the application asked for. */
static void diag_each_on_port(const struct inet_diag_msg *m, struct buf *found)
{
	struct diag_port *port = (struct diag_port *)(void *)found->data;

	if (ntohs(m->id.idiag_sport) != port->port || !diag_is_reachable(m, m->id.idiag_src))
		return;
	port->listens = true;
	if (m->idiag_rqueue <= m->idiag_wqueue)
		port->room += m->idiag_wqueue - m->idiag_rqueue + 1;
}

int diag_room(int fd, struct diag_port *port)
{
	struct buf found = { .data = (uint8_t *)port, .size = sizeof(*port) };

	port->listens = false;
	port->room = 0;
	return diag_walk(fd, 1u << TCP_LISTEN, diag_each_on_port, &found);
}

static void diag_each_connection(const struct inet_diag_msg *m, struct buf *found)
{
	if (!diag_is_agents(m) && !diag_is_loopback(m, m->id.idiag_src) &&
	    !diag_is_loopback(m, m->id.idiag_dst) && found->size < DIAG_ABORTS * sizeof(*m))
		buf_add(found, m, sizeof(*m));
}

static void diag_abort(int fd, const struct inet_diag_msg *m)
{
	struct diag_kill kill = {
		.head = { .nlmsg_len = sizeof(kill),
			  .nlmsg_type = SOCK_DESTROY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = m->idiag_family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = ~0u,
			 .id = m->id },
	};

	(void)!send(fd, &kill, sizeof(kill), 0);
}

size_t diag_abort_outbound(int fd, bool rehearse)
{
	const uint32_t states = ~(1u << TCP_LISTEN | 1u << TCP_CLOSE | 1u << TCP_TIME_WAIT);
	autobuf struct buf found = { 0 };
	size_t n;

	if (diag_walk(fd, states, diag_each_connection, &found))
		return 0;
	n = found.size / sizeof(struct inet_diag_msg);
	for (size_t i = 0; !rehearse && i < n; i++)
		diag_abort(fd, (const struct inet_diag_msg *)(void *)found.data + i);
	if (n)
		diag_drain(fd);
	return n;
}
