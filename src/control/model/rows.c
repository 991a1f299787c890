/* rows.c - how memory becomes rows of the store, and what a durable row changes in memory. */

#include <stdlib.h>
#include <string.h>

#include "control/model/model.h"

static char *model_dump(const json_t *json)
{
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

void model_put_image(struct store_txn *t, const struct image *image)
{
	autofree char *tags = model_dump(image->tags);

	store_put_image(t, &(struct store_image){
				   .id = image->id,
				   .account = image->account,
				   .name = image->name,
				   .state = image_state_name[image->state],
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
				     .state = version_state_name[v->state],
				     .status = version_status_name[v->status],
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
				   .state = build_state_name[b->state],
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
	store_put_microvm(t, &(struct store_microvm){
				     .id = vm->id,
				     .account = vm->account,
				     .endpoint = vm->endpoint,
				     .image = vm->origin.image,
				     .version = vm->origin.number,
				     .state = vm_state_name[vm->state],
				     .reason = vm->reason,
				     .machine = *vm->machine_id ? vm->machine_id : NULL,
				     .boot_id = *vm->boot_id ? vm->boot_id : NULL,
				     .save = vm->checkpoint,
				     .started_ms = vm->started_ms,
				     .terminated_ms = vm->terminated_ms,
				     .suspended_ms = vm->suspended_ms,
				     .last_byte_ms = vm->last_byte_ms,
				     .params = vm->params,
			     });
}

static void model_replace(char **text, const char *with)
{
	if (*text == with)
		return;
	free(*text);
	*text = with ? xstrdup(with) : NULL;
}

void model_image_become(struct image *image, const struct image *row)
{
	image->state = row->state;
	image->updated_ms = row->updated_ms;
	image->next_version = row->next_version;
	image->latest_active = row->latest_active;
	image->latest_failed = row->latest_failed;
	if (image->tags != row->tags) {
		json_decref(image->tags);
		image->tags = json_incref(row->tags);
	}
}

void model_version_become(struct image_version *v, const struct image_version *row)
{
	v->state = row->state;
	v->status = row->status;
	v->updated_ms = row->updated_ms;
	v->shape = row->shape;
	v->engine = row->engine;
	v->n_ports = row->n_ports;
	v->n_listening = row->n_listening;
	memcpy(v->ports, row->ports, sizeof(v->ports));
	memcpy(v->listening, row->listening, sizeof(v->listening));
	model_replace(&v->reason, row->reason);
}

void model_build_become(struct build *b, const struct build *row)
{
	b->state = row->state;
	b->updated_ms = row->updated_ms;
	b->memory_bytes = row->memory_bytes;
	b->code_bytes = row->code_bytes;
	b->disk_bytes = row->disk_bytes;
	model_replace(&b->code, row->code);
	model_replace(&b->reason, row->reason);
}
