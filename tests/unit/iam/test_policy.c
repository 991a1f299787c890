/* Policies: what IAM's documented evaluation says of each of these, and on which line a policy that
 * cannot be meant is refused.  In the texts ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "iam/policy.h"

#define IMAGE   "arn:aws:lambda:us-east-1:111111111111:microvm-image:"
#define VERSION "'Version':'2012-10-17',"
#define ALLOW   "{" VERSION "'Statement':{'Effect':'Allow',"

static char *json(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

static struct policy *compiled(const char *text)
{
	autofree char *policy = json(text);
	struct err e = { .text = "" };
	struct policy *p = policy_compile(policy, strlen(policy), &e);

	if (!p)
		fail_msg("%s: %s", e.text, policy);
	return p;
}

/* "key=value|value;key=value" */
static void circumstances(const void *arg, const char *key, struct iam_values *to)
{
	static char values[16][256]; /* they stay while one condition is asked */
	static unsigned next;
	size_t size = strlen(key);

	for (const char *at = arg; at && *at; at += strcspn(at, ";"), at += *at == ';') {
		if (strncasecmp(at, key, size) != 0 || at[size] != '=')
			continue;
		at += size + 1;
		for (to->n = 0; to->n < 4; at++) {
			size_t length = strcspn(at, "|;");
			char *value = values[next++ % ARRAY_SIZE(values)];

			snprintf(value, sizeof(values[0]), "%.*s", (int)length, at);
			to->at[to->n++] = value;
			at += length;
			if (*at != '|')
				return;
		}
	}
}

struct example {
	const char *policy, *action, *resource, *with;
	enum policy_verdict verdict;
};

static void judge(const struct example *x)
{
	struct policy *p = compiled(x->policy);
	const struct iam_query q = { x->action, x->resource, circumstances, x->with };
	enum policy_verdict verdict = policy_decide(p, &q).verdict;

	if (verdict != x->verdict)
		fail_msg("verdict %d instead of %d: %s %s %s with %s", verdict, x->verdict,
			 x->policy, x->action, x->resource, x->with ? x->with : "nothing");
	policy_free(p);
}

#define RUN  "lambda:RunMicrovm"
#define NO   POLICY_NOTHING
#define YES  POLICY_ALLOWS
#define DENY POLICY_DENIES

