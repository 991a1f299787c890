/* encode_connector.c - network connectors as Lambda Core shows them (service.md 15.2). */

#include <stdio.h>
#include <time.h>

#include "control/api/encode.h"

json_t *encode_iso_time(int64_t ms)
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;
	char text[40] = "", whole[56];

	if (!gmtime_r(&at, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_string("1970-01-01T00:00:00.000Z");
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(ms % 1000));
	return json_string(whole);
}

static void put(json_t *to, const char *name, json_t *value)
{
	json_object_set_new(to, name, value);
}

static void put_known(json_t *to, const char *name, const json_t *from)
{
	json_t *value = json_object_get(from, name);

	if (value)
		put(to, name, json_deep_copy(value));
}

static json_t *encode_begin(const struct control *ctl, const struct connector *connector)
{
	autofree char *arn = model_connector_arn(ctl, connector);

	return json_pack("{s:s,s:s,s:s}", "Arn", arn, "Name", connector->name, "Id", connector->id);
}

static void put_version(json_t *to, const struct control *ctl, const struct connector *connector,
			const char *number_name, const char *arn_name, int64_t number)
{
	autofree char *arn = model_connector_arn(ctl, connector);
	autofree char *qualified = xasprintf("%s:%lld", arn, (long long)number);

	put(to, number_name, json_integer(number));
	put(to, arn_name, json_string(qualified));
}

static void put_configuration(json_t *to, const struct connector_version *v)
{
	put_known(to, "Configuration", v->params);
	put_known(to, "OperatorRole", v->params);
}

json_t *encode_connector_made(const struct control *ctl, const struct connector *connector,
			      const struct connector_version *v)
{
	json_t *o = encode_begin(ctl, connector);

	put_version(o, ctl, connector, "Version", "VersionArn", v->number);
	put_configuration(o, v);
	put(o, "State", json_string(connector_state_name[connector->state]));
	return o;
}

json_t *encode_connector(const struct control *ctl, const struct connector *connector,
			 const struct connector_version *v)
{
	static const char *const more[] = { "StateReasonCode", "LastUpdateStatus",
					    "LastUpdateStatusReason",
					    "LastUpdateStatusReasonCode" };
	const struct connector_version *current = v ? v : model_connector_current(connector);
	json_t *o = encode_begin(ctl, connector);

	put_configuration(o, current);
	if (v) {
		put_version(o, ctl, connector, "Version", "VersionArn", v->number);
		put(o, "State", json_string(connector_state_name[v->state]));
		put_known(o, "StateReason", v->params);
		put_known(o, "StateReasonCode", v->params);
		put(o, "LastModified", encode_iso_time(v->created_ms));
		return o;
	}
	put(o, "Version", json_integer(current->number));
	put_version(o, ctl, connector, "LatestVersion", "LatestVersionArn", current->number);
	put(o, "State", json_string(connector_state_name[connector->state]));
	if (connector->reason)
		put(o, "StateReason", json_string(connector->reason));
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		put_known(o, more[i], connector->params);
	put(o, "LastModified", encode_iso_time(connector->updated_ms));
	return o;
}

json_t *encode_connector_item(const struct control *ctl, const struct connector *connector)
{
	json_t *o = encode_begin(ctl, connector);

	put(o, "Type", json_string("VPC_EGRESS"));
	put(o, "State", json_string(connector_state_name[connector->state]));
	put(o, "LastModified", encode_iso_time(connector->updated_ms));
	put_version(o, ctl, connector, "LatestVersion", "LatestVersionArn", connector->latest);
	return o;
}

json_t *encode_connector_version(const struct control *ctl, const struct connector *connector,
				 const struct connector_version *v)
{
	json_t *o = encode_begin(ctl, connector);

	put_version(o, ctl, connector, "Version", "VersionArn", v->number);
	put(o, "State", json_string(connector_state_name[v->state]));
	put_known(o, "StateReason", v->params);
	put_known(o, "StateReasonCode", v->params);
	put(o, "LastModified", encode_iso_time(v->created_ms));
	return o;
}
