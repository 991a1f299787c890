/* policy.c - what a policy of 50 statements costs a call: bench-policy ASKS [FITTING].
 *
 * Each statement has two actions, two resources and a condition on a tag.  The one that allows the
 * call is the last, unless FITTING says which it is.  To count instructions:
 *
 *     valgrind --tool=callgrind bench-policy 1000 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "iam/policy.h"

#define STATEMENTS 50

static void bench_tags(const void *arg, const char *key, struct iam_values *to)
{
	if (!strcmp(key, "aws:resourcetag/team"))
		to->at[to->n++] = arg;
}

static void bench_statement(struct buf *to, int i, bool fits)
{
	buf_addf(to,
		 "%s{\"Sid\":\"S%d\",\"Effect\":\"Allow\",\"Action\":[\"lambda:%s\",\"lambda:*"
		 "Token%d\"],\"Resource\":[\"arn:aws:lambda:us-east-1:111111111111:microvm-image:"
		 "team-%d-*\",\"arn:aws:lambda:*:*:microvm-image:shared-%d\"],\"Condition\":{"
		 "\"StringEquals\":{\"aws:ResourceTag/team\":\"blue\"}}}",
		 i ? "," : "", i, i % 2 ? "Run*" : "GetMicrovm", i, fits ? 0 : i + 1, i);
}

int main(int argc, char **argv)
{
	const struct iam_query q = { "lambda:RunMicrovm",
				     "arn:aws:lambda:us-east-1:111111111111:microvm-image:"
				     "team-0-web",
				     bench_tags, "blue" };
	long asks = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
	long fitting = argc > 2 ? strtol(argv[2], NULL, 10) : STATEMENTS - 1;
	autobuf struct buf text = { 0 };
	struct policy *p;
	int64_t began_ms;
	struct err e;

	buf_adds(&text, "{\"Version\":\"2012-10-17\",\"Statement\":[");
	for (int i = 0; i < STATEMENTS; i++)
		bench_statement(&text, i, i == fitting);
	buf_adds(&text, "]}");
	p = policy_compile((const char *)text.data, text.size, &e);
	if (!p) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	began_ms = clock_mono_ms();
	for (long i = 0; i < asks; i++)
		if (policy_decide(p, &q).statement != (size_t)fitting + 1)
			abort();
	printf("%zu bytes, %d statements, %ld asks in %lld ms\n", text.size, STATEMENTS, asks,
	       (long long)(clock_mono_ms() - began_ms));
	policy_free(p);
	return 0;
}
