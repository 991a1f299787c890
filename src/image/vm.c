#include "image/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"

#define VM_CHUNK (16 * KIB)

static void vm_chan_freed(struct chan_uv *c)
{
	free(c);
}

/* Closes the connection and drops every request on it. */
static void vm_disconnect(struct vm *vm)
{
	struct chan_uv *c = vm->chan;

	request_drop(&vm->start);
	request_drop(&vm->request);
	request_drop(&vm->stats);
	request_drop(&vm->look);
	buf_free(&vm->from_guest);
	vm->chan = NULL;
	if (!c)
		return;
	if (c->open)
		chan_uv_close(c, vm_chan_freed);
	else
		c->freed = vm_chan_freed; /* it is already closing */
}

static void vm_down(struct vm *vm, const struct err *e)
{
	bool asked = vm->request.tag != 0;

	vm_disconnect(vm);
	if (asked)
		vm->answered(vm, NULL, e);
	else if (!vm->expected)
		vm->ops->down(vm, e);
}

static struct vm *vm_of(struct image_role *role, const struct chan_uv *c)
{
	list_each(vm, &role->vms, struct vm, in)
	{
		if (vm->chan == c)
			return vm;
	}
	return NULL;
}

/* A frame may end the machine, and its owner with it. The loop owns the bytes, because the frame
 * points into them, and asks the role whether the machine is still there. */
static void vm_frames(struct vm *vm, struct chan_uv *c, const struct ipc_msg *m)
{
	struct image_role *role = vm->role;
	autobuf struct buf in = vm->from_guest;
	struct agent_frame f;
	size_t used = 0;
	struct err e;
	int rc;

	vm->from_guest = (struct buf){ 0 };
	buf_add(&in, m->body, m->head.size);
	while ((rc = agent_frame_next(in.data, in.size, LIMIT_AGENT_TO_HOST, &f, &used)) > 0) {
		vm->ops->frame(vm, &f);
		if (vm_of(role, c) != vm)
			return;
		buf_drop(&in, used);
	}
	if (rc < 0) {
		err_set(&e, ERR_INVALID, "the guest's agent sends garbage");
		vm_down(vm, &e);
		return;
	}
	vm->from_guest = in;
	in = (struct buf){ 0 };
}

static void vm_last_words(struct vm *vm, const struct ipc_msg *m)
{
	const struct machine_exited *x = (const void *)m->body;
	struct err e;

	err_set(&e, ERR_INTERNAL, "the microVM ended: %.*s", (int)sizeof(x->reason) - 1, x->reason);
	vm_down(vm, &e);
}

static void vm_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct image_role *role = c->poll.loop->data;
	struct vm *vm = vm_of(role, c);

	if (!vm || request_answered(role, c, m))
		return;
	switch (m->head.type) {
	case MACHINE_HELLO:
		vm->ops->up(vm);
		return;
	case MACHINE_AGENT:
		vm_frames(vm, c, m);
		return;
	case MACHINE_EXITED:
		vm_last_words(vm, m);
		return;
	default:
		return;
	}
}

static void vm_lost(struct chan_uv *c)
{
	struct vm *vm = vm_of(c->poll.loop->data, c);
	struct err e;

	if (!vm)
		return;
	err_set(&e, ERR_INTERNAL, "the microVM's process ended");
	vm_down(vm, &e);
}

static int vm_connect(struct vm *vm, struct err *e)
{
	autofree char *path = xasprintf("%s/m/%s/machine.sock", vm->role->conf->run_dir, vm->id);
	int sock = ipc_connect(path, SOCK_SEQPACKET, e);
	struct chan_uv *c;

	if (sock < 0)
		return -1;
	c = xcalloc(1, sizeof(*c));
	if (chan_uv_open(c, vm->role->loop, sock, machine_rows, MACHINE_NUM_TYPES, vm_got, vm_lost,
			 e)) {
		free(c);
		return -1;
	}
	vm->chan = c;
	return 0;
}

static void vm_started(struct request *r, struct ipc_msg *m)
{
	struct vm *vm = container_of(r, struct vm, start);
	struct err e;

	if (request_failed(m, &e) || vm_connect(vm, &e))
		vm_down(vm, &e);
}

void vm_start(struct vm *vm, struct image_role *role, const struct vm_ops *ops,
	      const struct priv_machine_start *what)
{
	struct priv_machine_start start = *what;
	char uuid[UUID_SIZE];

	start.owner = PRIV_OWNER_IMAGE;
	*vm = (struct vm){ .role = role, .ops = ops };
	rand_uuid(uuid);
	snprintf(vm->id, sizeof(vm->id), "m-%s", uuid);
	memcpy(start.machine, vm->id, sizeof(start.machine));
	list_add(&role->vms, &vm->in);
	request_send(role, role->priv, &vm->start,
		     &(struct request_what){ PRIV_MACHINE_START, &start, sizeof(start), NULL, 0 },
		     vm_started);
}

