#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/control.h"
#include "control/kms/kms.h"
#include "control/model/log_stream.h"
#include "control/model/model.h"

const char *const hook_name[NUM_HOOKS] = {
	[HOOK_READY] = "ready",   [HOOK_VALIDATE] = "validate", [HOOK_RUN] = "run",
	[HOOK_RESUME] = "resume", [HOOK_SUSPEND] = "suspend",   [HOOK_TERMINATE] = "terminate",
};

const char *const vm_state_name[VM_NUM_STATES] = {
	[VM_PENDING] = "PENDING",         [VM_RUNNING] = "RUNNING",
	[VM_SUSPENDING] = "SUSPENDING",   [VM_SUSPENDED] = "SUSPENDED",
	[VM_TERMINATING] = "TERMINATING", [VM_TERMINATED] = "TERMINATED",
};

const char *const image_state_name[IMAGE_NUM_STATES] = {
	[IMAGE_NEW] = "NEW",
	[IMAGE_CREATING] = "CREATING",
	[IMAGE_CREATED] = "CREATED",
	[IMAGE_CREATE_FAILED] = "CREATE_FAILED",
	[IMAGE_UPDATING] = "UPDATING",
	[IMAGE_UPDATED] = "UPDATED",
	[IMAGE_UPDATE_FAILED] = "UPDATE_FAILED",
	[IMAGE_DELETING] = "DELETING",
};

const char *const version_state_name[VERSION_NUM_STATES] = {
	[VERSION_NEW] = "NEW",
	[VERSION_PENDING] = "PENDING",
	[VERSION_IN_PROGRESS] = "IN_PROGRESS",
	[VERSION_SUCCESSFUL] = "SUCCESSFUL",
	[VERSION_FAILED] = "FAILED",
	[VERSION_DELETING] = "DELETING",
};

const char *const version_status_name[VERSION_NUM_STATUSES] = {
	[VERSION_INACTIVE] = "INACTIVE",
	[VERSION_ACTIVE] = "ACTIVE",
};

const char *const build_state_name[BUILD_NUM_STATES] = {
	[BUILD_NEW] = "NEW",
	[BUILD_PENDING] = "PENDING",
	[BUILD_IN_PROGRESS] = "IN_PROGRESS",
	[BUILD_SUCCESSFUL] = "SUCCESSFUL",
	[BUILD_FAILED] = "FAILED",
};

struct image *model_image_new(const char *account, const char *name)
{
	struct image *image = xcalloc(1, sizeof(*image));

	rand_uuid(image->id);
	snprintf(image->account, sizeof(image->account), "%s", account);
	image->name = xstrdup(name);
	image->key = xasprintf("%s:%s", image->account, name);
	image->created_ms = image->updated_ms = clock_wall_ms();
	image->next_version = 1;
	list_init(&image->in_control);
	list_init(&image->in_account);
	list_init(&image->versions);
	list_init(&image->changes);
	return image;
}

void model_add_image(struct control *ctl, struct image *image)
{
	struct account *account = account_of(ctl, image->account);

	list_add(&ctl->images, &image->in_control);
	order_add(&ctl->images_in_order, &image->in_order, image->account, image->created_ms,
		  image->id);
	list_add(&account->images, &image->in_account);
	account->n_images++;
	hash_add(&ctl->images_by_id, &image->by_id, image->id, strlen(image->id));
	hash_add(&ctl->images_by_name, &image->by_name, image->key, strlen(image->key));
}

struct image_version *model_version_new(struct image *image, int64_t number, json_t *params)
{
	struct image_version *v = xcalloc(1, sizeof(*v));

	v->image = image;
	v->number = number;
	v->params = params;
	v->created_ms = v->updated_ms = clock_wall_ms();
	list_init(&v->in_image);
	list_init(&v->builds);
	return v;
}

void model_add_version(struct image_version *v)
{
	list_add(&v->image->versions, &v->in_image);
}

struct build *model_build_new(struct image_version *v)
{
	struct build *b = xcalloc(1, sizeof(*b));

	rand_uuid(b->id);
	b->version = v;
	b->created_ms = b->updated_ms = clock_wall_ms();
	list_add(&v->builds, &b->in_version);
	return b;
}

