/* The store in PostgreSQL when its connection is lost: at every call in turn, before it reaches the
 * server and after the server has done it.  It needs a server (tests/integration/test_postgres.py).
 */

#include "store_rig.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

/* What stands in front of libpq: the call with this number loses the connection. */
static struct {
	bool on, after;
	int left, made;
} losing;

static void *behind(const char *name)
{
	void *at = dlsym(RTLD_NEXT, name);

	assert_non_null(at);
	return at;
}

/* The server has answered, and nobody hears it. */
static void lose_answer(PGconn *conn)
{
	struct pollfd p = { .fd = PQsocket(conn), .events = POLLIN };
	char bytes[4096];

	while (PQflush(conn) > 0)
		;
	assert_int_equal(poll(&p, 1, 10000), 1);
	while (recv(p.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	shutdown(p.fd, SHUT_RDWR);
}

static bool loses_now(void)
{
	losing.made++;
	return losing.on && !losing.left--;
}

int PQsendQuery(PGconn *conn, const char *sql)
{
	int (*real)(PGconn *, const char *);
	void *at = behind("PQsendQuery");
	bool lost = loses_now();
	int rc;

	memcpy((void *)&real, &at, sizeof(at));
	if (lost && !losing.after)
		shutdown(PQsocket(conn), SHUT_RDWR);
	rc = real(conn, sql);
	if (lost && losing.after)
		lose_answer(conn);
	return rc;
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values,
			const int *sizes, const int *formats, int format)
{
	int (*real)(PGconn *, const char *, int, const char *const *, const int *, const int *,
		    int);
	void *at = behind("PQsendQueryPrepared");
	bool lost = loses_now();
	int rc;

	memcpy((void *)&real, &at, sizeof(at));
	if (lost && !losing.after)
		shutdown(PQsocket(conn), SHUT_RDWR);
	rc = real(conn, name, n, values, sizes, formats, format);
	if (lost && losing.after)
		lose_answer(conn);
	return rc;
}

/* Until it takes writes again. */
static void wait_until_it_is_back(struct store *s)
{
	for (int tries = 0; tries < 1000; tries++) {
		struct store_txn *t = store_begin(s);
		struct err e;

		store_del_published(t, 1);
		if (!try_commit(s, t, &e))
			return;
		assert_int_equal(e.kind, ERR_UNAVAILABLE);
		poll(NULL, 0, 10);
	}
	fail_msg("the store does not come back");
}

struct microvms {
	char first[64], others[256];
};

static void see_row(void *arg, const struct store_microvm *row)
{
	struct microvms *m = arg;

	if (!strcmp(row->id, "m1"))
		snprintf(m->first, sizeof(m->first), "m1 %s ", row->state);
	else
		strcat(strcat(m->others, row->id), " RUNNING ");
}

static void assert_microvms(int dir, const char *first, const char *others)
{
	const struct store_loader microvms = { .microvm = see_row };
	struct store *s = open_store(dir);
	struct microvms m = { "", "" };
	struct err e;

	assert_int_equal(store_load(s, &microvms, &m, &e), 0);
	assert_string_equal(m.first, first);
	assert_string_equal(m.others, others);
	store_close(s);
}

/* Three changes of a row, and another row with each; what was acknowledged is there, and what was
 * refused is not. */
static void lose_at(const struct fixture *f, int call, bool after)
{
	static const char *const states[] = { "PENDING", "RUNNING", "SUSPENDED" };
	struct store *s = open_store(f->dir);
	char rows[256] = "", last[32] = "", id[8];

	losing.after = after;
	losing.left = call;
	losing.made = 0;
	losing.on = true;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct store_txn *t = store_begin(s);
		struct err e;

		snprintf(id, sizeof(id), "n%zu", i);
		put_microvm(t, "m1", "e1", states[i]);
		put_microvm(t, id, id, "RUNNING");
		if (!try_commit(s, t, &e)) {
			snprintf(last, sizeof(last), "m1 %s ", states[i]);
			strcat(strcat(rows, id), " RUNNING ");
			continue;
		}
		assert_int_equal(e.kind, ERR_UNAVAILABLE);
		wait_until_it_is_back(s);
	}
	losing.on = false;
	store_close(s);
	assert_microvms(f->dir, last, rows);
}

static void test_nothing_acknowledged_is_lost_wherever_the_connection_breaks(void **state)
{
	const struct fixture *f = *state;
	int calls_of_all = 1;

	for (int call = 0; call < calls_of_all; call++)
		for (int after = 0; after < 2; after++) {
			lose_at(f, call, after);
			calls_of_all = losing.made < 40 ? losing.made : 40;
			other_writer(f, "DELETE FROM microvm");
		}
	assert_true(calls_of_all > 12);
}

static void refuse(const struct fixture *f, const char *url, const char *sentence)
{
	struct err e;

	assert_null(store_open(
		&(struct store_place){ .dir = f->dir, .url = url, .account = ACCOUNT }, &e));
	if (!strstr(e.text, sentence))
		fail_msg("%s", e.text);
	assert_null(strstr(e.text, "geheim"));
}

static void test_a_url_that_does_not_answer_is_one_sentence_without_its_password(void **state)
{
	const struct fixture *f = *state;
	char id[UUID_SIZE];
	struct err e;

	refuse(f, "postgresql://doze:geheim@/doze?host=/nowhere", "does not answer");
	refuse(f, "postgresql://doze:geheim@127.0.0.1:1/doze", "does not answer");
	refuse(f, "postgresql://doze:ge@geheim@127.0.0.1:1/doze", "is not understood");
	refuse(f, "postgresql://doze:geheim/x@127.0.0.1:1/doze", "is not understood");
	refuse(f, "postgresql://doze:geheim@127.0.0.1:1/doze?geheim", "is not understood");
	refuse(f, "mysql://doze:geheim@127.0.0.1/doze", "is not understood");
	assert_int_equal(place_read_id(f->dir, id, &e), 0);
	assert_string_equal(id, "");
	assert_false(place_has_file(f->dir));
}

static void test_a_database_of_another_directory_is_refused(void **state)
{
	struct fixture *f = *state;
	char id[UUID_SIZE];
	struct err e;

	store_close(open_store(f->dir));
	assert_int_equal(place_read_id(f->dir, id, &e), 0);
	assert_int_equal(unlinkat(f->dir, "store-id", 0), 0);
	refuse(f, postgres_url(), "belongs to another data directory");
	assert_int_equal(place_draft_id(f->dir, id, &e), 0);
	store_close(open_store(f->dir));
	other_writer(f, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
	refuse(f, postgres_url(), "are in another database");
}

static void test_rows_that_are_in_the_file_are_not_begun_anew(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(io_replace(f->dir, "doze.db", "", 0, 0600, &e), 0);
	refuse(f, postgres_url(), "are in control/doze.db");
}

static void test_a_database_that_another_doze_uses_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);

	refuse(f, postgres_url(), "another doze is using the database");
	store_close(s);
	store_close(open_store(f->dir));
}

static void test_a_newer_format_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;

	store_close(open_store(f->dir));
	other_writer(f, "UPDATE doze SET format = 99");
	refuse(f, postgres_url(), "has format 99");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_nothing_acknowledged_is_lost_wherever_the_connection_breaks),
		STORE_TEST(test_a_url_that_does_not_answer_is_one_sentence_without_its_password),
		STORE_TEST(test_a_database_of_another_directory_is_refused),
		STORE_TEST(test_rows_that_are_in_the_file_are_not_begun_anew),
		STORE_TEST(test_a_database_that_another_doze_uses_is_refused),
		STORE_TEST(test_a_newer_format_is_refused_and_left_alone),
	};

	if (!postgres_url()) {
		fprintf(stderr, "DOZE_TEST_POSTGRES names no database\n");
		return 1;
	}
	return cmocka_run_group_tests_name("store/postgres", tests, NULL, NULL);
}
