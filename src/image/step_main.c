/* doze-build-step JOB [options] [arguments] */

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "image/step.h"

static const struct step_job {
	const char *name;
	int (*run)(struct step *s, struct err *e);
	bool store; /* it works in the layer store */
} step_jobs[] = {
	{ "unpack", step_unpack, false },     { "base", step_base, true },
	{ "pull", step_pull, true },          { "build", step_build, true },
	{ "disk", step_disk, true },          { "overlay", step_overlay, false },
	{ "import", step_import, true },      { "list", step_list_bases, true },
	{ "remove", step_remove_base, true }, { "pull-base", step_pull_base, true },
	{ "reset", step_reset, false },       { "clean", step_clean, false },
};

static const struct step_option {
	const char *name;
	size_t text, list; /* the offset of the value in struct step; 0: none */
} step_options[] = {
	{ "dir", offsetof(struct step, dir), 0 },
	{ "store", offsetof(struct step, store), 0 },
	{ "libexec", offsetof(struct step, libexec), 0 },
	{ "arch", offsetof(struct step, arch), 0 },
	{ "ca", offsetof(struct step, ca), 0 },
	{ "dns", offsetof(struct step, dns), 0 },
	{ "registry", offsetof(struct step, registry), 0 },
	{ "tag", offsetof(struct step, tag), 0 },
	{ "mirror", offsetof(struct step, mirror), 0 },
	{ "pull", offsetof(struct step, pull), 0 },
	{ "network", offsetof(struct step, network), 0 },
	{ "silence", offsetof(struct step, silence), 0 },
	{ "env", 0, offsetof(struct step, env) },
	{ "insecure", 0, offsetof(struct step, insecure) },
};

int step_fail(struct step *s, const char *code, struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)]; /* the arguments may hold e->text itself */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->code = code;
	return err_set(e, ERR_INVALID, "%s", text);
}

static int step_list_add(struct step_list *l, const char *name, const char *text, struct err *e)
{
	if (l->n == STEP_MAX_LIST)
		return err_set(e, ERR_INVALID,
			       "doze-build-step: there are more than %d values of '%s'",
			       STEP_MAX_LIST, name);
	l->v[l->n++] = text;
	return 0;
}

/* They come on standard input, because passwords are among them. */
static json_t *step_read_registries(void)
{
	autobuf struct buf text = { .secret = true };

	if (io_read_all(0, &text, MIB))
		return NULL;
	return json_loadb((const char *)text.data, text.size, 0, NULL);
}

static int step_parse(struct step *s, int argc, char **argv, struct err *e)
{
	for (int i = 2; i < argc; i++) {
		const struct step_option *o = NULL;

		if (!strcmp(argv[i], "--registries")) {
			s->registries = step_read_registries();
			continue;
		}
		if (!strcmp(argv[i], "--older")) {
			s->older = true;
			continue;
		}
		if (!strncmp(argv[i], "--gib=", 6)) {
			s->gib = strtol(argv[i] + 6, NULL, 10);
			continue;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			if (step_list_add(&s->args, "arguments", argv[i], e))
				return -1;
			continue;
		}
		for (size_t n = 0; n < ARRAY_SIZE(step_options); n++)
			if (!strcmp(argv[i] + 2, step_options[n].name))
				o = &step_options[n];
		if (!o || i + 1 == argc)
			return err_set(
				e, ERR_INVALID,
				"doze-build-step: the option '%s' is unknown or lacks its value",
				argv[i]);
		i++;
		if (!o->list)
			memcpy((char *)s + o->text, &argv[i], sizeof(argv[i]));
		else if (step_list_add((struct step_list *)((char *)s + o->list), argv[i - 1],
				       argv[i], e))
			return -1;
	}
	return 0;
}

/* The image role is neither the owner nor in the group of the file, so that others must be able to
 * read it. */
static int step_finish(struct step *s, int rc, const struct err *failure)
{
	autofree char *text = NULL;
	struct err e;

	if (rc) {
		json_object_clear(s->result);
		json_object_set_new(s->result, "code",
				    json_string(s->code ? s->code : "INTERNAL_PLATFORM_ERROR"));
		json_object_set_new(s->result, "reason", json_string(failure->text));
		printf("doze: %s\n", failure->text);
		fflush(stdout);
	}
	json_object_set_new(s->result, "ok", json_boolean(!rc));
	text = json_dumps(s->result, JSON_COMPACT);
	if (!text || io_replace(3, "result.json", text, strlen(text), 0644, &e)) {
		log_err("no result could be left");
		return 2;
	}
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct step s = { .arch = "amd64", .gib = 8, .hold = -1, .result = json_object() };
	const struct step_job *job = NULL;
	struct err e = { 0 };
	int rc;

	log_init("build-step", LOG_LEVEL_INFO);
	umask(022);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(step_jobs); i++)
		if (!strcmp(argv[1], step_jobs[i].name))
			job = &step_jobs[i];
	if (!job || step_parse(&s, argc, argv, &e)) {
		log_err("usage: doze-build-step JOB [options] [arguments] %s", e.text);
		return 2;
	}
	step_silence_limit(s.silence ? strtoll(s.silence, NULL, 10) : 0, "/proc");
	rc = step_setup(&s, &e);
	if (!rc && job->store)
		rc = step_use_store(&s, &e);
	if (!rc)
		rc = job->run(&s, &e);
	/* Whoever ran the child knows only that it was killed. */
	if (rc && step_silence_reason())
		step_fail(&s, "CONTAINER_BUILD_FAILED", &e, "%s", step_silence_reason());
	return step_finish(&s, rc, &e);
}
