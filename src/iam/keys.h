/* keys.h - the access keys that are known, by their id.
 *
 * Secrets are wiped when their key is freed.  A key that is dropped or replaced lives on until the
 * last request that came with it has let it go, so that a principal stays as it was. */
#ifndef IAM_KEYS_H
#define IAM_KEYS_H

#include "base/err.h"
#include "base/hash.h"
#include "iam/principal.h"
#include "wire/creds.h"

#define KEY_POLICY_MAX \
	28672 /* bytes of what a key may do; what is told of keys has room for them */

struct access_key {
	struct hash_node by_id;
	struct principal who; /* who.key is the id */
	char secret[129];
	char *session; /* the session token that a request must show; NULL: none.  Owned */
	char *policy;  /* JSON of who.policies; NULL: none.  Owned */
	bool active;
	bool changing;                  /* its row is on its way to the store */
	int64_t created_ms, expires_ms; /* steady (base/steady.h); 0: it never does */
	unsigned refs;
	unsigned generation; /* its owner's */
};

struct keys {
	struct hash by_id;
};

void keys_init(struct keys *k);
void keys_free(struct keys *k);

/* An active key of nobody in particular, to be filled in and put. */
struct access_key *key_new(const char *id, const char *secret);
/* What it may do: a policy, or a list of those that must all allow it; NULL: everything. */
int key_allow(struct access_key *key, const char *policy, struct err *e) must_check;
struct access_key *key_ref(struct access_key *key);
void key_unref(struct access_key *key); /* NULL is fine */

/* Takes the caller's reference; a key of the same id goes. */
void keys_put(struct keys *k, struct access_key *key);
void keys_drop(struct keys *k, const char *id);
/* The pairs of the credentials file, in the place of those that it had before: roots of @account.
 */
void keys_configure(struct keys *k, const struct creds *creds, const char *account);

struct access_key *keys_find(const struct keys *k, const char *id); /* NULL: unknown */
/* The key that a request names, with the session token that it shows ("": none).  ERR_DENIED with
 * "InvalidClientTokenId: ..." or "ExpiredToken: ...". */
struct access_key *keys_claim(const struct keys *k, const char *id, const char *session,
			      int64_t now_ms, struct err *e) must_check;

#endif
