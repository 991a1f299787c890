/* master.h - the secrets that wrap the keys: the supervisor's master secret, and the key files that
 * the configuration names.  They lie in memory that no core dump holds. */
#ifndef CONTROL_KMS_MASTER_H
#define CONTROL_KMS_MASTER_H

#include "base/err.h"
#include "control/kms/sealed.h"

struct master;

struct master *master_new(void); /* without secrets: it wraps nothing */
void master_free(struct master *m);
/* SECRET_KMS (ipc/super.h). */
int master_take(struct master *m, const char *text, size_t size, struct err *e) must_check;
/* What wraps a key; @alias: of one that needs the file of [kms_key ALIAS].  The caller wipes @to.
 */
int master_wrapper(const struct master *m, const char *alias, uint8_t to[SEALED_KEY_SIZE],
		   struct err *e) must_check;
void master_code(const struct master *m, const char *text, char hex[65]);

#endif
