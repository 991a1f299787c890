/* log_groups.c - CloudWatch Logs' groups: which there are, and how long they keep their lines. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/api/handlers/handlers.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/logs/retention.h"

/* The days that the service knows. */
static const int64_t group_days[] = {
	1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
	365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
};

static json_t *group_json(const struct call *c, const struct log_group *g)
{
	autofree char *arn = xasprintf("arn:aws:logs:%s:%s:log-group:%s", c->ctl->conf->region,
				       g->account, g->name);
	autofree char *all = xasprintf("%s:*", arn);
	json_t *json = json_pack("{s:s,s:I,s:i,s:s,s:s,s:s}", "logGroupName", g->name,
				 "creationTime", (json_int_t)g->created_ms, "metricFilterCount", 0,
				 "arn", all, "logGroupArn", arn, "logGroupClass", "STANDARD");

	if (g->retention_days)
		json_object_set_new(json, "retentionInDays", json_integer(g->retention_days));
	return json;
}

void log_groups_describe(struct call *c)
{
	const char *prefix = call_text(c, "logGroupNamePrefix");
	const char *part = call_text(c, "logGroupNamePattern");
	struct page p;
	struct order_node *n;

	if (prefix && part) {
		call_invalid(c, "LogGroup name prefix and LogGroup name pattern are mutually "
				"exclusive parameters.");
		return;
	}
	if (!page_begin(&p, c))
		return;
	p.name = "logGroups";
	n = page_from(&p, &c->ctl->log_groups_in_order, c->who->account, prefix ? prefix : "");
	for (; n && !p.more; n = order_next(n)) {
		const struct log_group *g = container_of(n, struct log_group, in_order);

		if (prefix && strncmp(g->name, prefix, strlen(prefix)) != 0)
			break;
		if (g->created_ms && (!part || strcasestr(g->name, part)) &&
		    page_takes(&p, g->name, 0))
			page_add(&p, group_json(c, g));
	}
	page_answer(&p);
}

/* What a group becomes once the store has it. */
struct group_change {
	struct call *call;
	struct log_group *group;
	struct log_group becomes; /* its times and its retention alone */
};

static void group_changed(void *arg, int rc, const struct err *e)
{
	struct group_change *change = arg;
	struct log_group *g = change->group;
	struct control *ctl = g->ctl;

	g->committing = false;
	if (!rc) {
		g->created_ms = change->becomes.created_ms;
		g->deleted_ms = change->becomes.deleted_ms;
		g->retention_days = change->becomes.retention_days;
		if (!ctl->stopping)
			retention_wake(ctl);
	}
	call_done(change->call, rc, e);
	free(change);
}

static void group_change(struct call *c, struct log_group *g, const struct log_group *becomes)
{
	struct group_change *change;
	struct store_txn *t;

	if (g->committing) {
		call_fail_as(c, 400, "OperationAbortedException",
			     "Multiple concurrent requests to update the same resource were in "
			     "conflict.");
		return;
	}
	g->committing = true;
	change = xcalloc(1, sizeof(*change));
	*change = (struct group_change){ c, g, *becomes };
	t = store_begin(c->ctl->store);
	log_group_put(t, becomes);
	store_commit(t, group_changed, change);
}

void log_group_create(struct call *c)
{
	struct log_group *g = log_group_of(c->ctl, c->who->account, call_text(c, "logGroupName"));
	struct log_group becomes = *g;

	if (call_text(c, "kmsKeyId")) {
		call_invalid(c,
			     "kmsKeyId cannot be used: lines are encrypted if the disk below the "
			     "server's log directory is.");
	} else if (g->created_ms) {
		call_fail_as(c, 400, "ResourceAlreadyExistsException",
			     "The specified log group already exists");
	} else {
		becomes.created_ms = clock_wall_ms();
		becomes.retention_days = 0;
		group_change(c, g, &becomes);
	}
}

/* Its lines go with it; those of microVMs that still run, when these are forgotten. */
void log_group_delete(struct call *c)
{
	struct log_group *g = call_log_group(c), becomes;

	if (!g)
		return;
	becomes = *g;
	becomes.created_ms = 0;
	becomes.retention_days = 0;
	becomes.deleted_ms = clock_wall_ms();
	group_change(c, g, &becomes);
}

static void group_retain(struct call *c, int64_t days)
{
	struct log_group *g = call_log_group(c), becomes;

	if (!g)
		return;
	becomes = *g;
	becomes.retention_days = days;
	group_change(c, g, &becomes);
}

void log_group_retain(struct call *c)
{
	int64_t days = call_number(c, "retentionInDays", 0);

	for (size_t i = 0; i < ARRAY_SIZE(group_days); i++)
		if (group_days[i] == days) {
			group_retain(c, days);
			return;
		}
	call_invalid(c,
		     "1 validation error detected: Value '%lld' at 'retentionInDays' failed to "
		     "satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, "
		     "60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, "
		     "3288, 3653]",
		     (long long)days);
}

void log_group_retain_for_ever(struct call *c)
{
	group_retain(c, 0);
}
