/* builds.c - builds, one behind the other, and all else that the image role does for control.
 *
 * The role keeps nothing: what it has not finished is found in the rows and sent
 * again when it comes back (images_role_back). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/host.h"
#include "base/io.h"
#include "base/log.h"
#include "control/images/builds.h"
#include "control/pool/pool.h"

struct build_task {
	struct list in_tasks;
	struct build *build;
	bool sent;
};

static void builds_add(struct image_tasks *tasks, struct build *b)
{
	struct build_task *task = xcalloc(1, sizeof(*task));

	task->build = b;
	list_add(&tasks->builds, &task->in_tasks);
}

/* At first use: what an earlier run left unfinished. */
struct image_tasks *builds_tasks(struct control *ctl)
{
	struct image_tasks *tasks = ctl->tasks;

	if (tasks)
		return tasks;
	tasks = ctl->tasks = xcalloc(1, sizeof(*tasks));
	list_init(&tasks->builds);
	list_init(&tasks->bases);
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			list_each(b, &v->builds, struct build, in_version)
			{
				if (!strcmp(b->state, "PENDING") ||
				    !strcmp(b->state, "IN_PROGRESS"))
					builds_add(tasks, b);
			}
		}
	}
	return tasks;
}

static json_t *builds_spec_hooks(const struct hooks *hooks)
{
	json_t *o = json_pack("{s:i}", "port", (int)hooks->port);

	for (size_t i = 0; i < NUM_HOOKS; i++)
		json_object_set_new(o, hook_name[i],
				    json_pack("{s:b,s:I}", "enabled", (int)hooks->each[i].enabled,
					      "timeoutMs", (json_int_t)hooks->each[i].timeout_ms));
	return o;
}

/* docs/data-layout.md, "The build spec". */
static json_t *builds_spec(const struct control *ctl, const struct image_version *v)
{
	const char *uri = json_string_value(
		json_object_get(json_object_get(v->params, "codeArtifact"), "uri"));
	const char *bucket = uri ? uri + strlen("s3://") : "", *key = strchr(bucket, '/');
	const json_t *environment = json_object_get(v->params, "environmentVariables");
	const json_t *warnings = json_object_get(v->params, "warnings");
	const json_t *capabilities = json_object_get(v->params, "additionalOsCapabilities");
	json_t *rebuild = json_object_get(v->params, "rebuildOf"), *spec;
	autofree char *arn = model_image_arn(ctl, v->image);

	spec = json_pack("{s:s%,s:s,s:s,s:s,s:I,s:s,s:o,s:b,s:I,s:b,s:s,s:o,s:o}", "bucket", bucket,
			 key ? (size_t)(key - bucket) : strlen(bucket), "key", key ? key + 1 : "",
			 "name", v->image->name, "imageArn", arn, "version", (json_int_t)v->number,
			 "region", ctl->conf->region, "environment",
			 environment ? json_deep_copy(environment) : json_object(),
			 "allCapabilities", (int)(json_array_size(capabilities) > 0), "memoryMib",
			 (json_int_t)v->memory_mib, "internet", 1, "architecture",
			 HOST_ARCHITECTURE, "warnings",
			 warnings ? json_deep_copy(warnings) : json_array(), "hooks",
			 builds_spec_hooks(&v->hooks));
	if (rebuild)
		json_object_set(spec, "rebuildOf", rebuild);
	return spec;
}

