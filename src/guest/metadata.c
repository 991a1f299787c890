#include "guest/metadata.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guest/metadata_lead.h"
#include "ipc/agent.h"

#define METADATA_SEND (256 * KIB) /* an answer goes out at once */

static void metadata_close(struct metadata_client *c)
{
	loop_unwatch(c->of->loop, &c->watch);
	loop_untimer(c->of->loop, &c->timer);
	fd_close(&c->fd);
}

static void metadata_late(struct timer *t)
{
	metadata_close(container_of(t, struct metadata_client, timer));
}

static const char *metadata_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *words;
	} reasons[] = {
		{ 200, "OK" },           { 204, "No Content" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" },  { 404, "Not Found" },
		{ 405, "Not Allowed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].words;
	return "Refused";
}

/* @fields: whole lines. */
static void metadata_answer(struct metadata_client *c, unsigned status, const char *fields,
			    const struct buf *body)
{
	autobuf struct buf b = { .secret = true };

	buf_addf(&b, "HTTP/1.1 %u %s\r\n%s", status, metadata_reason(status), fields);
	if (status != 204)
		buf_addf(&b, "Content-Length: %zu\r\n", body ? body->size : 0);
	buf_adds(&b, "Connection: close\r\n\r\n");
	if (body)
		buf_add(&b, body->data, body->size);
	(void)!send(c->fd, b.data, b.size, MSG_NOSIGNAL);
	shutdown(c->fd, SHUT_RDWR);
	metadata_close(c);
}

static void metadata_give_lease(struct metadata_client *c, const struct metadata_request *r)
{
	lease_for(c->of->lease, r->seconds);
	metadata_answer(c, 204, "", NULL);
}

static void metadata_give_token(struct metadata_client *c, const struct metadata_request *r)
{
	autobuf struct buf body = { 0 };
	char token[METADATA_TOKEN_SIZE], fields[128];
	uint64_t salt = 0;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt)) {
		metadata_answer(c, 503, "", NULL);
		return;
	}
	metadata_token_make(&c->of->key, (uint64_t)clock_mono_ms() + 1000 * r->seconds, salt,
			    token);
	buf_adds(&body, token);
	snprintf(fields, sizeof(fields),
		 "Content-Type: text/plain\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: %llu\r\n",
		 (unsigned long long)r->seconds);
	metadata_answer(c, 200, fields, &body);
}

static void metadata_give_text(struct metadata_client *c, const struct metadata_request *r)
{
	autobuf struct buf body = { .secret = true };

	if (!metadata_token_good(&c->of->key, r->token, (uint64_t)clock_mono_ms()))
		metadata_answer(c, 401, "", NULL);
	else if (!metadata_tree_get(&c->of->tree, r->path, &body))
		metadata_answer(c, 404, "", NULL);
	else
		metadata_answer(c, 200, "Content-Type: text/plain\r\n", &body);
}

static void (*const metadata_gives[])(struct metadata_client *c,
				      const struct metadata_request *r) = {
	[METADATA_LEASE] = metadata_give_lease,
	[METADATA_TOKEN] = metadata_give_token,
	[METADATA_READ] = metadata_give_text,
};

static void metadata_ready(struct watch *w, uint32_t events)
{
	struct metadata_client *c = container_of(w, struct metadata_client, watch);
	ssize_t n = recv(c->fd, c->in + c->n, METADATA_BYTES - c->n, 0);
	struct metadata_request r = { 0 };
	unsigned status;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		metadata_close(c);
		return;
	}
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	status = metadata_judge(c->in, c->n, &r);
	if (status == 200 || status == 204)
		metadata_gives[r.wish](c, &r);
	else if (status)
		metadata_answer(c, status, "", NULL);
	else if (c->n == METADATA_BYTES)
		metadata_answer(c, 413, "", NULL);
}

static bool metadata_is_local(const struct sockaddr_in *peer)
{
	return peer->sin_addr.s_addr == inet_addr(SLOT_GUEST_IP) ||
	       ntohl(peer->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct metadata_client *metadata_free(struct metadata *m)
{
	for (size_t i = 0; i < METADATA_CLIENTS; i++)
		if (m->clients[i].fd < 0)
			return &m->clients[i];
	return NULL;
}

static void metadata_accept(struct watch *w, uint32_t events)
{
	struct metadata *m = container_of(w, struct metadata, watch);
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(w->fd, (struct sockaddr *)(void *)&peer, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct metadata_client *c = fd < 0 ? NULL : metadata_free(m);
	struct err e;

	(void)events;
	if (!c || !metadata_is_local(&peer)) {
		fd_close(&fd);
		return;
	}
	*c = (struct metadata_client){ .of = m, .fd = fd };
	loop_timer(m->loop, &c->timer, METADATA_MS, metadata_late);
	if (loop_watch(m->loop, &c->watch, fd, EPOLLIN, metadata_ready, &e))
		metadata_close(c);
}

void metadata_put(struct metadata *m, const struct agent_frame *f)
{
	if (!metadata_tree_put(&m->tree, f))
		log_warn("the host's metadata is broken or too large");
}

void metadata_renew(struct metadata *m)
{
	if (!metadata_key_renew(&m->key))
		log_err("the tokens of before stay good: the kernel gives no randomness");
}

/* Answers live for one hop, so that whoever forwards packets of this guest to somebody else carries
 * no token out. */
static int metadata_listen(struct err *e)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(AGENT_METADATA_PORT),
		.sin_addr.s_addr = inet_addr(SLOT_GUEST_IP),
	};
	const int hops = 1, room = METADATA_SEND;
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)) ||
	    listen(fd, METADATA_CLIENTS))
		return err_sys(e, "listen for " METADATA_IP);
	return fd_steal(&fd);
}

int metadata_open(struct metadata *m, struct loop *l, struct lease *lease, struct err *e)
{
	int fd = metadata_listen(e);

	m->loop = l;
	m->lease = lease;
	for (size_t i = 0; i < METADATA_CLIENTS; i++)
		m->clients[i].fd = -1;
	if (fd < 0)
		return -1;
	if (!metadata_key_renew(&m->key))
		return err_set(e, ERR_INTERNAL, "the kernel gives no randomness");
	if (!metadata_lead())
		log_warn("the kernel leads nobody to " METADATA_IP);
	return loop_watch(l, &m->watch, fd, EPOLLIN, metadata_accept, e);
}
