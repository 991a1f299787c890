/* microvm.c - run, ls, get, suspend, resume, rm, logs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

#define MICROVMS "/2025-09-09/microvms"

static json_t *microvm_get(struct client *c, const char *id, struct err *e)
{
	autofree char *path = xasprintf(MICROVMS "/%s", id);

	return client_json(c, "GET", path, NULL, e);
}

/* Until it is none of these states; the last record, NULL: *e says why. */
static json_t *microvm_wait(struct client *c, const char *id, const char *const *while_in,
			    struct err *e)
{
	int64_t deadline = clock_mono_ms() + 120000;

	for (;;) {
		json_t *vm = microvm_get(c, id, e);
		bool waiting = false;

		if (!vm)
			return NULL;
		for (size_t i = 0; while_in[i]; i++)
			waiting |= !strcmp(json_text(vm, "state"), while_in[i]);
		if (!waiting || clock_mono_ms() > deadline)
			return vm;
		json_decref(vm);
		usleep(20000);
	}
}

struct run_options {
	const char *idle, *suspended, *duration, *payload, *version;
	bool no_auto_resume;
};

static int run_policy(json_t *in, const struct run_options *o)
{
	long idle = 300, suspended = 3600, duration;

	if ((o->idle && words_number("--idle", o->idle, 60, 28800, &idle)) ||
	    (o->suspended && words_number("--suspended", o->suspended, 0, 28800, &suspended)) ||
	    (o->duration && words_number("--max-duration", o->duration, 1, 28800, &duration)))
		return -1;
	if (o->idle || o->suspended || o->no_auto_resume)
		json_object_set_new(in, "idlePolicy",
				    json_pack("{sI sI sb}", "maxIdleDurationSeconds",
					      (json_int_t)idle, "suspendedDurationSeconds",
					      (json_int_t)suspended, "autoResumeEnabled",
					      !o->no_auto_resume));
	if (o->duration)
		json_object_set_new(in, "maximumDurationInSeconds", json_integer(duration));
	if (o->payload)
		json_object_set_new(in, "runHookPayload", json_string(o->payload));
	if (o->version)
		json_object_set_new(in, "imageVersion", json_string(o->version));
	return 0;
}

static int run_report(struct client *c, const json_t *vm)
{
	if (c->json)
		json_print(vm);
	else
		printf("%s  %s  https://%s/\n", json_text(vm, "microvmId"), json_text(vm, "state"),
		       json_text(vm, "endpoint"));
	if (strcmp(json_text(vm, "state"), "TERMINATED") != 0)
		return 0;
	return say_text("it ended: %s (doze logs %s)", json_text(vm, "stateReason"),
			json_text(vm, "microvmId"));
}

int cmd_run(struct client *c, struct words w)
{
	static const char *const pending[] = { "PENDING", NULL };
	struct run_options o = { 0 };
	const struct option_def defs[] = {
		{ "--idle", &o.idle, NULL },
		{ "--suspended", &o.suspended, NULL },
		{ "--max-duration", &o.duration, NULL },
		{ "--payload", &o.payload, NULL },
		{ "--version", &o.version, NULL },
		{ "--no-auto-resume", NULL, &o.no_auto_resume },
	};
	const char *rest[64];
	autofree char *arn = NULL;
	json_t *in, *made, *vm = NULL;
	struct err e;
	int rc;

	if (w.n > ARRAY_SIZE(rest) || words_options(&w, defs, ARRAY_SIZE(defs), rest))
		return 1;
	if (w.n != 1)
		return say_text("run takes one image: doze run hello");
	arn = name_image(c, w.at[0], &e);
	if (!arn)
		return say(&e);
	in = json_pack("{ss}", "imageIdentifier", arn);
	if (run_policy(in, &o)) {
		json_decref(in);
		return 1;
	}
	made = client_json(c, "POST", MICROVMS, in, &e);
	json_decref(in);
	if (made)
		vm = microvm_wait(c, json_text(made, "microvmId"), pending, &e);
	rc = vm ? run_report(c, vm) : say(&e);
	json_decref(vm);
	json_decref(made);
	return rc;
}

static const char *arn_name(const char *arn)
{
	const char *colon = strrchr(arn, ':');

	return colon ? colon + 1 : arn;
}

