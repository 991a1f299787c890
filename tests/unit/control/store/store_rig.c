#include "store_rig.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>

const char *postgres_url(void)
{
	return getenv("DOZE_TEST_POSTGRES");
}

static void postgres_do(const char *sql)
{
	PGconn *conn = PQconnectdb(postgres_url());
	PGresult *result;

	PQclear(PQexec(conn, "SET client_min_messages = warning"));
	result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

static void sqlite_do(const struct fixture *f, const char *sql)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/doze.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

void other_writer(const struct fixture *f, const char *sql)
{
	if (postgres_url())
		postgres_do(sql);
	else
		sqlite_do(f, sql);
}

int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/doze-store-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	if (postgres_url())
		postgres_do("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->dir < 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	fd_close(&f->dir);
	if (io_remove_tree(AT_FDCWD, f->path))
		return -1;
	free(f);
	return 0;
}
struct store *try_store(int dir, struct err *e)
{
	return store_open(
		&(struct store_place){ .dir = dir, .url = postgres_url(), .account = ACCOUNT }, e);
}

struct store *open_store(int dir)
{
	struct err e;
	struct store *s = try_store(dir, &e);

	if (!s)
		fail_msg("%s", e.text);
	return s;
}

/* A store knows the rows that it has loaded. */
struct store *reopen_store(int dir)
{
	static const struct store_loader nobody = { 0 };
	struct store *s = open_store(dir);
	struct err e;

	assert_int_equal(store_load(s, &nobody, NULL, &e), 0);
	return s;
}

int calls;

void note(void *arg, int rc, const struct err *e)
{
	struct outcome *o = arg;

	o->calls++;
	o->rc = rc;
	o->order = ++calls;
	if (rc)
		o->err = *e;
}

void wait_for(struct store *s, const struct outcome *o)
{
	while (!o->calls) {
		struct pollfd p = { .fd = store_wake_fd(s), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 10000), 1);
		store_dispatch(s);
	}
}

void put_image(struct store_txn *t, const char *id, const char *name)
{
	store_put_image(t, &(struct store_image){ .id = id,
						  .account = ACCOUNT,
						  .name = name,
						  .state = "CREATED",
						  .created_ms = 5,
						  .next_version = 2 });
}

void put_microvm(struct store_txn *t, const char *id, const char *endpoint, const char *state)
{
	store_put_microvm(t, &(struct store_microvm){ .id = id,
						      .account = ACCOUNT,
						      .endpoint = endpoint,
						      .image = "i1",
						      .version = 1,
						      .state = state,
						      .params = "{}" });
}

void put_version(struct store_txn *t, const char *image, int64_t version, const char *params)
{
	store_put_version(t, &(struct store_version){ .image = image,
						      .version = version,
						      .state = "FAILED",
						      .status = "INACTIVE",
						      .params = params });
}

void commit(struct store *s, struct store_txn *t)
{
	struct outcome o = { 0 };

	store_commit(t, note, &o);
	wait_for(s, &o);
	assert_int_equal(o.rc, 0);
}
struct seen {
	char text[512];
};

static void see(struct seen *seen, const char *word)
{
	strcat(seen->text, word);
	strcat(seen->text, " ");
}

static void see_image(void *arg, const struct store_image *row)
{
	assert_string_equal(row->account, ACCOUNT);
	assert_int_equal(row->created_ms, 5);
	assert_null(row->tags);
	see(arg, row->name);
}

static void see_version(void *arg, const struct store_version *row)
{
	see(arg, row->params);
}

static void see_build(void *arg, const struct store_build *row)
{
	see(arg, row->id);
}

static void see_microvm(void *arg, const struct store_microvm *row)
{
	assert_string_equal(row->account, ACCOUNT);
	see(arg, row->id);
	see(arg, row->state);
}

static void see_token(void *arg, const struct store_token *row)
{
	assert_string_equal(row->account, ACCOUNT);
	see(arg, row->token);
}

