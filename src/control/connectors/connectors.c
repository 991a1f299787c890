/* connectors.c - what may be asked of a network connector, and what befalls it: the rules beyond
 * the tables of steps.c. */

#include "control/connectors/connectors.h"

#include <stdlib.h>
#include <string.h>

#include "control/connectors/provision.h"
#include "control/control.h"
#include "control/model/quotas.h"

/* Create. */

static struct connector_version *make_first(const struct connector_change *c)
{
	return model_connector_version_new(1, json_deep_copy(c->params));
}

static void draft_created(struct connector_change *c)
{
	c->row.latest = 1;
	c->row.created_ms = c->connector->created_ms = c->row.updated_ms;
	c->version_row.created_ms = c->v->created_ms = c->row.updated_ms;
}

static const struct connector_change_ops create_ops = {
	.event = CONNECTOR_EV_CREATE,
	.make = make_first,
	.draft = draft_created,
	.follow = provision_look_by_number,
};

void connectors_create(struct control *ctl, const char *account, const char *name, json_t *params,
		       json_t *tags, const struct connectors_asker *asker)
{
	struct connector *connector = model_connector_new(account, name);
	struct connector_change *c = connector_change_new(ctl, connector, &create_ops);

	connector->tags = tags ? tags : json_object();
	connector->params = json_object();
	c->params = params;
	c->asker = *asker;
	connector_change_ask(c);
}

bool connectors_name_taken(const struct control *ctl, const char *account, const char *name)
{
	return model_connector_by_name(ctl, account, name) ||
	       connector_changes_create(ctl, account, name);
}

size_t connectors_count(const struct control *ctl, const char *account)
{
	size_t n = connector_changes_count_new(ctl, account);

	for (struct order_node *each = order_last(&ctl->connectors_in_order, account); each;
	     each = order_prev(each))
		n++;
	return n;
}

/* Update. */

static struct connector_version *make_next(const struct connector_change *c)
{
	const struct connector_version *v = model_connector_current(c->connector);
	json_t *params = json_deep_copy(v->params);
	bool same;

	json_object_update(params, c->params);
	same = json_equal(params, v->params);
	json_object_del(params, "StateReason");
	json_object_del(params, "StateReasonCode");
	if (!same)
		return model_connector_version_new(c->connector->latest + 1, params);
	json_decref(params);
	return NULL;
}

static int guard_update(const struct connector_change *c, struct err *e)
{
	int64_t n = 0;

	list_each(v, &c->connector->versions, struct connector_version, in_connector)
	{
		if (v->state == CONNECTOR_PENDING)
			return err_set(e, ERR_CONFLICT,
				       "An update of the network connector %s is in progress.",
				       c->connector->id);
		n++;
	}
	if (!c->v || n < quota_in(c->ctl, c->connector->account, QUOTA_CONNECTOR_VERSIONS))
		return 0;
	return err_set(e, ERR_QUOTA,
		       "The maximum number of versions has been reached for this network "
		       "connector.");
}

static void draft_updated(struct connector_change *c)
{
	if (!c->v) {
		connector_row_update(c, "Successful", "No configuration changes detected", NULL);
		return;
	}
	c->row.latest = c->v->number;
	c->version_row.created_ms = c->v->created_ms = c->row.updated_ms;
	connector_row_update(c, "InProgress", NULL, NULL);
}

static const struct connector_change_ops update_ops = {
	.event = CONNECTOR_EV_UPDATE,
	.make = make_next,
	.guard = guard_update,
	.draft = draft_updated,
	.follow = provision_look_by_number,
};

void connectors_update(struct control *ctl, struct connector *connector, json_t *changes,
		       const struct connectors_asker *asker)
{
	struct connector_change *c = connector_change_new(ctl, connector, &update_ops);

	c->params = changes;
	c->asker = *asker;
	connector_change_ask(c);
}

/* Tags. */

static void draft_tags(struct connector_change *c)
{
	c->edit(c->row.tags, c->params);
	c->row.updated_ms = c->connector->updated_ms; /* of the configuration */
}

