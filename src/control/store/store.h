/* store.h - how rows (rows.h) get to disk.
 *
 * control's loop owns the truth in memory while it runs; the store makes it
 * durable.  One worker thread takes transactions from a queue in order, so
 * that an fsync never blocks the loop; several waiting transactions share one
 * commit.  A change is acted on, and a caller answered, only after its
 * transaction's callback came with success.  A row of an image, version, build,
 * microVM or connector is changed only if nobody else has changed it since this
 * store read or wrote it (ERR_CONFLICT). */
#ifndef CONTROL_STORE_STORE_H
#define CONTROL_STORE_STORE_H

#include "base/err.h"
#include "control/store/place.h"
#include "control/store/rows.h"

struct store;
struct store_txn;

/* Open the database, migrating forward in one transaction, and take the rows in that a restore has
 * left beside it (restore.rows; restore.force: in the place of all that are there).  A higher
 * FORMAT is refused with a sentence.  `wake_fd` (an eventfd, borrowed) becomes readable when
 * callbacks wait: then call store_dispatch on the loop's thread. */
struct store *store_open(const struct store_place *where, struct err *e) must_check;
int store_wake_fd(const struct store *s);
void store_dispatch(struct store *s);
void store_close(struct store *s); /* finishes the queue; callbacks that wait are dropped */

/* A transaction is built, then committed; rows are copied.
 * A put inserts or replaces. */
struct store_txn *store_begin(struct store *s);
void store_put_image(struct store_txn *t, const struct store_image *row);
void store_put_version(struct store_txn *t, const struct store_version *row);
void store_put_build(struct store_txn *t, const struct store_build *row);
void store_put_microvm(struct store_txn *t, const struct store_microvm *row);
void store_put_token(struct store_txn *t, const struct store_token *row);
void store_put_published(struct store_txn *t, const struct store_published *row);
void store_put_account(struct store_txn *t, const struct store_account *row);
void store_put_access_key(struct store_txn *t, const struct store_access_key *row);
void store_put_connector(struct store_txn *t, const struct store_connector *row);
void store_put_connector_version(struct store_txn *t, const struct store_connector_version *row);
void store_put_kms_key(struct store_txn *t, const struct store_kms_key *row);
void store_put_log_group(struct store_txn *t, const struct store_log_group *row);
void store_put_log_stream(struct store_txn *t, const struct store_log_stream *row);
void store_del_image(struct store_txn *t, const char *id); /* its versions and builds too */
void store_del_version(struct store_txn *t, const char *image,
		       int64_t version); /* its builds too */
void store_del_microvm(struct store_txn *t, const char *id);
void store_del_published(struct store_txn *t, int64_t port);
void store_del_account(struct store_txn *t, const char *id);
void store_del_access_key(struct store_txn *t, const char *id);
void store_del_connector(struct store_txn *t, const char *id); /* its versions too */
void store_del_connector_version(struct store_txn *t, const char *connector, int64_t version);
void store_del_kms_key(struct store_txn *t, const char *id);
void store_del_log_group(struct store_txn *t, const char *account, const char *name);
void store_del_log_stream(struct store_txn *t, const char *id);
void store_del_tokens_before(struct store_txn *t, int64_t created_ms);

/* Called once from store_dispatch; rc 0, or -1 and *e says what to do, and the database is as it
 * was.  In commit order, except that what is refused while the database is away (ERR_UNAVAILABLE)
 * does not wait for a transaction of which is not known yet whether it took place. */
typedef void store_done(void *arg, int rc, const struct err *e);
void store_commit(struct store_txn *t, store_done *done, void *arg); /* done may be NULL */
void store_drop(struct store_txn *t); /* instead of a commit; NULL is fine */

/* All rows of this moment, as dump.h has them, into a file that stays open until @done: they are
 * those of all transactions that were committed before. */
void store_dump(struct store *s, int fd, store_done *done, void *arg);
/* At start only, on the caller's thread: every row, in order of creation.  Only rows that this
 * store has loaded or written can be changed or deleted by it. */
int store_load(struct store *s, const struct store_loader *to, void *arg, struct err *e) must_check;

#endif
