#include "control/pool/key_files.h"

#include "control/kms/files.h"
#include "control/model/model.h"

/* What runs must be saved, and writes files for that. */
static bool key_files_needed(const struct control *ctl, const struct kms_key *key)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->version && vm->version->kms == key && vm->state != VM_TERMINATED &&
		    (vm->state != VM_SUSPENDED || vm->machine))
			return true;
	}
	return false;
}

void key_files_settle(struct control *ctl)
{
	hash_each(key, &ctl->kms->by_id, struct kms_key, by_id)
	{
		if (key->in_kernel && !(key->alias && key->enabled) && !key_files_needed(ctl, key))
			kms_files_remove(ctl, key);
	}
}
