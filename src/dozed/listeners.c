#include "dozed/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FALLBACK_FIRST 8443
#define FALLBACK_LAST  8542
#define BACKLOG        4096
#define METRICS_TRIES  64

/* How a socket is one of several at its port. */
enum listen_share {
	LISTEN_ALONE,
	LISTEN_FIRST, /* it finds out whether somebody else has the port, another doze too */
	LISTEN_MORE
};

static int listen_reuse(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
}

static int listen_at(const char *ip, uint16_t port, enum listen_share share)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v6 = strchr(ip, ':') != NULL;
	autoclose int fd =
		socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (share == LISTEN_MORE && listen_reuse(fd))
		return -errno;
	if (is_v6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
		inet_pton(AF_INET6, ip, &v6.sin6_addr);
		rc = bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	} else {
		inet_pton(AF_INET, ip, &v4.sin_addr);
		rc = bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	}
	if (rc || (share == LISTEN_FIRST && listen_reuse(fd)) || listen(fd, BACKLOG))
		return -errno;
	return fd_steal(&fd);
}

static void listeners_drop(struct listeners *l, size_t down_to)
{
	while (l->n > down_to)
		fd_close(&l->each[--l->n].fd);
}

static int listen_one(struct listeners *l, enum listener which, unsigned worker, uint16_t port,
		      const char *ip, enum listen_share share)
{
	int fd = listen_at(ip, port, share);

	if (fd < 0)
		return fd;
	l->each[l->n].which = which;
	l->each[l->n].worker = worker;
	l->each[l->n].port = port;
	l->each[l->n++].fd = fd;
	return 0;
}

/* Listens on IPv4 and, where the host has it, on IPv6. Returns 0, or -errno with nothing left open.
 */
static int listen_both(struct listeners *l, enum listener which, uint16_t port, bool any,
		       unsigned workers)
{
	const char *const ips[] = { any ? "0.0.0.0" : "127.0.0.1", any ? "::" : "::1" };
	size_t before = l->n;

	for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
		int rc = listen_one(l, which, 0, port, ips[i],
				    workers > 1 ? LISTEN_FIRST : LISTEN_ALONE);

		if (i == 1 && (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL))
			continue; /* no IPv6 here */
		for (unsigned worker = 1; !rc && worker < workers; worker++)
			rc = listen_one(l, which, worker, port, ips[i], LISTEN_MORE);
		if (rc) {
			listeners_drop(l, before);
			return rc;
		}
	}
	return 0;
}

static int listen_or_say(struct listeners *l, enum listener which, uint16_t port, const char *key,
			 struct err *e)
{
	int rc = listen_both(l, which, port, false, 1);

	errno = -rc;
	return rc ? err_sys(e, "listen on port %u; set [service] %s to a free one", port, key) : 0;
}

static bool under_localhost(const char *domain)
{
	size_t n = strlen(domain), tail = strlen("localhost");

	return n >= tail && !strcmp(domain + n - tail, "localhost");
}

static int listen_endpoint(struct listeners *l, const struct conf *conf, unsigned workers,
			   struct err *e)
{
	bool any = !under_localhost(conf->domain);
	uint16_t port = (uint16_t)conf->endpoint_port;
	int rc = listen_both(l, LISTENER_ENDPOINT, port, any, workers);

	for (port = FALLBACK_FIRST; rc == -EADDRINUSE && port <= FALLBACK_LAST; port++)
		rc = listen_both(l, LISTENER_ENDPOINT, port, any, workers);
	errno = -rc;
	return rc ? err_sys(e, "listen on port %d or one from %d to %d for endpoints",
			    (int)conf->endpoint_port, FALLBACK_FIRST, FALLBACK_LAST)
		  : 0;
}

static int listen_metrics(struct listeners *l, const struct conf *conf, struct err *e)
{
	int64_t port = conf->metrics_port;
	int rc;

	if (!port)
		return 0;
	do
		rc = listen_both(l, LISTENER_METRICS, (uint16_t)port, false, 1);
	while (rc == -EADDRINUSE && ++port <= UINT16_MAX &&
	       port <= conf->metrics_port + METRICS_TRIES);
	errno = -rc;
	return rc ? err_sys(e,
			    "listen on port %d or one of the next %d; set [service] metrics_port "
			    "to "
			    "a free one, or to 0",
			    (int)conf->metrics_port, METRICS_TRIES)
		  : 0;
}

int listeners_open(struct listeners *l, const struct conf *conf, unsigned workers, struct err *e)
{
	*l = (struct listeners){ 0 };
	if (!listen_or_say(l, LISTENER_API, (uint16_t)conf->api_port, "api_port", e) &&
	    !listen_or_say(l, LISTENER_S3, (uint16_t)conf->s3_port, "s3_port", e) &&
	    !listen_endpoint(l, conf, workers, e) && !listen_metrics(l, conf, e))
		return 0;
	listeners_drop(l, 0);
	return -1;
}
