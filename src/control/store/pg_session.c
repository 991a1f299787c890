#include "control/store/pg_session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PG_CONNECT_MS 5000
#define PG_ANSWER_MS  15000 /* a statement of ours takes milliseconds */
#define PG_OLDEST     130000

bool pg_lost(const struct pg_session *s)
{
	return !s->conn;
}

void pg_close(struct pg_session *s)
{
	PQfinish(s->conn);
	s->conn = NULL;
}

/* The first line of what libpq says. */
static void pg_first_line(const char *text, char *to, size_t size)
{
	size_t n = strcspn(text, "\n");

	n = n < size ? n : size - 1;
	memcpy(to, text, n);
	to[n] = '\0';
}

static int pg_away(struct pg_session *s, const char *why, struct err *e)
{
	char line[600];

	pg_first_line(why, line, sizeof(line));
	err_set(e, ERR_UNAVAILABLE,
		"the store's PostgreSQL does not answer (%s): start it, or correct [store] url",
		line);
	pg_close(s);
	return -1;
}

/* What the server says, by the beginning of its code. */
static const struct {
	const char *code;
	enum err_kind kind;
	const char *text; /* NULL: the server is going or gone */
} pg_faults[] = {
	{ "08", ERR_UNAVAILABLE, NULL },
	{ "57P01", ERR_UNAVAILABLE, NULL },
	{ "57P02", ERR_UNAVAILABLE, NULL },
	{ "57P03", ERR_UNAVAILABLE, NULL },
	{ "25006", ERR_UNAVAILABLE, NULL }, /* it has become a standby */
	{ "53100", ERR_CAPACITY,
	  "the disk of the store's PostgreSQL is full: free some space on it" },
	{ "40", ERR_UNAVAILABLE, "the store's PostgreSQL asks to try again" },
	{ "55P03", ERR_UNAVAILABLE, "the store's PostgreSQL is locked by another program" },
	{ "42501", ERR_DENIED,
	  "the role of [store] url may not use or make the tables of doze: let it own the "
	  "database" },
};

static int pg_fail(struct pg_session *s, const PGresult *result, const char *what, struct err *e)
{
	const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (PQstatus(s->conn) == CONNECTION_BAD || !code)
		return pg_away(s, PQerrorMessage(s->conn), e);
	for (size_t i = 0; i < ARRAY_SIZE(pg_faults); i++) {
		if (strncmp(code, pg_faults[i].code, strlen(pg_faults[i].code)) != 0)
			continue;
		if (!pg_faults[i].text)
			return pg_away(s, said ? said : code, e);
		return err_set(e, pg_faults[i].kind, "%s (%s)", pg_faults[i].text,
			       said ? said : code);
	}
	return err_set(e, ERR_INTERNAL, "the store cannot %s: %s", what, said ? said : code);
}

/* False: the time is over. */
static bool pg_wait(struct pg_session *s, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = PQsocket(s->conn), .events = events };
	int64_t left;
	int rc;

	do {
		left = until_ms - clock_mono_ms();
		rc = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* A password with signs that are not written as %XX would be taken for a host or a port in part,
 * and shown as such. */
static bool pg_option_may_be(const PQconninfoOption *o)
{
	if (!o->val)
		return true;
	if (!strcmp(o->keyword, "port"))
		return !o->val[strspn(o->val, "0123456789,")];
	return strcmp(o->keyword, "host") != 0 || !strchr(o->val, '@');
}

static int pg_check_url(const char *url, struct err *e)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	bool good = options;

	for (PQconninfoOption *o = options; o && o->keyword; o++)
		good = good && pg_option_may_be(o);
	PQconninfoFree(options);
	if (!good)
		return err_set(e, ERR_INVALID,
			       "[store] url is not understood: write "
			       "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and whatever is "
			       "special in it as %%XX");
	return 0;
}

static int pg_connect(struct pg_session *s, struct err *e)
{
	int64_t until_ms = clock_mono_ms() + PG_CONNECT_MS;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (next != PGRES_POLLING_OK) {
		if (next == PGRES_POLLING_FAILED || PQstatus(s->conn) == CONNECTION_BAD)
			return pg_away(s, PQerrorMessage(s->conn), e);
		if (!pg_wait(s, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms))
			return pg_away(s, "it is silent", e);
		next = PQconnectPoll(s->conn);
	}
	return 0;
}

static void pg_no_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

