/* store.h - the interface of the store: what a row is, and how rows get to disk.
 *
 * control's loop owns the truth in memory while it runs; the store makes it
 * durable.  One worker thread takes transactions from a queue in order, so
 * that an fsync never blocks the loop; several waiting transactions share one
 * commit.  A change is acted on, and a caller answered, only after its
 * transaction's callback came with success.  Two backends: SQLite (WAL,
 * synchronous=FULL), later PostgreSQL.
 *
 * Rows are flat structs of text and numbers, NULL text is SQL NULL.  Times are
 * milliseconds since 1970, 0 is "not yet".  Whatever only the API echoes is one
 * JSON column (`params`), so that a new member of the API changes no table. */
#ifndef CONTROL_STORE_STORE_H
#define CONTROL_STORE_STORE_H

#include "base/err.h"

struct store;
struct store_txn;

struct store_image {
	const char *id; /* uuid; primary key */
	const char *name;
	const char *state; /* MicrovmImageState */
	int64_t created_ms, updated_ms;
	int64_t next_version;  /* of the next create or update */
	int64_t latest_active; /* version number, 0: none */
	int64_t latest_failed;
	const char *tags; /* JSON object */
};

struct store_version {
	const char *image;  /* primary key: image, version */
	int64_t version;    /* 1 is "1.0" */
	const char *state;  /* MicrovmImageVersionState */
	const char *status; /* ACTIVE, INACTIVE */
	const char *reason;
	int64_t created_ms, updated_ms;
	const char *params; /* JSON: the request, defaults filled in */
	const char *made;   /* JSON: what the build found (shape, exposed and listening ports); NULL
			       before */
};

struct store_build {
	const char *id; /* uuid; primary key */
	const char *image;
	int64_t version;
	const char *state; /* BuildState */
	const char *code, *reason;
	int64_t created_ms, updated_ms;
	int64_t memory_bytes, code_bytes, disk_bytes;
};

struct store_microvm {
	const char *id;       /* "microvm-<uuid>"; primary key */
	const char *endpoint; /* uuid; unique */
	const char *image;
	int64_t version;
	const char *state; /* MicrovmState */
	const char *reason;
	const char *machine; /* "m-<uuid>" while it has one */
	const char *boot_id; /* of the host when `machine` was bound: another one means a restart */
	int64_t save;        /* N of save-N, 0: none */
	int64_t started_ms, terminated_ms;
	int64_t suspended_ms; /* when it became SUSPENDED */
	int64_t last_byte_ms; /* idle clock; written at most every 10 s */
	const char *params;   /* JSON: connectors, policy, durations, role, logging, hook payload */
};

/* Idempotency (service.md 2.8), kept 24 h. */
struct store_token {
	const char *op, *token; /* primary key */
	const char *params_hash;
	const char *answer; /* JSON of the success */
	int64_t created_ms;
};

/* Open the database file below @dirfd, migrating forward in one transaction. A higher FORMAT is
 * refused with a sentence.  `wake_fd` (an eventfd, borrowed) becomes readable when callbacks wait:
 * then call store_dispatch on the loop's thread. */
struct store *store_open(int dirfd, struct err *e) must_check;
int store_wake_fd(const struct store *s);
void store_dispatch(struct store *s);
void store_close(struct store *s); /* finishes the queue; callbacks that wait are dropped */

/* A transaction is built, then committed; rows are copied. */
struct store_txn *store_begin(struct store *s);
void store_put_image(struct store_txn *t, const struct store_image *row); /* insert or replace */
void store_put_version(struct store_txn *t, const struct store_version *row);
void store_put_build(struct store_txn *t, const struct store_build *row);
void store_put_microvm(struct store_txn *t, const struct store_microvm *row);
void store_put_token(struct store_txn *t, const struct store_token *row);
void store_del_image(struct store_txn *t, const char *id); /* its versions and builds too */
void store_del_version(struct store_txn *t, const char *image,
		       int64_t version); /* its builds too */
void store_del_microvm(struct store_txn *t, const char *id);
void store_del_tokens_before(struct store_txn *t, int64_t created_ms);

/* Called once from store_dispatch, in commit order; rc 0, or -1 and *e says what to do.  ENOSPC and
 * EIO leave the database as it was. */
typedef void store_done(void *arg, int rc, const struct err *e);
void store_commit(struct store_txn *t, store_done *done, void *arg); /* done may be NULL */
void store_drop(struct store_txn *t); /* instead of a commit; NULL is fine */

/* At start only, on the caller's thread: every row, in order of creation. */
struct store_loader {
	void (*image)(void *arg, const struct store_image *row);
	void (*version)(void *arg, const struct store_version *row);
	void (*build)(void *arg, const struct store_build *row);
	void (*microvm)(void *arg, const struct store_microvm *row);
	void (*token)(void *arg, const struct store_token *row);
};
int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e) must_check;

#endif
