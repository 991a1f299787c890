#include "control/microvm/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "control/channels/routes.h"
#include "control/control.h"

#define PUBLISH_BACKLOG 4096
#define PUBLISH_BUFFER  (4 * MIB) /* of datagrams; the kernel gives as much as it may */

static bool publish_range(const struct conf *conf, uint16_t *first, uint16_t *last)
{
	unsigned low, high;
	char end;

	if (sscanf(conf->publish_ports, "%u-%u%c", &low, &high, &end) != 2 || !low || low > high ||
	    high > UINT16_MAX)
		return false;
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return true;
}

static socklen_t publish_address(const char *listen, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *six = (void *)to;
	struct sockaddr_in *four = (void *)to;

	*to = (struct sockaddr_storage){ .ss_family = strchr(listen, ':') ? AF_INET6 : AF_INET };
	if (to->ss_family == AF_INET6) {
		six->sin6_port = htons(port);
		return inet_pton(AF_INET6, listen, &six->sin6_addr) == 1 ? sizeof(*six) : 0;
	}
	four->sin_port = htons(port);
	return inet_pton(AF_INET, listen, &four->sin_addr) == 1 ? sizeof(*four) : 0;
}

/* Returns an owned socket, or -errno.  It listens already, since two can be bound to a port of TCP
 * until one of them does. */
static int publish_bind(const struct published *p)
{
	struct sockaddr_storage to;
	socklen_t size = publish_address(p->listen, p->port, &to);
	int kind = p->datagrams ? SOCK_DGRAM : SOCK_STREAM;
	autoclose int fd = socket(to.ss_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (p->datagrams)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ PUBLISH_BUFFER }, sizeof(int));
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (to.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
	if (bind(fd, (const struct sockaddr *)&to, size) ||
	    (!p->datagrams && listen(fd, PUBLISH_BACKLOG)))
		return -errno;
	return fd_steal(&fd);
}

/* Start anywhere, so that a port that was given back is not the next one's at once: its old clients
 * would come to another microVM. */
static int publish_choose(struct published *p, struct err *e)
{
	struct control *ctl = p->ctl;
	uint16_t first = 0, last = 0, offset;
	unsigned n;

	if (!publish_range(ctl->conf, &first, &last))
		return err_set(e, ERR_INTERNAL, "[publish] ports is no range");
	n = (unsigned)(last - first) + 1;
	rand_bytes(&offset, sizeof(offset));
	for (unsigned i = 0; i < n; i++) {
		p->port = (uint16_t)(first + (offset + i) % n);
		if (published_find(ctl, p->port))
			continue;
		p->fd = publish_bind(p);
		if (p->fd >= 0)
			return 0;
		if (p->fd == -EADDRINUSE)
			continue;
		errno = -p->fd;
		p->fd = -1;
		return err_set(e, ERR_INVALID, "port %u of %s cannot be listened on: %s", p->port,
			       p->listen, strerror(errno));
	}
	p->fd = -1;
	return err_set(e, ERR_CAPACITY, "all ports of [publish] ports = %s are taken",
		       ctl->conf->publish_ports);
}

int publish_open(struct control *ctl, struct err *e)
{
	struct sockaddr_storage to;
	uint16_t first, last;

	if (!publish_range(ctl->conf, &first, &last))
		return err_set(e, ERR_INVALID,
			       "[publish] ports = '%s': give FIRST-LAST, from 1 to 65535",
			       ctl->conf->publish_ports);
	if (!publish_address(ctl->conf->publish_listen, 1, &to))
		return err_set(e, ERR_INVALID, "[publish] listen = '%s': give an IP address",
			       ctl->conf->publish_listen);
	return 0;
}

void publish_close(struct control *ctl)
{
	hash_each(p, &ctl->published, struct published, by_port) published_free(p);
}

static int publish_check(struct microvm *vm, const struct publish_ask *ask, struct err *e)
{
	struct sockaddr_storage to;
	size_t n = 0;

	if (vm->state == VM_TERMINATING || vm->state == VM_TERMINATED)
		return err_set(e, ERR_CONFLICT, "The MicroVM has been terminated.");
	if (!vm->http_ingress)
		return err_set(e, ERR_CONFLICT,
			       "The MicroVM was run without ingress, so no port of it can be "
			       "published.");
	if (ask->listen && !publish_address(ask->listen, 1, &to))
		return err_set(e, ERR_INVALID, "'%s' is no IP address to listen on.", ask->listen);
	hash_each(p, &vm->ctl->published, struct published, by_port)
	{
		if (p->vm != vm)
			continue;
		n++;
		if (p->target == ask->target && p->datagrams == ask->datagrams)
			return err_set(e, ERR_CONFLICT,
				       "Port %u/%s of the MicroVM is published already, as port "
				       "%u: unpublish that first.",
				       p->target, p->datagrams ? "udp" : "tcp", p->port);
	}
	return n < PUBLISHED_MOST
		       ? 0
		       : err_set(e, ERR_QUOTA, "A MicroVM can have at most %d published ports.",
				 PUBLISHED_MOST);
}

