/* status.h - what the process that becomes a machine or a build reports to priv, over a SEQPACKET
 * pair that closes on exec. If the connection ends without a FAULT, the program runs. */
#ifndef PRIV_STATUS_H
#define PRIV_STATUS_H

#include "base/loop.h"
#include "ipc/priv.h"

enum status_type { STATUS_STARTED, STATUS_FAULT, STATUS_NUM_TYPES };

struct status_started {
	int32_t pid; /* as priv sees it; a pidfd comes with it */
	uint32_t zero;
};

extern const struct ipc_row status_rows[STATUS_NUM_TYPES];

int status_send_started(int sock, int pid, int pidfd) must_check;
int status_send_fault(int sock, const struct err *e); /* returns 1, the exit status */

/* priv's end is embedded in the struct of what is started. */
struct status {
	struct loop *loop;
	int sock; /* owned; -1: closed */
	struct watch watch;
	void (*ready)(struct status *s);
};

enum status_says {
	STATUS_SAYS_NOTHING, /* for now */
	STATUS_SAYS_STARTED, /* *m is the message, which the caller closes */
	STATUS_SAYS_FAULT,   /* *e is the fault, or says that the connection broke */
	STATUS_SAYS_RUNS,
};

/* The caller owns *theirs, the other end. */
int status_open(struct status *s, struct loop *l, int *theirs, void (*ready)(struct status *s),
		struct err *e) must_check;
enum status_says status_next(struct status *s, struct ipc_msg *m, struct err *e);
void status_close(struct status *s); /* harmless if closed */

#endif