int pg_open(struct pg_session *s, const char *url, struct err *e)
{
	/* What stands behind dbname goes before what the URL says. */
	static const char *const names[] = { "target_session_attrs",
					     "keepalives_idle",
					     "keepalives_interval",
					     "keepalives_count",
					     "tcp_user_timeout",
					     "fallback_application_name",
					     "dbname",
					     "client_encoding",
					     NULL };
	const char *const values[] = { "read-write", "10", "5",    "3", "15000",
				       "doze",       url,  "UTF8", NULL };

	pg_close(s);
	if (pg_check_url(url, e))
		return -1;
	s->conn = PQconnectStartParams(names, values, 1);
	if (!s->conn)
		abort(); /* out of memory */
	if (pg_connect(s, e))
		return -1;
	PQsetNoticeReceiver(s->conn, pg_no_notice, NULL);
	if (PQsetnonblocking(s->conn, 1))
		return pg_away(s, PQerrorMessage(s->conn), e);
	if (PQserverVersion(s->conn) < PG_OLDEST)
		return err_set(e, ERR_INVALID,
			       "the store's PostgreSQL is version %d, and doze needs 13 or newer",
			       PQserverVersion(s->conn) / 10000);
	return 0;
}

static int pg_flush(struct pg_session *s, int64_t until_ms, struct err *e)
{
	int rc;

	while ((rc = PQflush(s->conn)) > 0) {
		if (!pg_wait(s, POLLIN | POLLOUT, until_ms))
			return pg_away(s, "it is silent", e);
		if (!PQconsumeInput(s->conn))
			return pg_away(s, PQerrorMessage(s->conn), e);
	}
	return rc ? pg_away(s, PQerrorMessage(s->conn), e) : 0;
}

/* The next result; NULL: there is none, or (-1) the session is lost. */
static int pg_next(struct pg_session *s, PGresult **result, int64_t until_ms, struct err *e)
{
	while (PQisBusy(s->conn)) {
		if (!pg_wait(s, POLLIN, until_ms))
			return pg_away(s, "it is silent", e);
		if (!PQconsumeInput(s->conn))
			return pg_away(s, PQerrorMessage(s->conn), e);
	}
	*result = PQgetResult(s->conn);
	return 0;
}

/* What was sent gives its results, of which the last one counts, or the first that failed. */
static PGresult *pg_finish(struct pg_session *s, int sent, const char *what, struct err *e)
{
	int64_t until_ms = clock_mono_ms() + PG_ANSWER_MS;
	PGresult *last = NULL, *one = NULL;
	ExecStatusType status;

	if (!sent)
		pg_away(s, PQerrorMessage(s->conn), e);
	if (!sent || pg_flush(s, until_ms, e))
		return NULL;
	while (!pg_next(s, &one, until_ms, e) && one) {
		status = last ? PQresultStatus(last) : PGRES_COMMAND_OK;
		if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
			PQclear(last);
			last = one;
		} else {
			PQclear(one);
		}
	}
	status = last ? PQresultStatus(last) : PGRES_FATAL_ERROR;
	if (s->conn && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK))
		return last;
	if (s->conn)
		pg_fail(s, last, what, e);
	PQclear(last);
	return NULL;
}

PGresult *pg_query(struct pg_session *s, const char *sql, const char *const *values, int n,
		   const char *what, struct err *e)
{
	return pg_finish(s,
			 n ? PQsendQueryParams(s->conn, sql, n, NULL, values, NULL, NULL, 0)
			   : PQsendQuery(s->conn, sql),
			 what, e);
}

int pg_exec(struct pg_session *s, const char *sql, const char *what, struct err *e)
{
	PGresult *result = pg_query(s, sql, NULL, 0, what, e);

	PQclear(result);
	return result ? 0 : -1;
}

int pg_prepare(struct pg_session *s, const char *name, const char *sql, struct err *e)
{
	PGresult *result =
		pg_finish(s, PQsendPrepare(s->conn, name, sql, 0, NULL), "be prepared", e);

	PQclear(result);
	return result ? 0 : -1;
}

PGresult *pg_run(struct pg_session *s, const char *name, const char *const *values, int n,
		 struct err *e)
{
	return pg_finish(s, PQsendQueryPrepared(s->conn, name, n, values, NULL, NULL, 0), "write",
			 e);
}

int pg_each(struct pg_session *s, const char *sql, void (*row)(void *arg, const PGresult *one),
	    void *arg, struct err *e)
{
	PGresult *one = NULL;
	int rc = 0;

	if (!PQsendQuery(s->conn, sql) || !PQsetSingleRowMode(s->conn))
		return pg_away(s, PQerrorMessage(s->conn), e);
	if (pg_flush(s, clock_mono_ms() + PG_ANSWER_MS, e))
		return -1;
	for (;;) {
		if (pg_next(s, &one, clock_mono_ms() + PG_ANSWER_MS, e))
			return -1;
		if (!one)
			return rc;
		if (PQresultStatus(one) == PGRES_SINGLE_TUPLE)
			row(arg, one);
		else if (PQresultStatus(one) != PGRES_TUPLES_OK && !rc)
			rc = pg_fail(s, one, "be read", e);
		PQclear(one);
		if (pg_lost(s))
			return -1;
	}
}
