/* secrets.h - what only the supervisor opens: the CA, the token keys, the credentials.  Made at
 * first start below data_dir/secrets (root 0700); roles get what they need as memfds. */
#ifndef DOZED_SECRETS_H
#define DOZED_SECRETS_H

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/super.h"

struct secrets {
	struct buf each[SECRET_NUM];
};

/* Read them, making what is missing; sign the leaves for this configuration. */
int secrets_load(struct secrets *s, const struct conf *conf, int data_fd, struct err *e) must_check;
void secrets_free(struct secrets *s); /* wiped */
/* One as a memfd at offset 0; owned by the caller, or -1. */
int secrets_fd(const struct secrets *s, enum secret which, struct err *e) must_check;

#endif
