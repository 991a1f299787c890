#include "proxy/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/quota.h"
#include "net/tls_certificates.h"
#include "proxy/access_log.h"
#include "proxy/rates.h"
#include "wire/certificate.h"

static const char *const alpn[] = { "h2", "http/1.1", NULL };

/* Each client and each connection into a guest takes a descriptor. */
static void proxy_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warn("cannot raise the limit of open files");
	else
		log_info("limit of open files n=%llu", (unsigned long long)limit.rlim_cur);
}

/* Each client of a published port takes two descriptors: half of all at most, so that endpoints are
 * served whatever happens there. */
static void proxy_limit_published(struct proxy *p, struct client_limits limits)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur / 4 < (rlim_t)limits.connections)
		limits.connections = (int64_t)files.rlim_cur / 4;
	quota_limit(p->quota, &limits);
}

/* With the first stream of a loop libuv opens a descriptor that it keeps in reserve.  The filter of
 * system calls does not allow that, and libuv would try again for each connection. */
static void proxy_make_a_stream(struct proxy *p)
{
	if (!uv_tcp_init(p->loop, &p->first))
		uv_close((uv_handle_t *)&p->first, NULL);
}

int proxy_init(struct proxy *p, uv_loop_t *loop, const struct conf *conf, struct err *e)
{
	uv_timer_t *timers[] = { &p->tick_report, &p->tick_held, &p->tick_connect, &p->tick_drain,
				 &p->tick_throttle };

	*p = (struct proxy){ .loop = loop, .conf = conf, .n_workers = 1 };
	snprintf(p->suffix, sizeof(p->suffix), ".lambda-microvm.%s.%s", conf->region, conf->domain);
	route_table_init(&p->routes);
	p->quota = quota_new();
	held_clock_init(&p->clock);
	list_init(&p->connecting);
	list_init(&p->pausing);
	list_init(&p->throttled);
	p->rates = xcalloc(1, sizeof(*p->rates));
	list_init(&p->heads);
	list_init(&p->natives);
	list_init(&p->metered);
	list_init(&p->unsure);
	list_init(&p->probes);
	p->to_apps[false] = tls_client_new(alpn);
	p->to_apps[true] = tls_client_new(alpn + 1);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		int rc = uv_timer_init(loop, timers[i]);

		if (rc)
			return err_set(e, ERR_INTERNAL, "make a timer: %s", uv_strerror(rc));
		timers[i]->data = p;
	}
	proxy_make_a_stream(p);
	p->certificates = certificates_new(SECRET_TLS_ENDPOINT, alpn, &native_names);
	proxy_raise_files();
	proxy_limit_published(p, conf->clients);
	p->access_log = access_log_new(loop, e);
	return p->access_log && !worker_shares_init(&p->shares, e) ? 0 : -1;
}

int proxy_set_keys(struct proxy *p, const char *json, size_t size, struct err *e)
{
	struct token_keys keys;

	if (token_keys_parse(json, size, &keys, e))
		return -1;
	auth_keys_set(&p->keys, &keys);
	return 0;
}

static int proxy_set_client_ca(struct proxy *p, const char *text, size_t size, struct err *e)
{
	struct certificate_authority *a = certificate_authority_new(text, size, e);

	if (!a)
		return -1;
	certificate_authority_free(p->client_ca);
	p->client_ca = a;
	return 0;
}

int proxy_set_certificates(struct proxy *p, enum secret which, const char *text, size_t size,
			   struct err *e)
{
	struct tls *old = p->tls, *tls;

	if (which == SECRET_CLIENT_CA && proxy_set_client_ca(p, text, size, e))
		return -1;
	if (certificates_take(p->certificates, which, text, size, &tls, e))
		return -1;
	if (!tls)
		return 0;
	p->tls = tls;
	if (p->server) {
		http_server_set_tls(p->server, tls);
	} else {
		p->server = http_server_new(p->loop, tls, &relay_handler, p);
		http_server_set_natives(p->server, &native_handler);
		http_server_limit(p->server, &p->conf->clients);
	}
	if (old)
		tls_free(old);
	return 0;
}

/* The kernel spreads connections evenly, so each worker has its share of what may be held in all.
 */
static void proxy_share_limits(struct proxy *p, int64_t workers)
{
	struct client_limits limits = p->conf->clients;

	limits.connections = (limits.connections + workers - 1) / workers;
	limits.connections_per_address = (limits.connections_per_address + workers - 1) / workers;
	http_server_limit(p->server, &limits);
	proxy_limit_published(p, limits);
}

/* A name that is asked for before its route came would be unknown to us, and the client would hear
 * that for an endpoint which there is. */
static void proxy_serve(struct proxy *p)
{
	struct err e;

	if (!p->started || !p->synced || p->serving || !p->server || p->draining)
		return;
	p->serving = true;
	for (; p->n_waiting; p->n_waiting--) {
		uint16_t port = p->waiting[p->n_waiting - 1].port;

		if (http_server_listen(p->server, p->waiting[p->n_waiting - 1].fd, &e))
			log_err("%s", e.text);
		else
			log_info("serving endpoints port=%u", port);
	}
	p->on_serving(p);
}

void proxy_listen(struct proxy *p, int fd, uint16_t port)
{
	if (p->n_waiting == ARRAY_SIZE(p->waiting) || p->serving) {
		fd_close(&fd);
		return;
	}
	p->waiting[p->n_waiting].fd = fd;
	p->waiting[p->n_waiting++].port = port;
}

void proxy_start(struct proxy *p, unsigned workers)
{
	p->started = true;
	p->n_workers = workers ? workers : 1;
	if (p->server && workers > 1)
		proxy_share_limits(p, workers);
	proxy_serve(p);
}

void proxy_synced(struct proxy *p)
{
	p->synced = true;
	proxy_serve(p);
}

void proxy_stop(struct proxy *p)
{
	uv_timer_t *timers[] = { &p->tick_report, &p->tick_held, &p->tick_connect, &p->tick_drain,
				 &p->tick_throttle };

	route_unsee(&p->routes);
	control_forget_unseen(p);
	native_clients_close(p);
	http_server_free(p->server);
	p->server = NULL;
	proxy_control_close(p);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		uv_close((uv_handle_t *)timers[i], NULL);
	auth_keys_set(&p->keys, &(struct token_keys){ 0 });
	if (p->tls)
		tls_free(p->tls);
	p->tls = NULL;
	access_log_close(p->access_log);
	while (p->n_waiting)
		fd_close(&p->waiting[--p->n_waiting].fd);
	tls_free(p->to_apps[false]);
	tls_free(p->to_apps[true]);
	route_table_free(&p->routes);
	quota_free(p->quota);
	free(p->rates);
}

void link_cut_all(struct list *links)
{
	struct link *l;

	while ((l = list_first(links, struct link, in_route))) {
		list_del(&l->in_route);
		l->cut(l);
	}
}

void proxy_free(struct proxy *p)
{
	certificates_free(p->certificates);
	certificate_authority_free(p->client_ca);
	access_log_free(p->access_log);
	p->certificates = NULL;
}
