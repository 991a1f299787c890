#include "control/channels/routes.h"

#include <stdio.h>
#include <string.h>

#include "base/steady.h"

enum route_state routes_state(const struct microvm *vm)
{
	switch (vm->state) {
	case VM_RUNNING:
		return ROUTE_OPEN;
	case VM_PENDING:
	case VM_SUSPENDING:
		return ROUTE_WAITING;
	case VM_SUSPENDED:
		if (vm->starting)
			return ROUTE_WAITING;
		return vm->drained || (vm->idle.given && vm->idle.auto_resume) ? ROUTE_SLEEPING
									       : ROUTE_DEAD;
	case VM_TERMINATING:
	case VM_TERMINATED:
	case VM_NUM_STATES:
		break;
	}
	return ROUTE_DEAD;
}

static void routes_take_share(struct microvm *vm)
{
	uint64_t *taken = vm->ctl->shares;

	for (size_t i = 0; !vm->share && i < SHARES_MAX; i++) {
		if (taken[i / 64] & (uint64_t)1 << i % 64)
			continue;
		taken[i / 64] |= (uint64_t)1 << i % 64;
		vm->share = (uint32_t)i + 1;
	}
}

static void routes_give_share(struct microvm *vm)
{
	if (vm->share)
		vm->ctl->shares[(vm->share - 1) / 64] &= ~((uint64_t)1 << (vm->share - 1) % 64);
	vm->share = 0;
}

static struct route_set routes_row(struct microvm *vm, enum route_state state)
{
	struct route_set set = { .state = state,
				 .http_ingress = vm->http_ingress,
				 .shell_ingress = vm->shell_ingress };

	if (vm->state == VM_TERMINATED)
		routes_give_share(vm);
	else
		routes_take_share(vm);
	set.share = vm->share;
	set.units = vm->version ? (uint32_t)(vm->version->memory_mib / 512) : 0;

	memcpy(set.endpoint, vm->endpoint, sizeof(set.endpoint));
	snprintf(set.microvm, sizeof(set.microvm), "%s", vm->id);
	snprintf(set.machine, sizeof(set.machine), "%s", vm->machine_id);
	return set;
}

static void routes_unhold(struct microvm *vm)
{
	vm->hold.on = false;
	vm->hold.awaited = 0;
}

static void routes_send_state(struct microvm *vm, enum route_state state)
{
	struct route_set set = routes_row(vm, state);

	if (state != ROUTE_OPEN)
		routes_unhold(vm); /* as the proxy does */
	workers_send(vm->ctl, ROUTE_SET, &set, sizeof(set));
}

void routes_push(struct microvm *vm)
{
	routes_send_state(vm, routes_state(vm));
}

void routes_open_early(struct microvm *vm)
{
	routes_send_state(vm, ROUTE_OPEN);
}

void routes_refuse(struct microvm *vm)
{
	routes_send_state(vm, ROUTE_DEAD);
	routes_push(vm);
}

static void routes_send_endpoint(struct microvm *vm, enum route_type type)
{
	struct route_endpoint to = { 0 };

	memcpy(to.endpoint, vm->endpoint, sizeof(to.endpoint));
	workers_send(vm->ctl, type, &to, sizeof(to));
}

void routes_gone(struct microvm *vm)
{
	routes_send_endpoint(vm, ROUTE_GONE);
	routes_give_share(vm);
}

void routes_hold(struct microvm *vm)
{
	vm->hold.on = true;
	vm->hold.awaited = workers_present(vm->ctl);
	vm->hold.last_byte_ms = 0;
	routes_send_endpoint(vm, ROUTE_HOLD);
}

void routes_release(struct microvm *vm)
{
	routes_unhold(vm);
	routes_send_endpoint(vm, ROUTE_RELEASE);
}

/* All accept the clients of a port of TCP.  A flow of datagrams is one worker's, so a port of UDP
 * is served by the one that has been there longest and is not being replaced. */
static struct worker *routes_worker_of_datagrams(const struct control *ctl)
{
	list_each(w, &ctl->workers, struct worker, in_control)
	{
		if (!w->leaves)
			return w;
	}
	return NULL;
}

