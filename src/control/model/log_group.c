/* log_group.c - groups of log_stream.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/model/log_stream.h"

#define GROUP_DELETED "deletedMs" /* among the parameters of a row */

struct log_group *log_group_find(const struct control *ctl, const char *account, const char *name)
{
	autofree char *key = xasprintf("%s:%s", account, name);

	return hash_find(&ctl->log_groups, key, strlen(key), struct log_group, by_key);
}

struct log_group *log_group_of(struct control *ctl, const char *account, const char *name)
{
	struct log_group *g = log_group_find(ctl, account, name);

	if (g)
		return g;
	g = xcalloc(1, sizeof(*g));
	g->ctl = ctl;
	snprintf(g->account, sizeof(g->account), "%s", account);
	g->name = xstrdup(name);
	g->key = xasprintf("%s:%s", account, name);
	hash_add(&ctl->log_groups, &g->by_key, g->key, strlen(g->key));
	order_add(&ctl->log_groups_in_order, &g->in_order, g->account, 0, g->name);
	return g;
}

void log_group_put(struct store_txn *t, const struct log_group *g)
{
	json_t *params = json_pack("{s:I}", GROUP_DELETED, (json_int_t)g->deleted_ms);
	autofree char *text = json_dumps(params, JSON_COMPACT);

	json_decref(params);
	store_put_log_group(t, &(struct store_log_group){ g->account, g->name, g->retention_days,
							  g->created_ms, text });
}

void log_group_load(struct control *ctl, const struct store_log_group *row)
{
	struct log_group *g = log_group_of(ctl, row->account, row->name);
	json_auto_t *params = row->params ? json_loads(row->params, 0, NULL) : NULL;

	g->retention_days = row->retention_days;
	g->deleted_ms = json_integer_value(json_object_get(params, GROUP_DELETED));
	g->created_ms = row->created_ms;
}

void log_streams_open(struct control *ctl)
{
	hash_init(&ctl->log_groups);
}

void log_streams_close(struct control *ctl)
{
	hash_each(g, &ctl->log_groups, struct log_group, by_key)
	{
		struct order_node *n = order_last(&ctl->log_streams_by_time, g->key);

		while (n) {
			struct log_stream *s = container_of(n, struct log_stream, by_time);

			n = order_prev(n);
			if (!s->vm && !s->build)
				log_stream_free(s);
		}
	}
	hash_each(g, &ctl->log_groups, struct log_group, by_key)
	{
		hash_del(&ctl->log_groups, &g->by_key);
		if (g->n_streams)
			continue; /* rows that are left as they are still point at it */
		order_del(&ctl->log_groups_in_order, &g->in_order);
		free(g->name);
		free(g->key);
		free(g);
	}
	hash_free(&ctl->log_groups);
}
