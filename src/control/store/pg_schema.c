#include "control/store/pg_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store/tables.h"
#include "ipc/format.h"

static int pg_text(struct pg_session *s, const char *sql, char *to, size_t size, struct err *e)
{
	PGresult *result = pg_query(s, sql, NULL, 0, "be read", e);

	if (!result)
		return -1;
	snprintf(to, size, "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return 0;
}

/* What a server must be like: the answer that it has to the question. */
static const struct {
	const char *question, *answer, *text;
} demands[] = {
	{ "SHOW server_encoding", "UTF8",
	  "the database of [store] url must have the encoding UTF8, and has" },
	{ "SHOW fsync", "on",
	  "the store's PostgreSQL must have fsync on, or a power failure loses what was answered; "
	  "it is" },
};

static int pg_demand(struct pg_session *s, struct err *e)
{
	char answer[64];

	for (size_t i = 0; i < ARRAY_SIZE(demands); i++) {
		if (pg_text(s, demands[i].question, answer, sizeof(answer), e))
			return -1;
		if (strcmp(answer, demands[i].answer) != 0)
			return err_set(e, ERR_INVALID, "%s %s", demands[i].text, answer);
	}
	return 0;
}

/* A doze that was killed leaves a lock that its server drops soon. */
static int pg_lock(struct pg_session *s, struct err *e)
{
	struct err why;

	if (!pg_exec(s, "SELECT pg_advisory_lock(1685027429, hashtext(current_schema()))",
		     "be locked", &why))
		return 0;
	if (pg_lost(s)) {
		*e = why;
		return -1;
	}
	return err_set(e, ERR_UNAVAILABLE,
		       "another doze is using the database of [store] url: end it, or give this "
		       "data directory a database of its own");
}

int pg_schema_enter(struct pg_session *s, int64_t *writes, struct err *e)
{
	char answer[64];

	if (pg_exec(s,
		    "SELECT set_config('synchronous_commit', 'on', false)"
		    " WHERE current_setting('synchronous_commit') = 'off';"
		    "SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '60s'",
		    "be opened", e) ||
	    pg_demand(s, e) || pg_lock(s, e))
		return -1;
	*writes = 0;
	if (pg_text(s, "SELECT to_regclass('doze')", answer, sizeof(answer), e))
		return -1;
	if (!*answer)
		return 0;
	if (pg_text(s, "SELECT writes FROM doze", answer, sizeof(answer), e))
		return -1;
	*writes = strtoll(answer, NULL, 10);
	return 0;
}

/* The words of a step that differ here.  SQLite numbers the rows of a table by itself. */
static const struct {
	const char *word, *here;
} words[] = {
	{ " INTEGER", " BIGINT" },
	{ "CREATE TABLE ", NULL },
};

#define ROW_NUMBER "rowid BIGINT GENERATED ALWAYS AS IDENTITY, "

static void pg_translate(const char *sql, struct buf *b)
{
	for (const char *at = sql; *at;) {
		size_t i = 0, n;

		while (i < ARRAY_SIZE(words) && strncmp(at, words[i].word, strlen(words[i].word)))
			i++;
		if (i == ARRAY_SIZE(words)) {
			buf_add(b, at++, 1);
			continue;
		}
		n = strlen(words[i].word);
		if (words[i].here) {
			buf_adds(b, words[i].here);
		} else {
			n = strcspn(at, "(") + 1;
			buf_add(b, at, n);
			buf_adds(b, ROW_NUMBER);
		}
		at += n;
	}
}

static int pg_migrate(struct pg_session *s, int format, struct err *e)
{
	autobuf struct buf text = { 0 };

	for (; format < STORE_FORMAT; format++)
		pg_translate(store_migrations[format], &text);
	return pg_exec(s, buf_str(&text), "be migrated", e);
}

static int pg_found(struct pg_session *s, const struct store_place *where, struct err *e)
{
	autofree char *made = NULL;
	char id[UUID_SIZE];

	rand_uuid(id);
	made = xasprintf("CREATE TABLE doze (format BIGINT NOT NULL, owner TEXT NOT NULL,"
			 " writes BIGINT NOT NULL);"
			 "INSERT INTO doze VALUES (%d, '%s', 0)",
			 STORE_FORMAT, id);
	if (pg_exec(s, "BEGIN", "be made", e) || pg_migrate(s, 0, e) ||
	    pg_exec(s, made, "be made", e) || place_draft_id(where->dir, id, e) ||
	    pg_exec(s, "COMMIT", "be made", e))
		return -1;
	return place_take_draft(where->dir, id, e);
}

static int pg_raise(struct pg_session *s, int format, struct err *e)
{
	autofree char *set = xasprintf("UPDATE doze SET format = %d", STORE_FORMAT);

	return pg_exec(s, "BEGIN", "be migrated", e) || pg_migrate(s, format, e) ||
			       pg_exec(s, set, "be migrated", e) ||
			       pg_exec(s, "COMMIT", "be migrated", e)
		       ? -1
		       : 0;
}

static int pg_schema_use(struct pg_session *s, const struct store_place *where, struct err *e)
{
	char format[32], owner[64], id[UUID_SIZE];
	int n;

	if (pg_text(s, "SELECT format FROM doze", format, sizeof(format), e) ||
	    pg_text(s, "SELECT owner FROM doze", owner, sizeof(owner), e) ||
	    place_read_id(where->dir, id, e))
		return -1;
	n = atoi(format);
	if (n > STORE_FORMAT)
		return err_set(e, ERR_INVALID,
			       "the database of [store] url has format %d and this doze knows %d: "
			       "start the newer doze that wrote it",
			       n, STORE_FORMAT);
	/* It was made, and the start that made it ended before it was sure of that. */
	if (!*id && !place_take_draft(where->dir, owner, e))
		snprintf(id, sizeof(id), "%.36s", owner);
	if (strcmp(owner, id) != 0)
		return err_set(e, ERR_INVALID,
			       "the database of [store] url belongs to another data directory "
			       "(%s): give this one a database of its own, or write that into its "
			       "file control/store-id if it is a copy",
			       owner);
	return n < STORE_FORMAT ? pg_raise(s, n, e) : 0;
}

int pg_schema_make(struct pg_session *s, const struct store_place *where, struct err *e)
{
	char found[64], id[UUID_SIZE];

	if (pg_text(s, "SELECT to_regclass('doze')", found, sizeof(found), e))
		return -1;
	if (*found)
		return pg_schema_use(s, where, e);
	if (place_read_id(where->dir, id, e))
		return -1;
	if (*id)
		return err_set(e, ERR_INVALID,
			       "the rows of this data directory are in another database than that "
			       "of [store] url: correct it, or remove control/store-id to begin "
			       "without them");
	if (place_has_file(where->dir))
		return err_set(e, ERR_INVALID,
			       "the rows of this data directory are in control/doze.db: 'doze "
			       "backup' and 'doze restore' bring them to [store] url, and without "
			       "that file doze begins anew");
	return pg_found(s, where, e);
}
