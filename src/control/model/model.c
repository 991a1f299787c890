#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/control.h"
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

struct image *model_image_new(struct control *ctl, const char *name)
{
	struct image *image = xcalloc(1, sizeof(*image));

	rand_uuid(image->id);
	image->name = xstrdup(name);
	image->created_ms = image->updated_ms = clock_wall_ms();
	image->next_version = 1;
	list_init(&image->versions);
	list_add(&ctl->images, &image->in_control);
	return image;
}

struct image_version *model_version_new(struct image *image, int64_t number, json_t *params)
{
	struct image_version *v = xcalloc(1, sizeof(*v));

	v->image = image;
	v->number = number;
	v->params = params;
	v->created_ms = v->updated_ms = clock_wall_ms();
	list_init(&v->builds);
	list_add(&image->versions, &v->in_image);
	return v;
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

struct microvm *model_microvm_new(struct control *ctl, struct image_version *v, json_t *params)
{
	struct microvm *vm = xcalloc(1, sizeof(*vm));
	char uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(vm->id, sizeof(vm->id), "microvm-%s", uuid);
	rand_uuid(vm->endpoint);
	list_init(&vm->in_control);
	vm->ctl = ctl;
	vm->version = v;
	vm->state = VM_PENDING;
	vm->started_ms = clock_wall_ms();
	vm->params = params;
	model_read_microvm_params(ctl->conf, vm);
	return vm;
}

void model_build_free(struct build *b)
{
	list_del(&b->in_version);
	free(b->code);
	free(b->reason);
	free(b);
}

void model_version_free(struct image_version *v)
{
	list_each(b, &v->builds, struct build, in_version) model_build_free(b);
	list_del(&v->in_image);
	json_decref(v->params);
	free(v->reason);
	free(v);
}

void model_image_free(struct image *image)
{
	list_each(v, &image->versions, struct image_version, in_image) model_version_free(v);
	list_del(&image->in_control);
	json_decref(image->tags);
	free(image->name);
	free(image);
}

void model_init(struct control *ctl)
{
	list_init(&ctl->images);
	list_init(&ctl->microvms);
	hash_init(&ctl->microvms_by_id);
	hash_init(&ctl->microvms_by_endpoint);
}

void model_add_microvm(struct microvm *vm)
{
	struct control *ctl = vm->ctl;

	list_add(&ctl->microvms, &vm->in_control);
	hash_add(&ctl->microvms_by_id, &vm->by_id, vm->id, strlen(vm->id));
	hash_add(&ctl->microvms_by_endpoint, &vm->by_endpoint, vm->endpoint, strlen(vm->endpoint));
}

void model_microvm_free(struct microvm *vm)
{
	hash_del(&vm->ctl->microvms_by_id, &vm->by_id);
	hash_del(&vm->ctl->microvms_by_endpoint, &vm->by_endpoint);
	list_del(&vm->in_control);
	json_decref(vm->params);
	free(vm->reason);
	free(vm);
}

struct image *model_image_by_name(struct control *ctl, const char *name)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		if (!strcmp(image->name, name))
			return image;
	}
	return NULL;
}

struct image *model_image_by_id(struct control *ctl, const char *id)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		if (!strcmp(image->id, id))
			return image;
	}
	return NULL;
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

struct image_version *model_active_version(struct image *image)
{
	struct image_version *newest = NULL;

	if (image->state && !strcmp(image->state, "DELETING"))
		return NULL;
	list_each(v, &image->versions, struct image_version, in_image)
	{
		if (!strcmp(v->status, "ACTIVE") && !strcmp(v->state, "SUCCESSFUL"))
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

char *model_image_arn(const struct control *ctl, const struct image *image)
{
	return xasprintf("arn:aws:lambda:%s:%s:microvm-image:%s", ctl->conf->region,
			 ctl->conf->account, image->name);
}

static char *model_dump(const json_t *json)
{
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

void model_put_image(struct store_txn *t, const struct image *image)
{
	autofree char *tags = model_dump(image->tags);

	store_put_image(t, &(struct store_image){
				   .id = image->id,
				   .name = image->name,
				   .state = image->state,
				   .created_ms = image->created_ms,
				   .updated_ms = image->updated_ms,
				   .next_version = image->next_version,
				   .latest_active = image->latest_active,
				   .latest_failed = image->latest_failed,
				   .tags = tags,
			   });
}

static json_t *model_ports(const uint16_t *ports, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ports[i]));
	return list;
}

static char *model_made(const struct image_version *v)
{
	autofree char *text = NULL;
	json_t *made;

	if (!v->shape.memory_mib)
		return NULL;
	made = json_pack("{s:s,s:i,s:i,s:o,s:o}", "engine", engines[v->engine].name, "vcpus",
			 (int)v->shape.vcpus, "memoryMib", (int)v->shape.memory_mib, "ports",
			 model_ports(v->ports, v->n_ports), "listening",
			 model_ports(v->listening, v->n_listening));
	text = model_dump(made);
	json_decref(made);
	return xstrdup(text);
}

void model_put_version(struct store_txn *t, const struct image_version *v)
{
	autofree char *params = model_dump(v->params);
	autofree char *made = model_made(v);

	store_put_version(t, &(struct store_version){
				     .image = v->image->id,
				     .version = v->number,
				     .state = v->state,
				     .status = v->status,
				     .reason = v->reason,
				     .created_ms = v->created_ms,
				     .updated_ms = v->updated_ms,
				     .params = params,
				     .made = made,
			     });
}

void model_put_build(struct store_txn *t, const struct build *b)
{
	store_put_build(t, &(struct store_build){
				   .id = b->id,
				   .image = b->version->image->id,
				   .version = b->version->number,
				   .state = b->state,
				   .code = b->code,
				   .reason = b->reason,
				   .created_ms = b->created_ms,
				   .updated_ms = b->updated_ms,
				   .memory_bytes = b->memory_bytes,
				   .code_bytes = b->code_bytes,
				   .disk_bytes = b->disk_bytes,
			   });
}

void model_put_microvm(struct store_txn *t, const struct microvm *vm)
{
	autofree char *params = model_dump(vm->params);

	store_put_microvm(t, &(struct store_microvm){
				     .id = vm->id,
				     .endpoint = vm->endpoint,
				     .image = vm->version->image->id,
				     .version = vm->version->number,
				     .state = vm_state_name[vm->state],
				     .reason = vm->reason,
				     .machine = *vm->machine_id ? vm->machine_id : NULL,
				     .boot_id = *vm->boot_id ? vm->boot_id : NULL,
				     .save = vm->checkpoint,
				     .started_ms = vm->started_ms,
				     .terminated_ms = vm->terminated_ms,
				     .suspended_ms = vm->suspended_ms,
				     .last_byte_ms = vm->last_byte_ms,
				     .params = params,
			     });
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
