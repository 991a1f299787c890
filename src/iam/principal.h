/* principal.h - whom a request comes from, once its signature is right. */
#ifndef IAM_PRINCIPAL_H
#define IAM_PRINCIPAL_H

#include "base/base.h"

#define ACCOUNT_SIZE 16 /* as in the configuration: 12 digits and room to spare */

struct policy;

#define PRINCIPAL_POLICIES 2 /* its own, and that of its session */

struct principal {
	char account[ACCOUNT_SIZE];
	char key[129]; /* the id of the access key */
	char name[65]; /* of the key, or of the session */
	char arn[256];
	bool root; /* a pair of the credentials file: it may do all, and administers accounts */
	/* What it may do is what all of these allow; none: everything in its account.  Owned by the
	 * key. */
	struct policy *policies[PRINCIPAL_POLICIES];
	size_t n_policies;
};

#endif