static const struct connector_change_ops tags_ops = {
	.event = CONNECTOR_EV_TAG,
	.draft = draft_tags,
};

void connectors_set_tags(struct control *ctl, struct connector *connector,
			 connectors_tags_edit *edit, const json_t *by,
			 const struct connectors_asker *asker)
{
	struct connector_change *c = connector_change_new(ctl, connector, &tags_ops);

	c->edit = edit;
	c->params = json_deep_copy(by);
	c->asker = *asker;
	connector_change_ask(c);
}

/* Deletion. */

/* An image's version that names this connector, or this version of it. */
static const struct image *used_by_image(const struct control *ctl,
					 const struct connector *connector,
					 const struct connector_version *of)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(iv, &image->versions, struct image_version, in_image)
		{
			const json_t *list = json_object_get(iv->params, "egressNetworkConnectors");
			const char *arn = json_string_value(json_array_get(list, 0));
			struct connector_version *v;

			if (arn &&
			    model_connector_of_arn(ctl, image->account, arn, &v) == connector &&
			    (!of || of == v))
				return image;
		}
	}
	return NULL;
}

static int guard_delete(const struct connector_change *c, struct err *e)
{
	const struct image *image = used_by_image(c->ctl, c->connector, c->v);

	if (c->v ? c->v->n_microvms : c->connector->n_microvms)
		return err_set(e, ERR_CONFLICT,
			       "The network connector %s is used by MicroVMs that are not "
			       "TERMINATED.",
			       c->connector->id);
	if (image)
		return err_set(e, ERR_CONFLICT,
			       "The network connector %s is used by the MicroVM image %s.",
			       c->connector->id, image->name);
	if (!c->v ||
	    (c->v->number != c->connector->latest && c->v != model_connector_current(c->connector)))
		return 0;
	return err_set(e, ERR_INVALID,
		       "The latest version of a network connector cannot be deleted alone: "
		       "delete the connector %s.",
		       c->connector->id);
}

static void draft_delete(struct connector_change *c)
{
	c->connector->leaving = true;
}

static const struct connector_change_ops removed_ops = {
	.event = CONNECTOR_EV_REMOVED,
	.happened = true,
	.removes = true,
};

/* The networks behind it are the host's, so nothing has to be taken down first. */
static void follow_delete(struct control *ctl, struct connector *connector, int64_t version)
{
	(void)version;
	connector_change_ask(connector_change_new(ctl, connector, &removed_ops));
}

static const struct connector_change_ops delete_ops = {
	.event = CONNECTOR_EV_DELETE,
	.guard = guard_delete,
	.draft = draft_delete,
	.follow = follow_delete,
};
static const struct connector_change_ops delete_version_ops = {
	.event = CONNECTOR_EV_DELETE_VERSION,
	.removes = true,
	.guard = guard_delete,
};

void connectors_delete(struct control *ctl, struct connector *connector, int64_t version,
		       const struct connectors_asker *asker)
{
	struct connector_change *c =
		connector_change_new(ctl, connector, version ? &delete_version_ops : &delete_ops);

	c->number = version;
	c->asker = *asker;
	connector_change_ask(c);
}

/* Use. */

int connectors_use(const struct control *ctl, const struct connector *connector,
		   const struct connector_version *v, struct err *e)
{
	struct connector_states to;

	if (connector->leaving && connector->state != CONNECTOR_DELETING)
		return err_set(e, ERR_CONFLICT, "The network connector %s is being deleted.",
			       connector->id);
	return connector_next(ctl, CONNECTOR_EV_USE, connector, v, &to, e);
}

void connectors_open(struct control *ctl)
{
	connector_changes_open(ctl);
	list_each(connector, &ctl->connectors, struct connector, in_control)
	{
		if (connector->state == CONNECTOR_DELETING) {
			follow_delete(ctl, connector, 0);
			continue;
		}
		list_each(v, &connector->versions, struct connector_version, in_connector)
		{
			provision_look(ctl, connector, v);
		}
	}
}

void connectors_close(struct control *ctl)
{
	connector_changes_close(ctl);
}
