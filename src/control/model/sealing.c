#include "control/model/sealing.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/control.h"

/* A version's row has two keys; the text is the caller's. */
static char *sealing_id(const struct image_version *v, int64_t number)
{
	return xasprintf("%s/%lld", v->image->id, (long long)number);
}

static void sealing_hold_version(struct image_version *v, struct kms_key *key)
{
	kms_hold(v->kms, -1);
	kms_hold(key, 1);
	v->kms = key;
}

int sealing_version(struct control *ctl, struct image_version *v, int64_t number,
		    struct kms_key *key, struct err *e)
{
	autofree char *id = sealing_id(v, number);
	const struct sealed_place at = { v->image->account, "version", id, "params" };

	if (members_seal(ctl, key, &at, v->params, e))
		return -1;
	sealing_hold_version(v, key);
	return 0;
}

void sealing_load_version(struct control *ctl, struct image_version *v)
{
	sealing_hold_version(v, members_key(ctl, v->params));
}

int sealing_microvm(struct control *ctl, struct microvm *vm, struct kms_key *key, struct err *e)
{
	const struct sealed_place at = { vm->account, "microvm", vm->id, "params" };
	json_auto_t *params = key ? model_params(vm) : NULL;

	if (!key)
		return 0;
	if (members_seal(ctl, key, &at, params, e))
		return -1;
	OPENSSL_cleanse(vm->params, strlen(vm->params));
	free(vm->params);
	vm->params = json_dumps(params, JSON_COMPACT);
	vm->kms = key;
	return 0;
}

json_t *sealing_version_params(const struct control *ctl, const struct image_version *v,
			       struct err *e)
{
	autofree char *id = sealing_id(v, v->number);
	const struct sealed_place at = { v->image->account, "version", id, "params" };
	json_t *params = v->params ? json_copy(v->params) : json_object();

	if (!members_open(ctl, &at, params, e))
		return params;
	json_decref(params);
	return NULL;
}

json_t *sealing_microvm_params(const struct microvm *vm, struct err *e)
{
	const struct sealed_place at = { vm->account, "microvm", vm->id, "params" };
	json_t *params = model_params(vm);

	if (!params)
		params = json_object();
	if (!members_open(vm->ctl, &at, params, e))
		return params;
	json_decref(params);
	return NULL;
}

int sealing_allows(const struct microvm *vm, struct err *e)
{
	return kms_usable(vm->ctl, vm->kms, e) || kms_usable(vm->ctl, vm->version->kms, e) ||
			       model_runs_here(vm->ctl, vm->version, e)
		       ? -1
		       : 0;
}

/* A key that was disabled is as somebody wanted it. */
static bool sealing_is_lost(struct control *ctl, const struct kms_key *key, struct err *e)
{
	return key && (key->enabled || !key->alias) && kms_usable(ctl, key, e);
}

void sealing_report(struct control *ctl)
{
	struct err e;

	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			if (sealing_is_lost(ctl, v->kms, &e))
				log_err("an image version needs a key that cannot be used, and is "
					"kept as it is image=%s version=%lld error=\"%s\"",
					image->name, (long long)v->number, e.text);
		}
	}
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state != VM_TERMINATED && sealing_is_lost(ctl, vm->kms, &e))
			log_err("a microVM needs a key that cannot be used, and is kept as it is "
				"id=%s error=\"%s\"",
				vm->id, e.text);
	}
}
