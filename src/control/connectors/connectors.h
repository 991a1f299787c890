/* connectors.h - network connectors: made, changed and removed as somebody asks (service.md 15.2).
 *
 * A connector names subnets and security groups, and each must stand in the configuration.  What is
 * asked for goes first to the store, then into memory, then it is acted on; a new version is judged
 * after that, so it is PENDING at first.  The changes of one connector take turns. */
#ifndef CONTROL_CONNECTORS_CONNECTORS_H
#define CONTROL_CONNECTORS_CONNECTORS_H

#include "control/connectors/change.h"

/* Its first version is of @params (Configuration, OperatorRole); they and @tags (NULL: none) are
 * taken over. */
void connectors_create(struct control *ctl, const char *account, const char *name, json_t *params,
		       json_t *tags, const struct connectors_asker *asker);
/* The members that @changes has (taken over) replace those of the newest version.  Where nothing
 * differs, no version is made. */
void connectors_update(struct control *ctl, struct connector *connector, json_t *changes,
		       const struct connectors_asker *asker);
/* One version of it, or all of it (0).  Refused where a microVM or an image uses it. */
void connectors_delete(struct control *ctl, struct connector *connector, int64_t version,
		       const struct connectors_asker *asker);
/* @edit changes the tags as they are when its turn comes. */
void connectors_set_tags(struct control *ctl, struct connector *connector,
			 connectors_tags_edit *edit, const json_t *by,
			 const struct connectors_asker *asker);

bool connectors_name_taken(const struct control *ctl, const char *account, const char *name);
size_t connectors_count(const struct control *ctl, const char *account);

/* May a microVM or an image take it?  ERR_CONFLICT names its state; it changes nothing. */
int connectors_use(const struct control *ctl, const struct connector *connector,
		   const struct connector_version *v, struct err *e) must_check;

/* After model_load: what was under way goes on, and networks that came or went are noticed. */
void connectors_open(struct control *ctl);
void connectors_close(struct control *ctl); /* after store_close */

#endif
