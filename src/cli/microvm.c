/* microvm.c - the commands for microVMs, except curl. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/suggest.h"
#include "conf/awake.h"

#define MICROVMS "/2025-09-09/microvms"
#define WAIT_MS  120000
#define AWAKE_MS 10000

static json_t *microvm_get(struct client *c, const char *id, struct err *e)
{
	autofree char *path = xasprintf(MICROVMS "/%s", id);

	return client_json(c, "GET", path, NULL, e);
}

static int microvm_late(struct client *c, const char *id, const char *state, struct err *e)
{
	autofree char *words = xasprintf("get %s", id);
	autofree char *get = command_text(&c->conf, words);

	return err_set(e, ERR_CONFLICT, "%s is still %s after two minutes; '%s' shows why", id,
		       state, get);
}

/* Waits until the microVM has left the states @while_in, and returns its record.  NULL: *e says
 * why. */
static json_t *microvm_wait(struct client *c, const char *id, const char *const *while_in,
			    struct err *e)
{
	int64_t deadline = clock_mono_ms() + WAIT_MS;

	for (;;) {
		json_t *vm = microvm_get(c, id, e);
		const char *state = json_text(vm, "state");
		bool waiting = false;

		if (!vm)
			return NULL;
		for (size_t i = 0; while_in[i]; i++)
			waiting |= !strcmp(state, while_in[i]);
		if (!waiting)
			return vm;
		if (!strcmp(state, "SUSPENDING")) /* a save takes as long as its disk does */
			deadline = clock_mono_ms() + WAIT_MS;
		if (clock_mono_ms() > deadline) {
			microvm_late(c, id, state, e);
			json_decref(vm);
			return NULL;
		}
		json_decref(vm);
		usleep(20000);
	}
}

struct run_options {
	const char *idle, *suspended, *duration, *payload, *version, *role;
	const char *awake_words; /* NULL: none */
	struct awake awake;
	bool no_auto_resume, shell;
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

static void run_ingress(const struct client *c, json_t *in)
{
	static const char *const names[] = { "HTTP_INGRESS", "SHELL_INGRESS" };
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *arn = xasprintf("arn:aws:lambda:%s:aws:network-connector:"
					       "aws-network-connector:%s",
					       c->conf.region, names[i]);

		json_array_append_new(list, json_string(arn));
	}
	json_object_set_new(in, "ingressNetworkConnectors", list);
}

/* A name is that of a role of the image's account. */
static void run_role(json_t *in, const char *image, const char *role)
{
	const char *account = image;
	autofree char *arn = NULL;

	for (int colons = 0; colons < 4 && account; colons++)
		account = (account = strchr(account, ':')) ? account + 1 : NULL;
	if (account && strncmp(role, "arn:", 4) != 0)
		arn = xasprintf("arn:aws:iam::%.*s:role/%s", (int)strcspn(account, ":"), account,
				role);
	json_object_set_new(in, "executionRoleArn", json_string(arn ? arn : role));
}

/* Its own operation: the service's RunMicrovm has no member for it.  Right after a start its row
 * may still be on its way to the store. */
static int run_awake(struct client *c, const char *id, const struct awake *a, struct err *e)
{
	autofree char *path = xasprintf("/doze/v1/microvms/%s/awake", id);
	json_t *in = json_pack("{sI sb}", "cpuPercent", (json_int_t)a->cpu_percent, "lease",
			       (int)a->lease);
	int64_t deadline = clock_mono_ms() + AWAKE_MS;
	json_t *answer = client_json(c, "PUT", path, in, e);

	while (!answer && e->kind == ERR_CONFLICT && clock_mono_ms() < deadline) {
		usleep(100000);
		answer = client_json(c, "PUT", path, in, e);
	}
	json_decref(in);
	json_decref(answer);
	return answer ? 0 : -1;
}

static int run_report(struct client *c, const json_t *vm)
{
	autofree char *words = NULL, *logs = NULL;

	if (c->json)
		json_print(vm);
	else
		printf("%s  %s  https://%s/\n", json_text(vm, "microvmId"), json_text(vm, "state"),
		       json_text(vm, "endpoint"));
	if (strcmp(json_text(vm, "state"), "TERMINATED") != 0)
		return 0;
	words = xasprintf("logs %s", json_text(vm, "microvmId"));
	logs = command_text(&c->conf, words);
	return say_text("the microVM ended: %s; '%s' shows what it wrote",
			json_text(vm, "stateReason"), logs);
}

