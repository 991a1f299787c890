#include "control/channels/routes.h"

#include <stdio.h>
#include <string.h>

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

static void routes_send_state(struct microvm *vm, enum route_state state)
{
	struct route_set set = { .state = state,
				 .http_ingress = vm->http_ingress,
				 .shell_ingress = vm->shell_ingress };

	memcpy(set.endpoint, vm->endpoint, sizeof(set.endpoint));
	memcpy(set.microvm, vm->id, sizeof(set.microvm));
	memcpy(set.machine, vm->machine_id, sizeof(set.machine));
	chan_uv_send(&vm->ctl->proxy, ROUTE_SET, 0, &set, sizeof(set), NULL, 0);
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
	chan_uv_send(&vm->ctl->proxy, type, 0, &to, sizeof(to), NULL, 0);
}

void routes_gone(struct microvm *vm)
{
	routes_send_endpoint(vm, ROUTE_GONE);
}

void routes_hold(struct microvm *vm)
{
	routes_send_endpoint(vm, ROUTE_HOLD);
}

void routes_release(struct microvm *vm)
{
	routes_send_endpoint(vm, ROUTE_RELEASE);
}

void routes_publish(const struct published *p)
{
	struct route_publish row = { .port = p->port,
				     .target = p->target,
				     .datagrams = p->datagrams,
				     .n_sources = (uint32_t)p->n_sources };

	memcpy(row.endpoint, p->vm->endpoint, sizeof(row.endpoint));
	memcpy(row.sources, p->sources, sizeof(row.sources));
	chan_uv_send(&p->ctl->proxy, ROUTE_PUBLISH, 0, &row, sizeof(row), &p->fd, 1);
}

static void routes_send_unpublish(struct control *ctl, const char *endpoint, uint32_t port)
{
	struct route_port row = { .port = port };

	memcpy(row.endpoint, endpoint, sizeof(row.endpoint));
	chan_uv_send(&ctl->proxy, ROUTE_UNPUBLISH, 0, &row, sizeof(row), NULL, 0);
}

void routes_unpublish(const struct published *p)
{
	routes_send_unpublish(p->ctl, p->vm->endpoint, p->port);
}

void routes_on_up(struct control *ctl)
{
	const struct route_none none = { 0 };

	list_each(vm, &ctl->microvms, struct microvm, in_control) routes_push(vm);
	chan_uv_send(&ctl->proxy, ROUTE_SYNCED, 0, &none, sizeof(none), NULL, 0);
	hash_each(p, &ctl->published, struct published, by_port)
	{
		if (p->vm && p->fd >= 0 && !p->changing)
			routes_publish(p);
	}
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

static void routes_on_listened(struct control *ctl, struct ipc_msg *m)
{
	(void)m;
	ctl->routes_ops->listened(ctl);
}

/* What is said of one microVM. */
static void routes_on_microvm(struct control *ctl, struct ipc_msg *m)
{
	struct route_bytes *bytes = (void *)m->body; /* begins as struct route_endpoint */
	struct route_note *note = (void *)m->body;
	const struct routes_ops *ops = ctl->routes_ops;
	struct microvm *vm;

	static_assert(offsetof(struct route_bytes, endpoint) ==
			      offsetof(struct route_endpoint, endpoint),
		      "routes_on_microvm");
	static_assert(offsetof(struct route_note, endpoint) ==
			      offsetof(struct route_endpoint, endpoint),
		      "routes_on_microvm");
	bytes->endpoint[UUID_SIZE - 1] = '\0';
	vm = model_microvm_by_endpoint(ctl, bytes->endpoint);
	if (!vm)
		return;
	if (m->head.type == ROUTE_WAKE)
		ops->wake(vm);
	else if (m->head.type == ROUTE_HELD)
		ops->held(vm, bytes->last_byte_ms);
	else if (m->head.type == ROUTE_ACTIVE)
		ops->active(vm, bytes->last_byte_ms);
	else if (m->head.type == ROUTE_NOTE && memchr(note->text, '\0', sizeof(note->text)))
		ops->note(vm, note->text, note->missed);
}

void routes_on_message(struct control *ctl, struct ipc_msg *m)
{
	static void (*const on[ROUTE_NUM_TYPES])(struct control * ctl, struct ipc_msg * m) = {
		[ROUTE_LISTENS] = routes_on_listens,
		[ROUTE_LISTENED] = routes_on_listened,
	};

	if (on[m->head.type])
		on[m->head.type](ctl, m);
	else
		routes_on_microvm(ctl, m);
}
