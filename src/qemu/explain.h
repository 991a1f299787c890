/* explain.h - asks QEMU where its guest stands, and writes its words for a person.
 *
 * QEMU may be what hangs, so its words are waited for only so long.  There is one explanation at a
 * time; a late answer to one is dropped. */
#ifndef QEMU_EXPLAIN_H
#define QEMU_EXPLAIN_H

#include "qemu/qmp.h"

/* The first four members are its owner's to set, and fd to -1; the rest is zero. */
struct explain {
	struct loop *loop;    /* borrowed */
	struct qmp *qmp;      /* borrowed */
	qmp_answer *answered; /* hands QEMU's answer to explain_answered */
	void (*done)(struct explain *x);
	int fd;     /* owned; -1: none is open */
	size_t at;  /* the question that QEMU was asked last */
	bool open;  /* `done` is owed */
	bool asked; /* QEMU owes an answer */
	struct timer late;
};

/* Takes over @fd, to which @known is written first.  ERR_CONFLICT if one is under way. */
int explain_begin(struct explain *x, int fd, const struct buf *known, struct err *e) must_check;
void explain_answered(struct explain *x, const json_t *result, const struct err *why);
void explain_close(struct explain *x); /* `done` is not called any more */

#endif
