/* secrets.h - the files that only the supervisor opens: the CA, the token keys, the credentials.
 * They are made at the first start below data_dir/secrets (root 0700). Each role gets what it needs
 * as memfds. */
#ifndef DOZED_SECRETS_H
#define DOZED_SECRETS_H

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/super.h"

struct secrets {
	struct buf each[SECRET_NUM];
	int64_t leaves_ms; /* when doze's own leaves were made; wall clock */
	int64_t certificates_until_s[CONF_CERTIFICATES]; /* 0: not read */
};

/* Reads the secrets, makes those that are missing, and signs the leaves for this configuration. */
int secrets_load(struct secrets *s, const struct conf *conf, int data_fd, struct err *e) must_check;
/* What wraps the keys at rest, for SECRET_KMS: the master secret, which is made if there is none,
 * and the files of [kms_key].  Of one that cannot be used the log says why. */
int secrets_keys(int dir, const struct conf *conf, struct buf *to, struct err *e) must_check;
/* Reads the operator's certificates.  Of one that cannot be used the log says why, and a line is
 * added to @problems; the one that was in use for its domain stays, or doze's own serves. */
void secrets_read_certificates(struct secrets *s, const struct conf *conf, struct buf *problems);
/* Says in the log which of them end within 30 days, or have ended. */
void secrets_warn_certificates(const struct secrets *s, const struct conf *conf);
/* Makes doze's own leaves anew once they are 300 days old.  1: it did; 0: they are young; -1. */
int secrets_renew_leaves(struct secrets *s, const struct conf *conf, int64_t now_ms, struct err *e);
/* New keys for TLS session tickets; those before them still open tickets. */
void secrets_change_tickets(struct secrets *s);
void secrets_free(struct secrets *s); /* wiped */
/* Copies one secret into a memfd at offset 0, which the caller owns; -1 on failure. */
int secrets_fd(const struct secrets *s, enum secret which, struct err *e) must_check;

#endif
