#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/forward.h"

#define FLOWS_MOST  256
#define FLOWS_PIECE (64 * KIB)

/* An address that sends, and the process that serves it, behind a pair of sockets.  A process that
 * has ended is found by the next datagram for it. */
struct flow {
	struct sockaddr_storage from;
	socklen_t size;
	int pair; /* owned */
};

struct flows {
	struct forward *forward;     /* borrowed */
	struct flow all[FLOWS_MOST]; /* the oldest first */
	size_t n;
};

static uint8_t flows_piece[FLOWS_PIECE];

static void flow_forget(struct flows *f, size_t i)
{
	fd_close(&f->all[i].pair);
	memmove(&f->all[i], &f->all[i + 1], (--f->n - i) * sizeof(f->all[0]));
}

static struct flow *flow_start(struct flows *f, const struct sockaddr_storage *from, socklen_t size)
{
	struct flow *flow;
	int pair[2];
	pid_t pid;

	if (forward_renew(f->forward) || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return NULL;
	if (f->n == FLOWS_MOST)
		flow_forget(f, 0);
	pid = fork();
	if (!pid) {
		close(pair[0]);
		forward_serve(f->forward, pair[1]);
	}
	close(pair[1]);
	flow = &f->all[f->n++];
	*flow = (struct flow){ *from, size, pair[0] };
	return flow;
}

static struct flow *flow_find(struct flows *f, const struct sockaddr_storage *from, socklen_t size)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->all[i].size == size && !memcmp(&f->all[i].from, from, size))
			return &f->all[i];
	return NULL;
}

static bool flow_pass(const struct flow *flow, size_t size)
{
	return flow && (send(flow->pair, flows_piece, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
			errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE);
}

static void flows_take(struct flows *f)
{
	struct sockaddr_storage from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(f->forward->fd, flows_piece, sizeof(flows_piece), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &size);
	struct flow *flow = n < 0 ? NULL : flow_find(f, &from, size);

	if (n < 0 || flow_pass(flow, (size_t)n))
		return;
	if (flow)
		flow_forget(f, (size_t)(flow - f->all));
	(void)flow_pass(flow_start(f, &from, size), (size_t)n);
}

static void flow_answer(const struct flows *f, const struct flow *flow)
{
	ssize_t n;

	while ((n = recv(flow->pair, flows_piece, sizeof(flows_piece), MSG_DONTWAIT)) >= 0)
		(void)!sendto(f->forward->fd, flows_piece, (size_t)n, MSG_DONTWAIT,
			      (const struct sockaddr *)&flow->from, flow->size);
}

void forward_datagrams(struct forward *forward)
{
	static struct flows f;
	struct pollfd at[FLOWS_MOST + 1];

	f = (struct flows){ .forward = forward };
	for (;;) {
		at[0] = (struct pollfd){ .fd = forward->fd, .events = POLLIN };
		for (size_t i = 0; i < f.n; i++)
			at[i + 1] = (struct pollfd){ .fd = f.all[i].pair, .events = POLLIN };
		if (poll(at, f.n + 1, -1) < 0)
			continue;
		for (size_t i = 0; i < f.n; i++)
			if (at[i + 1].revents & POLLIN)
				flow_answer(&f, &f.all[i]);
		if (at[0].revents)
			flows_take(&f);
	}
}
