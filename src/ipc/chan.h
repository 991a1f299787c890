/* chan.h - messages between doze's own processes.
 *
 * A message is one SOCK_SEQPACKET datagram: a header, a fixed struct named by its type, and for a
 * few types more bytes after the struct.  Descriptors travel by SCM_RIGHTS.  Each pair of processes
 * has one header in this folder, with an enum of types and a table of `struct ipc_row` that says
 * what is legal.  The receiver checks every message against the table and closes the connection on
 * one that does not fit.  All integers are in host order, because both ends run on one host and are
 * of one release; where they may differ, HELLO carries the version. */
#ifndef IPC_CHAN_H
#define IPC_CHAN_H

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"

#define IPC_ID_SIZE   80 /* "microvm-<uuid>" and such, with the NUL */
#define IPC_TEXT_SIZE 512

struct ipc_head {
	uint32_t type;
	uint32_t size; /* bytes after this header */
	uint64_t tag;  /* chosen by the requester, returned in the answer; 0 in events */
};

/* What is legal for one type. */
struct ipc_row {
	const char *name;
	uint32_t size; /* of the fixed struct */
	uint32_t more; /* bytes that may follow it */
	uint8_t min_fds, max_fds;
};

struct ipc_msg {
	struct ipc_head head;
	int fds[LIMIT_IPC_FDS]; /* owned by the receiver; ipc_msg_close closes the rest */
	unsigned n_fds;
	_Alignas(8) uint8_t body[LIMIT_IPC_BODY];
};

/* Check a received message: known type, fitting size and number of descriptors.  Pure; fuzzed. */
bool ipc_check(const struct ipc_msg *m, const struct ipc_row *rows, size_t n_rows);

/* Send one message; the caller keeps the descriptors.  Returns 0 or -errno: -EAGAIN if the socket
 * is full or the host is short of memory. */
int ipc_send(int sock, const struct ipc_head *head, const void *body, const int *fds,
	     unsigned n_fds) must_check;

/* Receive one message into *m.  Returns 1, 0 at the end of the connection, or -errno: -EAGAIN if
 * there is none or the host is short of memory, -EBADMSG if it is truncated or not in `rows` and
 * the connection must be closed. */
int ipc_recv(int sock, struct ipc_msg *m, const struct ipc_row *rows, size_t n_rows) must_check;
void ipc_msg_close(struct ipc_msg *m);
int ipc_msg_take_fd(struct ipc_msg *m, unsigned i); /* owned by the caller now; -1 if absent */

/* A sender that never blocks.  Messages that the socket does not take wait in order, with
 * duplicates of their descriptors.  The owner calls chan_flush when the socket is writable. */
struct chan {
	int sock; /* owned; -1: closed */
	const struct ipc_row *rows;
	size_t n_rows;
	struct list queue;
	size_t queued; /* bytes */
	uint64_t next_tag;
};

void chan_init(struct chan *c, int sock, const struct ipc_row *rows, size_t n_rows);
void chan_close(struct chan *c); /* the queue and the socket */
/* Returns 0 or -errno.  -ENOBUFS if more than 8 MiB wait: the other side is dead or stuck. */
int chan_send(struct chan *c, uint32_t type, uint64_t tag, const void *body, size_t size,
	      const int *fds, unsigned n_fds) must_check;
int chan_flush(struct chan *c) must_check;
bool chan_wants_write(const struct chan *c);
uint64_t chan_tag(struct chan *c); /* a fresh one, never 0 */

/* Make a connected SEQPACKET pair, close-on-exec and non-blocking. */
int ipc_pair(int pair[2], struct err *e) must_check;
/* Connect to a SEQPACKET or STREAM socket at `path`.  Returns an owned non-blocking descriptor, or
 * -1. */
int ipc_connect(const char *path, int type, struct err *e) must_check;

#endif
