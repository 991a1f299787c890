#include "priv/status.h"

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

int status_take_fault(const struct ipc_msg *m, struct err *e)
{
	struct priv_fault body;

	memcpy(&body, m->body, sizeof(body));
	return err_set(e, ERR_INTERNAL, "%.*s", IPC_TEXT_SIZE - 1, body.text);
}