static int builds_spec_fd(const struct control *ctl, const struct image_version *v)
{
	json_t *spec = builds_spec(ctl, v);
	autofree char *text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
	autoclose int fd = memfd_create("build-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	json_decref(spec);
	if (fd < 0 || !text || io_pwrite_full(fd, text, strlen(text), 0))
		return -1;
	return fd_steal(&fd);
}

static struct build_version builds_version(const struct image_version *v)
{
	struct build_version name = { .version = (uint32_t)v->number };

	memcpy(name.image, v->image->id, sizeof(name.image));
	return name;
}

static void builds_send(struct control *ctl, struct build_task *task)
{
	struct build *b = task->build;
	struct build_start start = { .version = builds_version(b->version) };
	autoclose int fd = builds_spec_fd(ctl, b->version);
	struct store_txn *t;

	if (fd < 0) {
		log_err("no memory for a build spec build=%s", b->id);
		return; /* tried again with the next change */
	}
	memcpy(start.name.build, b->id, sizeof(start.name.build));
	chan_uv_send(&ctl->image_role, BUILD_START, 0, &start, sizeof(start), &fd, 1);
	task->sent = true;
	b->state = b->version->state = "IN_PROGRESS";
	b->updated_ms = b->version->updated_ms = clock_wall_ms();
	t = store_begin(ctl->store);
	model_put_version(t, b->version);
	model_put_build(t, b);
	store_commit(t, NULL, NULL);
	log_info("build begins image=%s version=%lld build=%s", b->version->image->name,
		 (long long)b->version->number, b->id);
}

static void builds_pump(struct control *ctl)
{
	struct image_tasks *tasks = builds_tasks(ctl);
	int64_t room = ctl->conf->build_at_once;

	if (!ctl->image_role.open)
		return;
	list_each(task, &tasks->builds, struct build_task, in_tasks)
	{
		if (room-- <= 0)
			break;
		if (!task->sent)
			builds_send(ctl, task);
	}
}

void builds_queue(struct control *ctl, struct build *b)
{
	builds_add(builds_tasks(ctl), b);
	builds_pump(ctl);
}

void builds_remove(struct control *ctl, struct image_version *v)
{
	struct build_version name = builds_version(v);

	pool_forget(v);
	if (ctl->image_role.open)
		chan_uv_send(&ctl->image_role, BUILD_REMOVE, 0, &name, sizeof(name), NULL, 0);
}

struct build *images_build(struct control *ctl, const char *id)
{
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			list_each(b, &v->builds, struct build, in_version)
			{
				if (!strcmp(b->id, id))
					return b;
			}
		}
	}
	return NULL;
}

static struct build_task *builds_find(struct control *ctl, const char build[UUID_SIZE])
{
	list_each(task, &builds_tasks(ctl)->builds, struct build_task, in_tasks)
	{
		if (!memcmp(task->build->id, build, UUID_SIZE))
			return task;
	}
	return NULL;
}

static char *builds_text(const char *text, size_t room)
{
	return *text ? xasprintf("%.*s", (int)strnlen(text, room), text) : NULL;
}

/* The service shows some failures by their code alone, others by a sentence: the code stands in
 * front of ours where it is what people look for (service.md 10.1). */
static char *builds_reason(const struct build_done *done)
{
	static const char *const shown[] = { "S3_", "ARCHIVE_", "DISK_", "INTERNAL_" };
	autofree char *code = builds_text(done->code, sizeof(done->code));
	autofree char *reason = builds_text(done->reason, sizeof(done->reason));

	for (size_t i = 0; code && reason && i < ARRAY_SIZE(shown); i++)
		if (!strncmp(code, shown[i], strlen(shown[i])))
			return xasprintf("%s: %s", code, reason);
	return reason ? xstrdup(reason) : code ? xstrdup(code) : NULL;
}

static size_t builds_ports(uint16_t *to, const uint16_t *from, uint32_t n)
{
	n = n < BUILD_MAX_PORTS ? n : BUILD_MAX_PORTS;
	memcpy(to, from, n * sizeof(*to));
	return n;
}

static void builds_succeed(struct image_version *v, const struct build_done *done)
{
	v->state = "SUCCESSFUL";
	v->status = "ACTIVE";
	v->engine = done->engine < PRIV_NUM_MACHINE_KINDS ? done->engine : PRIV_MACHINE_QEMU;
	v->shape = (struct machine_shape){ .vcpus = done->vcpus, .memory_mib = done->memory_mib };
	v->n_ports = builds_ports(v->ports, done->ports, done->n_ports);
	v->n_listening = builds_ports(v->listening, done->listening, done->n_listening);
	v->recent_ms = clock_wall_ms();
	images_find_active(v->image);
}

static void builds_settle(struct control *ctl, struct build *b, const struct build_done *done)
{
	struct image_version *v = b->version;
	struct image *image = v->image;
	bool created = !strcmp(image->state, "CREATING");
	struct store_txn *t = store_begin(ctl->store);

	b->updated_ms = v->updated_ms = image->updated_ms = clock_wall_ms();
	b->state = done->ok ? "SUCCESSFUL" : "FAILED";
	b->memory_bytes = (int64_t)done->memory_bytes;
	b->code_bytes = (int64_t)done->code_bytes;
	b->disk_bytes = (int64_t)done->disk_bytes;
	if (done->ok) {
		builds_succeed(v, done);
		image->state = created ? "CREATED" : "UPDATED";
	} else {
		free(b->code);
		free(b->reason);
		free(v->reason);
		b->code = builds_text(done->code, sizeof(done->code));
		b->reason = builds_reason(done);
		v->reason = b->reason ? xstrdup(b->reason) : NULL;
		v->state = "FAILED";
		image->latest_failed = v->number;
		image->state = created ? "CREATE_FAILED" : "UPDATE_FAILED";
	}
	model_put_build(t, b);
	model_put_version(t, v);
	model_put_image(t, image);
	store_commit(t, NULL, NULL);
}

