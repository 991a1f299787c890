/* txn.h - a transaction on its way to the store: what it will do, and who hears of it. */
#ifndef CONTROL_STORE_TXN_H
#define CONTROL_STORE_TXN_H

#include "base/err.h"
#include "base/list.h"
#include "control/store/sql.h"

struct store_op {
	struct list in_txn;
	enum sql_stmt stmt;
	char *path; /* of its row, if that has a revision; owned */
	size_t n;
	struct sql_value values[SQL_MAX_VALUES]; /* text owned */
};

struct store_txn {
	struct list in;
	struct store *store; /* borrowed */
	struct list ops;
	int dump_fd; /* where all rows go instead of ops; borrowed; -1: none do */
	void (*done)(void *arg, int rc, const struct err *e);
	void *arg;
	int rc;
	struct err err;
};

struct store_txn *txn_new(struct store *s);
void txn_free(struct store_txn *t);
/* Texts are copied, and @path is taken over. */
void txn_add(struct store_txn *t, enum sql_stmt stmt, char *path, const struct sql_value *v,
	     size_t n);

#endif
