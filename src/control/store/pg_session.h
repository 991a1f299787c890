/* pg_session.h - a connection to PostgreSQL on which every wait has an end.
 *
 * A server that is stopped, unreachable or silent for too long is ERR_UNAVAILABLE, and the session
 * is lost: a new one is opened in its place.  No text of a failure has the password. */
#ifndef CONTROL_STORE_PG_SESSION_H
#define CONTROL_STORE_PG_SESSION_H

#include <libpq-fe.h>

#include "base/err.h"

struct pg_session {
	PGconn *conn; /* NULL: lost, or never opened */
};

int pg_open(struct pg_session *s, const char *url, struct err *e) must_check;
void pg_close(struct pg_session *s);
bool pg_lost(const struct pg_session *s);

/* The result, which PQclear frees, of the last statement in @sql; @values may be NULL if @n is 0,
 * and only one statement has values.  NULL: it failed.  @what is what was tried: "write". */
PGresult *pg_query(struct pg_session *s, const char *sql, const char *const *values, int n,
		   const char *what, struct err *e);
/* Likewise without a result. */
int pg_exec(struct pg_session *s, const char *sql, const char *what, struct err *e) must_check;
int pg_prepare(struct pg_session *s, const char *name, const char *sql, struct err *e) must_check;
PGresult *pg_run(struct pg_session *s, const char *name, const char *const *values, int n,
		 struct err *e);
/* Row by row: false from @row stops nothing, as there is nothing to stop. */
int pg_each(struct pg_session *s, const char *sql, void (*row)(void *arg, const PGresult *one),
	    void *arg, struct err *e) must_check;

#endif
