#include "control/model/connector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/control.h"

const char *const connector_state_name[CONNECTOR_NUM_STATES] = {
	[CONNECTOR_NEW] = "NEW",       [CONNECTOR_PENDING] = "PENDING",
	[CONNECTOR_ACTIVE] = "ACTIVE", [CONNECTOR_INACTIVE] = "INACTIVE",
	[CONNECTOR_FAILED] = "FAILED", [CONNECTOR_DELETING] = "DELETING",
};

struct connector *model_connector_new(const char *account, const char *name)
{
	struct connector *connector = xcalloc(1, sizeof(*connector));
	char uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(connector->id, sizeof(connector->id), "nc-%s", uuid);
	snprintf(connector->account, sizeof(connector->account), "%s", account);
	connector->name = xstrdup(name);
	connector->name_key = xasprintf("%s %s", account, name);
	connector->created_ms = connector->updated_ms = clock_wall_ms();
	list_init(&connector->in_control);
	list_init(&connector->versions);
	list_init(&connector->changes);
	return connector;
}

void model_add_connector(struct control *ctl, struct connector *connector)
{
	list_add(&ctl->connectors, &connector->in_control);
	order_add(&ctl->connectors_in_order, &connector->in_order, connector->account,
		  connector->created_ms, connector->id);
	hash_add(&ctl->connectors_by_id, &connector->by_id, connector->id, strlen(connector->id));
	hash_add(&ctl->connectors_by_name, &connector->by_name, connector->name_key,
		 strlen(connector->name_key));
}

void model_connector_free(struct control *ctl, struct connector *connector)
{
	list_each(v, &connector->versions, struct connector_version, in_connector)
	{
		model_connector_version_free(v);
	}
	list_del(&connector->in_control);
	order_del(&ctl->connectors_in_order, &connector->in_order);
	hash_del(&ctl->connectors_by_id, &connector->by_id);
	hash_del(&ctl->connectors_by_name, &connector->by_name);
	json_decref(connector->tags);
	json_decref(connector->params);
	free(connector->name);
	free(connector->name_key);
	free(connector->reason);
	free(connector);
}

struct connector_version *model_connector_version_new(int64_t number, json_t *params)
{
	struct connector_version *v = xcalloc(1, sizeof(*v));

	v->number = number;
	v->params = params;
	v->created_ms = clock_wall_ms();
	list_init(&v->in_connector);
	return v;
}

void model_add_connector_version(struct connector *connector, struct connector_version *v)
{
	list_add(&connector->versions, &v->in_connector);
}

void model_connector_version_free(struct connector_version *v)
{
	list_del(&v->in_connector);
	json_decref(v->params);
	free(v);
}

struct connector *model_connector_by_id(const struct control *ctl, const char *id)
{
	return hash_find(&ctl->connectors_by_id, id, strlen(id), struct connector, by_id);
}

struct connector *model_connector_by_name(const struct control *ctl, const char *account,
					  const char *name)
{
	autofree char *key = xasprintf("%s %s", account, name);

	return hash_find(&ctl->connectors_by_name, key, strlen(key), struct connector, by_name);
}

struct connector_version *model_connector_version(const struct connector *connector, int64_t number)
{
	list_each(v, &connector->versions, struct connector_version, in_connector)
	{
		if (v->number == number)
			return v;
	}
	return NULL;
}

struct connector_version *model_connector_current(const struct connector *connector)
{
	struct connector_version *current = NULL, *newest = NULL;

	list_each(v, &connector->versions, struct connector_version, in_connector)
	{
		newest = v;
		if (v->state == CONNECTOR_ACTIVE || v->state == CONNECTOR_INACTIVE)
			current = v;
	}
	return current ? current : newest;
}

char *model_connector_arn(const struct control *ctl, const struct connector *connector)
{
	return xasprintf("arn:aws:lambda:%s:%s:network-connector:%s", ctl->conf->region,
			 connector->account, connector->id);
}

/* In its one form, without zeros in front and with nothing behind it. */
static struct connector_version *connector_version_of(struct connector *connector, const char *text)
{
	size_t n = strspn(text, "0123456789");

	if (!n || n > 18 || text[n] || *text == '0')
		return NULL;
	return model_connector_version(connector, atoll(text));
}

struct connector *model_connector_of_arn(const struct control *ctl, const char *account,
					 const char *arn, struct connector_version **v)
{
	autofree char *prefix =
		xasprintf("arn:aws:lambda:%s:%s:network-connector:", ctl->conf->region, account);
	size_t size = strlen(prefix), word;
	autofree char *id = NULL;
	struct connector *connector;

	*v = NULL;
	if (strncmp(arn, prefix, size) != 0)
		return NULL;
	word = strcspn(arn + size, ":");
	id = xasprintf("%.*s", (int)word, arn + size);
	connector = model_connector_by_id(ctl, id);
	if (!connector || strcmp(connector->account, account) != 0)
		return NULL;
	*v = arn[size + word] ? connector_version_of(connector, arn + size + word + 1)
			      : model_connector_current(connector);
	return *v ? connector : NULL;
}

void model_put_connector(struct store_txn *t, const struct connector *connector)
{
	autofree char *tags = json_dumps(connector->tags, JSON_COMPACT);
	autofree char *params = json_dumps(connector->params, JSON_COMPACT);

	store_put_connector(t, &(struct store_connector){
				       .id = connector->id,
				       .account = connector->account,
				       .name = connector->name,
				       .state = connector_state_name[connector->state],
				       .reason = connector->reason,
				       .version = connector->latest,
				       .created_ms = connector->created_ms,
				       .updated_ms = connector->updated_ms,
				       .tags = tags,
				       .params = params,
			       });
}

void model_put_connector_version(struct store_txn *t, const struct connector *connector,
				 const struct connector_version *v)
{
	autofree char *params = json_dumps(v->params, JSON_COMPACT);

	store_put_connector_version(t, &(struct store_connector_version){
					       .connector = connector->id,
					       .version = v->number,
					       .state = connector_state_name[v->state],
					       .created_ms = v->created_ms,
					       .params = params,
				       });
}

void model_connectors_hold(const struct microvm *vm, int n)
{
	json_auto_t *params = NULL;
	const json_t *item;
	size_t i;

	if (!vm->params || !strstr(vm->params, ":network-connector:nc-"))
		return; /* most name managed ones alone */
	params = model_params(vm);
	json_array_foreach(json_object_get(params, "egressNetworkConnectors"), i, item)
	{
		const char *arn = json_string_value(item);
		struct connector_version *v;
		struct connector *connector =
			arn ? model_connector_of_arn(vm->ctl, vm->account, arn, &v) : NULL;

		if (!connector)
			continue;
		connector->n_microvms += (unsigned)n;
		/* Another version may be in effect when this is taken back. */
		if (strncmp(strrchr(arn, ':'), ":nc-", 4) != 0)
			v->n_microvms += (unsigned)n;
	}
}
