/* store_rig.h - a store in a directory of its own, and what its rows look like.
 *
 * With DOZE_TEST_POSTGRES in the environment, a URL, the rows are in that database, whose schema
 * public is made anew for each test. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "control/store/store.h"

#define ACCOUNT "123456789012"

struct fixture {
	char path[64];
	int dir;
};

int setup(void **state);
int teardown(void **state);
const char *postgres_url(void); /* NULL: the rows are in SQLite's file */

struct store *try_store(int dir, struct err *e);
struct store *open_store(int dir);
struct store *reopen_store(int dir); /* with its rows loaded, which it knows from then on */
/* Somebody else changes what is there. */
void other_writer(const struct fixture *f, const char *sql);

void put_image(struct store_txn *t, const char *id, const char *name);
void put_microvm(struct store_txn *t, const char *id, const char *endpoint, const char *state);
void put_version(struct store_txn *t, const char *image, int64_t version, const char *params);
void put_published(struct store_txn *t, int64_t port, const char *microvm);
/* Rows of every table that accounts brought. */
void put_new_tables(struct store_txn *t);
#define LOG_TABLES ACCOUNT " /aws/x b9 2026/12/01[1.0]b9 " /* they come first */
#define NEW_TABLES "20001/tcp to m1:6379 main secret net v1 alias/x "

struct outcome {
	int calls, rc, order;
	struct err err;
};
extern int calls; /* of all outcomes */
void note(void *outcome, int rc, const struct err *e);
void wait_for(struct store *s, const struct outcome *o);
int try_commit(struct store *s, struct store_txn *t, struct err *e);
void commit(struct store *s, struct store_txn *t);
/* The rows of all tables as words. */
void assert_rows(int dir, const char *rows);

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
