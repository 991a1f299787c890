/* main.c - the role: gives the proxy's parts what the supervisor hands over. */
#include <unistd.h>

#include "base/log.h"
#include "net/role.h"
#include "proxy/access_log.h"
#include "proxy/proxy.h"
#include "proxy/seccomp_filter.h"

struct role_proxy {
	struct proxy proxy;
	struct role_link *link;
	bool failed;
};

static void role_on_secret(void *arg, enum secret which, const char *text, size_t size)
{
	struct role_proxy *r = arg;
	struct err e;
	int rc = 0;

	if (which == SECRET_TOKEN_KEYS)
		rc = proxy_set_keys(&r->proxy, text, size, &e);
	else
		rc = proxy_set_certificates(&r->proxy, which, text, size, &e);
	if (rc)
		log_err("%s", e.text);
}

static void role_on_listener(void *arg, enum listener which, uint16_t port, int fd)
{
	struct role_proxy *r = arg;

	if (which == LISTENER_ENDPOINT)
		proxy_listen(&r->proxy, fd, port);
	else
		close(fd);
}

static void role_on_peer(void *arg, enum role which, unsigned worker, int fd)
{
	struct role_proxy *r = arg;

	(void)worker;
	if (which == ROLE_CONTROL)
		proxy_control(&r->proxy, fd);
	else
		close(fd);
}

static void role_on_start(void *arg, uint16_t endpoint_port, unsigned workers)
{
	struct role_proxy *r = arg;
	struct err e;

	(void)endpoint_port; /* a Host may name any port: the name in front of it decides */
	if (seccomp_filter_lay(&e)) {
		log_err("%s", e.text);
		r->failed = true;
		role_finish(r->link);
		return;
	}
	proxy_start(&r->proxy, workers);
}

static void role_on_serving(struct proxy *p)
{
	role_ready(container_of(p, struct role_proxy, proxy)->link);
}

static void role_on_drain(void *arg)
{
	struct role_proxy *r = arg;

	proxy_drain(&r->proxy);
}

static void role_on_shares(void *arg, unsigned worker, int fd)
{
	struct role_proxy *r = arg;
	struct err e;

	if (worker_shares_set(&r->proxy.shares, worker, fd, &e))
		log_err("%s", e.text);
}

static void role_on_log(void *arg, int fd)
{
	struct role_proxy *r = arg;

	access_log_set(r->proxy.access_log, fd);
}

static void role_on_drained(struct proxy *p)
{
	role_finish(container_of(p, struct role_proxy, proxy)->link);
}

static const struct role_events role_events = {
	.secret = role_on_secret,
	.listener = role_on_listener,
	.peer = role_on_peer,
	.start = role_on_start,
	.drain = role_on_drain,
	.log = role_on_log,
	.shares = role_on_shares,
};

int proxy_main(const struct conf *conf, int super_fd)
{
	struct role_proxy r = { 0 };
	uv_loop_t loop;
	struct err e;
	int rc;

	if (uv_loop_init(&loop)) {
		log_err("cannot make an event loop");
		return 1;
	}
	if (!proxy_init(&r.proxy, &loop, conf, &e)) {
		r.proxy.on_serving = role_on_serving;
		r.proxy.on_drained = role_on_drained;
		r.link = role_open(&loop, super_fd, &role_events, &r, &e);
	}
	if (!r.link) {
		log_err("%s", e.text);
		return 1;
	}
	rc = role_run(r.link);
	proxy_stop(&r.proxy);
	uv_run(&loop, UV_RUN_DEFAULT); /* until everything that was cut is closed */
	proxy_free(&r.proxy);
	return uv_loop_close(&loop) || r.failed ? 1 : rc;
}
