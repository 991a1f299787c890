/* What a build does with its microVM, from the start of the application to the snapshot.
 * build_boot.c boots it, and build_ready.c waits for the application. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "conf/guest_names.h"
#include "image/build.h"
#include "image/java_store.h"
#include "image/site_ca.h"

void build_vm_down(struct vm *vm, const struct err *e)
{
	struct build *b = container_of(vm, struct build, vm);

	build_fail(b, CODE_INTERNAL, "The build's microVM failed: %s.", e->text);
}

void build_vm_frame(struct vm *vm, const struct agent_frame *f)
{
	build_frame(container_of(vm, struct build, vm), f);
}

void build_vm_start(struct build *b, const struct vm_ops *ops)
{
	const struct priv_machine_start what = {
		.kind = b->done.engine,
		.vcpus = b->shape.vcpus,
		.memory_bytes = b->shape.memory_mib * MIB,
		.internet = b->spec.internet,
	};

	vm_start(&b->vm, b->role, ops, &what);
}

/* The overlay is the disk's delta. It starts empty, and the boot fills it. */
static int build_copy_overlay(struct build *b, int dirfd, const char *name, struct err *e)
{
	autoclose int from = io_open_below(b->files.draft_fd, "overlay", O_RDONLY, 0);
	autoclose int to = -1;
	int rc;

	if (from < 0)
		return err_set(e, ERR_INTERNAL, "open the empty overlay");
	to = io_open_below(dirfd, name, O_RDWR | O_CREAT | O_TRUNC, 0640);
	rc = to < 0 ? to : io_copy_sparse(from, to);
	if (rc || image_share(b->role, to, 0640)) {
		errno = -rc;
		return err_sys(e, "copy the empty overlay");
	}
	return fd_steal(&to);
}

int build_overlay(struct build *b, bool scratch, struct err *e)
{
	return build_copy_overlay(b, scratch ? b->files.dir_fd : b->files.draft_fd,
				  scratch ? "scratch" : "disk", e);
}

/* The environment holds the variables of service.md 12 and those that the user asked for. */
static void build_environment(struct build *b)
{
	autofree char *version = xasprintf("%lld.0", (long long)b->spec.version);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)b->spec.environment, key,
			    value) if (json_is_string(value) && *key && !strchr(key, '='))
		app_setenv(&b->app, key, json_string_value(value));
	app_setenv(&b->app, "AWS_LAMBDA_MICROVM_IMAGE_NAME", b->spec.name);
	app_setenv(&b->app, "AWS_LAMBDA_MICROVM_IMAGE_ARN", b->spec.arn);
	app_setenv(&b->app, "AWS_LAMBDA_MICROVM_IMAGE_VERSION", version);
	app_setenv(&b->app, "AWS_REGION", b->spec.region);
}

/* The bundle that is bound into the guest; empty if there is none. */
static void build_read_site_ca(struct build *b, struct buf *bundle)
{
	const struct conf *conf = b->role->conf;
	autoclose int fd = -1;

	if (!conf->site_ca_in_guest || !conf->site_ca[0])
		return;
	fd = open(conf->site_ca, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read_all(fd, bundle, LIMIT_AGENT_TO_GUEST / 2)) {
		build_logf(b, "doze: warning: %s cannot be read and is not bound into the guest",
			   conf->site_ca);
		bundle->size = 0;
		return;
	}
	for (size_t i = 0; site_ca_variable(i); i++)
		app_default(&b->app, site_ca_variable(i), SITE_CA_PLACE);
}

/* Java's stores are left out where the frame has no room for them. */
static void build_put_site_ca(struct build *b, const struct buf *bundle, struct buf *frame)
{
	autobuf struct buf store = { 0 };
	struct err e;

	if (!bundle->size)
		return;
	agent_put_text(frame, FIELD_FILE_PATH, SITE_CA_PLACE);
	agent_put(frame, FIELD_FILE_DATA, bundle->data, bundle->size);
	if (java_store(bundle, &store, &e)) {
		build_logf(b, "doze: warning: %s is not given to Java: %s", b->role->conf->site_ca,
			   e.text);
		return;
	}
	for (size_t i = 0; java_store_place(i); i++) {
		if (frame->size + store.size + KIB > LIMIT_AGENT_TO_GUEST)
			break;
		agent_put_text(frame, FIELD_FILE_OVER, java_store_place(i));
		agent_put(frame, FIELD_FILE_DATA, store.data, store.size);
	}
}

bool build_put_process(struct build *b, struct buf *frame, char *const *argv, size_t n)
{
	if (app_bytes(&b->app) > LIMIT_AGENT_TO_GUEST / 4)
		return false;
	for (size_t i = 0; i < n; i++)
		agent_put_text(frame, FIELD_ARG, argv[i]);
	for (size_t i = 0; i < b->app.n_env; i++)
		agent_put_text(frame, FIELD_ENV, b->app.env[i]);
	if (b->app.user)
		agent_put_text(frame, FIELD_USER, b->app.user);
	if (b->app.workdir)
		agent_put_text(frame, FIELD_WORKDIR, b->app.workdir);
	if (b->spec.all_capabilities)
		agent_put_u64(frame, FIELD_ALL_CAPS, 1);
	if (b->role->conf->no_new_privs)
		agent_put_u64(frame, FIELD_NO_NEW_PRIVS, 1);
	return true;
}

