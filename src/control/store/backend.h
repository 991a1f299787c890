/* backend.h - a database under the store: what store.c needs of it.
 *
 * One thread at a time uses it.  Failures are worded for whoever runs doze; ERR_UNAVAILABLE means
 * that the same may succeed later. */
#ifndef CONTROL_STORE_BACKEND_H
#define CONTROL_STORE_BACKEND_H

#include "base/err.h"
#include "control/store/sql.h"

struct backend {
	const struct backend_ops *ops;
	bool away;     /* its connection is lost: connect() comes first */
	bool in_doubt; /* and whether the last commit took place is not known: settle() says it */
};

typedef void backend_row(void *arg, enum store_table table, const void *row, int64_t revision);

struct backend_ops {
	void (*close)(struct backend *b);
	/* Every row, table by table. */
	int (*load)(struct backend *b, backend_row *row, void *arg, struct err *e);
	int (*begin)(struct backend *b, struct err *e);
	/* *changed: how many rows it met. */
	int (*run)(struct backend *b, enum sql_stmt stmt, const struct sql_value *v, size_t n,
		   int64_t *changed, struct err *e);
	int (*commit)(struct backend *b, struct err *e);
	void (*rollback)(struct backend *b); /* after a failure of begin, run or commit */
	/* Only of one that can be away. */
	int (*connect)(struct backend *b, struct err *e);
	int (*settle)(struct backend *b, bool *took_place, struct err *e);
};

#endif
