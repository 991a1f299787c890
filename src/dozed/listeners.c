#include "dozed/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/listen.h"
#include "ipc/agent.h"

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
	if (!strcmp(ip, SLOT_API_IP)) /* priv gives the host that address later */
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &(int){ 1 }, sizeof(int));
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

/* Listens on each address.  One of IPv6 may be missing where nobody asked for it.  Returns 0, or
 * -errno with nothing left open, and *failed is the address. */
static int listen_all(struct listeners *l, enum listener which, uint16_t port,
		      const struct listen_addresses *to, unsigned workers, const char **failed)
{
	enum listen_share share = workers > 1 ? LISTEN_FIRST : LISTEN_ALONE;
	size_t before = l->n;

	for (size_t i = 0; i < to->n; i++) {
		int rc = listen_one(l, which, 0, port, to->at[i], share);

		if (rc == -EAFNOSUPPORT || (rc == -EADDRNOTAVAIL && !strcmp(to->at[i], "::1")))
			continue; /* no IPv6 here */
		for (unsigned worker = 1; !rc && worker < workers; worker++)
			rc = listen_one(l, which, worker, port, to->at[i], LISTEN_MORE);
		if (rc) {
			listeners_drop(l, before);
			*failed = to->at[i];
			return rc;
		}
	}
	return 0;
}

static int listen_or_say(struct listeners *l, enum listener which, uint16_t port,
			 const struct listen_addresses *to, const char *key, struct err *e)
{
	const char *failed;
	int rc = listen_all(l, which, port, to, 1, &failed);

	errno = -rc;
	if (rc == -EADDRNOTAVAIL)
		return err_sys(e, "listen on %s; [service] listen names addresses of this host",
			       failed);
	return rc ? err_sys(e, "listen on port %u of %s; set [service] %s to a free one", port,
			    failed, key)
		  : 0;
}

static bool under_localhost(const char *domain)
{
	size_t n = strlen(domain), tail = strlen("localhost");

	return n >= tail && !strcmp(domain + n - tail, "localhost");
}

static int listen_endpoint(struct listeners *l, const struct conf *conf,
			   const struct listen_addresses *given, unsigned workers, struct err *e)
{
	static const struct listen_addresses all = { { "0.0.0.0", "::" }, 2 };
	bool any = !*conf->listen && !under_localhost(conf->domain);
	const struct listen_addresses *to = any ? &all : given;
	uint16_t port = (uint16_t)conf->endpoint_port;
	const char *failed;
	int rc = listen_all(l, LISTENER_ENDPOINT, port, to, workers, &failed);

	for (port = FALLBACK_FIRST; rc == -EADDRINUSE && port <= FALLBACK_LAST; port++)
		rc = listen_all(l, LISTENER_ENDPOINT, port, to, workers, &failed);
	errno = -rc;
	return rc ? err_sys(e, "listen on port %d of %s or one from %d to %d for endpoints",
			    (int)conf->endpoint_port, failed, FALLBACK_FIRST, FALLBACK_LAST)
		  : 0;
}

static int listen_metrics(struct listeners *l, const struct conf *conf, struct err *e)
{
	static const struct listen_addresses loopback = { { "127.0.0.1", "::1" }, 2 };
	int64_t port = conf->metrics_port;
	const char *failed;
	int rc;

	if (!port)
		return 0;
	do
		rc = listen_all(l, LISTENER_METRICS, (uint16_t)port, &loopback, 1, &failed);
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

/* Those addresses, and the one that guests with a role of doze's own reach. */
static const struct listen_addresses *listen_guests(const struct conf *conf,
						    const struct listen_addresses *given,
						    struct listen_addresses *to)
{
	bool all = false;

	*to = *given;
	for (size_t i = 0; i < to->n; i++)
		all |= !strcmp(to->at[i], "0.0.0.0");
	if (conf_guests_have_api(conf) && !all)
		snprintf(to->at[to->n++], sizeof(to->at[0]), SLOT_API_IP);
	return to;
}

int listeners_open(struct listeners *l, const struct conf *conf, unsigned workers, struct err *e)
{
	uint16_t api = (uint16_t)conf->api_port, s3 = (uint16_t)conf->s3_port;
	struct listen_addresses to, with_guests;

	*l = (struct listeners){ 0 };
	if (!listen_read(conf->listen, &to, e) &&
	    !listen_or_say(l, LISTENER_API, api, listen_guests(conf, &to, &with_guests), "api_port",
			   e) &&
	    !listen_or_say(l, LISTENER_S3, s3, &with_guests, "s3_port", e) &&
	    !listen_endpoint(l, conf, &to, workers, e) && !listen_metrics(l, conf, e))
		return 0;
	listeners_drop(l, 0);
	return -1;
}
