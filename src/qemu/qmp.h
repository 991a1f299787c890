/* qmp.h - the control connection to QEMU.  It sends commands and receives answers and events, as
 * one JSON text per line.
 *
 * Answers come in the order of the commands, so a callback is queued for each.  A callback may
 * close the connection.  `ended` is called once if QEMU closes it or sends a line that is not QMP.
 */
#ifndef QEMU_QMP_H
#define QEMU_QMP_H

#include <jansson.h>

#include "base/buf.h"
#include "base/loop.h"

#define QMP_MAX_WAITING 16

struct qmp;
/* @result is borrowed.  It is NULL if QEMU refused, with the reason in *why. */
typedef void qmp_answer(struct qmp *q, const json_t *result, const struct err *why);

struct qmp_ops {
	/* Its greeting came: the upstream version, "7.2.22". */
	void (*greeted)(struct qmp *q, const char *version);
	void (*event)(struct qmp *q, const char *name, const json_t *data);
	void (*ended)(struct qmp *q);
};

struct qmp {
	struct loop *loop;         /* borrowed */
	const struct qmp_ops *ops; /* borrowed */
	struct watch watch;
	int fd; /* owned; -1: closed */
	struct buf in;
	qmp_answer *waiting[QMP_MAX_WAITING]; /* a ring */
	unsigned first, n_waiting;
};

int qmp_open(struct qmp *q, struct loop *l, int fd, const struct qmp_ops *ops,
	     struct err *e) must_check;
void qmp_close(struct qmp *q);

/* Takes over @args, which may be NULL.  @fd travels with an add-fd; it is -1 otherwise.  @done may
 * be NULL. */
int qmp_send(struct qmp *q, const char *command, json_t *args, int fd, qmp_answer *done,
	     struct err *e) must_check;

#endif
