/* query.h - what a policy is asked: may this be done to that, under these circumstances? */
#ifndef IAM_QUERY_H
#define IAM_QUERY_H

#include "base/base.h"

#define IAM_MAX_VALUES 64

/* The values of a condition key, of which most have one.  None: the request has no such key. */
struct iam_values {
	const char *at[IAM_MAX_VALUES]; /* borrowed, or in `text` */
	size_t n;
	char text[64];
};

struct iam_query {
	const char *action;   /* "lambda:RunMicrovm" */
	const char *resource; /* an ARN, or "*" */
	/* @key is in lower case; @to is empty.  NULL: no request has any. */
	void (*lookup)(const void *arg, const char *key, struct iam_values *to);
	const void *arg;
};

#endif