/* They are files of the guest's own from then on: what the application changes in them stays. */
static void build_put_names(const struct conf *conf, struct buf *frame)
{
	autobuf struct buf resolver = { 0 }, hosts = { 0 };

	guest_names_resolver(&resolver, conf->search);
	guest_names_hosts(&hosts, conf->hosts);
	agent_put_text(frame, FIELD_FILE_PATH, "/etc/resolv.conf");
	agent_put(frame, FIELD_FILE_DATA, resolver.data, resolver.size);
	agent_put_text(frame, FIELD_FILE_PATH, "/etc/hosts");
	agent_put(frame, FIELD_FILE_DATA, hosts.data, hosts.size);
}

void build_start_application(struct build *b)
{
	autobuf struct buf frame = { 0 }, bundle = { 0 };
	size_t mark = agent_begin(&frame, AGENT_START);

	build_environment(b);
	build_read_site_ca(b, &bundle);
	if (!build_put_process(b, &frame, b->app.argv, b->app.n_argv)) {
		build_fail(b, CODE_BUILD, "The image's command and environment are too long.");
		return;
	}
	build_put_names(b->role->conf, &frame);
	build_put_site_ca(b, &bundle, &frame);
	agent_end(&frame, mark);
	vm_send(&b->vm, &frame);
}

static void build_guest_log(struct build *b, const struct agent_frame *f)
{
	struct agent_field_view v;
	size_t at = 0;
	uint64_t dropped;

	if (agent_get_u64(f, FIELD_DROPPED, &dropped) && dropped)
		build_logf(b, "doze: %llu bytes of output were dropped",
			   (unsigned long long)dropped);
	while (agent_field_next(f, &at, &v) == 1)
		if (v.tag == FIELD_BYTES)
			build_log(b, v.data, v.size);
}

/* The text is the guest's, and goes into JSON and to terminals. */
static void build_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = *text == '\n' ? ' ' : '?';
}

static void build_app_ended(struct build *b, const struct agent_frame *f)
{
	uint64_t code = 255;
	char reason[1200];

	if (!agent_get_u64(f, FIELD_CODE, &code))
		code = 255;
	if (!agent_get_text(f, FIELD_REASON, reason, sizeof(reason)))
		*reason = '\0';
	build_plain(reason);
	if (*reason)
		build_fail(b, CODE_START, "Failed to start container: %s", reason);
	else
		build_fail(b, CODE_START,
			   "Failed to start container: the application ended with exit code %llu "
			   "before the snapshot was taken.",
			   (unsigned long long)(code & 0xffff));
}

uint64_t build_expect_ack(struct build *b, void (*acknowledged)(struct build *b))
{
	b->ack.done = acknowledged;
	b->ack.id = ++b->vm.next_id;
	return b->ack.id;
}

static void build_acknowledged(struct build *b, const struct agent_frame *f)
{
	uint64_t id = 0;

	if (!b->ack.id || b->clearing || !agent_get_u64(f, FIELD_ID, &id) || id != b->ack.id)
		return;
	b->ack.id = 0;
	b->ack.done(b);
}

void build_frame(struct build *b, const struct agent_frame *f)
{
	/* clang-format off */
	static void (*const table[AGENT_NUM_TYPES])(struct build *b, const struct agent_frame *f) = {
		[AGENT_HELLO]        = build_hello,
		[AGENT_LISTEN]       = build_listening,
		[AGENT_HOOK_RESULT]  = build_hook_result,
		[AGENT_LOG]          = build_guest_log,
		[AGENT_EXIT]         = build_app_ended,
		[AGENT_ACK]          = build_acknowledged,
		[AGENT_SAMPLE]       = build_sampled,
		[AGENT_CHECK_RESULT] = build_checked,
	};
	/* clang-format on */

	if (f->type < AGENT_NUM_TYPES && table[f->type])
		table[f->type](b, f);
}

static void build_snapshot_ended(struct vm *vm)
{
	build_next(container_of(vm, struct build, vm));
}

static void build_saved(struct vm *vm, struct ipc_msg *m, const struct err *e)
{
	struct build *b = container_of(vm, struct build, vm);
	const struct machine_saved *s;

	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		fd_close(&b->save_fds[i]);
	if (!m) {
		build_fail(b, e->kind == ERR_CAPACITY ? CODE_FULL : CODE_INTERNAL,
			   "The snapshot could not be taken: %s.", e->text);
		return;
	}
	s = (const void *)m->body;
	b->done.memory_bytes = s->memory_bytes;
	b->done.disk_bytes = s->disk_bytes;
	build_logf(b, "doze: snapshot of %llu MiB of memory and %llu MiB of written disk",
		   (unsigned long long)(s->memory_bytes / MIB),
		   (unsigned long long)(s->disk_bytes / MIB));
	vm_end(vm, build_snapshot_ended);
}

void build_snapshot(struct build *b)
{
	static const char *const names[] = {
		[SAVE_FD_HEADER] = "header", [SAVE_FD_STATE] = "state", [SAVE_FD_MEMORY] = "memory"
	};
	const struct machine_none none = { 0 };
	struct err e;

	for (size_t i = 0; i < SAVE_NUM_FDS; i++) {
		b->save_fds[i] = image_create(b->role, b->files.draft_fd, names[i], &e);
		if (b->save_fds[i] < 0) {
			build_fail(b, CODE_INTERNAL, "%s", e.text);
			return;
		}
	}
	vm_request(&b->vm,
		   &(struct request_what){ MACHINE_SNAPSHOT, &none, sizeof(none), b->save_fds,
					   SAVE_NUM_FDS },
		   build_saved);
}
