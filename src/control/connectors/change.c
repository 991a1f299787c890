/* change.c - the turn of a change: judged, drafted, written, applied (change.h). */

#include "control/connectors/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "control/events/events.h"
#include "control/images/retry.h"

struct connector_changes {
	struct list fresh; /* connectors that are NEW */
	struct retry retry;
};

static void changes_go_on(struct control *ctl, struct connector *connector);

static void changes_again(void *arg)
{
	struct control *ctl = arg;

	list_each(connector, &ctl->connectors, struct connector, in_control)
	{
		if (!connector->waiting)
			continue;
		connector->waiting = false;
		changes_go_on(ctl, connector);
	}
}

void connector_changes_open(struct control *ctl)
{
	ctl->connector_changes = xcalloc(1, sizeof(*ctl->connector_changes));
	list_init(&ctl->connector_changes->fresh);
	retry_open(&ctl->connector_changes->retry, &ctl->loop, changes_again, ctl);
}

bool connector_changes_create(const struct control *ctl, const char *account, const char *name)
{
	list_each(connector, &ctl->connector_changes->fresh, struct connector, in_control)
	{
		if (!strcmp(connector->account, account) && !strcmp(connector->name, name))
			return true;
	}
	return false;
}

size_t connector_changes_count_new(const struct control *ctl, const char *account)
{
	size_t n = 0;

	list_each(connector, &ctl->connector_changes->fresh, struct connector, in_control)
	{
		n += !strcmp(connector->account, account);
	}
	return n;
}

struct connector_change *connector_change_new(struct control *ctl, struct connector *connector,
					      const struct connector_change_ops *ops)
{
	struct connector_change *c = xcalloc(1, sizeof(*c));

	list_init(&c->in_connector);
	c->ops = ops;
	c->ctl = ctl;
	c->connector = connector;
	return c;
}

static void change_forget_draft(struct connector_change *c)
{
	json_decref(c->row.tags);
	json_decref(c->row.params);
	free(c->row.reason);
	json_decref(c->version_row.params);
	memset(&c->row, 0, sizeof(c->row));
	memset(&c->version_row, 0, sizeof(c->version_row));
	if (c->v && c->v->state == CONNECTOR_NEW)
		model_connector_version_free(c->v);
	c->v = NULL;
}

static void change_free(struct connector_change *c)
{
	list_del(&c->in_connector);
	change_forget_draft(c);
	if (c->connector && c->connector->state == CONNECTOR_NEW)
		model_connector_free(c->ctl, c->connector);
	json_decref(c->params);
	free(c);
}

static void changes_free(struct list *all)
{
	list_each(connector, all, struct connector, in_control)
	{
		list_each(c, &connector->changes, struct connector_change, in_connector)
			change_free(c);
	}
}

void connector_changes_close(struct control *ctl)
{
	retry_close(&ctl->connector_changes->retry);
	changes_free(&ctl->connectors);
	changes_free(&ctl->connector_changes->fresh); /* each with its only change */
	free(ctl->connector_changes);
	ctl->connector_changes = NULL;
}

static void change_refuse(struct connector_change *c, const struct err *e)
{
	list_del(&c->in_connector);
	if (c->ops->happened)
		log_info("an event of a network connector came too late id=%s: %s",
			 c->connector->id, e->text);
	if (c->asker.done)
		c->asker.done(c->asker.arg, -1, e);
	change_free(c);
}

/* Who hears of a refusal may ask for another change of the same connector, so those to refuse are
 * taken out of its list first. */
static void changes_refuse(struct connector *connector, bool events_too, const struct err *e)
{
	struct list refused;

	list_init(&refused);
	list_each(c, &connector->changes, struct connector_change, in_connector)
	{
		if (c->ops->happened && !events_too)
			continue;
		list_del(&c->in_connector);
		list_add(&refused, &c->in_connector);
	}
	while (!list_empty(&refused))
		change_refuse(list_first(&refused, struct connector_change, in_connector), e);
}