static void routes_publish_at(struct worker *w, const struct published *p)
{
	bool serves = !p->datagrams || w == routes_worker_of_datagrams(p->ctl);
	struct route_publish row = { .port = p->port,
				     .target = p->target,
				     .datagrams = p->datagrams,
				     .serves = serves,
				     .n_sources = (uint32_t)p->n_sources };

	memcpy(row.endpoint, p->vm->endpoint, sizeof(row.endpoint));
	memcpy(row.sources, p->sources, sizeof(row.sources));
	chan_uv_send(&w->chan, ROUTE_PUBLISH, 0, &row, sizeof(row), &p->fd, 1);
}

void routes_publish(const struct published *p)
{
	list_each(w, &p->ctl->workers, struct worker, in_control) routes_publish_at(w, p);
}

static void routes_send_unpublish(struct control *ctl, const char *endpoint, uint32_t port)
{
	struct route_port row = { .port = port };

	memcpy(row.endpoint, endpoint, sizeof(row.endpoint));
	workers_send(ctl, ROUTE_UNPUBLISH, &row, sizeof(row));
}

void routes_unpublish(const struct published *p)
{
	routes_send_unpublish(p->ctl, p->vm->endpoint, p->port);
}

static void routes_publish_all(struct worker *w)
{
	hash_each(p, &w->ctl->published, struct published, by_port)
	{
		if (p->vm && p->fd >= 0 && !p->changing)
			routes_publish_at(w, p);
	}
}

/* While it is awaited what the others say, this one must hold too: what it let in now would be cut
 * a moment later. */
static void routes_hold_at(struct microvm *vm, struct worker *w)
{
	struct route_endpoint to = { 0 };

	memcpy(to.endpoint, vm->endpoint, sizeof(to.endpoint));
	if (vm->hold.awaited)
		vm->hold.awaited |= worker_bit(w);
	chan_uv_send(&w->chan, ROUTE_HOLD, 0, &to, sizeof(to), NULL, 0);
}

static void routes_on_up(struct worker *w)
{
	const struct route_none none = { 0 };

	list_each(vm, &w->ctl->microvms, struct microvm, in_control)
	{
		struct route_set set = routes_row(vm, routes_state(vm));

		chan_uv_send(&w->chan, ROUTE_SET, 0, &set, sizeof(set), NULL, 0);
		if (vm->hold.on)
			routes_hold_at(vm, w);
	}
	chan_uv_send(&w->chan, ROUTE_SYNCED, 0, &none, sizeof(none), NULL, 0);
	routes_publish_all(w);
}

void routes_open(struct control *ctl, const struct routes_ops *ops)
{
	ctl->routes_ops = ops;
}

static void routes_on_listens(struct control *ctl, struct ipc_msg *m)
{
	struct route_port *row = (void *)m->body;

	row->endpoint[UUID_SIZE - 1] = '\0';
	if (!ctl->routes_ops->listens(ctl, (uint16_t)row->port, ipc_msg_take_fd(m, 0)))
		routes_send_unpublish(ctl, row->endpoint, row->port);
}

/* The flow comes before the port does, since it takes the same way. */
static void routes_on_flow(struct worker *w, struct ipc_msg *m)
{
	autoclose int fd = ipc_msg_take_fd(m, 0);
	struct worker *next;

	w->leaves = true;
	next = routes_worker_of_datagrams(w->ctl);
	if (next)
		chan_uv_send(&next->chan, ROUTE_FLOW, 0, m->body, sizeof(struct route_flow), &fd,
			     1);
}

static void routes_on_leaves(struct worker *w, struct ipc_msg *m)
{
	const struct route_port *row = (const void *)m->body;
	struct published *p = published_find(w->ctl, (uint16_t)row->port);
	struct worker *next;

	w->leaves = true;
	next = routes_worker_of_datagrams(w->ctl);
	if (next && p && p->vm && p->fd >= 0 && !p->changing)
		routes_publish_at(next, p);
}

