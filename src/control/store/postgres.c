/* postgres.c - the store's statements on a session that may be lost (contract: backend.h).
 *
 * Every transaction writes the next number into the one row of the table `doze`.  If the session is
 * lost before the answer to a commit, the next session reads there whether it took place.  That one
 * has the advisory lock, so the server has finished with the one before. */

#include "control/store/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store/pg_schema.h"

struct postgres {
	struct backend backend;
	struct pg_session session;
	char *url;
	int64_t writes; /* the number of the last commit that took place */
	bool prepared[SQL_NUM_STMTS];
};

static struct postgres *postgres_of(struct backend *b)
{
	return container_of(b, struct postgres, backend);
}

static int postgres_failed(struct postgres *p)
{
	p->backend.away = pg_lost(&p->session);
	return -1;
}

static void postgres_close(struct backend *b)
{
	struct postgres *p = postgres_of(b);

	pg_close(&p->session);
	free(p->url);
	free(p);
}

static int postgres_begin(struct backend *b, struct err *e)
{
	struct postgres *p = postgres_of(b);

	return pg_exec(&p->session, "BEGIN", "write", e) ? postgres_failed(p) : 0;
}

static int postgres_prepare(struct postgres *p, enum sql_stmt which, const char *name,
			    struct err *e)
{
	autobuf struct buf text = { 0 };

	if (p->prepared[which])
		return 0;
	sql_text(which, &text);
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '?')
			text.data[i] = '$';
	if (pg_prepare(&p->session, name, buf_str(&text), e))
		return -1;
	p->prepared[which] = true;
	return 0;
}

static int postgres_run(struct backend *b, enum sql_stmt which, const struct sql_value *v, size_t n,
			int64_t *changed, struct err *e)
{
	struct postgres *p = postgres_of(b);
	char numbers[SQL_MAX_VALUES][24], name[16];
	const char *values[SQL_MAX_VALUES];
	PGresult *result;

	for (size_t i = 0; i < n; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)v[i].number);
		values[i] = v[i].is_text ? v[i].text : numbers[i];
	}
	snprintf(name, sizeof(name), "doze%d", (int)which);
	if (postgres_prepare(p, which, name, e))
		return postgres_failed(p);
	result = pg_run(&p->session, name, values, (int)n, e);
	if (!result)
		return postgres_failed(p);
	*changed = strtoll(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return 0;
}

static int postgres_commit(struct backend *b, struct err *e)
{
	struct postgres *p = postgres_of(b);
	char text[96];
	PGresult *result;
	bool done;

	snprintf(text, sizeof(text), "UPDATE doze SET writes = %lld; COMMIT",
		 (long long)p->writes + 1);
	result = pg_query(&p->session, text, NULL, 0, "write", e);
	if (!result) {
		postgres_failed(p);
		b->in_doubt = b->away;
		return -1;
	}
	done = !strcmp(PQcmdStatus(result), "COMMIT");
	PQclear(result);
	if (!done)
		return err_set(e, ERR_INTERNAL, "the store's PostgreSQL has rolled back");
	p->writes++;
	return 0;
}

static void postgres_rollback(struct backend *b)
{
	struct postgres *p = postgres_of(b);
	struct err e;

	if (!b->away && pg_exec(&p->session, "ROLLBACK", "write", &e)) {
		pg_close(&p->session); /* what it holds is dropped with it */
		b->away = true;
	}
}

struct postgres_loading {
	enum store_table table;
	backend_row *row;
	void *arg;
};

static void postgres_row(void *arg, const PGresult *one)
{
	const struct postgres_loading *l = arg;
	const struct sql_table *t = &store_tables[l->table];
	union store_row row;

	for (size_t i = 0; i < t->n; i++) {
		char *at = (char *)&row + t->columns[i].offset;
		const char *word = PQgetisnull(one, 0, (int)i) ? NULL : PQgetvalue(one, 0, (int)i);
		int64_t number = word ? strtoll(word, NULL, 10) : 0;

		if (t->columns[i].is_text)
			memcpy(at, &word, sizeof(word));
		else
			memcpy(at, &number, sizeof(number));
	}
	l->row(l->arg, l->table, &row, strtoll(PQgetvalue(one, 0, (int)t->n), NULL, 10));
}

static int postgres_load(struct backend *b, backend_row *row, void *arg, struct err *e)
{
	struct postgres *p = postgres_of(b);

	for (int i = 0; i < STORE_NUM_TABLES; i++) {
		struct postgres_loading l = { (enum store_table)i, row, arg };
		autobuf struct buf text = { 0 };

		sql_select(l.table, &text);
		if (pg_each(&p->session, buf_str(&text), postgres_row, &l, e))
			return postgres_failed(p);
	}
	return 0;
}

/* @writes is what the database says, which differs from ours only for a commit in doubt. */
static int postgres_enter(struct postgres *p, int64_t *writes, struct err *e)
{
	memset(p->prepared, 0, sizeof(p->prepared));
	if (!pg_open(&p->session, p->url, e) && !pg_schema_enter(&p->session, writes, e))
		return 0;
	pg_close(&p->session);
	return -1;
}

static int postgres_connect(struct backend *b, struct err *e)
{
	struct postgres *p = postgres_of(b);
	int64_t writes;

	if (postgres_enter(p, &writes, e))
		return -1;
	if (writes != p->writes && !(b->in_doubt && writes == p->writes + 1)) {
		pg_close(&p->session);
		return err_set(e, ERR_UNAVAILABLE,
			       "another program has written to the database of [store] url, or it "
			       "was replaced by an older one: end that program, then start doze "
			       "again, so that it reads what is there");
	}
	b->away = false;
	return 0;
}

static int postgres_settle(struct backend *b, bool *took_place, struct err *e)
{
	struct postgres *p = postgres_of(b);
	PGresult *result = pg_query(&p->session, "SELECT writes FROM doze", NULL, 0, "be read", e);

	if (!result)
		return postgres_failed(p);
	*took_place = strtoll(PQgetvalue(result, 0, 0), NULL, 10) == p->writes + 1;
	PQclear(result);
	p->writes += *took_place;
	return 0;
}

static const struct backend_ops postgres_ops = {
	.close = postgres_close,
	.load = postgres_load,
	.begin = postgres_begin,
	.run = postgres_run,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.connect = postgres_connect,
	.settle = postgres_settle,
};

struct backend *postgres_open(const struct store_place *where, struct err *e)
{
	struct postgres *p = xcalloc(1, sizeof(*p));

	p->backend.ops = &postgres_ops;
	p->url = xstrdup(where->url);
	if (!postgres_enter(p, &p->writes, e) && !pg_schema_make(&p->session, where, e))
		return &p->backend;
	postgres_close(&p->backend);
	return NULL;
}
