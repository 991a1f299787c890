/* The store, whichever database it has: what was committed is there after a reopen, and an error
 * meets only whom it concerns. */

#include "store_rig.h"

static void test_rows_come_back_in_order_of_creation(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i2", "beta");
	put_image(t, "i1", "alpha");
	put_microvm(t, "m2", "e2", "PENDING");
	put_microvm(t, "m1", "e1", "PENDING");
	commit(s, t);
	t = store_begin(s);
	put_image(t, "i2", "gamma");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "gamma alpha m2 PENDING m1 PENDING ");
}

static void test_a_published_port_is_one_row_until_it_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_published(t, 20001, "m1");
	put_published(t, 20000, "m2");
	put_published(t, 20001, "m3"); /* left by one that ended */
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "20000/tcp to m2:6379 20001/tcp to m3:6379 ");
	s = reopen_store(f->dir);
	t = store_begin(s);
	store_del_published(t, 20000);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "20001/tcp to m3:6379 ");
}

static void test_a_connector_takes_its_versions_along(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_new_tables(t);
	commit(s, t);
	t = store_begin(s);
	store_put_connector_version(
		t, &(struct store_connector_version){ "c1", 2, "ACTIVE", 1, "v2" });
	store_del_connector_version(t, "c1", 1);
	store_del_published(t, 20001);
	store_del_account(t, ACCOUNT);
	store_del_access_key(t, "AKIA");
	store_del_kms_key(t, "k1");
	store_del_log_group(t, ACCOUNT, "/aws/x");
	store_del_log_stream(t, "b9");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "net v2 ");
	s = reopen_store(f->dir);
	t = store_begin(s);
	store_del_connector(t, "c1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "");
}

static void test_a_token_is_one_accounts(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ ACCOUNT, "Stop", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ "111111111111", "Run", "t1", "h", "{}", 1 });
	store_del_tokens_before(t, 100);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "t1 t1 ");
}

static void test_close_finishes_the_queue(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	char rows[20 * sizeof("m00 PENDING ")] = "";

	for (int i = 0; i < 20; i++) {
		struct store_txn *t = store_begin(s);
		char id[16];

		snprintf(id, sizeof(id), "m%02d", i);
		strcat(strcat(rows, id), " PENDING ");
		put_microvm(t, id, id, "PENDING");
		store_commit(t, NULL, NULL);
	}
	store_drop(store_begin(s));
	store_close(s);
	assert_rows(f->dir, rows);
}

static void test_an_image_takes_its_versions_and_builds_along(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i1", "alpha");
	put_version(t, "i1", 1, "one");
	put_version(t, "i1", 2, "two");
	store_put_build(t, &(struct store_build){
				   .id = "b1", .image = "i1", .version = 1, .state = "FAILED" });
	store_put_build(t, &(struct store_build){
				   .id = "b2", .image = "i1", .version = 2, .state = "FAILED" });
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 100 });
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t2", "h", "{}", 200 });
	commit(s, t);
	t = store_begin(s);
	store_del_version(t, "i1", 1);
	store_del_tokens_before(t, 200);
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "alpha two b2 t2 ");
	s = reopen_store(f->dir);
	t = store_begin(s);
	store_del_image(t, "i1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "t2 ");
}

static void test_a_failed_transaction_leaves_the_others(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct outcome o[3] = { 0 };
	struct store_txn *t[3];

	calls = 0;
	for (int i = 0; i < 3; i++)
		t[i] = store_begin(s);
	put_microvm(t[0], "m1", "e1", "PENDING");
	put_microvm(t[1], "m2", "e2", "PENDING");
	put_microvm(t[1], "m3", "e1", "PENDING"); /* an endpoint is one microVM's */
	put_microvm(t[2], "m4", "e4", "PENDING");
	for (int i = 0; i < 3; i++)
		store_commit(t[i], note, &o[i]);
	for (int i = 0; i < 3; i++)
		wait_for(s, &o[i]);
	assert_int_equal(o[0].rc, 0);
	assert_int_equal(o[1].rc, -1);
	assert_non_null(strcasestr(o[1].err.text, "unique"));
	assert_int_equal(o[2].rc, 0);
	assert_int_equal(o[0].order, 1);
	assert_int_equal(o[1].order, 2);
	assert_int_equal(o[2].order, 3);
	store_close(s);
	assert_rows(f->dir, "m1 PENDING m4 PENDING ");
}

static void test_a_second_writer_never_undoes_a_first(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	struct err e;

	put_microvm(t, "m1", "e1", "PENDING");
	put_microvm(t, "m2", "e2", "PENDING");
	put_microvm(t, "m1", "e1", "RUNNING");
	commit(s, t);
	other_writer(f, "UPDATE microvm SET state = 'TERMINATED', revision = revision + 1"
			" WHERE id = 'm1'");
	t = store_begin(s);
	put_microvm(t, "m2", "e2", "RUNNING");
	put_microvm(t, "m1", "e1", "SUSPENDED");
	assert_int_equal(try_commit(s, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "another writer has changed 'microvm/m1'"));
	t = store_begin(s);
	store_del_microvm(t, "m1");
	assert_int_equal(try_commit(s, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);

	/* What was refused has left no trace. */
	t = store_begin(s);
	put_microvm(t, "m2", "e2", "SUSPENDED");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "m1 TERMINATED m2 SUSPENDED ");
}