static void vm_answered(struct request *r, struct ipc_msg *m)
{
	struct vm *vm = container_of(r, struct vm, request);
	const struct machine_fault *f;
	struct err e;

	if (m && !machine_answer_fits(vm->asked, m->head.type)) {
		err_set(&e, ERR_INTERNAL, "the microVM's process answered another request");
		vm->answered(vm, NULL, &e);
		return;
	}
	if (m && m->head.type != MACHINE_FAULT) {
		vm->answered(vm, m, NULL);
		return;
	}
	f = m ? (const void *)m->body : NULL;
	if (f)
		err_set(&e, f->kind < ERR_NUM_KINDS ? (enum err_kind)f->kind : ERR_INTERNAL, "%.*s",
			(int)sizeof(f->text) - 1, f->text);
	else
		err_set(&e, ERR_INTERNAL, "the microVM's process is not there");
	vm->answered(vm, NULL, &e);
}

void vm_request(struct vm *vm, const struct request_what *what,
		void (*answered)(struct vm *vm, struct ipc_msg *m, const struct err *e))
{
	vm->answered = answered;
	vm->asked = what->type;
	vm->expected = what->type == MACHINE_SNAPSHOT || what->type == MACHINE_STOP;
	request_send(vm->role, vm->chan, &vm->request, what, vm_answered);
}

static void vm_sampled(struct request *r, struct ipc_msg *m)
{
	struct vm *vm = container_of(r, struct vm, stats);

	if (m && m->head.type == MACHINE_STATS)
		vm->sampled(vm, (const void *)m->body);
}

void vm_sample(struct vm *vm, void (*sampled)(struct vm *vm, const struct machine_stats *s))
{
	const struct machine_none none = { 0 };

	if (vm->stats.tag || !vm->chan)
		return;
	vm->sampled = sampled;
	request_send(vm->role, vm->chan, &vm->stats,
		     &(struct request_what){ MACHINE_GET_STATS, &none, sizeof(none), NULL, 0 },
		     vm_sampled);
}

static void vm_told(struct request *r, struct ipc_msg *m)
{
	struct vm *vm = container_of(r, struct vm, look);

	vm->told(vm, m);
}

bool vm_ask(struct vm *vm, const struct request_what *what,
	    void (*told)(struct vm *vm, struct ipc_msg *m))
{
	if (vm->look.tag || !vm->chan)
		return false;
	vm->told = told;
	request_send(vm->role, vm->chan, &vm->look, what, vm_told);
	return true;
}

char *vm_stream(const struct vm *vm)
{
	return xasprintf("%s/m/%s/stream.sock", vm->role->conf->run_dir, vm->id);
}

void vm_send(struct vm *vm, const struct buf *frames)
{
	for (size_t at = 0; vm->chan && at < frames->size; at += VM_CHUNK) {
		size_t n = frames->size - at < VM_CHUNK ? frames->size - at : VM_CHUNK;

		chan_uv_send(vm->chan, MACHINE_AGENT, 0, frames->data + at, n, NULL, 0);
	}
}

static void vm_cleared(struct request *r, struct ipc_msg *m)
{
	struct vm *vm = container_of(r, struct vm, end);
	void (*ended)(struct vm *) = vm->ended;

	if (m && m->head.type == PRIV_FAULT)
		log_warn("a build's microVM could not be cleared machine=%s", vm->id);
	list_del(&vm->in);
	vm->id[0] = '\0';
	ended(vm);
}

void vm_end(struct vm *vm, void (*ended)(struct vm *vm))
{
	struct priv_machine id;

	if (!vm->id[0]) {
		ended(vm);
		return;
	}
	vm_disconnect(vm);
	vm->expected = true;
	vm->ended = ended;
	memcpy(id.machine, vm->id, sizeof(id.machine));
	if (!vm->end.tag)
		request_send(vm->role, vm->role->priv, &vm->end,
			     &(struct request_what){ PRIV_MACHINE_END, &id, sizeof(id), NULL, 0 },
			     vm_cleared);
}

/* Usually the connection has reported the end already, but not if the process died before there was
 * one. */
void vms_gone(struct image_role *role, const struct priv_machine *m)
{
	list_each(vm, &role->vms, struct vm, in)
	{
		struct err e;

		if (strncmp(vm->id, m->machine, sizeof(vm->id)) != 0 || vm->expected || vm->end.tag)
			continue;
		err_set(&e, ERR_INTERNAL, "the microVM's process ended");
		vm_down(vm, &e);
		return;
	}
}
