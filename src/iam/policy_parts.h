/* policy_parts.h - a compiled policy: what policy_read.c makes and policy.c asks. */
#ifndef IAM_POLICY_PARTS_H
#define IAM_POLICY_PARTS_H

#include "iam/condition.h"

struct globs {
	struct glob *each; /* owned */
	size_t n;
	bool given, inverted; /* NotAction, NotResource */
};

struct statement {
	char *sid; /* owned; NULL: none */
	bool deny;
	struct globs actions, resources;
	struct condition *conditions; /* owned */
	size_t n;
};

struct policy {
	struct statement *statements; /* owned */
	size_t n;
	bool denies; /* one of them does */
};

#endif