int cmd_run(struct client *c, const struct typed *t)
{
	static const char *const pending[] = { "PENDING", NULL };
	struct run_options o = {
		.idle = typed_option(t, "--idle"),
		.suspended = typed_option(t, "--suspended"),
		.duration = typed_option(t, "--max-duration"),
		.payload = typed_option(t, "--payload"),
		.version = typed_option(t, "--version"),
		.role = typed_option(t, "--role"),
		.no_auto_resume = typed_option(t, "--no-auto-resume"),
		.shell = typed_option(t, "--shell"),
		.awake_words = typed_option(t, "--awake"),
	};
	struct err e;
	autofree char *arn = name_image(c, t->words.at[0], &e);
	json_t *in, *made, *vm = NULL;
	int rc;

	if (!arn || (o.awake_words && awake_parse(o.awake_words, &o.awake, &e)))
		return say(&e);
	in = json_pack("{ss}", "imageIdentifier", arn);
	if (run_policy(in, &o)) {
		json_decref(in);
		return 1;
	}
	if (o.shell)
		run_ingress(c, in);
	if (o.role)
		run_role(in, arn, o.role);
	made = client_json(c, "POST", MICROVMS, in, &e);
	json_decref(in);
	if (made)
		vm = microvm_wait(c, json_text(made, "microvmId"), pending, &e);
	if (vm && o.awake_words && strcmp(json_text(vm, "state"), "TERMINATED") != 0 &&
	    run_awake(c, json_text(vm, "microvmId"), &o.awake, &e))
		rc = say(&e);
	else
		rc = vm ? run_report(c, vm) : say(&e);
	json_decref(vm);
	json_decref(made);
	return rc;
}

int cmd_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "MICROVM", "microvmId", NULL },    { "IMAGE", "imageArn", cell_arn_name },
		{ "VERSION", "imageVersion", NULL }, { "STATE", "state", NULL },
		{ "AGE", "startedAt", cell_age },
	};
	struct err e;
	json_t *all = client_list(c, MICROVMS, &e), *live;

	if (!all)
		return say(&e);
	live = microvms_live(all);
	list_print(c, c->json || typed_option(t, "--all") ? all : live, columns,
		   ARRAY_SIZE(columns));
	json_decref(live);
	json_decref(all);
	return 0;
}

int cmd_get(struct client *c, const struct typed *t)
{
	struct err e;
	autofree char *id = name_microvm(c, t->words.at[0], &e);
	json_t *vm = id ? microvm_get(c, id, &e) : NULL;
	if (!vm)
		return say(&e);
	json_print(vm);
	json_decref(vm);
	return 0;
}

/* Makes one call for each microVM that was named, and waits until it has left the states
 * @while_in. */
static int microvm_each(struct client *c, const struct typed *t, const char *method,
			const char *verb, const char *const *while_in)
{
	int rc = 0;

	for (size_t i = 0; i < t->words.n; i++) {
		struct err e;
		autofree char *id = name_microvm(c, t->words.at[i], &e);
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

int cmd_suspend(struct client *c, const struct typed *t)
{
	static const char *const while_in[] = { "SUSPENDING", "RUNNING", NULL };

	return microvm_each(c, t, "POST", "/suspend", while_in);
}

int cmd_resume(struct client *c, const struct typed *t)
{
	static const char *const while_in[] = { "SUSPENDING", "SUSPENDED", NULL };

	return microvm_each(c, t, "POST", "/resume", while_in);
}

int cmd_rm(struct client *c, const struct typed *t)
{
	static const char *const while_in[] = { "TERMINATING", "RUNNING", "SUSPENDED", NULL };

	return microvm_each(c, t, "DELETE", "", while_in);
}

int cmd_logs(struct client *c, const struct typed *t)
{
	bool follow = typed_option(t, "--follow");
	struct err e;
	autofree char *id = name_microvm(c, t->words.at[0], &e);
	size_t from = 0;

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