static void test_a_row_that_is_gone_is_not_made_again_by_who_has_not_heard(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	struct err e;

	put_image(t, "i1", "alpha");
	put_version(t, "i1", 1, "one");
	put_version(t, "i1", 2, "two");
	commit(s, t);
	other_writer(f, "DELETE FROM version WHERE version = 2");
	t = store_begin(s);
	put_version(t, "i1", 2, "changed");
	assert_int_equal(try_commit(s, t, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	store_close(s);
	assert_rows(f->dir, "alpha one ");
}

static void test_an_id_may_come_again_with_whoever_deleted_it(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i1", "alpha");
	put_version(t, "i1", 1, "one");
	commit(s, t);
	t = store_begin(s);
	store_del_image(t, "i1");
	commit(s, t);
	t = store_begin(s);
	put_image(t, "i1", "beta");
	put_version(t, "i1", 1, "again");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, "beta again ");
}

static void test_texts_come_back_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);

	put_image(t, "i1", "");
	put_image(t, "i2", "it's $1 ?1 \\x00 \"q\" \xc3\xa9\xf0\x9f\x98\xb4 -- \n");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, " it's $1 ?1 \\x00 \"q\" \xc3\xa9\xf0\x9f\x98\xb4 -- \n ");
}

static void dump_into(struct store *s, int dir, const char *name)
{
	autoclose int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct outcome o = { 0 };

	store_dump(s, fd, note, &o);
	wait_for(s, &o);
	assert_int_equal(o.rc, 0);
}

static void put_all_tables(struct store *s)
{
	struct store_txn *t = store_begin(s);

	put_image(t, "i1", "it's\n\"alpha\"");
	put_version(t, "i1", 1, "one");
	store_put_build(t, &(struct store_build){
				   .id = "b1", .image = "i1", .version = 1, .state = "FAILED" });
	put_microvm(t, "m1", "e1", "RUNNING");
	store_put_token(t, &(struct store_token){ ACCOUNT, "Run", "t1", "h", "{}", 7 });
	put_new_tables(t);
	commit(s, t);
}

#define ALL_TABLES LOG_TABLES "it's\n\"alpha\" one b1 m1 RUNNING t1 " NEW_TABLES

static void test_a_dump_holds_every_row_and_brings_it_back(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct store_txn *t = store_begin(s);
	struct err e;

	put_all_tables(s);
	dump_into(s, f->dir, "restore.rows");
	store_del_image(t, "i1");
	put_microvm(t, "m2", "e2", "RUNNING");
	commit(s, t);
	store_close(s);

	assert_null(try_store(f->dir, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "doze restore --force"));
	assert_int_equal(renameat(f->dir, "restore.rows", f->dir, "restore.force"), 0);
	assert_rows(f->dir, ALL_TABLES);
	assert_int_equal(faccessat(f->dir, "restore.force", F_OK, 0), -1);

	/* They are rows like all others. */
	s = reopen_store(f->dir);
	t = store_begin(s);
	put_microvm(t, "m1", "e1", "SUSPENDED");
	store_del_image(t, "i1");
	commit(s, t);
	store_close(s);
	assert_rows(f->dir, LOG_TABLES "m1 SUSPENDED t1 " NEW_TABLES);
}

static void test_a_dump_without_its_end_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct store *s = open_store(f->dir);
	struct err e;
	off_t size;

	put_all_tables(s);
	dump_into(s, f->dir, "restore.force");
	store_close(s);
	{
		autoclose int fd = openat(f->dir, "restore.force", O_WRONLY | O_CLOEXEC);

		size = lseek(fd, 0, SEEK_END);
		assert_int_equal(ftruncate(fd, size - 40), 0);
	}
	assert_null(try_store(f->dir, &e));
	assert_non_null(strstr(e.text, "damaged"));
	assert_int_equal(unlinkat(f->dir, "restore.force", 0), 0);
	assert_rows(f->dir, ALL_TABLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_rows_come_back_in_order_of_creation),
		STORE_TEST(test_a_published_port_is_one_row_until_it_is_given_back),
		STORE_TEST(test_a_connector_takes_its_versions_along),
		STORE_TEST(test_a_token_is_one_accounts),
		STORE_TEST(test_close_finishes_the_queue),
		STORE_TEST(test_an_image_takes_its_versions_and_builds_along),
		STORE_TEST(test_a_failed_transaction_leaves_the_others),
		STORE_TEST(test_a_second_writer_never_undoes_a_first),
		STORE_TEST(test_a_row_that_is_gone_is_not_made_again_by_who_has_not_heard),
		STORE_TEST(test_an_id_may_come_again_with_whoever_deleted_it),
		STORE_TEST(test_texts_come_back_byte_by_byte),
		STORE_TEST(test_a_dump_holds_every_row_and_brings_it_back),
		STORE_TEST(test_a_dump_without_its_end_changes_nothing),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
