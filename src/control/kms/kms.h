/* kms.h - the keys that seal what is secret in the rows, of all accounts.
 *
 * A key is a row of the store.  It has versions: the newest seals, and each opens what it sealed.
 * They are wrapped by the supervisor's master secret, and for a key that the configuration gives a
 * file by that file too, so that the store alone opens nothing.  They are unwrapped for each use,
 * and wiped after it. */
#ifndef CONTROL_KMS_KMS_H
#define CONTROL_KMS_KMS_H

#include "base/fscrypt.h"
#include "base/hash.h"
#include "control/control.h"
#include "control/kms/sealed.h"
#include "control/store/store.h"
#include "iam/principal.h"

struct master;

struct kms_version {
	int64_t created_ms;
	char *wrapped; /* owned */
};

struct kms_key {
	struct hash_node by_id, by_name;
	char id[UUID_SIZE], account[ACCOUNT_SIZE];
	char *alias; /* "alias/x"; owned; NULL: there is no row of this key */
	char *name;  /* of by_name: "<account> <alias>"; owned */
	bool enabled;
	bool file;     /* a file of the configuration is needed to unwrap it */
	bool changing; /* a change of it is on its way to the store */
	int64_t created_ms;
	struct kms_version *versions; /* the first is number 1; owned */
	size_t n_versions;
	bool in_kernel;            /* the file system of the data directory has it */
	struct fscrypt_id file_id; /* of the key of files, if it has */
	unsigned users;            /* versions of images, and microVMs that are not TERMINATED */
};

struct kms {
	struct hash by_id, by_name; /* struct kms_key; the latter those that have a row */
	struct master *master;      /* kms/master.h; owned */
};

void kms_open(struct control *ctl);
void kms_close(struct control *ctl);
void kms_load(struct control *ctl, const struct store_kms_key *row);
void kms_put(struct store_txn *t, const struct kms_key *key);

/* What the supervisor has (SECRET_KMS), after the rows were loaded.  Makes the keys that the
 * configuration names and that are not there, and says which ones cannot be used. */
int kms_take_secret(struct control *ctl, const char *text, size_t size, struct err *e) must_check;

/* By key id, alias/NAME, or the ARN of either, of this account and region.  ERR_INVALID says what
 * is wrong. */
struct kms_key *kms_find(const struct control *ctl, const char *account, const char *text,
			 struct err *e);
size_t kms_count(const struct control *ctl, const char *account);
/* The key that has this id; one that nobody knows is made, which opens nothing. */
struct kms_key *kms_by_id(struct control *ctl, const char *id);
char *kms_arn(const struct control *ctl, const struct kms_key *key);
/* It is enabled, and its newest version can be unwrapped.  NULL is fine. */
int kms_usable(const struct control *ctl, const struct kms_key *key, struct err *e) must_check;

/* A new key with its first version; known to nobody until it is added. */
struct kms_key *kms_new(const struct control *ctl, const char *account, const char *alias,
			bool file, struct err *e) must_check;
/* One more version. */
int kms_rotate(const struct control *ctl, struct kms_key *key, struct err *e) must_check;
struct kms_key *kms_copy(const struct kms_key *key); /* not added */
void kms_add(struct control *ctl, struct kms_key *key);
/* Versions and state of @row, which is freed, become those of @key. */
void kms_become(struct kms_key *key, struct kms_key *row);
void kms_forget(struct control *ctl, struct kms_key *key); /* its row is gone */
void kms_free(struct control *ctl, struct kms_key *key);

/* Counts a user of it.  NULL is fine. */
static inline void kms_hold(struct kms_key *key, int n)
{
	if (key)
		key->users += (unsigned)n;
}

/* The text for a row; the caller's.  NULL: the key cannot be used. */
char *kms_seal(const struct control *ctl, const struct kms_key *key, const struct sealed_place *at,
	       const void *data, size_t size, struct err *e) must_check;
int kms_unseal(const struct control *ctl, const char *text, const struct sealed_place *at,
	       struct buf *to, struct err *e) must_check;
/* One of its versions; the caller wipes @to. */
int kms_unwrap(const struct control *ctl, const struct kms_key *key, int64_t version,
	       struct sealed_key *to, struct err *e) must_check;

/* A code over @text that only this server makes, so that it tells nothing of a short secret. */
void kms_code(const struct control *ctl, const char *text, char hex[65]);

#endif
