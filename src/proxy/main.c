/* main.c - the role: what the supervisor hands over goes to the proxy's parts. */
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "ipc/super.h"
#include "proxy/proxy.h"

#define SECRET_MOST (1 * MIB)

struct role_proxy {
	struct proxy proxy;
	struct chan_uv super;
	bool stopping;
};

static void role_stop(struct role_proxy *r)
{
	if (r->stopping)
		return;
	r->stopping = true;
	proxy_stop(&r->proxy);
	chan_uv_close(&r->super, NULL);
}

static int role_on_secret(struct role_proxy *r, struct ipc_msg *m, struct err *e)
{
	const struct super_which *which = (const void *)m->body;
	autoclose int fd = ipc_msg_take_fd(m, 0);
	autobuf struct buf text = { 0 };
	int rc = io_read_all(fd, &text, SECRET_MOST);

	if (rc)
		return err_set(e, ERR_INTERNAL, "a secret cannot be read (%d)", -rc);
	if (which->which == SECRET_TLS_ENDPOINT)
		rc = proxy_set_tls(&r->proxy, (const char *)text.data, text.size, e);
	else if (which->which == SECRET_TOKEN_KEYS)
		rc = proxy_set_keys(&r->proxy, (const char *)text.data, text.size, e);
	explicit_bzero(text.data, text.size);
	return rc;
}

static int role_on_listener(struct role_proxy *r, struct ipc_msg *m, struct err *e)
{
	const struct super_listener *listener = (const void *)m->body;

	if (listener->which != LISTENER_ENDPOINT)
		return err_set(e, ERR_INTERNAL, "a listener that is not the proxy's");
	log_info("endpoints are served port=%u", listener->port);
	return proxy_listen(&r->proxy, ipc_msg_take_fd(m, 0), e);
}

static int role_on_peer(struct role_proxy *r, struct ipc_msg *m, struct err *e)
{
	const struct super_which *which = (const void *)m->body;

	(void)e;
	if (which->which == ROLE_CONTROL)
		proxy_control(&r->proxy, ipc_msg_take_fd(m, 0));
	return 0;
}

static int role_on_start(struct role_proxy *r, struct ipc_msg *m, struct err *e)
{
	const struct super_which ready = { 0 };

	(void)m, (void)e;
	chan_uv_send(&r->super, SUPER_READY, 0, &ready, sizeof(ready), NULL, 0);
	return 0;
}

static int role_on_stop(struct role_proxy *r, struct ipc_msg *m, struct err *e)
{
	(void)m, (void)e;
	role_stop(r);
	return 0;
}

static int (*const role_on[SUPER_NUM_TYPES])(struct role_proxy *r, struct ipc_msg *m,
					     struct err *e) = {
	[SUPER_SECRET] = role_on_secret, [SUPER_LISTENER] = role_on_listener,
	[SUPER_PEER] = role_on_peer,     [SUPER_START] = role_on_start,
	[SUPER_STOP] = role_on_stop,
};

static void role_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct role_proxy *r = container_of(c, struct role_proxy, super);
	struct err e;

	if (role_on[m->head.type] && role_on[m->head.type](r, m, &e))
		log_err("%s", e.text);
}

static void role_lost(struct chan_uv *c)
{
	role_stop(container_of(c, struct role_proxy, super));
}

int proxy_main(const struct conf *conf, int super_fd)
{
	struct role_proxy r = { 0 };
	uv_loop_t loop;
	struct err e;

	if (uv_loop_init(&loop)) {
		log_err("an event loop cannot be made");
		return 1;
	}
	if (proxy_init(&r.proxy, &loop, conf, &e) ||
	    chan_uv_open(&r.super, &loop, super_fd, super_rows, SUPER_NUM_TYPES, role_got,
			 role_lost, &e)) {
		log_err("%s", e.text);
		return 1;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) ? 1 : 0;
}