static void got_done(struct control *ctl, struct ipc_msg *m)
{
	struct build_done *done = (struct build_done *)(void *)m->body;
	struct build_task *task = builds_find(ctl, done->name.build);
	struct build *b;

	if (!task || !task->sent)
		return;
	b = task->build;
	list_del(&task->in_tasks);
	free(task);
	builds_settle(ctl, b, done);
	log_info("build ended image=%s version=%lld build=%s state=%s reason=\"%s\"",
		 b->version->image->name, (long long)b->version->number, b->id, b->state,
		 b->reason ? b->reason : "");
	if (done->ok)
		pool_wake(ctl);
	builds_pump(ctl);
}

static void got_step(struct control *ctl, struct ipc_msg *m)
{
	const struct build_step *step = (const struct build_step *)(const void *)m->body;
	struct build_task *task = builds_find(ctl, step->name.build);

	if (!task)
		return;
	snprintf(task->build->step, sizeof(task->build->step), "%.*s",
		 (int)strnlen(step->step, sizeof(step->step)), step->step);
	task->build->step_n = step->n;
	task->build->step_of = step->of;
}

/* The files are gone: now the rows, and the image's with its last version. */
static void got_removed(struct control *ctl, struct ipc_msg *m)
{
	struct build_version *name = (struct build_version *)(void *)m->body;
	struct image_version *v;
	struct image *image;
	struct store_txn *t;
	bool last;

	name->image[UUID_SIZE - 1] = '\0';
	image = model_image_by_id(ctl, name->image);
	v = image ? model_version(image, name->version) : NULL;
	if (!v || (strcmp(v->state, "DELETING") != 0 && strcmp(image->state, "DELETING") != 0))
		return;
	t = store_begin(ctl->store);
	lifecycle_forget_version(ctl, v, t);
	store_del_version(t, image->id, v->number);
	pool_forget(v); /* nothing may point at it, whoever asked for its template last */
	model_version_free(v);
	image->updated_ms = clock_wall_ms();
	last = list_empty(&image->versions);
	if (last) {
		store_del_image(t, image->id);
		model_image_free(image);
	} else {
		if (!strcmp(image->state, "UPDATING"))
			image->state = "UPDATED";
		model_put_image(t, image);
	}
	store_commit(t, NULL, NULL);
}

void images_cancel(struct control *ctl, struct build *b)
{
	struct build_task *task = builds_find(ctl, b->id);
	struct build_done done = { .code = "CANCELLED", .reason = "The build was cancelled." };
	struct build_name name = { 0 };

	if (!task)
		return;
	memcpy(name.build, b->id, sizeof(name.build));
	if (task->sent && ctl->image_role.open) {
		chan_uv_send(&ctl->image_role, BUILD_CANCEL, 0, &name, sizeof(name), NULL, 0);
		return;
	}
	list_del(&task->in_tasks);
	free(task);
	builds_settle(ctl, b, &done);
}

void images_got(struct control *ctl, struct ipc_msg *m)
{
	static void (*const got[BUILD_NUM_TYPES])(struct control *, struct ipc_msg *) = {
		[BUILD_STEP] = got_step,
		[BUILD_DONE] = got_done,
		[BUILD_REMOVED] = got_removed,
		[BUILD_BASE_ITEM] = bases_got_item,
		[BUILD_BASE_DONE] = bases_got_done,
	};

	if (m->head.type < BUILD_NUM_TYPES && got[m->head.type])
		got[m->head.type](ctl, m);
}

void images_role_back(struct control *ctl)
{
	struct image_tasks *tasks = builds_tasks(ctl);

	bases_role_back(tasks);
	list_each(task, &tasks->builds, struct build_task, in_tasks) task->sent = false;
	list_each(image, &ctl->images, struct image, in_control)
	{
		list_each(v, &image->versions, struct image_version, in_image)
		{
			if (!strcmp(image->state, "DELETING") || !strcmp(v->state, "DELETING"))
				builds_remove(ctl, v);
		}
	}
	builds_pump(ctl);
}

void images_close(struct control *ctl)
{
	if (!ctl->tasks)
		return;
	list_each(task, &ctl->tasks->builds, struct build_task, in_tasks) free(task);
	bases_free(ctl->tasks);
	free(ctl->tasks);
	ctl->tasks = NULL;
}
