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
};

/* Reads the secrets, makes those that are missing, and signs the leaves for this configuration. */
int secrets_load(struct secrets *s, const struct conf *conf, int data_fd, struct err *e) must_check;
/* Reads the operator's certificates.  Of one that cannot be used the log says why, and a line is
 * added to @problems; the one that was in use for its domain stays, or doze's own serves. */
void secrets_read_certificates(struct secrets *s, const struct conf *conf, struct buf *problems);
/* New keys for TLS session tickets; those before them still open tickets. */
void secrets_change_tickets(struct secrets *s);
void secrets_free(struct secrets *s); /* wiped */
/* Copies one secret into a memfd at offset 0, which the caller owns; -1 on failure. */
int secrets_fd(const struct secrets *s, enum secret which, struct err *e) must_check;

#endif
