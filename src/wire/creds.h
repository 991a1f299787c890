/* creds.h - the credentials file, in the format of ~/.aws/credentials: each section is a key pair.
 */
#ifndef WIRE_CREDS_H
#define WIRE_CREDS_H

#include "base/err.h"

#define CREDS_MAX 64

struct creds {
	struct {
		char name[64], access_key[129], secret[129];
	} keys[CREDS_MAX];
	size_t n;
};

int creds_parse(const char *text, size_t size, struct creds *c, struct err *e) must_check;
const char *creds_secret(const struct creds *c, const char *access_key); /* NULL: unknown */

#endif
