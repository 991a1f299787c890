/* status.h - what a process on its way to become a machine or a build tells priv, on a SEQPACKET
 * pair that closes with exec.  The end of the connection without a FAULT: the program runs. */
#ifndef PRIV_STATUS_H
#define PRIV_STATUS_H

#include "ipc/priv.h"

enum status_type { STATUS_STARTED, STATUS_FAULT, STATUS_NUM_TYPES };

struct status_started {
	int32_t pid; /* as priv sees it; a pidfd comes with it */
	uint32_t zero;
};

extern const struct ipc_row status_rows[STATUS_NUM_TYPES];

int status_send_started(int sock, int pid, int pidfd) must_check;
int status_send_fault(int sock, const struct err *e); /* 1, to be the exit status */

/* The text of a STATUS_FAULT in *e; -1. */
int status_take_fault(const struct ipc_msg *m, struct err *e);

#endif
