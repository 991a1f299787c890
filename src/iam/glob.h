/* glob.h - patterns of policies: '*', '?' and variables such as ${aws:username}.
 *
 * A pattern is compiled once.  To match one takes at most as many steps as the product of both
 * lengths, whatever stands in it.  What comes out of a variable is text and never a wildcard. */
#ifndef IAM_GLOB_H
#define IAM_GLOB_H

#include "base/err.h"
#include "iam/query.h"

enum glob_kind {
	GLOB_TEXT, /* no wildcards */
	GLOB_LIKE,
	GLOB_FOLD, /* no wildcards, and the case of ASCII letters does not matter */
	GLOB_NAME, /* wildcards, and the case does not matter: actions */
	GLOB_ARN,  /* wildcards in the first five parts of an ARN do not cross a colon */
};

struct glob {
	char *text; /* owned; see glob.c */
	size_t size;
	size_t prefix, suffix; /* literal bytes before the first wildcard, and behind the last */
	size_t wildcards;
	bool fold, variables;
};

/* @variables: "${" begins one. */
int glob_compile(struct glob *g, const char *text, enum glob_kind kind, bool variables,
		 struct err *e) must_check;
void glob_free(struct glob *g);
bool glob_match(const struct glob *g, const char *text, const struct iam_query *q);

#endif
