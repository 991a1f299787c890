#include "guest/listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void listen_put_place(struct buf *out, const struct diag_place *p)
{
	char address[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 16];

	inet_ntop((int)p->family, p->address, address, sizeof(address));
	snprintf(text, sizeof(text), p->family == AF_INET6 ? "[%s]:%u" : "%s:%u", address, p->port);
	agent_put_text(out, FIELD_PLACE, text);
}

static void listen_report(const struct listen *l)
{
	size_t mark = agent_begin(&l->port->out, AGENT_LISTEN), n = 0;

	for (size_t word = 0; word < ARRAY_SIZE(l->known.bits); word++) {
		for (uint64_t bits = l->known.bits[word]; bits && n < LISTEN_MAX;
		     bits &= bits - 1, n++)
			agent_put_u64(&l->port->out, FIELD_PORT,
				      word * 64 + (unsigned)__builtin_ctzll(bits));
	}
	for (size_t i = 0; i < l->known.n_places; i++)
		listen_put_place(&l->port->out, &l->known.places[i]);
	agent_end(&l->port->out, mark);
	port_send(l->port);
}

static void listen_check(struct timer *t)
{
	static struct diag_ports now;
	struct listen *l = container_of(t, struct listen, timer);

	loop_timer(l->port->loop, &l->timer, LISTEN_EVERY_MS, listen_check);
	if (port_is_full(l->port) || diag_listening(l->diag_fd, &now) ||
	    !memcmp(&now, &l->known, sizeof(now)))
		return;
	l->known = now;
	listen_report(l);
}

void listen_start(struct listen *l, struct port *port, int diag_fd)
{
	*l = (struct listen){ .port = port, .diag_fd = diag_fd };
	loop_timer(port->loop, &l->timer, LISTEN_EVERY_MS, listen_check);
}

void listen_stop(struct listen *l)
{
	if (l->port)
		loop_untimer(l->port->loop, &l->timer);
}
