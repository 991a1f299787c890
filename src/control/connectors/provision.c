/* provision.c - what becomes of a version once its networks are looked for. */

#include "control/connectors/provision.h"

#include "control/connectors/networks.h"
#include "control/control.h"

static void version_reason(struct connector_change *c, const char *reason, const char *code)
{
	json_t *params = c->version_row.params;

	json_object_del(params, "StateReason");
	json_object_del(params, "StateReasonCode");
	if (reason)
		json_object_set_new(params, "StateReason", json_string(reason));
	if (code)
		json_object_set_new(params, "StateReasonCode", json_string(code));
}

/* Its networks are looked for. */

static int version_judge(const struct control *ctl, const struct connector_version *v,
			 const char **code, struct err *e)
{
	return networks_named(ctl->conf, json_object_get(v->params, "Configuration"), code, e);
}

static void draft_ready(struct connector_change *c)
{
	version_reason(c, NULL, NULL);
	if (c->connector->state == CONNECTOR_PENDING)
		connector_row_reason(c, "Initial creation", NULL);
	else
		connector_row_update(c, "Successful", NULL, NULL);
}

static void draft_unfit(struct connector_change *c)
{
	const char *code;
	struct err e;

	if (!version_judge(c->ctl, c->v, &code, &e))
		return;
	version_reason(c, e.text, code);
	if (c->connector->state == CONNECTOR_PENDING)
		connector_row_reason(c, e.text, code);
	else
		connector_row_update(c, "Failed", e.text, code);
}

static void draft_lost(struct connector_change *c)
{
	const char *code;
	struct err e;

	if (!version_judge(c->ctl, c->v, &code, &e))
		return;
	version_reason(c, e.text, code);
	if (c->row.state == CONNECTOR_INACTIVE)
		connector_row_reason(c, e.text, code);
}

static void draft_found(struct connector_change *c)
{
	version_reason(c, NULL, NULL);
	if (c->row.state == CONNECTOR_ACTIVE)
		connector_row_reason(c, NULL, NULL);
}

static const struct connector_change_ops ready_ops = {
	.event = CONNECTOR_EV_READY,
	.happened = true,
	.draft = draft_ready,
};
static const struct connector_change_ops unfit_ops = {
	.event = CONNECTOR_EV_UNFIT,
	.happened = true,
	.draft = draft_unfit,
};
static const struct connector_change_ops lost_ops = {
	.event = CONNECTOR_EV_LOST,
	.happened = true,
	.draft = draft_lost,
};
static const struct connector_change_ops found_ops = {
	.event = CONNECTOR_EV_FOUND,
	.happened = true,
	.draft = draft_found,
};

/* What a look at the configuration makes of a version in this state. */
static const struct {
	const struct connector_change_ops *named, *missing;
} version_looks[CONNECTOR_NUM_STATES] = {
	[CONNECTOR_PENDING] = { &ready_ops, &unfit_ops },
	[CONNECTOR_ACTIVE] = { NULL, &lost_ops },
	[CONNECTOR_INACTIVE] = { &found_ops, NULL },
};

void provision_look(struct control *ctl, struct connector *connector,
		    const struct connector_version *v)
{
	const char *code;
	struct err e;
	const struct connector_change_ops *ops = version_judge(ctl, v, &code, &e)
							 ? version_looks[v->state].missing
							 : version_looks[v->state].named;
	struct connector_change *c;

	if (!ops)
		return;
	c = connector_change_new(ctl, connector, ops);
	c->number = v->number;
	connector_change_ask(c);
}

void provision_look_by_number(struct control *ctl, struct connector *connector, int64_t version)
{
	const struct connector_version *v = model_connector_version(connector, version);

	if (v)
		provision_look(ctl, connector, v);
}