void model_set_origin(struct microvm *vm, const char *image, const char *name, int64_t number)
{
	snprintf(vm->origin.image, sizeof(vm->origin.image), "%s", image);
	free(vm->origin.name);
	vm->origin.name = xstrdup(name);
	vm->origin.number = number;
}

struct microvm *model_microvm_of(struct control *ctl, struct image_version *v, const char *params)
{
	struct microvm *vm = xcalloc(1, sizeof(*vm));

	list_init(&vm->in_control);
	list_init(&vm->in_account);
	vm->params = xstrdup(params ? params : "{}");
	vm->ctl = ctl;
	vm->version = v;
	if (v) {
		model_set_origin(vm, v->image->id, v->image->name, v->number);
		memcpy(vm->account, v->image->account, sizeof(vm->account));
	}
	return vm;
}

struct microvm *model_microvm_new(struct control *ctl, struct image_version *v, json_t *params)
{
	autofree char *text = json_dumps(params, JSON_COMPACT);
	struct microvm *vm = model_microvm_of(ctl, v, text);
	char uuid[UUID_SIZE];

	json_decref(params);
	rand_uuid(uuid);
	snprintf(vm->id, sizeof(vm->id), "microvm-%s", uuid);
	rand_uuid(vm->endpoint);
	vm->state = VM_PENDING;
	vm->started_ms = clock_wall_ms();
	model_read_microvm_params(ctl->conf, vm);
	return vm;
}

void model_build_free(struct build *b)
{
	list_del(&b->in_version);
	log_stream_free(b->stream);
	free(b->parts);
	free(b->code);
	free(b->reason);
	free(b);
}

void model_version_free(struct image_version *v)
{
	list_each(b, &v->builds, struct build, in_version) model_build_free(b);
	list_del(&v->in_image);
	kms_hold(v->kms, -1);
	json_decref(v->params);
	free(v->reason);
	free(v);
}

void model_image_free(struct control *ctl, struct image *image)
{
	list_each(v, &image->versions, struct image_version, in_image) model_version_free(v);
	list_del(&image->in_control);
	order_del(&ctl->images_in_order, &image->in_order);
	list_del(&image->in_account);
	if (hash_has(&image->by_id))
		account_of(ctl, image->account)->n_images--;
	hash_del(&ctl->images_by_id, &image->by_id);
	hash_del(&ctl->images_by_name, &image->by_name);
	json_decref(image->tags);
	free(image->key);
	free(image->name);
	free(image);
}

void model_init(struct control *ctl)
{
	hash_init(&ctl->accounts);
	list_init(&ctl->images);
	hash_init(&ctl->images_by_id);
	hash_init(&ctl->images_by_name);
	list_init(&ctl->microvms);
	hash_init(&ctl->microvms_by_id);
	hash_init(&ctl->microvms_by_endpoint);
	hash_init(&ctl->left_out);
	log_streams_open(ctl);
	hash_init(&ctl->published);
	list_init(&ctl->connectors);
	hash_init(&ctl->connectors_by_id);
	hash_init(&ctl->connectors_by_name);
}

void model_add_microvm(struct microvm *vm)
{
	struct control *ctl = vm->ctl;

	list_add(&ctl->microvms, &vm->in_control);
	order_add(&ctl->microvms_in_order, &vm->in_order, vm->account, vm->started_ms, vm->id);
	order_add(&ctl->microvms_of_image, &vm->in_image_order, vm->origin.image, vm->started_ms,
		  vm->id);
	list_add(&account_of(ctl, vm->account)->microvms, &vm->in_account);
	hash_add(&ctl->microvms_by_id, &vm->by_id, vm->id, strlen(vm->id));
	hash_add(&ctl->microvms_by_endpoint, &vm->by_endpoint, vm->endpoint, strlen(vm->endpoint));
	log_stream_add_microvm(vm);
}

