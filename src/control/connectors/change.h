/* change.h - how a network connector changes: first the store, then memory, then the world.
 *
 * The changes of one connector take turns.  When its turn comes, a change is judged by the tables
 * of steps.h and by its guard, and its rows are drafted beside those in memory.  If the store
 * refuses them, a request ends with the store's error; an event is tried again after a pause. */
#ifndef CONTROL_CONNECTORS_CHANGE_H
#define CONTROL_CONNECTORS_CHANGE_H

#include "control/connectors/steps.h"
#include "control/model/done.h"

/* Called before the rows are written, with what they will say, so that the API can word its answer.
 * Where no version is made, @v is the one in effect; the list of versions is not there.  It may
 * return the transaction to use, which holds the client's token, or NULL. */
typedef struct store_txn *connectors_drafted(void *arg, const struct connector *connector,
					     const struct connector_version *v);

struct connectors_asker {
	connectors_drafted *drafted; /* may be NULL */
	change_done *done;
	void *arg;
};

/* Changes @tags as @by says. */
typedef void connectors_tags_edit(json_t *tags, const json_t *by);

struct connector_change;

struct connector_change_ops {
	enum connector_event event;
	bool happened; /* it is an event, not a request */
	bool removes;  /* the rows: of the version, or of all */
	/* All of these are optional.  First the NEW version is made that the change brings, or
	 * NULL; then the guard refuses what the tables cannot know. */
	struct connector_version *(*make)(const struct connector_change *c);
	int (*guard)(const struct connector_change *c, struct err *e);
	/* Fills in what the rows become, besides their states and times. */
	void (*draft)(struct connector_change *c);
	/* Acts on what is durable now. */
	void (*follow)(struct control *ctl, struct connector *connector, int64_t version);
};

struct connector_change {
	struct list in_connector;
	const struct connector_change_ops *ops;
	struct control *ctl;         /* borrowed */
	struct connector *connector; /* borrowed; owned while it is NEW */
	int64_t number;              /* of the version; 0: none, or a NEW one */
	json_t *params;              /* owned; of the request */
	connectors_tags_edit *edit;
	struct connectors_asker asker;
	/* Filled in when its turn comes. */
	struct connector_version *v; /* owned while it is NEW */
	struct connector row;        /* its tags, params and reason are owned */
	struct connector_version version_row;
};

void connector_changes_open(struct control *ctl);
void connector_changes_close(struct control *ctl);

/* The caller fills in what the change brings, then asks for it. */
struct connector_change *connector_change_new(struct control *ctl, struct connector *connector,
					      const struct connector_change_ops *ops);
void connector_change_ask(struct connector_change *c);

/* For a draft: StateReason with its code, and LastUpdateStatus with its own.  NULL: none. */
void connector_row_reason(struct connector_change *c, const char *reason, const char *code);
void connector_row_update(struct connector_change *c, const char *status, const char *reason,
			  const char *code);

/* Those that are on their way to the store: is one of this name, and how many? */
bool connector_changes_create(const struct control *ctl, const char *account, const char *name);
size_t connector_changes_count_new(const struct control *ctl, const char *account);

#endif
