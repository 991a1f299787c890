/* sealing.h - what a key has to do with versions and microVMs: their secret members are sealed
 * (kms/members.h), and none of them starts while its key cannot be used. */
#ifndef CONTROL_MODEL_SEALING_H
#define CONTROL_MODEL_SEALING_H

#include "control/kms/members.h"
#include "control/model/model.h"

/* Seals the parameters of a version that is to have this number, and holds its key, of which
 * ERR_INVALID says why it cannot be used. */
int sealing_version(struct control *ctl, struct image_version *v, int64_t number,
		    struct kms_key *key, struct err *e) must_check;
int sealing_microvm(struct control *ctl, struct microvm *vm, struct kms_key *key,
		    struct err *e) must_check;
/* A row that comes from the store: holds the key that it names. */
void sealing_load_version(struct control *ctl, struct image_version *v);
/* Parameters with what is secret; the caller's.  NULL: it cannot be opened. */
json_t *sealing_version_params(const struct control *ctl, const struct image_version *v,
			       struct err *e);
json_t *sealing_microvm_params(const struct microvm *vm, struct err *e);
/* May it run here, and may its keys be used? */
int sealing_allows(const struct microvm *vm, struct err *e) must_check;
/* Says in the log which rows need a key that is lost. */
void sealing_report(struct control *ctl);

#endif