/* An earlier change may have removed the version, so it is looked up when the turn comes. */
static int change_find(struct connector_change *c, struct err *e)
{
	autofree char *arn = NULL;

	if (c->ops->make)
		c->v = c->ops->make(c);
	if (!c->number)
		return 0;
	c->v = model_connector_version(c->connector, c->number);
	if (c->v)
		return 0;
	arn = model_connector_arn(c->ctl, c->connector);
	return err_set(e, ERR_NOT_FOUND, "Network connector not found for: %s:%lld", arn,
		       (long long)c->number);
}

static void row_say(struct connector_change *c, const char *member, const char *text)
{
	if (text)
		json_object_set_new(c->row.params, member, json_string(text));
	else
		json_object_del(c->row.params, member);
}

void connector_row_update(struct connector_change *c, const char *status, const char *reason,
			  const char *code)
{
	row_say(c, "LastUpdateStatus", status);
	row_say(c, "LastUpdateStatusReason", reason);
	row_say(c, "LastUpdateStatusReasonCode", code);
}

void connector_row_reason(struct connector_change *c, const char *reason, const char *code)
{
	free(c->row.reason);
	c->row.reason = reason ? xstrdup(reason) : NULL;
	row_say(c, "StateReasonCode", code);
}

static void change_draft(struct connector_change *c, const struct connector_states *to)
{
	c->row = *c->connector;
	list_init(&c->row.versions); /* a copy of the head is none */
	c->row.state = to->connector;
	c->row.updated_ms = clock_wall_ms();
	c->row.reason = c->connector->reason ? xstrdup(c->connector->reason) : NULL;
	c->row.tags = c->connector->tags ? json_deep_copy(c->connector->tags) : json_object();
	c->row.params = c->connector->params ? json_deep_copy(c->connector->params) : json_object();
	if (c->v) {
		c->version_row = *c->v;
		c->version_row.state = to->version;
		c->version_row.params = json_deep_copy(c->v->params);
	}
	if (c->ops->draft)
		c->ops->draft(c);
}

static void change_put(const struct connector_change *c, struct store_txn *t)
{
	if (c->ops->removes && !c->v) {
		store_del_connector(t, c->connector->id);
		return;
	}
	model_put_connector(t, &c->row);
	if (c->v && c->ops->removes)
		store_del_connector_version(t, c->connector->id, c->v->number);
	else if (c->v)
		model_put_connector_version(t, c->connector, &c->version_row);
}

static void change_swap(json_t **to, json_t **with)
{
	json_t *old = *to;

	*to = *with;
	*with = old;
}

/* What was drafted is what memory says from now on. */
static void change_apply(struct connector_change *c)
{
	struct connector *connector = c->connector;
	struct connector_version *v = c->v;
	bool fresh = connector->state == CONNECTOR_NEW;
	char *reason = connector->reason;

	connector->state = c->row.state;
	connector->updated_ms = c->row.updated_ms;
	connector->latest = c->row.latest;
	connector->reason = c->row.reason;
	c->row.reason = reason;
	change_swap(&connector->tags, &c->row.tags);
	change_swap(&connector->params, &c->row.params);
	if (v && c->ops->removes) {
		model_connector_version_free(v);
		c->v = NULL;
	} else if (v) {
		if (v->state == CONNECTOR_NEW)
			model_add_connector_version(connector, v);
		v->state = c->version_row.state;
		change_swap(&v->params, &c->version_row.params);
	}
	if (fresh) {
		list_del(&connector->in_control);
		model_add_connector(c->ctl, connector);
	}
}

/* The store has refused the rows. */
static void change_failed(struct connector_change *c, const struct err *e)
{
	struct connector *connector = c->connector;

	log_err("a change of a network connector is not durable id=%s error=\"%s\"", connector->id,
		e->text);
	connector->leaving = false;
	if (c->ops->happened) {
		change_forget_draft(c);
		connector->waiting = true;
		retry_later(&c->ctl->connector_changes->retry);
		changes_refuse(connector, false, e);
	} else {
		change_refuse(c, e);
	}
}