static void see_published(void *arg, const struct store_published *row)
{
	char text[64];

	snprintf(text, sizeof(text), "%lld/%s to %s:%lld", (long long)row->port, row->protocol,
		 row->microvm, (long long)row->target);
	see(arg, text);
}

static void see_account(void *arg, const struct store_account *row)
{
	see(arg, row->name);
}

static void see_access_key(void *arg, const struct store_access_key *row)
{
	see(arg, row->secret);
	assert_null(row->session);
	assert_int_equal(row->expires_ms, 9);
}

static void see_connector(void *arg, const struct store_connector *row)
{
	see(arg, row->name);
}

static void see_connector_version(void *arg, const struct store_connector_version *row)
{
	see(arg, row->params);
}

static void see_kms_key(void *arg, const struct store_kms_key *row)
{
	see(arg, row->alias);
}

static void see_log_group(void *arg, const struct store_log_group *row)
{
	see(arg, row->account);
	see(arg, row->name);
	assert_int_equal(row->retention_days, 30);
}

static void see_log_stream(void *arg, const struct store_log_stream *row)
{
	see(arg, row->id);
	see(arg, row->name);
	assert_int_equal(row->of_build, 1);
	assert_int_equal(row->ended_ms, 2);
}

static const struct store_loader loader = {
	.image = see_image,
	.version = see_version,
	.build = see_build,
	.microvm = see_microvm,
	.token = see_token,
	.published = see_published,
	.account = see_account,
	.access_key = see_access_key,
	.connector = see_connector,
	.connector_version = see_connector_version,
	.kms_key = see_kms_key,
	.log_group = see_log_group,
	.log_stream = see_log_stream,
};

void assert_rows(int dir, const char *rows)
{
	struct store *s = open_store(dir);
	struct seen seen = { "" };
	struct err e;

	assert_int_equal(store_load(s, &loader, &seen, &e), 0);
	assert_string_equal(seen.text, rows);
	store_close(s);
}
void put_published(struct store_txn *t, int64_t port, const char *microvm)
{
	store_put_published(t, &(struct store_published){ .port = port,
							  .microvm = microvm,
							  .protocol = "tcp",
							  .target = 6379,
							  .listen = "127.0.0.1",
							  .sources = "[]",
							  .created_ms = 1 });
}
/* Rows of every table, after those that an older doze wrote. */
void put_new_tables(struct store_txn *t)
{
	put_published(t, 20001, "m1");
	store_put_account(t, &(struct store_account){ ACCOUNT, "main", "ACTIVE", 1, "{}" });
	store_put_access_key(t, &(struct store_access_key){ .id = "AKIA",
							    .account = ACCOUNT,
							    .secret = "secret",
							    .state = "ACTIVE",
							    .expires_ms = 9 });
	store_put_connector(t, &(struct store_connector){ .id = "c1",
							  .account = ACCOUNT,
							  .name = "net",
							  .state = "ACTIVE",
							  .version = 1 });
	store_put_connector_version(
		t, &(struct store_connector_version){ "c1", 1, "ACTIVE", 1, "v1" });
	store_put_kms_key(t, &(struct store_kms_key){ .id = "k1",
						      .account = ACCOUNT,
						      .alias = "alias/x",
						      .wrapped = "w",
						      .state = "ENABLED" });
	store_put_log_group(t, &(struct store_log_group){ ACCOUNT, "/aws/x", 30, 1, NULL });
	store_put_log_stream(t, &(struct store_log_stream){ .id = "b9",
							    .account = ACCOUNT,
							    .log_group = "/aws/x",
							    .name = "2026/12/01[1.0]b9",
							    .of_build = 1,
							    .created_ms = 1,
							    .ended_ms = 2 });
}

int try_commit(struct store *s, struct store_txn *t, struct err *e)
{
	struct outcome o = { 0 };

	store_commit(t, note, &o);
	wait_for(s, &o);
	*e = o.err;
	return o.rc;
}
