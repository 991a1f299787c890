#include "control/channels/priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"

struct priv_client {
	struct list calls; /* of struct priv_call: what priv has not answered */
	void (*gone)(struct control *ctl, const char *machine);
};

struct priv_call {
	struct list in;
	uint64_t tag;
	uint32_t type;
	bool clearing; /* a start: the end that precedes it is under way */
	union {
		struct priv_machine_start start;
		struct priv_machine end;
		struct priv_owner list;
		struct priv_role role;
	} what;
	int fd; /* owned; -1: none goes with it */
	priv_item *item;
	priv_done *done;
	void *arg;
};

void priv_open(struct control *ctl, void (*gone)(struct control *ctl, const char *machine))
{
	ctl->priv_client = xcalloc(1, sizeof(*ctl->priv_client));
	list_init(&ctl->priv_client->calls);
	ctl->priv_client->gone = gone;
}

static void priv_send(struct control *ctl, struct priv_call *call)
{
	uint32_t type = call->clearing ? (uint32_t)PRIV_MACHINE_END : call->type;

	if (!ctl->priv.open)
		return; /* priv_on_up will send it */
	call->tag = chan_tag(&ctl->priv.chan);
	/* Both requests begin with the machine's name, so the bytes of a start serve its end. */
	chan_uv_send(&ctl->priv, type, call->tag, &call->what, priv_rows[type].size, &call->fd,
		     call->fd >= 0);
}

static struct priv_call *priv_call(struct control *ctl, uint32_t type, priv_done *done, void *arg)
{
	struct priv_call *call = xcalloc(1, sizeof(*call));

	call->type = type;
	call->fd = -1;
	call->done = done;
	call->arg = arg;
	list_add(&ctl->priv_client->calls, &call->in);
	return call;
}

void priv_start(struct control *ctl, const struct priv_machine_start *what, priv_done *done,
		void *arg)
{
	struct priv_call *call = priv_call(ctl, PRIV_MACHINE_START, done, arg);

	static_assert(offsetof(struct priv_machine_start, machine) == 0 &&
			      offsetof(struct priv_machine, machine) == 0,
		      "priv_send");
	call->what.start = *what;
	priv_send(ctl, call);
}

void priv_end(struct control *ctl, const char *machine, priv_done *done, void *arg)
{
	struct priv_call *call = priv_call(ctl, PRIV_MACHINE_END, done, arg);

	memcpy(call->what.end.machine, machine, strnlen(machine, IPC_ID_SIZE - 1));
	priv_send(ctl, call);
}

void priv_open_api(struct control *ctl, const char *machine, priv_done *done, void *arg)
{
	struct priv_call *call = priv_call(ctl, PRIV_MACHINE_API, done, arg);

	memcpy(call->what.end.machine, machine, strnlen(machine, IPC_ID_SIZE - 1));
	priv_send(ctl, call);
}

void priv_list(struct control *ctl, priv_item *item, priv_done *done, void *arg)
{
	struct priv_call *call = priv_call(ctl, PRIV_MACHINE_LIST, done, arg);

	call->what.list.owner = PRIV_OWNER_CONTROL;
	call->item = item;
	priv_send(ctl, call);
}

void priv_credentials(struct control *ctl, const char *role, int fd, priv_done *done, void *arg)
{
	struct priv_call *call = priv_call(ctl, PRIV_CREDENTIALS, done, arg);

	memcpy(call->what.role.role, role, strnlen(role, IPC_ID_SIZE - 1));
	call->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (call->fd < 0)
		abort(); /* as if there were no memory */
	priv_send(ctl, call);
}

void priv_forget(struct control *ctl, void *arg)
{
	list_each(call, &ctl->priv_client->calls, struct priv_call, in)
	{
		if (call->arg == arg)
			call->done = NULL;
	}
}

/* The caller has already asked to end this machine.  Its start must not be sent again when priv
 * comes back: it would arrive after the end, and make a machine without an owner. */
static bool priv_is_forgotten(const struct priv_call *call)
{
	return call->type == PRIV_MACHINE_START && !call->done;
}

static void priv_drop(struct priv_call *call)
{
	list_del(&call->in);
	fd_close(&call->fd);
	free(call);
}

void priv_on_up(struct control *ctl)
{
	list_each(call, &ctl->priv_client->calls, struct priv_call, in)
	{
		if (priv_is_forgotten(call)) {
			priv_drop(call);
			continue;
		}
		/* A request that was never sent has no tag. */
		call->clearing = call->tag && call->type == PRIV_MACHINE_START;
		priv_send(ctl, call);
	}
}

static void priv_answered(struct control *ctl, struct priv_call *call, const struct priv_fault *f)
{
	struct err e;

	if (call->clearing && priv_is_forgotten(call)) {
		priv_drop(call);
		return;
	}
	if (call->clearing && !f) {
		call->clearing = false;
		priv_send(ctl, call);
		return;
	}
	list_del(&call->in);
	if (f)
		err_set(&e, f->kind < ERR_NUM_KINDS ? (enum err_kind)f->kind : ERR_INTERNAL, "%.*s",
			(int)sizeof(f->text) - 1, f->text);
	if (call->done)
		call->done(call->arg, f ? -1 : 0, f ? &e : NULL);
	else if (f)
		log_warn("priv could not end a machine error=\"%s\"", e.text);
	fd_close(&call->fd);
	free(call);
}

static void priv_answer(struct control *ctl, const struct ipc_msg *m)
{
	const void *body = m->body;

	list_each(call, &ctl->priv_client->calls, struct priv_call, in)
	{
		if (call->tag != m->head.tag)
			continue;
		if (m->head.type == PRIV_MACHINE_ITEM && call->item)
			call->item(call->arg, body);
		else
			priv_answered(ctl, call, m->head.type == PRIV_FAULT ? body : NULL);
		return;
	}
}

void priv_on_message(struct control *ctl, struct ipc_msg *m)
{
	const struct priv_machine *gone = (const void *)m->body;

	if (m->head.type == PRIV_MACHINE_GONE)
		ctl->priv_client->gone(ctl, gone->machine);
	else if (m->head.type >= PRIV_MACHINE_STARTED)
		priv_answer(ctl, m);
}