/* Frees a connector whose rows are gone, and refuses what still waits for it. */
static void change_end_connector(struct control *ctl, struct connector *connector)
{
	autofree char *arn = model_connector_arn(ctl, connector);
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "Network connector not found for: %s", arn);
	changes_refuse(connector, true, &e);
	model_connector_free(ctl, connector);
}

static void change_tell_of(const struct connector_change *c, const char *from, const char *to)
{
	autofree char *arn = model_connector_arn(c->ctl, c->connector);

	events_changed(c->ctl, &(struct event_change){ c->connector->account, "NetworkConnector",
						       arn, from, to, c->row.reason });
}

/* Before memory has it. */
static void change_tell(const struct connector_change *c)
{
	if (c->connector->state != c->row.state)
		change_tell_of(c,
			       c->connector->state == CONNECTOR_NEW
				       ? NULL
				       : connector_state_name[c->connector->state],
			       connector_state_name[c->row.state]);
}

static struct connector *change_took_place(struct connector_change *c)
{
	struct connector *connector = c->connector;
	struct control *ctl = c->ctl;
	int64_t version = c->v ? c->v->number : 0;
	const struct connector_change_ops *ops = c->ops;

	retry_succeeded(&ctl->connector_changes->retry);
	list_del(&c->in_connector);
	if (ops->removes && !c->v) {
		change_tell_of(c, "DELETING", "DELETED");
		change_free(c);
		change_end_connector(ctl, connector);
		return NULL;
	}
	change_tell(c);
	change_apply(c);
	if (c->asker.done)
		c->asker.done(c->asker.arg, 0, NULL);
	change_free(c);
	if (ops->follow)
		ops->follow(ctl, connector, version);
	return connector;
}

static void change_stored(void *arg, int rc, const struct err *e)
{
	struct connector_change *c = arg;
	struct control *ctl = c->ctl;
	struct connector *connector = c->connector;

	connector->committing = false;
	if (rc) {
		if (connector->state == CONNECTOR_NEW)
			connector = NULL; /* it goes with its only change */
		change_failed(c, e);
	} else {
		connector = change_took_place(c);
	}
	if (connector)
		changes_go_on(ctl, connector);
}

static void change_commit(struct connector_change *c, const struct connector_states *to)
{
	struct store_txn *t = NULL;

	change_draft(c, to);
	if (c->asker.drafted)
		t = c->asker.drafted(c->asker.arg, &c->row,
				     c->v ? &c->version_row
					  : model_connector_current(c->connector));
	if (!t)
		t = store_begin(c->ctl->store);
	change_put(c, t);
	c->connector->committing = true;
	store_commit(t, change_stored, c);
}

/* Judges the first change, and the next one if that is refused, until one is on its way. */
static void changes_go_on(struct control *ctl, struct connector *connector)
{
	while (!connector->committing && !connector->waiting && !list_empty(&connector->changes)) {
		struct connector_change *c =
			list_first(&connector->changes, struct connector_change, in_connector);
		struct connector_states to;
		struct err e;

		if (change_find(c, &e)) {
			change_refuse(c, &e);
		} else if (connector_done_already(c->ops->event, connector)) {
			list_del(&c->in_connector);
			if (c->asker.done)
				c->asker.done(c->asker.arg, 0, NULL);
			change_free(c);
		} else if (connector_next(ctl, c->ops->event, connector, c->v, &to, &e) ||
			   (c->ops->guard && c->ops->guard(c, &e))) {
			change_refuse(c, &e);
		} else {
			change_commit(c, &to);
		}
	}
}

void connector_change_ask(struct connector_change *c)
{
	struct connector *connector = c->connector;

	if (connector->state == CONNECTOR_NEW)
		list_add(&c->ctl->connector_changes->fresh, &connector->in_control);
	list_add(&connector->changes, &c->in_connector);
	connector->waiting = false;
	changes_go_on(c->ctl, connector);
}
