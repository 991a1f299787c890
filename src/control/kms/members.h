/* members.h - the secret members of a row's parameters, sealed in their place.
 *
 * Parameters that name a key hold its id, and in the place of all secret members one sealed value.
 * They stay so in memory; whoever needs a value opens a copy for that moment. */
#ifndef CONTROL_KMS_MEMBERS_H
#define CONTROL_KMS_MEMBERS_H

#include <jansson.h>

#include "control/kms/kms.h"

/* With @key NULL nothing is sealed. */
int members_seal(const struct control *ctl, const struct kms_key *key,
		 const struct sealed_place *at, json_t *params, struct err *e) must_check;
/* Puts the secret members back, if they are sealed. */
int members_open(const struct control *ctl, const struct sealed_place *at, json_t *params,
		 struct err *e) must_check;
/* A copy without what is secret. */
json_t *members_without(const json_t *params);
/* What only rows have goes. */
void members_tidy(json_t *params);
/* The key of these parameters; NULL: none. */
struct kms_key *members_key(struct control *ctl, const json_t *params);
/* Asks for it, before they are sealed.  NULL: none. */
void members_ask(json_t *params, const struct kms_key *key);

#endif