static void routes_held(struct microvm *vm, const struct worker *w, int64_t last_byte_ms)
{
	const struct routes_ops *ops = vm->ctl->routes_ops;
	bool awaited = vm->hold.awaited & worker_bit(w);

	vm->hold.awaited &= ~worker_bit(w);
	if (last_byte_ms > vm->hold.last_byte_ms)
		vm->hold.last_byte_ms = last_byte_ms;
	if (awaited && !vm->hold.awaited)
		ops->held(vm, vm->hold.last_byte_ms);
	else
		ops->active(vm, last_byte_ms); /* it counts, whether the others answer or not */
}

/* Nobody knows what passed there in its last second, so it counts as a byte of this moment: a
 * microVM rather wakes too long than is suspended too early. */
static void routes_on_lost(const struct worker *w)
{
	list_each(vm, &w->ctl->microvms, struct microvm, in_control)
	{
		if (vm->hold.awaited & worker_bit(w))
			routes_held(vm, w, steady_ms());
	}
	if (routes_worker_of_datagrams(w->ctl)) /* the lost one may have had the ports of UDP */
		routes_publish_all(routes_worker_of_datagrams(w->ctl));
}

/* What a broken proxy says can spoil these numbers and nothing else. */
static struct meter *routes_meter(struct microvm *vm)
{
	if (!vm->meter)
		vm->meter = xcalloc(1, sizeof(*vm->meter));
	return vm->meter;
}

static void routes_count(struct control *ctl, const struct route_meter *m)
{
	struct microvm *vm = model_microvm_by_endpoint(ctl, m->endpoint);

	static_assert(offsetof(struct route_meter, endpoint) ==
			      offsetof(struct route_endpoint, endpoint),
		      "routes_count");
	meter_add(&ctl->requests, &m->meter);
	if (vm)
		meter_add(routes_meter(vm), &m->meter);
}

/* What is said of one microVM. */
static void routes_on_microvm(struct worker *w, struct ipc_msg *m)
{
	struct route_bytes *bytes = (void *)m->body; /* begins as struct route_endpoint */
	struct route_note *note = (void *)m->body;
	const struct routes_ops *ops = w->ctl->routes_ops;
	struct microvm *vm;

	static_assert(offsetof(struct route_bytes, endpoint) ==
			      offsetof(struct route_endpoint, endpoint),
		      "routes_on_microvm");
	static_assert(offsetof(struct route_note, endpoint) ==
			      offsetof(struct route_endpoint, endpoint),
		      "routes_on_microvm");
	bytes->endpoint[UUID_SIZE - 1] = '\0';
	if (m->head.type == ROUTE_METER)
		routes_count(w->ctl, (const void *)m->body);
	vm = model_microvm_by_endpoint(w->ctl, bytes->endpoint);
	if (!vm)
		return;
	if (m->head.type == ROUTE_WAKE)
		ops->wake(vm);
	else if (m->head.type == ROUTE_HELD)
		routes_held(vm, w, bytes->last_byte_ms);
	else if (m->head.type == ROUTE_ACTIVE)
		ops->active(vm, bytes->last_byte_ms);
	else if (m->head.type == ROUTE_NOTE && memchr(note->text, '\0', sizeof(note->text)))
		ops->note(vm, note->text, note->missed);
}

static void routes_on_message(struct worker *w, struct ipc_msg *m)
{
	if (m->head.type == ROUTE_NOW)
		memcpy(&w->now, m->body, sizeof(w->now));
	else if (m->head.type == ROUTE_METER)
		routes_count(w->ctl, (const void *)m->body);
	else if (m->head.type == ROUTE_LISTENS)
		routes_on_listens(w->ctl, m);
	else if (m->head.type == ROUTE_FLOW)
		routes_on_flow(w, m);
	else if (m->head.type == ROUTE_LEAVES)
		routes_on_leaves(w, m);
	else if (m->head.type == ROUTE_LISTENED)
		w->ctl->routes_ops->listened(w->ctl);
	else
		routes_on_microvm(w, m);
}

const struct workers_ops routes_workers = {
	.on_message = routes_on_message,
	.on_up = routes_on_up,
	.on_lost = routes_on_lost,
};
