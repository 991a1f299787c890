#include "priv/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct ipc_row status_rows[STATUS_NUM_TYPES] = {
	[STATUS_STARTED] = { "status_started", sizeof(struct status_started), 0, 1, 1 },
	[STATUS_FAULT]   = { "priv_fault", sizeof(struct priv_fault), 0, 0, 0 },
};
/* clang-format on */

int status_send_started(int sock, int pid, int pidfd)
{
	struct status_started body = { .pid = pid };
	struct ipc_head head = { .type = STATUS_STARTED, .size = sizeof(body) };

	return ipc_send(sock, &head, &body, &pidfd, 1);
}

int status_send_fault(int sock, const struct err *e)
{
	struct priv_fault body = { .kind = e->kind };
	struct ipc_head head = { .type = STATUS_FAULT, .size = sizeof(body) };

	snprintf(body.text, sizeof(body.text), "%.*s", IPC_TEXT_SIZE - 1, e->text);
	(void)!ipc_send(sock, &head, &body, NULL, 0);
	return 1;
}

static void status_ready(struct watch *w, uint32_t events)
{
	struct status *s = container_of(w, struct status, watch);

	(void)events;
	s->ready(s);
}

int status_open(struct status *s, struct loop *l, int *theirs, void (*ready)(struct status *s),
		struct err *e)
{
	int pair[2];

	if (ipc_pair(pair, e))
		return -1;
	*s = (struct status){ .loop = l, .sock = pair[0], .ready = ready };
	*theirs = pair[1];
	return loop_watch(l, &s->watch, s->sock, EPOLLIN, status_ready, e);
}

enum status_says status_next(struct status *s, struct ipc_msg *m, struct err *e)
{
	int rc = ipc_recv(s->sock, m, status_rows, STATUS_NUM_TYPES);
	struct priv_fault fault;

	if (rc == -EAGAIN)
		return STATUS_SAYS_NOTHING;
	if (rc == 0)
		return STATUS_SAYS_RUNS;
	if (rc < 0) {
		err_set(e, ERR_INTERNAL, "its start said nothing");
		return STATUS_SAYS_FAULT;
	}
	if (m->head.type == STATUS_STARTED)
		return STATUS_SAYS_STARTED;
	memcpy(&fault, m->body, sizeof(fault));
	err_set(e, ERR_INTERNAL, "%.*s", IPC_TEXT_SIZE - 1, fault.text);
	ipc_msg_close(m);
	return STATUS_SAYS_FAULT;
}

void status_close(struct status *s)
{
	if (s->sock < 0)
		return;
	loop_unwatch(s->loop, &s->watch);
	fd_close(&s->sock);
}
