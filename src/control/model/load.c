/* load.c - the model out of the store's rows. */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control/control.h"
#include "control/model/access_key.h"
#include "control/model/connector.h"
#include "control/model/log_stream.h"
#include "control/model/published.h"
#include "control/model/sealing.h"

/* The number of this word, or @fallback if it is none of ours. */
static int load_word(const char *text, const char *const *words, int n, int fallback)
{
	for (int i = 0; text && i < n; i++)
		if (!strcmp(words[i], text))
			return i;
	log_err("a row has a word that is not ours word=\"%s\"", text ? text : "");
	return fallback;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static json_t *model_parse(const char *text)
{
	return text ? json_loads(text, 0, NULL) : NULL;
}

struct loading {
	struct control *ctl;
	void (*token)(struct control *ctl, const struct store_token *row);
};

static void load_image(void *arg, const struct store_image *row)
{
	const struct loading *l = arg;
	struct image *image = model_image_new(row->account, row->name);

	snprintf(image->id, sizeof(image->id), "%s", row->id);
	image->state = (enum image_state)load_word(row->state, image_state_name, IMAGE_NUM_STATES,
						   IMAGE_UPDATE_FAILED);
	image->created_ms = row->created_ms;
	image->updated_ms = row->updated_ms;
	image->next_version = row->next_version;
	image->latest_active = row->latest_active;
	image->latest_failed = row->latest_failed;
	image->tags = model_parse(row->tags);
	model_add_image(l->ctl, image);
}

static size_t load_ports(const json_t *list, uint16_t *ports)
{
	size_t n = json_array_size(list);

	n = n < BUILD_MAX_PORTS ? n : BUILD_MAX_PORTS;
	for (size_t i = 0; i < n; i++)
		ports[i] = (uint16_t)json_integer_value(json_array_get(list, i));
	return n;
}

static void load_made(struct image_version *v, const char *text)
{
	json_t *made = model_parse(text);

	int kind = engine_kind(json_string_value(json_object_get(made, "engine")));

	if (kind < 0)
		log_err("an image version is of an engine that is not ours image=%s version=%lld",
			v->image->name, (long long)v->number);
	v->engine =
		kind < 0 ? (uint32_t)PRIV_MACHINE_QEMU : (uint32_t)kind; /* refused at RESTORE */
	v->shape.vcpus = (uint32_t)json_integer_value(json_object_get(made, "vcpus"));
	v->shape.memory_mib = (uint32_t)json_integer_value(json_object_get(made, "memoryMib"));
	v->n_ports = load_ports(json_object_get(made, "ports"), v->ports);
	v->n_listening = load_ports(json_object_get(made, "listening"), v->listening);
	json_decref(made);
}

static void load_version(void *arg, const struct store_version *row)
{
	struct control *ctl = ((const struct loading *)arg)->ctl;
	struct image *image = model_image_by_id(ctl, row->image);
	struct image_version *v = model_version_new(image, row->version, model_parse(row->params));

	v->state = (enum version_state)load_word(row->state, version_state_name, VERSION_NUM_STATES,
						 VERSION_FAILED);
	v->status = (enum version_status)load_word(row->status, version_status_name,
						   VERSION_NUM_STATUSES, VERSION_INACTIVE);
	v->reason = copy(row->reason);
	v->created_ms = row->created_ms;
	v->updated_ms = row->updated_ms;
	load_made(v, row->made);
	model_read_version_params(ctl->conf, v);
	sealing_load_version(ctl, v);
	model_add_version(v);
}

static void load_build(void *arg, const struct store_build *row)
{
	const struct loading *l = arg;
	struct image *image = model_image_by_id(l->ctl, row->image);
	struct build *b = model_build_new(model_version(image, row->version));

	snprintf(b->id, sizeof(b->id), "%s", row->id);
	b->state = (enum build_state)load_word(row->state, build_state_name, BUILD_NUM_STATES,
					       BUILD_FAILED);
	b->code = copy(row->code);
	b->reason = copy(row->reason);
	b->created_ms = row->created_ms;
	b->updated_ms = row->updated_ms;
	b->memory_bytes = row->memory_bytes;
	b->code_bytes = row->code_bytes;
	b->disk_bytes = row->disk_bytes;
	if (b->state == BUILD_SUCCESSFUL || b->state == BUILD_FAILED)
		log_stream_add_build(l->ctl, b);
}

/* A row that cannot be understood is left alone with all that belongs to it: whoever restores its
 * image, or runs the doze that wrote it, finds the microVM as it was. */
static void load_leave_out(struct control *ctl, const struct store_microvm *row, const char *why)
{
	log_err("a microVM is left out: %s id=%s image=%s state=%s", why, row->id, row->image,
		row->state);
	model_leave_out(ctl, row->id);
	if (row->machine)
		model_leave_out(ctl, row->machine);
}

static void load_microvm(void *arg, const struct store_microvm *row)
{
	struct control *ctl = ((const struct loading *)arg)->ctl;
	struct image *image = model_image_by_id(ctl, row->image);
	struct image_version *v = image ? model_version(image, row->version) : NULL;
	int state = load_word(row->state, vm_state_name, VM_NUM_STATES, VM_NUM_STATES);
	json_auto_t *params = v ? NULL : model_parse(row->params);
	const char *kept = v || state != VM_TERMINATED ? NULL : model_kept_name(params);
	struct microvm *vm;

	if ((!v && !kept) || state == VM_NUM_STATES) {
		load_leave_out(ctl, row, v ? "its state is unknown" : "its image is gone");
		return;
	}
	vm = model_microvm_of(ctl, v, row->params);
	if (kept)
		model_set_origin(vm, row->image, kept, row->version);
	snprintf(vm->id, sizeof(vm->id), "%s", row->id);
	snprintf(vm->endpoint, sizeof(vm->endpoint), "%s", row->endpoint);
	snprintf(vm->machine_id, sizeof(vm->machine_id), "%s", row->machine ? row->machine : "");
	snprintf(vm->boot_id, sizeof(vm->boot_id), "%s", row->boot_id ? row->boot_id : "");
	snprintf(vm->account, sizeof(vm->account), "%s", row->account);
	vm->state = (enum vm_state)state;
	vm->reason = copy(row->reason);
	vm->checkpoint = row->save;
	vm->started_ms = row->started_ms;
	vm->terminated_ms = row->terminated_ms;
	vm->suspended_ms = row->suspended_ms;
	vm->last_byte_ms = row->last_byte_ms;
	model_read_microvm_params(ctl->conf, vm);
	if (vm->state != VM_SUSPENDING && vm->state != VM_SUSPENDED)
		model_set_drained(vm,
				  false); /* it woke in the step that this row was written for */
	model_add_microvm(vm);
}

static void load_token(void *arg, const struct store_token *row)
{
	struct loading *l = arg;

	l->token(l->ctl, row);
}

static void load_account(void *arg, const struct store_account *row)
{
	account_load(((const struct loading *)arg)->ctl, row);
}

static void load_access_key(void *arg, const struct store_access_key *row)
{
	access_key_load(((const struct loading *)arg)->ctl, row);
}

static void load_log_group(void *arg, const struct store_log_group *row)
{
	log_group_load(((const struct loading *)arg)->ctl, row);
}

static void load_log_stream(void *arg, const struct store_log_stream *row)
{
	log_stream_load(((const struct loading *)arg)->ctl, row);
}

static void load_kms_key(void *arg, const struct store_kms_key *row)
{
	kms_load(((const struct loading *)arg)->ctl, row);
}

static void load_published(void *arg, const struct store_published *row)
{
	published_load(((const struct loading *)arg)->ctl, row);
}

static void load_connector(void *arg, const struct store_connector *row)
{
	const struct loading *l = arg;
	struct connector *connector = model_connector_new(row->account, row->name);

	snprintf(connector->id, sizeof(connector->id), "%s", row->id);
	connector->state = (enum connector_state)load_word(row->state, connector_state_name,
							   CONNECTOR_NUM_STATES, CONNECTOR_FAILED);
	connector->reason = copy(row->reason);
	connector->latest = row->version;
	connector->created_ms = row->created_ms;
	connector->updated_ms = row->updated_ms;
	connector->tags = model_parse(row->tags);
	connector->params = model_parse(row->params);
	model_add_connector(l->ctl, connector);
}

/* Rows that were written anew come last, so the list is put in order. */
static void load_connector_version(void *arg, const struct store_connector_version *row)
{
	const struct loading *l = arg;
	struct connector *connector = model_connector_by_id(l->ctl, row->connector);
	struct list *before = &connector->versions;
	struct connector_version *v =
		model_connector_version_new(row->version, model_parse(row->params));

	v->state = (enum connector_state)load_word(row->state, connector_state_name,
						   CONNECTOR_NUM_STATES, CONNECTOR_FAILED);
	v->created_ms = row->created_ms;
	list_each(next, &connector->versions, struct connector_version, in_connector)
	{
		if (next->number > v->number) {
			before = &next->in_connector;
			break;
		}
	}
	list_add(before, &v->in_connector);
}

int model_load(struct control *ctl,
	       void (*token)(struct control *ctl, const struct store_token *row), struct err *e)
{
	const struct store_loader loader = {
		.image = load_image,
		.version = load_version,
		.build = load_build,
		.microvm = load_microvm,
		.token = load_token,
		.published = load_published,
		.account = load_account,
		.access_key = load_access_key,
		.connector = load_connector,
		.connector_version = load_connector_version,
		.log_group = load_log_group,
		.log_stream = load_log_stream,
		.kms_key = load_kms_key,
	};
	struct loading l = { ctl, token };

	if (store_load(ctl->store, &loader, &l, e))
		return -1;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state != VM_TERMINATED)
			model_hold(vm, 1);
	}
	return 0;
}
