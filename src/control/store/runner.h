/* runner.h - runs transactions in a database, and knows what became of them.  It belongs to the
 * store's worker. */
#ifndef CONTROL_STORE_RUNNER_H
#define CONTROL_STORE_RUNNER_H

#include "control/store/backend.h"
#include "control/store/place.h"
#include "control/store/revisions.h"
#include "control/store/txn.h"

struct runner {
	struct backend *backend; /* owned */
	struct revisions revisions;
	struct list doubt; /* transactions of which nobody knows whether they took place */
	struct err why;    /* it is away */
};

/* Rows that a restore has left in the directory are taken first. */
int runner_open(struct runner *r, const struct store_place *where, struct err *e) must_check;
void runner_close(struct runner *r);
int runner_load(struct runner *r, const struct store_loader *to, void *arg,
		struct err *e) must_check;
/* As one transaction of the database; if that fails each alone, so that an error meets only whom it
 * concerns.  Each gets its outcome, except those that are moved to `doubt`. */
void runner_run(struct runner *r, struct list *txns);
void runner_dump(struct runner *r, struct store_txn *t); /* all rows to its descriptor */
bool runner_is_away(const struct runner *r);
/* Try to be no longer away.  Those that were in doubt get their outcome and go to @settled. */
int runner_return(struct runner *r, struct list *settled) must_check;

#endif
