/* microvm.c - RunMicrovm and what follows (service.md 3, 4). */

#include <string.h>

#include "control/api/credentials.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/handlers/managed.h"
#include "control/api/idempotency.h"
#include "control/api/key_use.h"
#include "control/api/page.h"
#include "control/api/resolve.h"
#include "control/microvm/lifecycle.h"
#include "control/model/quotas.h"
#include "control/model/sealing.h"

/* The version to run: ACTIVE, built, of an image that stays.  NULL: the call has failed. */
static struct image_version *vm_version(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier"), *number = call_text(c, "imageVersion");
	struct image *image = find_image(c->ctl, c->who->account, arn);
	struct image_version *v = NULL;

	if (image)
		v = number ? model_version(image, version_number(number))
			   : model_active_version(image);
	if (v && model_runs(v))
		return v;
	if (number)
		call_not_found(c, "No active version found for MicroVM image %s and version %s",
			       arn, number);
	else
		call_not_found(c, "No active version found for MicroVM image %s", arn);
	return NULL;
}

static bool vm_arn_ok(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier");

	if (!strncmp(arn, "arn:", 4))
		return true;
	call_invalid(c, "Malformed ARN - doesn't start with 'arn:'");
	return false;
}

static bool vm_logging_ok(struct call *c)
{
	if (!json_object_get(json_object_get(c->in, "logging"), "cloudWatch") ||
	    call_text(c, "executionRoleArn"))
		return true;
	call_invalid(c, "Logging cannot be enabled without providing executionRoleArn");
	return false;
}

static bool vm_duration_ok(struct call *c)
{
	int64_t most = c->ctl->conf->max_duration_s;

	if (call_number(c, "maximumDurationInSeconds", 1) <= most)
		return true;
	call_invalid(c, "maximumDurationInSeconds must be at most %lld on this server.",
		     (long long)most);
	return false;
}

static bool vm_quota_ok(struct call *c, const struct image_version *v)
{
	const struct account *a = account_of(c->ctl, c->who->account);

	if (a->running_mib + v->memory_mib <= quota_of(c->ctl->conf, a, QUOTA_MEMORY) &&
	    a->running < quota_of(c->ctl->conf, a, QUOTA_MICROVMS))
		return true;
	call_fail_as(c, 402, "ServiceQuotaExceededException",
		     "The base maximum allocated memory limit has been reached for this account.");
	return false;
}

static void vm_default_list(json_t *params, const char *name, json_t *value)
{
	if (json_array_size(json_object_get(params, name)))
		json_decref(value);
	else
		json_object_set_new(params, name, value);
}

/* What Get shows and what the hooks need: the request, its defaults resolved. */
static json_t *vm_params(struct call *c, const struct image_version *v)
{
	json_t *params = json_copy(c->in);
	json_t *egress = json_object_get(v->params, "egressNetworkConnectors");

	json_object_del(params, "clientToken");
	json_object_del(params, "imageIdentifier");
	json_object_del(params, "imageVersion");
	vm_default_list(params, "ingressNetworkConnectors",
			managed_connector(c->ctl, "HTTP_INGRESS"));
	vm_default_list(params, "egressNetworkConnectors",
			json_array_size(egress) ? json_deep_copy(egress)
						: managed_connector(c->ctl, "INTERNET_EGRESS"));
	if (!json_object_get(params, "maximumDurationInSeconds"))
		json_object_set_new(params, "maximumDurationInSeconds",
				    json_integer(c->ctl->conf->max_duration_s));
	return params;
}

/* The connectors that the image brings may have changed since it was made. */
static bool vm_brought_ok(struct call *c, const struct image_version *v)
{
	return json_array_size(json_object_get(c->in, "egressNetworkConnectors")) ||
	       managed_connectors_ok(c, json_object_get(v->params, "egressNetworkConnectors"),
				     EGRESS);
}

void vm_run(struct call *c)
{
	struct image_version *v;
	struct microvm *vm;
	struct kms_key *key;
	struct err e;

	if (!vm_arn_ok(c) || replay_begin(c, NULL))
		return;
	if (!managed_connectors_ok(c, json_object_get(c->in, "ingressNetworkConnectors"),
				   INGRESS) ||
	    !managed_connectors_ok(c, json_object_get(c->in, "egressNetworkConnectors"), EGRESS) ||
	    !vm_logging_ok(c) || !vm_duration_ok(c) || !key_use(c, &key) ||
	    !credentials_role_ok(c, "executionRoleArn"))
		return;
	v = vm_version(c);
	if (!v || !vm_brought_ok(c, v))
		return;
	if (call_text(c, "runHookPayload") && !v->hooks.each[HOOK_RUN].enabled) {
		call_invalid(c, "The run hook must be enabled in the MicroVM image to pass the run "
				"hook payload");
		return;
	}
	if (!vm_quota_ok(c, v))
		return;
	vm = model_microvm_new(c->ctl, v, vm_params(c, v));
	if (sealing_microvm(c->ctl, vm, key, &e)) {
		model_microvm_free(vm);
		call_fail(c, &e);
		return;
	}
	c->made = encode_microvm(c->ctl, vm);
	lifecycle_run(c->ctl, vm, replay_txn(c), call_done, c);
}

void vm_get(struct call *c)
{
	struct microvm *vm = call_microvm(c);

	if (vm)
		call_answer(c, encode_microvm(c->ctl, vm));
}

/* The images' own order serves those who ask for one image; a version is looked for in the page. */
void vm_list(struct call *c)
{
	const char *number = call_text(c, "imageVersion");
	const struct image *image = NULL;
	struct page page;

	if (call_text(c, "imageIdentifier")) {
		image = call_image(c, "imageIdentifier");
		if (!image)
			return;
	}
	if (!page_begin(&page, c))
		return;
	page_each(n, &page, image ? &c->ctl->microvms_of_image : &c->ctl->microvms_in_order,
		  image ? image->id : c->who->account)
	{
		const struct microvm *vm = image ? container_of(n, struct microvm, in_image_order)
						 : container_of(n, struct microvm, in_order);

		if (page_takes(&page, n->id, n->at) &&
		    (!number || vm->origin.number == version_number(number)))
			page_add(&page, encode_microvm_item(c->ctl, vm));
	}
	page_answer(&page);
}

void vm_suspend(struct call *c)
{
	struct microvm *vm = call_microvm(c);

	if (!vm)
		return;
	c->made = json_object();
	lifecycle_suspend(vm, call_done, c);
}

void vm_resume(struct call *c)
{
	struct microvm *vm = call_microvm(c);

	if (!vm)
		return;
	c->made = json_object();
	lifecycle_resume(vm, call_done, c);
}

void vm_terminate(struct call *c)
{
	struct microvm *vm = call_microvm(c);

	if (!vm)
		return;
	c->made = json_object();
	lifecycle_terminate(vm, "Success.", call_done, c);
}
