/* key_use.h - what an operation does with the key that its request names (kmsKeyIdentifier). */
#ifndef CONTROL_API_KEY_USE_H
#define CONTROL_API_KEY_USE_H

#include "control/api/call.h"

/* The key of this account that a text names.  Operations of ours take a name without "alias/" too.
 * NULL: there is none. */
struct kms_key *key_use_find(const struct call *c, const char *text, struct err *e);
/* The key of the request, which can be used; NULL: it names none.  False: the call has failed. */
bool key_use(struct call *c, struct kms_key **key) must_check;
/* Likewise for an image, whose files no key of ours encrypts. */
bool key_use_for_image(struct call *c, struct kms_key **key) must_check;

/* The key that this text names, by its ARN, which is the caller's. */
char *key_use_arn(const struct call *c, const char *text);

#endif