static json_t *publish_sources(const json_t *from, struct err *e)
{
	json_t *text;
	struct cidr range;
	size_t i;

	json_array_foreach(from, i, text)
	{
		if (cidr_read(json_string_value(text), &range))
			continue;
		err_set(e, ERR_INVALID,
			"'%s' is no range of addresses such as 10.0.0.0/8: what lies behind the "
			"prefix must be 0.",
			json_string_value(text));
		return NULL;
	}
	return from ? json_deep_copy(from) : json_array();
}

/* A row of a lease, on its way to the store or out of it. */
struct publish_change {
	struct published *p; /* control owns it */
	change_done *done;
	void *arg;
};

static void publish_commit(struct published *p, struct store_txn *t, store_done *durable,
			   change_done *done, void *arg)
{
	struct publish_change *c = xcalloc(1, sizeof(*c));

	*c = (struct publish_change){ p, done, arg };
	p->changing = true;
	store_commit(t, durable, c);
}

static void publish_forget(struct published *p)
{
	if (p->vm)
		routes_unpublish(p);
	published_free(p);
}

static void publish_given_back(void *arg, int rc, const struct err *e)
{
	struct publish_change *c = arg;
	struct published *p = c->p;

	p->changing = false;
	if (!rc || p->vm->state == VM_TERMINATED)
		publish_forget(p);
	if (c->done)
		c->done(c->arg, rc, e);
	free(c);
}

static void publish_drop(struct published *p, change_done *done, void *arg)
{
	struct store_txn *t = store_begin(p->ctl->store);

	store_del_published(t, p->port);
	publish_commit(p, t, publish_given_back, done, arg);
}

/* The microVM may have ended while the row was on its way. */
static void publish_leased(void *arg, int rc, const struct err *e)
{
	struct publish_change *c = arg;
	struct published *p = c->p;

	p->changing = false;
	if (!rc && p->vm->state != VM_TERMINATED)
		routes_publish(p);
	c->done(c->arg, rc, e);
	if (rc)
		published_free(p);
	else if (p->vm->state == VM_TERMINATED)
		publish_drop(p, NULL, NULL);
	free(c);
}

int publish_lease(struct microvm *vm, const struct publish_ask *ask, struct published **made,
		  change_done *done, void *arg, struct err *e)
{
	struct published want = { .ctl = vm->ctl, .fd = -1, .datagrams = ask->datagrams };
	struct store_txn *t;
	struct published *p;
	json_t *from;

	if (publish_check(vm, ask, e))
		return -1;
	snprintf(want.listen, sizeof(want.listen), "%.45s",
		 ask->listen ? ask->listen : vm->ctl->conf->publish_listen);
	from = publish_sources(ask->from, e);
	if (!from)
		return -1;
	if (publish_choose(&want, e)) {
		json_decref(from);
		return -1;
	}
	p = *made = published_new(vm->ctl, vm, want.port, from);
	p->target = ask->target;
	p->datagrams = ask->datagrams;
	p->created_ms = clock_wall_ms();
	p->fd = want.fd;
	memcpy(p->listen, want.listen, sizeof(p->listen));
	t = store_begin(vm->ctl->store);
	published_put(t, p);
	publish_commit(p, t, publish_leased, done, arg);
	return 0;
}

int publish_return(struct published *p, change_done *done, void *arg, struct err *e)
{
	if (p->changing || !p->vm)
		return err_set(e, ERR_CONFLICT, "Port %u is being changed.", p->port);
	publish_drop(p, done, arg);
	return 0;
}

/* Nobody may come by them any more, even if the store cannot say so: a row of a microVM that has
 * ended is passed over when the rows are loaded. */
void publish_end(struct microvm *vm)
{
	hash_each(p, &vm->ctl->published, struct published, by_port)
	{
		if (!published_is_of(p, vm))
			continue;
		routes_unpublish(p);
		fd_close(&p->fd);
		publish_drop(p, NULL, NULL);
	}
}

bool publish_got(struct control *ctl, uint16_t port, int fd)
{
	struct published *p = published_find(ctl, port);

	if (p && p->fd < 0 && p->vm) {
		p->fd = fd;
		mem_free(&p->problem);
	} else {
		close(fd);
	}
	return p;
}

void publish_got_all(struct control *ctl)
{
	hash_each(p, &ctl->published, struct published, by_port)
	{
		if (!p->vm || p->changing)
			continue;
		if (p->fd < 0) {
			int fd = publish_bind(p);

			mem_free(&p->problem);
			if (fd < 0)
				p->problem = xstrdup(strerror(-fd));
			else
				p->fd = fd;
		}
		if (p->problem)
			log_warn("a published port cannot be listened on port=%u error=\"%s\"",
				 p->port, p->problem);
		else
			routes_publish(p);
	}
}
