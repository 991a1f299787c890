#include "proxy/proxy.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/quota.h"
#include "net/tls.h"

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

int proxy_init(struct proxy *p, uv_loop_t *loop, const struct conf *conf, struct err *e)
{
	uv_timer_t *timers[] = { &p->tick_report, &p->tick_held, &p->tick_connect };

	*p = (struct proxy){ .loop = loop, .conf = conf };
	snprintf(p->suffix, sizeof(p->suffix), ".lambda-microvm.%s.%s", conf->region, conf->domain);
	route_table_init(&p->routes);
	p->quota = quota_new();
	quota_limit(p->quota, &conf->clients);
	held_clock_init(&p->clock);
	list_init(&p->connecting);
	list_init(&p->pausing);
	list_init(&p->heads);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		int rc = uv_timer_init(loop, timers[i]);

		if (rc)
			return err_set(e, ERR_INTERNAL, "make a timer: %s", uv_strerror(rc));
		timers[i]->data = p;
	}
	proxy_raise_files();
	return 0;
}

int proxy_set_keys(struct proxy *p, const char *json, size_t size, struct err *e)
{
	struct token_keys keys;

	if (token_keys_parse(json, size, &keys, e))
		return -1;
	auth_keys_set(&p->keys, &keys);
	return 0;
}

int proxy_set_tls(struct proxy *p, const char *pem, size_t size, struct err *e)
{
	struct tls *tls = tls_server_new(pem, size, alpn, e), *old = p->tls;

	if (!tls)
		return -1;
	p->tls = tls;
	if (p->server) {
		http_server_set_tls(p->server, tls);
	} else {
		p->server = http_server_new(p->loop, tls, &relay_handler, p);
		http_server_limit(p->server, &p->conf->clients);
	}
	if (old)
		tls_free(old);
	return 0;
}

int proxy_listen(struct proxy *p, int fd, struct err *e)
{
	if (!p->server) {
		fd_close(&fd);
		return err_set(e, ERR_INTERNAL, "a listener came before the certificate");
	}
	return http_server_listen(p->server, fd, e);
}

void proxy_stop(struct proxy *p)
{
	uv_timer_t *timers[] = { &p->tick_report, &p->tick_held, &p->tick_connect };

	route_unsee(&p->routes);
	control_forget_unseen(p);
	http_server_free(p->server);
	p->server = NULL;
	proxy_control_close(p);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		uv_close((uv_handle_t *)timers[i], NULL);
	auth_keys_set(&p->keys, &(struct token_keys){ 0 });
	if (p->tls)
		tls_free(p->tls);
	p->tls = NULL;
	route_table_free(&p->routes);
	quota_free(p->quota);
}

void link_cut_all(struct list *links)
{
	struct link *l;

	while ((l = list_first(links, struct link, in_route))) {
		list_del(&l->in_route);
		l->cut(l);
	}
}
