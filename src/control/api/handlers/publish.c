/* publish.c - ports of the host for microVMs: /doze/v1/. */

#include <stdlib.h>
#include <string.h>

#include "control/api/call.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/microvm/publish.h"

void doze_publish(struct call *c)
{
	struct microvm *vm = call_microvm(c);
	const char *protocol = call_text(c, "protocol");
	struct publish_ask ask = { .target = (uint16_t)call_number(c, "port", 0),
				   .datagrams = protocol && !strcmp(protocol, "udp"),
				   .listen = call_text(c, "listen"),
				   .from = json_object_get(c->in, "from") };
	struct published *p;
	struct err e;

	if (!vm)
		return;
	if (publish_lease(vm, &ask, &p, call_done, c, &e))
		call_fail(c, &e);
	else
		c->made = encode_published(p);
}

void doze_list_published(struct call *c)
{
	json_t *items = json_array();

	hash_each(p, &c->ctl->published, struct published, by_port)
	{
		if (p->vm && published_is_of(p, p->vm) && !strcmp(p->vm->account, c->who->account))
			json_array_append_new(items, encode_published(p));
	}
	call_answer(c, json_pack("{s:o}", "items", items));
}

void doze_unpublish(struct call *c)
{
	const char *text = call_text(c, "publishedPort");
	long port = strtol(text, NULL, 10);
	struct published *p = NULL;
	struct err e;

	if (strspn(text, "0123456789") == strlen(text) && port > 0 && port <= UINT16_MAX)
		p = published_find(c->ctl, (uint16_t)port);
	if (!p || !p->vm || strcmp(p->vm->account, c->who->account) != 0) {
		call_not_found(c, "Port %s is not published.", text);
		return;
	}
	c->made = json_object();
	if (publish_return(p, call_done, c, &e))
		call_fail(c, &e);
}