void model_microvm_free(struct microvm *vm)
{
	hash_del(&vm->ctl->microvms_by_id, &vm->by_id);
	hash_del(&vm->ctl->microvms_by_endpoint, &vm->by_endpoint);
	order_del(&vm->ctl->microvms_in_order, &vm->in_order);
	order_del(&vm->ctl->microvms_of_image, &vm->in_image_order);
	list_del(&vm->in_control);
	list_del(&vm->in_account);
	log_stream_free(vm->stream);
	free(vm->params);
	free(vm->meter);
	free(vm->origin.name);
	free(vm->reason);
	free(vm);
}

struct image *model_image_by_name(struct control *ctl, const char *account, const char *name)
{
	autofree char *key = xasprintf("%s:%s", account, name);

	return hash_find(&ctl->images_by_name, key, strlen(key), struct image, by_name);
}

struct image *model_image_by_id(struct control *ctl, const char *id)
{
	return hash_find(&ctl->images_by_id, id, strlen(id), struct image, by_id);
}

struct image_version *model_version(struct image *image, int64_t number)
{
	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (v->number == number)
			return v;
	}
	return NULL;
}

bool model_runs(const struct image_version *v)
{
	return v->state == VERSION_SUCCESSFUL && v->status == VERSION_ACTIVE && !v->leaving &&
	       v->image->state != IMAGE_DELETING && !v->image->leaving;
}

struct image_version *model_active_version(struct image *image)
{
	struct image_version *newest = NULL;

	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (model_runs(v))
			newest = v;
	}
	return newest;
}

struct microvm *model_microvm(struct control *ctl, const char *id)
{
	return hash_find(&ctl->microvms_by_id, id, strlen(id), struct microvm, by_id);
}

struct microvm *model_microvm_by_endpoint(struct control *ctl, const char *endpoint)
{
	return hash_find(&ctl->microvms_by_endpoint, endpoint, strlen(endpoint), struct microvm,
			 by_endpoint);
}

char *model_arn_of(const struct control *ctl, const char *account, const char *name)
{
	return xasprintf("arn:aws:lambda:%s:%s:microvm-image:%s", ctl->conf->region, account, name);
}

char *model_image_arn(const struct control *ctl, const struct image *image)
{
	return model_arn_of(ctl, image->account, image->name);
}

char *model_rebuild_command(const struct control *ctl, const struct image_version *v)
{
	autofree char *words = xasprintf("image rebuild %s", v->image->name);

	return conf_command(ctl->conf, false, words);
}

int model_runs_here(const struct control *ctl, const struct image_version *v, struct err *e)
{
	autofree char *doctor = NULL, *rebuild = NULL;

	if (!engines[v->engine].needs_kvm || ctl->conf->kvm)
		return 0;
	doctor = conf_command(ctl->conf, false, "doctor");
	rebuild = model_rebuild_command(ctl, v);
	return err_set(
		e, ERR_CONFLICT,
		"Version %lld.0 of image %s was made on %s, which is not usable on this host "
		"('%s' says why): run it where it is, or make a version for this host from "
		"its disk with '%s'.",
		(long long)v->number, v->image->name, engines[v->engine].title, doctor, rebuild);
}

struct left_out {
	struct hash_node in;
	char id[IPC_ID_SIZE];
};

void model_leave_out(struct control *ctl, const char *id)
{
	struct left_out *l;

	if (model_is_left_out(ctl, id))
		return;
	l = xcalloc(1, sizeof(*l));
	snprintf(l->id, sizeof(l->id), "%s", id);
	hash_add(&ctl->left_out, &l->in, l->id, strlen(l->id));
}

bool model_is_left_out(struct control *ctl, const char *id)
{
	return hash_find_node(&ctl->left_out, id, strnlen(id, IPC_ID_SIZE));
}

void model_close(struct control *ctl)
{
	hash_each(l, &ctl->left_out, struct left_out, in)
	{
		hash_del(&ctl->left_out, &l->in);
		free(l);
	}
	hash_free(&ctl->left_out);
	log_streams_close(ctl);
	accounts_free(ctl);
	hash_free(&ctl->published);
	hash_free(&ctl->connectors_by_id);
	hash_free(&ctl->connectors_by_name);
	hash_free(&ctl->images_by_id);
	hash_free(&ctl->images_by_name);
	hash_free(&ctl->microvms_by_id);
	hash_free(&ctl->microvms_by_endpoint);
}
