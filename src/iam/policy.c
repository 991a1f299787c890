#include "iam/policy.h"

#include <stdlib.h>

#include "iam/policy_parts.h"

static void globs_free(struct globs *g)
{
	for (size_t i = 0; i < g->n; i++)
		glob_free(&g->each[i]);
	free(g->each);
}

static void statement_free(struct statement *s)
{
	free(s->sid);
	globs_free(&s->actions);
	globs_free(&s->resources);
	for (size_t i = 0; i < s->n; i++)
		condition_free(&s->conditions[i]);
	free(s->conditions);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		statement_free(&p->statements[i]);
	free(p->statements);
	free(p);
}

static bool globs_match(const struct globs *g, const char *text, const struct iam_query *q)
{
	bool found = false;

	for (size_t i = 0; i < g->n && !found; i++)
		found = glob_match(&g->each[i], text, q);
	return found != g->inverted;
}

/* The cheapest first: most statements are of other actions. */
static bool statement_fits(const struct statement *s, const struct iam_query *q)
{
	if (!globs_match(&s->actions, q->action, q) || !globs_match(&s->resources, q->resource, q))
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (!condition_holds(&s->conditions[i], q))
			return false;
	return true;
}

struct policy_decision policy_decide(const struct policy *p, const struct iam_query *q)
{
	struct policy_decision d = { .verdict = POLICY_NOTHING };

	for (size_t i = 0; i < p->n; i++) {
		const struct statement *s = &p->statements[i];

		/* Once something allows it, only a Deny can say more. */
		if ((d.verdict == POLICY_ALLOWS && !s->deny) || !statement_fits(s, q))
			continue;
		d.verdict = s->deny ? POLICY_DENIES : POLICY_ALLOWS;
		d.statement = i + 1;
		d.sid = s->sid;
		if (s->deny || !p->denies)
			break;
	}
	return d;
}

struct policy_decision principal_decide(const struct principal *who, const struct iam_query *q)
{
	struct policy_decision first = { .verdict = POLICY_ALLOWS };

	for (size_t i = 0; i < who->n_policies; i++) {
		struct policy_decision d = policy_decide(who->policies[i], q);

		d.policy = i;
		if (d.verdict == POLICY_DENIES)
			return d;
		if (!i || (first.verdict == POLICY_ALLOWS && d.verdict == POLICY_NOTHING))
			first = d;
	}
	return first;
}