int cmd_ls(struct client *c, struct words w)
{
	static const char *const head[] = { "MICROVM", "IMAGE", "VERSION", "STATE", "AGE" };
	double now = (double)clock_wall_ms() / 1000;
	const char *rest[16];
	bool all = false;
	const struct option_def defs[] = { { "--all", NULL, &all }, { "-a", NULL, &all } };
	struct err e;
	json_t *items, *vm;
	const char **cells;
	size_t i, n = 0;

	if (w.n > ARRAY_SIZE(rest) || words_options(&w, defs, ARRAY_SIZE(defs), rest))
		return 1;
	items = client_list(c, MICROVMS, &e);
	if (!items)
		return say(&e);
	if (c->json) {
		json_print(items);
		json_decref(items);
		return 0;
	}
	cells = xcalloc(json_array_size(items) * ARRAY_SIZE(head), sizeof(*cells));
	json_array_foreach(items, i, vm)
	{
		if (!all && !strcmp(json_text(vm, "state"), "TERMINATED"))
			continue;
		cells[n++] = json_text(vm, "microvmId");
		cells[n++] = arn_name(json_text(vm, "imageArn"));
		cells[n++] = json_text(vm, "imageVersion");
		cells[n++] = json_text(vm, "state");
		cells[n++] = text_age(json_number_value(json_object_get(vm, "startedAt")), now);
	}
	table_print(head, ARRAY_SIZE(head), cells, n / ARRAY_SIZE(head));
	for (i = 4; i < n; i += ARRAY_SIZE(head))
		free((char *)(uintptr_t)cells[i]);
	free(cells);
	json_decref(items);
	return 0;
}

int cmd_get(struct client *c, struct words w)
{
	autofree char *id = NULL;
	struct err e;
	json_t *vm;

	if (w.n != 1)
		return say_text("get takes one microVM: doze get a99");
	id = name_microvm(c, w.at[0], &e);
	vm = id ? microvm_get(c, id, &e) : NULL;
	if (!vm)
		return say(&e);
	json_print(vm);
	json_decref(vm);
	return 0;
}

/* One call for each microVM named; waits until the state is reached. */
static int microvm_each(struct client *c, struct words w, const char *method, const char *verb,
			const char *const *while_in)
{
	int rc = 0;

	if (!w.n)
		return say_text("which microVM? 'doze ls' lists them");
	for (size_t i = 0; i < w.n; i++) {
		struct err e;
		autofree char *id = name_microvm(c, w.at[i], &e);
		autofree char *path = id ? xasprintf(MICROVMS "/%s%s", id, verb) : NULL;
		json_t *done = id ? client_json(c, method, path, NULL, &e) : NULL;
		json_t *vm = done ? microvm_wait(c, id, while_in, &e) : NULL;

		if (vm)
			printf("%s  %s\n", id, json_text(vm, "state"));
		else
			rc = say(&e);
		json_decref(vm);
		json_decref(done);
	}
	return rc;
}

int cmd_suspend(struct client *c, struct words w)
{
	static const char *const while_in[] = { "SUSPENDING", "RUNNING", NULL };

	return microvm_each(c, w, "POST", "/suspend", while_in);
}

int cmd_resume(struct client *c, struct words w)
{
	static const char *const while_in[] = { "SUSPENDING", "SUSPENDED", NULL };

	return microvm_each(c, w, "POST", "/resume", while_in);
}

int cmd_rm(struct client *c, struct words w)
{
	static const char *const while_in[] = { "TERMINATING", "RUNNING", "SUSPENDED", NULL };

	return microvm_each(c, w, "DELETE", "", while_in);
}

int cmd_logs(struct client *c, struct words w)
{
	const char *rest[16];
	bool follow = false;
	const struct option_def defs[] = { { "-f", NULL, &follow }, { "--follow", NULL, &follow } };
	autofree char *id = NULL;
	size_t from = 0;
	struct err e;

	if (w.n > ARRAY_SIZE(rest) || words_options(&w, defs, ARRAY_SIZE(defs), rest))
		return 1;
	if (w.n != 1)
		return say_text("logs takes one microVM: doze logs a99 -f");
	id = name_microvm(c, w.at[0], &e);
	if (!id)
		return say(&e);
	for (;;) {
		autofree char *path = xasprintf("/doze/v1/microvms/%s/log?from=%zu", id, from);
		autobuf struct buf text = { 0 };
		long status;

		if (client_call(c, "GET", path, NULL, &text, &status, &e))
			return say(&e);
		fwrite(text.data, 1, text.size, stdout);
		fflush(stdout);
		from += text.size;
		if (!follow && !text.size)
			return 0;
		if (!text.size)
			usleep(300000);
	}
}
