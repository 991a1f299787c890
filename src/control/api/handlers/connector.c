/* connector.c - network connectors of accounts (service.md 15.2): the service's rules beyond the
 * table, one at a time. */

#include <string.h>

#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/idempotency.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/connectors/connectors.h"
#include "control/model/quotas.h"

#define PAGE_OF_CONNECTORS 50 /* whatever MaxItems says */

/* What the model leaves optional and the service does not. */
static bool configuration_ok(struct call *c, const json_t *configuration)
{
	static const char *const needed[] = { "SubnetIds", "NetworkProtocol",
					      "AssociatedComputeResourceTypes" };
	const json_t *vpc = json_object_get(configuration, "VpcEgressConfiguration");

	for (size_t i = 0; vpc && i < ARRAY_SIZE(needed); i++) {
		if (json_object_get(vpc, needed[i]))
			continue;
		call_invalid(c, "%s cannot be null or empty", needed[i]);
		return false;
	}
	return true;
}

/* Returns the members that a version keeps. */
static json_t *connector_params(const struct call *c)
{
	static const char *const kept[] = { "Configuration", "OperatorRole" };
	json_t *params = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		json_t *value = json_object_get(c->in, kept[i]);

		if (value)
			json_object_set(params, kept[i], value);
	}
	return params;
}

static bool connector_alive(struct control *ctl, const json_t *answer)
{
	const char *id = json_string_value(json_object_get(answer, "Id"));

	return id && model_connector_by_id(ctl, id);
}

static bool create_ok(struct call *c)
{
	if (!call_text(c, "ClientToken")) {
		call_invalid(c, "ClientToken is a required field");
		return false;
	}
	if (strchr(call_text(c, "Name"), ':')) {
		call_invalid(c, "The name of a network connector cannot be an ARN: %s",
			     call_text(c, "Name"));
		return false;
	}
	if (!configuration_ok(c, json_object_get(c->in, "Configuration")))
		return false;
	if (call_text(c, "OperatorRole"))
		return true;
	call_invalid(c, "NetworkConnectorOperatorRole is required for VPC_EGRESS connector type");
	return false;
}

static bool create_allowed(struct call *c)
{
	const char *account = c->who->account, *name = call_text(c, "Name");
	struct err e;

	if (connectors_name_taken(c->ctl, account, name))
		err_set(&e, ERR_CONFLICT,
			"A network connector with the name '%s' already exists in this account",
			name);
	else if ((int64_t)connectors_count(c->ctl, account) >=
		 quota_in(c->ctl, account, QUOTA_CONNECTORS))
		err_set(&e, ERR_QUOTA,
			"The maximum number of network connectors has been reached for this "
			"account.");
	else
		return true;
	call_fail(c, &e);
	return false;
}

static struct store_txn *connector_created(void *arg, const struct connector *connector,
					   const struct connector_version *v)
{
	struct call *c = arg;

	c->made = encode_connector_made(c->ctl, connector, v);
	return replay_txn(c);
}

void connector_create(struct call *c)
{
	const json_t *tags = json_object_get(c->in, "Tags");

	if (!create_ok(c) || replay_begin(c, connector_alive) || !create_allowed(c))
		return;
	connectors_create(c->ctl, c->who->account, call_text(c, "Name"), connector_params(c),
			  tags ? json_deep_copy(tags) : NULL,
			  &(struct connectors_asker){ connector_created, call_done, c });
}

void connector_get(struct call *c)
{
	struct connector_version *v;
	const struct connector *connector = call_connector(c, "Identifier", &v);

	if (connector)
		call_answer(c, encode_connector(c->ctl, connector, v));
}

/* The page comes before the filter, as in all lists. */
static bool state_wanted(const struct call *c, enum connector_state state)
{
	const char *wanted = call_text(c, "State");

	return !wanted || !strcmp(wanted, connector_state_name[state]);
}

void connector_list(struct call *c)
{
	struct page page;

	if (!page_begin(&page, c))
		return;
	page.name = "NetworkConnectors";
	page.max = page.max < PAGE_OF_CONNECTORS ? page.max : PAGE_OF_CONNECTORS;
	page_each(n, &page, &c->ctl->connectors_in_order, c->who->account)
	{
		const struct connector *connector = container_of(n, struct connector, in_order);

		if (page_takes(&page, n->id, n->at) && state_wanted(c, connector->state))
			page_add(&page, encode_connector_item(c->ctl, connector));
	}
	page_answer(&page);
}

void connector_list_versions(struct call *c)
{
	struct connector_version *of;
	const struct connector *connector = call_connector(c, "Identifier", &of);
	struct page page;

	if (!connector)
		return;
	if (of) {
		call_invalid(c, "Identifier must not be qualified with a version: %s",
			     call_text(c, "Identifier"));
		return;
	}
	if (!page_begin(&page, c))
		return;
	page.name = "NetworkConnectorVersions";
	list_each_back(v, &connector->versions, struct connector_version, in_connector)
	{
		if (page_takes(&page, "version", v->number) && state_wanted(c, v->state))
			page_add(&page, encode_connector_version(c->ctl, connector, v));
	}
	page_answer(&page);
}

static struct store_txn *connector_updated(void *arg, const struct connector *connector,
					   const struct connector_version *v)
{
	static const char *const more[] = { "LastUpdateStatus", "LastUpdateStatusReason" };
	struct call *c = arg;

	c->made = encode_connector_made(c->ctl, connector, v);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		json_t *value = json_object_get(connector->params, more[i]);

		if (value)
			json_object_set(c->made, more[i], value);
	}
	json_object_set_new(c->made, "LastModified", encode_iso_time(connector->updated_ms));
	return replay_txn(c);
}

void connector_update(struct call *c)
{
	struct connector_version *v;
	struct connector *connector;

	if (!configuration_ok(c, json_object_get(c->in, "Configuration")) ||
	    replay_begin(c, connector_alive))
		return;
	connector = call_connector(c, "Identifier", &v);
	if (!connector)
		return;
	if (v) {
		call_invalid(c, "A version of a network connector cannot be updated: %s",
			     call_text(c, "Identifier"));
		return;
	}
	connectors_update(c->ctl, connector, connector_params(c),
			  &(struct connectors_asker){ connector_updated, call_done, c });
}

void connector_delete(struct call *c)
{
	struct connector_version *v;
	struct connector *connector = call_connector(c, "Identifier", &v);

	if (!connector)
		return;
	c->made = encode_connector_made(c->ctl, connector,
					v ? v : model_connector_current(connector));
	json_object_set_new(c->made, "State",
			    json_string(connector_state_name[CONNECTOR_DELETING]));
	connectors_delete(c->ctl, connector, v ? v->number : 0,
			  &(struct connectors_asker){ NULL, call_done, c });
}
