#include "control/store/txn.h"

#include <stdlib.h>

struct store_txn *txn_new(struct store *s)
{
	struct store_txn *t = xcalloc(1, sizeof(*t));

	t->store = s;
	t->dump_fd = -1;
	list_init(&t->in);
	list_init(&t->ops);
	return t;
}

void txn_free(struct store_txn *t)
{
	list_each(op, &t->ops, struct store_op, in_txn)
	{
		for (size_t i = 0; i < op->n; i++)
			free((void *)(uintptr_t)op->values[i].text);
		free(op->path);
		free(op);
	}
	free(t);
}

void txn_add(struct store_txn *t, enum sql_stmt stmt, char *path, const struct sql_value *v,
	     size_t n)
{
	struct store_op *op = xcalloc(1, sizeof(*op));

	op->stmt = stmt;
	op->path = path;
	op->n = n;
	for (size_t i = 0; i < n; i++) {
		op->values[i] = v[i];
		if (v[i].text)
			op->values[i].text = xstrdup(v[i].text);
	}
	list_add(&t->ops, &op->in_txn);
}
