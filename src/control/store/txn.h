/* txn.h - a transaction on its way to the store: what it will do, and who hears of it. */
#ifndef CONTROL_STORE_TXN_H
#define CONTROL_STORE_TXN_H

#include "base/list.h"
#include "control/store/sql.h"

struct store_op {
	struct list in_txn;
	enum sql_stmt stmt;
	size_t n;
	struct sql_value values[SQL_MAX_VALUES]; /* text owned */
};

struct store_txn {
	struct list in;
	struct store *store; /* borrowed */
	struct list ops;
	void (*done)(void *arg, int rc, const struct err *e);
	void *arg;
	int rc;
	struct err err;
};

/* Texts are copied. */
void store_add(struct store_txn *t, enum sql_stmt stmt, const struct sql_value *v, size_t n);

#endif
