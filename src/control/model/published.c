#include "control/model/published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/control.h"

static void published_read_sources(struct published *p)
{
	const json_t *text;
	size_t i;

	json_array_foreach(p->from, i, text)
	{
		if (p->n_sources < ROUTE_SOURCES && json_is_string(text) &&
		    cidr_read(json_string_value(text), &p->sources[p->n_sources]))
			p->n_sources++;
	}
}

struct published *published_new(struct control *ctl, struct microvm *vm, uint16_t port,
				json_t *from)
{
	struct published *p = xcalloc(1, sizeof(*p));

	p->ctl = ctl;
	p->vm = vm;
	p->port = port;
	p->from = from;
	p->fd = -1;
	published_read_sources(p);
	hash_add(&ctl->published, &p->by_port, &p->port, sizeof(p->port));
	return p;
}

void published_free(struct published *p)
{
	hash_del(&p->ctl->published, &p->by_port);
	fd_close(&p->fd);
	json_decref(p->from);
	free(p->problem);
	free(p);
}

struct published *published_find(const struct control *ctl, uint16_t port)
{
	return hash_find(&ctl->published, &port, sizeof(port), struct published, by_port);
}

bool published_is_of(const struct published *p, const struct microvm *vm)
{
	return p->vm == vm && !p->changing;
}

void published_put(struct store_txn *t, const struct published *p)
{
	autofree char *sources = json_dumps(p->from, JSON_COMPACT);

	store_put_published(t, &(struct store_published){
				       .port = p->port,
				       .microvm = p->vm->id,
				       .protocol = p->datagrams ? "udp" : "tcp",
				       .target = p->target,
				       .listen = p->listen,
				       .sources = sources,
				       .created_ms = p->created_ms,
			       });
}

/* A range that cannot be read any more must not open the port to everybody. */
static bool published_is_whole(const struct published *p)
{
	return p->target && p->from && p->n_sources == json_array_size(p->from);
}

void published_load(struct control *ctl, const struct store_published *row)
{
	struct microvm *vm = model_microvm(ctl, row->microvm);
	struct published *p;

	if (vm ? vm->state == VM_TERMINATED : !model_is_left_out(ctl, row->microvm))
		return;
	p = published_new(ctl, vm, (uint16_t)row->port,
			  row->sources ? json_loads(row->sources, 0, NULL) : NULL);
	p->target = (uint16_t)row->target;
	p->datagrams = row->protocol && !strcmp(row->protocol, "udp");
	p->created_ms = row->created_ms;
	snprintf(p->listen, sizeof(p->listen), "%s", row->listen ? row->listen : "");
	if (published_is_whole(p))
		return;
	log_err("the row of a published port cannot be understood port=%u", p->port);
	p->vm = NULL;
}
