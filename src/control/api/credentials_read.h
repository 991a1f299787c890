/* credentials_read.h - credentials as a credential_process prints them: the JSON of the AWS tools.
 * Pure; what a program or a file says is a stranger's. */
#ifndef CONTROL_API_CREDENTIALS_READ_H
#define CONTROL_API_CREDENTIALS_READ_H

#include <jansson.h>

#include "base/err.h"

#define CREDENTIALS_MOST (64 * KIB)

struct credentials_text {
	json_t *all; /* owned; the texts are its */
	const char *key, *secret, *token;
	int64_t expires_ms; /* 0: it does not say */
};

int credentials_read(const char *text, size_t size, struct credentials_text *c,
		     struct err *e) must_check;
void credentials_text_free(struct credentials_text *c);

#endif