static void actions_and_resources_fit_as_iam_says(void **unused)
{
	static const struct example examples[] = {
		{ ALLOW "'Action':'*','Resource':'*'}}", RUN, IMAGE "a", NULL, YES },
		{ ALLOW "'Action':'lambda:*','Resource':'*'}}", RUN, "*", NULL, YES },
		{ ALLOW "'Action':'lambda:*','Resource':'*'}}", "s3:GetObject", "*", NULL, NO },
		{ ALLOW "'Action':'LAMBDA:runmicrovm','Resource':'*'}}", RUN, "*", NULL, YES },
		{ ALLOW "'Action':'lambda:Run*','Resource':'*'}}", RUN, "*", NULL, YES },
		{ ALLOW "'Action':'lambda:?unMicrovm','Resource':'*'}}", RUN, "*", NULL, YES },
		{ ALLOW "'Action':'lambda:?RunMicrovm','Resource':'*'}}", RUN, "*", NULL, NO },
		{ ALLOW "'Action':'lambda:Run','Resource':'*'}}", RUN, "*", NULL, NO },
		{ ALLOW "'Action':['s3:*','lambda:RunMicrovm'],'Resource':'*'}}", RUN, "*", NULL,
		  YES },
		{ ALLOW "'NotAction':'lambda:Run*','Resource':'*'}}", RUN, "*", NULL, NO },
		{ ALLOW "'NotAction':['s3:*','iam:*'],'Resource':'*'}}", RUN, "*", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "web'}}", RUN, IMAGE "web", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "web'}}", RUN, IMAGE "Web", NULL, NO },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "web'}}", RUN, IMAGE "web2", NULL, NO },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "ci-*'}}", RUN, IMAGE "ci-1", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "ci-*'}}", RUN, "*", NULL, NO },
		{ ALLOW "'Action':'*','Resource':'" IMAGE "*:*'}}", RUN, IMAGE "a", NULL, NO },
		{ ALLOW "'Action':'*','Resource':'arn:aws:lambda:*:*:microvm-image:*'}}", RUN,
		  IMAGE "a", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:lambda:*:microvm-image:*:*'}}", RUN,
		  IMAGE "a:b", NULL, NO }, /* a part ends at its colon */
		{ ALLOW "'Action':'*','Resource':'arn:aws:lambda:us-east-1:*:*'}}", RUN, IMAGE "a",
		  NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:lambda:*'}}", RUN, IMAGE "a", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::apps/*'}}", "s3:GetObject",
		  "arn:aws:s3:::apps/a/b:c", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::apps/*'}}", "s3:ListBucket",
		  "arn:aws:s3:::apps", NULL, NO },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::app?'}}", "s3:ListBucket",
		  "arn:aws:s3:::app\xc3\xa9", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::a*b*c'}}", "s3:X",
		  "arn:aws:s3:::abcbbc", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::a*b*c'}}", "s3:X",
		  "arn:aws:s3:::abcbb", NULL, NO },
		{ ALLOW "'Action':'*','NotResource':'" IMAGE "prod-*'}}", RUN, IMAGE "prod-1", NULL,
		  NO },
		{ ALLOW "'Action':'*','NotResource':'" IMAGE "prod-*'}}", RUN, IMAGE "dev", NULL,
		  YES },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		judge(&examples[i]);
}

static void a_deny_wins_wherever_it_stands(void **unused)
{
	static const char first[] =
		"{" VERSION
		"'Statement':[{'Effect':'Deny','Action':'lambda:Run*','Resource':'" IMAGE
		"prod'},{'Effect':'Allow','Action':'*','Resource':'*'}]}";
	static const char last[] =
		"{" VERSION "'Statement':[{'Effect':'Allow','Action':'*','Resource':'*'},"
		"{'Effect':'Allow','Action':'*','Resource':'*'},"
		"{'Sid':'NoProd','Effect':'Deny','Action':'lambda:Run*','Resource':'" IMAGE
		"prod'}]}";
	const struct iam_query q = { RUN, IMAGE "prod", NULL, NULL };
	const struct iam_query other = { RUN, IMAGE "dev", NULL, NULL };
	struct policy *p = compiled(last);
	struct policy_decision d = policy_decide(p, &q);

	(void)unused;
	assert_int_equal(d.verdict, POLICY_DENIES);
	assert_int_equal(d.statement, 3);
	assert_string_equal(d.sid, "NoProd");
	d = policy_decide(p, &other);
	assert_int_equal(d.verdict, POLICY_ALLOWS);
	assert_int_equal(d.statement, 1);
	assert_null(d.sid);
	policy_free(p);
	p = compiled(first);
	assert_int_equal(policy_decide(p, &q).verdict, POLICY_DENIES);
	assert_int_equal(policy_decide(p, &other).verdict, POLICY_ALLOWS);
	policy_free(p);
}

#define IF(condition) ALLOW "'Action':'*','Resource':'*','Condition':{" condition "}}}", RUN, "*"

static void conditions_hold_as_iam_says(void **unused)
{
	static const struct example examples[] = {
		{ IF("'StringEquals':{'aws:ResourceTag/team':'blue'}"), "aws:ResourceTag/team=blue",
		  YES },
		{ IF("'StringEquals':{'aws:ResourceTag/Team':'blue'}"), "aws:resourcetag/team=blue",
		  YES },
		{ IF("'StringEquals':{'aws:ResourceTag/team':'blue'}"), "aws:ResourceTag/team=Blue",
		  NO },
		{ IF("'StringEquals':{'aws:ResourceTag/team':'blue'}"), NULL, NO },
		{ IF("'StringEquals':{'aws:ResourceTag/team':['red','blue']}"),
		  "aws:ResourceTag/team=blue", YES },
		{ IF("'StringEquals':{'a:k':'b*'}"), "a:k=blue", NO },
		{ IF("'StringEquals':{'a:k':'1','a:l':'2'}"), "a:k=1;a:l=2", YES },
		{ IF("'StringEquals':{'a:k':'1','a:l':'2'}"), "a:k=1;a:l=3", NO },
		{ IF("'StringEquals':{'a:k':'1'},'Bool':{'a:b':'true'}"), "a:k=1;a:b=false", NO },
		{ IF("'StringEqualsIfExists':{'a:k':'1'}"), NULL, YES },
		{ IF("'StringEqualsIfExists':{'a:k':'1'}"), "a:k=2", NO },
		{ IF("'StringNotEquals':{'a:k':['1','2']}"), "a:k=2", NO },
		{ IF("'StringNotEquals':{'a:k':['1','2']}"), "a:k=3", YES },
		{ IF("'StringNotEquals':{'a:k':'1'}"), NULL, YES },
		{ IF("'StringEqualsIgnoreCase':{'a:k':'BLUE'}"), "a:k=blue", YES },
		{ IF("'StringNotEqualsIgnoreCase':{'a:k':'BLUE'}"), "a:k=blue", NO },
		{ IF("'StringLike':{'a:k':'b*e'}"), "a:k=blue", YES },
		{ IF("'StringLike':{'a:k':'b*e'}"), "a:k=Blue", NO },
		{ IF("'StringNotLike':{'a:k':'b*'}"), "a:k=blue", NO },
		{ IF("'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:user/ci-*'}"),
		  "aws:PrincipalArn=arn:aws:iam::111111111111:user/ci-1", YES },
		{ IF("'ArnEquals':{'aws:PrincipalArn':'arn:aws:iam::*:user/ci-*'}"),
		  "aws:PrincipalArn=arn:aws:iam::111111111111:user/ops", NO },
		{ IF("'ArnNotLike':{'a:k':'arn:aws:iam::*:role/x'}"), "a:k=arn:aws:iam::1:role/x",
		  NO },
		{ IF("'NumericLessThan':{'a:n':10}"), "a:n=9", YES },
		{ IF("'NumericLessThan':{'a:n':'10'}"), "a:n=10", NO },
		{ IF("'NumericLessThanEquals':{'a:n':'10'}"), "a:n=10.0", YES },
		{ IF("'NumericGreaterThan':{'a:n':'10'}"), "a:n=11", YES },
		{ IF("'NumericGreaterThanEquals':{'a:n':'10'}"), "a:n=ten", NO },
		{ IF("'NumericEquals':{'a:n':[1,2]}"), "a:n=2", YES },
		{ IF("'NumericNotEquals':{'a:n':[1,2]}"), "a:n=2", NO },
		{ IF("'DateLessThan':{'aws:CurrentTime':'2026-12-01T08:00:00Z'}"),
		  "aws:CurrentTime=2026-12-01T07:59:59Z", YES },
		{ IF("'DateLessThan':{'aws:CurrentTime':'2026-12-01T08:00:00Z'}"),
		  "aws:CurrentTime=2026-12-01T08:00:00Z", NO },
		{ IF("'DateGreaterThanEquals':{'aws:CurrentTime':'2026-12-01'}"),
		  "aws:CurrentTime=2026-12-01T00:00:00Z", YES },
		{ IF("'DateGreaterThan':{'aws:CurrentTime':'2026-12-01T10:00:00+02:00'}"),
		  "aws:CurrentTime=2026-12-01T08:00:01Z", YES },
		{ IF("'DateEquals':{'aws:EpochTime':1}"), "aws:EpochTime=1970-01-01T00:00:01Z",
		  YES },
		{ IF("'DateNotEquals':{'a:t':'1970-01-01T00:00:01.5Z'}"), "a:t=2", YES },
		{ IF("'Bool':{'aws:SecureTransport':true}"), "aws:SecureTransport=true", YES },
		{ IF("'Bool':{'aws:SecureTransport':'false'}"), "aws:SecureTransport=true", NO },
		{ IF("'IpAddress':{'aws:SourceIp':['10.0.0.0/8','2001:db8::/32']}"),
		  "aws:SourceIp=10.1.2.3", YES },
		{ IF("'IpAddress':{'aws:SourceIp':['10.0.0.0/8','2001:db8::/32']}"),
		  "aws:SourceIp=2001:db8::1", YES },
		{ IF("'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}"), "aws:SourceIp=::ffff:10.1.2.3",
		  YES },
		{ IF("'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}"), "aws:SourceIp=11.0.0.1", NO },
		{ IF("'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}"), "aws:SourceIp=11.0.0.1",
		  YES },
		{ IF("'Null':{'aws:TokenIssueTime':'true'}"), NULL, YES },
		{ IF("'Null':{'aws:TokenIssueTime':'false'}"), NULL, NO },
		{ IF("'Null':{'aws:TokenIssueTime':false}"), "aws:TokenIssueTime=x", YES },
		{ IF("'ForAllValues:StringEquals':{'aws:TagKeys':['team','env']}"),
		  "aws:TagKeys=team|env", YES },
		{ IF("'ForAllValues:StringEquals':{'aws:TagKeys':['team','env']}"),
		  "aws:TagKeys=team|cost", NO },
		{ IF("'ForAllValues:StringEquals':{'aws:TagKeys':['team','env']}"), NULL, YES },
		{ IF("'ForAllValues:StringNotEquals':{'aws:TagKeys':'cost'}"),
		  "aws:TagKeys=team|cost", NO },
		{ IF("'ForAnyValue:StringEquals':{'aws:TagKeys':['team','env']}"),
		  "aws:TagKeys=cost|env", YES },
		{ IF("'ForAnyValue:StringEquals':{'aws:TagKeys':['team','env']}"),
		  "aws:TagKeys=cost", NO },
		{ IF("'ForAnyValue:StringEquals':{'aws:TagKeys':['team','env']}"), NULL, NO },
		{ IF("'ForAnyValue:StringLike':{'aws:TagKeys':'t*'}"), "aws:TagKeys=cost|team",
		  YES },
		{ IF("'ForAnyValue:StringNotEquals':{'aws:TagKeys':'cost'}"),
		  "aws:TagKeys=cost|team", YES },
		{ IF("'ForAnyValue:StringNotEquals':{'aws:TagKeys':'cost'}"), NULL, NO },
		{ IF("'ForAnyValue:StringEqualsIfExists':{'aws:TagKeys':'x'}"), NULL, YES },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		judge(&examples[i]);
}

#define HOME "'arn:aws:s3:::home/${aws:username}/*'}}"

static void variables_stand_for_text_and_never_for_wildcards(void **unused)
{
	static const char old[] = "{'Version':'2008-10-17','Statement':{'Effect':'Allow',"
				  "'Action':'*','Resource':" HOME;
	static const struct example examples[] = {
		{ ALLOW "'Action':'*','Resource':" HOME, "s3:X", "arn:aws:s3:::home/ann/f",
		  "aws:username=ann", YES },
		{ ALLOW "'Action':'*','Resource':" HOME, "s3:X", "arn:aws:s3:::home/bob/f",
		  "aws:username=ann", NO },
		{ ALLOW "'Action':'*','Resource':" HOME, "s3:X", "arn:aws:s3:::home/bob/f",
		  "aws:username=*", NO },
		{ ALLOW "'Action':'*','Resource':" HOME, "s3:X", "arn:aws:s3:::home/bob/f", NULL,
		  NO },
		{ ALLOW "'Action':'*','Resource':" HOME, "s3:X", "arn:aws:s3:::home/ann/f",
		  "aws:username=ann|bob", NO },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::a/${aws:PrincipalTag/team, "
			"\\u0027all\\u0027}'}}",
		  "s3:X", "arn:aws:s3:::a/all", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::a/${*}${?}${$}'}}", "s3:X",
		  "arn:aws:s3:::a/*?$", NULL, YES },
		{ ALLOW "'Action':'*','Resource':'arn:aws:s3:::a/${*}${?}${$}'}}", "s3:X",
		  "arn:aws:s3:::a/xyz", NULL, NO },
		{ IF("'StringEquals':{'aws:ResourceTag/owner':'${aws:username}'}"),
		  "aws:ResourceTag/owner=ann;aws:username=ann", YES },
		{ IF("'StringLike':{'s3:prefix':'${aws:username}/*'}"),
		  "s3:prefix=ann/x;aws:username=ann", YES },
		{ IF("'StringEqualsIgnoreCase':{'a:k':'${aws:username}'}"),
		  "a:k=ANN;aws:username=Ann", YES },
		{ old, "s3:X", "arn:aws:s3:::home/${aws:username}/f", "aws:username=ann", YES },
		{ old, "s3:X", "arn:aws:s3:::home/ann/f", "aws:username=ann", NO },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		judge(&examples[i]);
}

static void what_cannot_be_meant_is_refused_with_its_line(void **unused)
{
	static const struct {
		const char *policy, *text;
	} refused[] = {
		{ "{\n'Version' '2012'}", "line 2: ':' expected near '\"2012\"'" },
		{ "", "line 1: '[' or '{' expected near end of file" },
		{ "[]", "line 1: a policy is an object" },
		{ "{" VERSION "\n'Statements':[]}",
		  "line 2: \"Statements\" is no element of a policy" },
		{ "{\n" VERSION "\n'Id':'x'}", "line 1: the policy has no Statement" },
		{ "{\n'Version':'2013-01-01','Statement':[]}",
		  "line 2: a Version is \"2012-10-17\" or \"2008-10-17\"" },
		{ "{\n\n'Statement':[]}", "line 3: an empty list says nothing" },
		{ "{'Statement':[\n'x']}", "line 2: a statement is an object" },
		{ "{'Statement':[\n{'Effect':'Allow','Action':'*','Resource':'*'},\n"
		  "{'Action':'*','Resource':'*'}]}",
		  "line 3: the statement has no Effect" },
		{ "{'Statement':[{'Effect':\n'allow'}]}",
		  "line 1: an Effect is \"Allow\" or \"Deny\"" },
		{ "{'Statement':{'Effect':'Allow',\n'Resource':'*'}}",
		  "line 1: the statement has no Action" },
		{ "{'Statement':{'Effect':'Allow',\n'Action':'*'}}",
		  "line 1: the statement has no Resource" },
		{ "{'Statement':{'Effect':'Allow','Action':['s3:*',\n\n'RunMicrovm']}}",
		  "line 3: \"RunMicrovm\" is no action: it needs a service in front, as "
		  "\"lambda:RunMicrovm\"" },
		{ "{'Statement':{'Effect':'Allow',\n'Action':'lambda:Run Microvm'}}",
		  "line 2: \"lambda:Run Microvm\" is no action" },
		{ "{'Statement':{'Effect':'Allow','Action':'*',\n'NotAction':'*'}}",
		  "line 2: the statement has both this and its opposite" },
		{ "{'Statement':{'Effect':'Allow','Action':'*',\n'Resource':'apps'}}",
		  "line 2: Resource apps must be in ARN format or \"*\"" },
		{ "{'Statement':{\n'Principal':'*'}}",
		  "line 2: a policy of a key names no principal: it is that of the key" },
		{ "{'Statement':{\n'Sid':'a b'}}", "line 2: a Sid has letters and digits" },
		{ "{'Statement':[{'Sid':'a','Effect':'Deny','Action':'*','Resource':'*'},\n"
		  "{'Sid':'a'}]}",
		  "line 2: two statements have the Sid \"a\"" },
		{ "{'Statement':{'Condition':{\n'StringEqual':{'a:b':'c'}}}}",
		  "line 2: \"StringEqual\" is no operator of conditions" },
		{ "{'Statement':{'Condition':{\n'NullIfExists':{'a:b':'true'}}}}",
		  "line 2: \"NullIfExists\" is no operator of conditions" },
		{ "{'Statement':{'Condition':{'Bool':{\n'SourceIp':'true'}}}}",
		  "line 2: \"SourceIp\" is no condition key: as aws:SourceIp" },
		{ "{'Statement':{'Condition':{'IpAddress':{\n\n'aws:SourceIp':['10.0.0.0/8',\n"
		  "'10.0.0.0/64']}}}}",
		  "line 4: IpAddress needs a range of addresses, as 10.0.0.0/8, not "
		  "\"10.0.0.0/64\"" },
		{ "{'Statement':{'Condition':{'NumericEquals':{\n'a:b':'one'}}}}",
		  "line 2: NumericEquals needs a number, not \"one\"" },
		{ "{'Statement':{'Condition':{'DateEquals':{\n'a:b':'yesterday'}}}}",
		  "line 2: DateEquals needs a time, as 2026-12-01T08:00:00Z, not \"yesterday\"" },
		{ "{'Statement':{'Condition':{'Bool':{\n'a:b':'yes'}}}}",
		  "line 2: Bool needs true or false, not \"yes\"" },
		{ "{'Statement':{'Condition':{'StringEquals':{\n'a:b':{}}}}}",
		  "line 2: a value of a condition is a text, a number, true or false" },
		{ "{" VERSION "'Statement':{\n'Resource':'arn:aws:s3:::${aws:username'}}",
		  "line 2: '${' begins a variable that has no end" },
		{ "{'Statement':{\n'Effect':'Allow',\n'Effect':'Deny'}}",
		  "line 3: duplicate object key near '\"Effect\"'" },
		{ "{'Statement':{\n'Action':'*'}} x", "line 2: end of file expected near 'x'" },
		{ "{'Statement':{\n'Resource':'arn:aws:s3:::\\u0001'}}",
		  "line 2: a control character cannot be meant" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		autofree char *text = json(refused[i].policy);
		autofree char *why = json(refused[i].text);
		autofree char *got = NULL;
		struct err e = { .text = "nothing" };
		struct policy *p = policy_compile(text, strlen(text), &e);

		assert_null(p);
		got = json(e.text);
		if (strcmp(got, why) != 0)
			fail_msg("\"%s\" instead of \"%s\"", e.text, refused[i].text);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void a_policy_has_at_most_so_many_bytes_and_statements(void **unused)
{
	static char large[POLICY_MAX_SIZE + 2];
	struct err e;

	(void)unused;
	memset(large, ' ', sizeof(large) - 1);
	assert_null(policy_compile(large, sizeof(large) - 1, &e));
	assert_string_equal(e.text, "a policy has at most 20480 bytes");
}

static void a_session_may_do_what_both_of_its_policies_allow(void **unused)
{
	struct principal who = { .n_policies = 2 };
	const struct iam_query run = { RUN, "*", NULL, NULL };
	const struct iam_query get = { "lambda:GetMicrovm", "*", NULL, NULL };
	const struct iam_query put = { "s3:PutObject", "*", NULL, NULL };
	struct policy_decision d;

	(void)unused;
	who.policies[0] = compiled(ALLOW "'Action':'lambda:*','Resource':'*'}}");
	who.policies[1] = compiled("{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*'},"
				   "{'Effect':'Deny','Action':'lambda:Get*','Resource':'*'}]}");
	assert_int_equal(principal_decide(&who, &run).verdict, POLICY_ALLOWS);
	d = principal_decide(&who, &get);
	assert_int_equal(d.verdict, POLICY_DENIES);
	assert_int_equal(d.policy, 1);
	d = principal_decide(&who, &put);
	assert_int_equal(d.verdict, POLICY_NOTHING);
	assert_int_equal(d.policy, 0);
	who.n_policies = 0;
	assert_int_equal(principal_decide(&who, &put).verdict, POLICY_ALLOWS);
	policy_free(who.policies[0]);
	policy_free(who.policies[1]);
}

static void no_pattern_takes_long(void **unused)
{
	autofree char *resource = NULL;
	struct policy *p;
	struct buf b = { 0 };
	int64_t began_ms;

	(void)unused;
	buf_adds(&b, "{'Statement':{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::");
	for (int i = 0; i < 5000; i++)
		buf_adds(&b, "*a");
	buf_adds(&b, "b'}}");
	p = compiled(buf_str(&b));
	buf_free(&b);
	resource = xmalloc(2000);
	memset(resource, 'a', 1999);
	resource[1999] = '\0';
	memcpy(resource, "arn:aws:s3:::", 13);
	began_ms = clock_boot_ms();
	for (int i = 0; i < 10; i++)
		assert_int_equal(
			policy_decide(p, &(struct iam_query){ "s3:X", resource, NULL, NULL })
				.verdict,
			POLICY_NOTHING);
	assert_true(clock_boot_ms() - began_ms < 5000);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(actions_and_resources_fit_as_iam_says),
		cmocka_unit_test(a_deny_wins_wherever_it_stands),
		cmocka_unit_test(conditions_hold_as_iam_says),
		cmocka_unit_test(variables_stand_for_text_and_never_for_wildcards),
		cmocka_unit_test(what_cannot_be_meant_is_refused_with_its_line),
		cmocka_unit_test(a_policy_has_at_most_so_many_bytes_and_statements),
		cmocka_unit_test(a_session_may_do_what_both_of_its_policies_allow),
		cmocka_unit_test(no_pattern_takes_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
