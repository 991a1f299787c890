/* pg_schema.h - doze's tables in a database of PostgreSQL: made, migrated, and owned by one. */
#ifndef CONTROL_STORE_PG_SCHEMA_H
#define CONTROL_STORE_PG_SCHEMA_H

#include "base/buf.h"
#include "control/store/pg_session.h"
#include "control/store/place.h"

/* What a new session has to know and hold: the settings that make a commit durable, and the lock
 * that keeps any other doze out of these tables.  *writes is the number of the last commit. */
int pg_schema_enter(struct pg_session *s, int64_t *writes, struct err *e) must_check;
/* At the first session: the tables as STORE_FORMAT has them, in this directory's name. */
int pg_schema_make(struct pg_session *s, const struct store_place *where, struct err *e) must_check;

#endif
