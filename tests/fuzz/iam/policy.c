/* Anything as a policy: it is compiled or refused with a line, and one that is compiled decides. */
#include <string.h>

#include "iam/policy.h"

static void circumstances(const void *arg, const char *key, struct iam_values *to)
{
	const char *text = arg;

	if (!strcmp(key, "aws:tagkeys"))
		to->at[to->n++] = "team";
	to->at[to->n++] = strstr(key, "ip") ? "10.1.2.3" : text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iam_query q = { "lambda:RunMicrovm",
			       "arn:aws:lambda:us-east-1:111111111111:microvm-image:web",
			       circumstances, "2026-12-01T08:00:00Z" };
	struct err e;
	struct policy *p = policy_compile((const char *)data, size, &e);
	struct policy_decision d;

	if (!p) {
		assert(!strncmp(e.text, "line ", 5) || size > POLICY_MAX_SIZE);
		return 0;
	}
	d = policy_decide(p, &q);
	assert((d.verdict == POLICY_NOTHING) == !d.statement);
	q.arg = "12";
	d = policy_decide(p, &q);
	assert((d.verdict == POLICY_NOTHING) == !d.statement);
	policy_free(p);
	return 0;
}
