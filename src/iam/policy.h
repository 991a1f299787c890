/* policy.h - policies in IAM's own JSON: compiled once, asked for each request.
 *
 * A Deny that fits decides; else an Allow that fits; else nothing is allowed.  What it costs to ask
 * is bounded by the size of the policy. */
#ifndef IAM_POLICY_H
#define IAM_POLICY_H

#include "base/err.h"
#include "iam/principal.h"
#include "iam/query.h"

#define POLICY_MAX_SIZE       20480 /* bytes */
#define POLICY_MAX_STATEMENTS 256

/* NULL: ERR_INVALID says on which line it is wrong, and why. */
struct policy *policy_compile(const char *text, size_t size, struct err *e) must_check;
void policy_free(struct policy *p); /* NULL is fine */

enum policy_verdict {
	POLICY_NOTHING, /* no statement allows it */
	POLICY_ALLOWS,
	POLICY_DENIES,
};

struct policy_decision {
	enum policy_verdict verdict;
	size_t policy;    /* of a principal's: which decided */
	size_t statement; /* which decided, from 1 on; 0: none */
	const char *sid;  /* NULL: it has none.  Borrowed from the policy */
};

struct policy_decision policy_decide(const struct policy *p, const struct iam_query *q);
/* All of a principal's policies must allow it; one that has none may do all. */
struct policy_decision principal_decide(const struct principal *who, const struct iam_query *q);

#endif
