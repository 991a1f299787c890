/* connector.h - network connectors of accounts and their versions, as memory holds them.
 *
 * The states are the API's, except the first: a row is NEW until the store has it, and nobody sees
 * it before.  connectors/steps.c says which state follows which. */
#ifndef CONTROL_MODEL_CONNECTOR_H
#define CONTROL_MODEL_CONNECTOR_H

#include <jansson.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/order.h"
#include "base/rand.h"
#include "control/model/model.h"

enum connector_state {
	CONNECTOR_NEW,
	CONNECTOR_PENDING,  /* its networks are looked for */
	CONNECTOR_ACTIVE,   /* the only one in which microVMs and images may take it */
	CONNECTOR_INACTIVE, /* a network of it is not configured any more */
	CONNECTOR_FAILED,
	CONNECTOR_DELETING,
	CONNECTOR_NUM_STATES,
};
extern const char *const connector_state_name[CONNECTOR_NUM_STATES];

#define CONNECTOR_ID_SIZE (3 + UUID_SIZE) /* "nc-<uuid>" */

struct connector_version {
	struct list in_connector;
	int64_t number;
	enum connector_state state;
	int64_t created_ms;
	/* Configuration, OperatorRole; StateReason and StateReasonCode if there are any. */
	json_t *params;
	unsigned n_microvms; /* that name this version and are not TERMINATED */
};

struct connector {
	struct list in_control;
	struct hash_node by_id, by_name;
	struct order_node in_order;
	char id[CONNECTOR_ID_SIZE];
	char account[ACCOUNT_SIZE];
	char *name, *name_key; /* the latter is the account's too */
	enum connector_state state;
	char *reason;
	int64_t created_ms, updated_ms;
	int64_t latest; /* the number of the newest version */
	json_t *tags;
	json_t *params;       /* what else Get shows: StateReasonCode, LastUpdateStatus... */
	struct list versions; /* in order of their number */
	unsigned n_microvms;  /* that name it and are not TERMINATED */
	/* connectors/change.c */
	struct list changes;
	bool committing, waiting;
	bool leaving; /* its deletion is on its way to the store */
};

struct connector *model_connector_new(const char *account, const char *name);
void model_add_connector(struct control *ctl, struct connector *connector);
void model_connector_free(struct control *ctl, struct connector *connector); /* and its versions */
/* @params is taken over.  It belongs to nobody until it is added. */
struct connector_version *model_connector_version_new(int64_t number, json_t *params);
void model_add_connector_version(struct connector *connector, struct connector_version *v);
void model_connector_version_free(struct connector_version *v);

/* NULL if there is none. */
struct connector *model_connector_by_id(const struct control *ctl, const char *id);
struct connector *model_connector_by_name(const struct control *ctl, const char *account,
					  const char *name);
struct connector_version *model_connector_version(const struct connector *connector,
						  int64_t number);
/* The version in effect: the newest that was made, or the newest of all. */
struct connector_version *model_connector_current(const struct connector *connector);
/* What an ARN of this account and region names, with its version or that in effect. */
struct connector *model_connector_of_arn(const struct control *ctl, const char *account,
					 const char *arn, struct connector_version **v);
char *model_connector_arn(const struct control *ctl, const struct connector *connector); /* owned */

void model_put_connector(struct store_txn *t, const struct connector *connector);
void model_put_connector_version(struct store_txn *t, const struct connector *connector,
				 const struct connector_version *v);

/* The connectors that this microVM names count it, or do so no longer. */
void model_connectors_hold(const struct microvm *vm, int n);

#endif
