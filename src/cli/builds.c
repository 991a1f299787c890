/* builds.c - follows a build, shows its log, ends it. */

#include "cli/builds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/build_show.h"
#include "cli/cli.h"
#include "cli/suggest.h"

#define POLL_US          250000
#define BUILD_MS         (2 * 3600 * 1000)
#define EXIT_INTERRUPTED 130

static char *build_id_of(struct client *c, const char *arn, const char *version)
{
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf(IMAGES "/%s/versions/%s/builds", escaped, version);
	struct err e;
	json_t *builds = client_list(c, path, &e);
	const char *id = json_text(json_array_get(builds, 0), "buildId");
	char *copy = *id ? xstrdup(id) : NULL;

	json_decref(builds);
	return copy;
}

static json_t *build_get(struct client *c, const char *id, size_t from, struct err *e)
{
	autofree char *path = xasprintf("/doze/v1/builds/%s?from=%zu", id, from);

	return client_json(c, "GET", path, NULL, e);
}

static const char *image_name(const char *arn)
{
	const char *colon = strrchr(arn, ':');

	return colon ? colon + 1 : arn;
}

static bool build_state_is_end(const char *state)
{
	return !strcmp(state, "SUCCESSFUL") || !strcmp(state, "FAILED");
}

/* Reads a piece of the log; nothing, where the log is not there yet. */
static void build_log_piece(struct client *c, const char *id, size_t from, struct buf *text)
{
	autofree char *path = xasprintf("/doze/v1/builds/%s/log?from=%zu", id, from);
	struct err e;
	long status;

	buf_clear(text);
	if (client_call(c, "GET", path, NULL, text, &status, &e))
		buf_clear(text);
}

static json_t *build_cancel(struct client *c, const char *id, struct err *e)
{
	autofree char *path = xasprintf("/doze/v1/builds/%s/cancel", id);

	return client_json(c, "POST", path, NULL, e);
}

/* Who follows which build. */
struct watch {
	struct client *c;
	const char *arn, *version;
	char *id; /* of the build; NULL: not known yet */
	struct build_show show;
	size_t log_at;
	int64_t began_ms;
};

/* How the reader goes on with it later. */
static int watch_left(const struct watch *w)
{
	const char *name = image_name(w->arn);
	autofree char *log_words = xasprintf("image log %s %s --follow", name, w->version);
	autofree char *cancel_words = xasprintf("image cancel %s %s", name, w->version);
	autofree char *log = command_text(&w->c->conf, log_words);
	autofree char *cancel = command_text(&w->c->conf, cancel_words);

	say_text("version %s goes on being built: '%s' shows it, '%s' ends it", w->version, log,
		 cancel);
	return EXIT_INTERRUPTED;
}

/* Ctrl-C was pressed.  0: go on watching. */
static int watch_interrupted(struct watch *w)
{
	json_t *done;
	struct err e;

	build_show_clear(&w->show);
	switch (ask("Cancel the build?")) {
	case ANSWER_NO:
		return 0;
	case ANSWER_LEAVE:
	case ANSWER_NOBODY:
		return watch_left(w);
	case ANSWER_YES:
		break;
	}
	done = w->id ? build_cancel(w->c, w->id, &e) : NULL;
	if (!done && !w->id)
		say_text("the build has not begun yet");
	else if (!done)
		say(&e);
	json_decref(done);
	return 0;
}

static void watch_log(struct watch *w)
{
	autobuf struct buf text = { 0 };

	do {
		build_log_piece(w->c, w->id, w->log_at, &text);
		build_show_log(&w->show, text.data, text.size);
		w->log_at += text.size;
	} while (text.size);
}

/* Reads what the step wrote, of which the end is enough. */
static void watch_failed_step(struct watch *w, const json_t *step)
{
	size_t from = (size_t)json_integer_value(json_object_get(step, "logFrom"));
	size_t to = (size_t)json_integer_value(json_object_get(step, "logTo"));
	bool cut = to > from + 64 * KIB;
	autobuf struct buf text = { 0 };
	const char *own;

	if (cut)
		from = to - 64 * KIB;
	build_log_piece(w->c, w->id, from, &text);
	if (text.size > to - from)
		text.size = to - from;
	/* The first line names the step, as the heading does. */
	own = json_integer_value(json_object_get(step, "part")) > 0 && !cut
		      ? strchrnul(buf_str(&text), '\n')
		      : buf_str(&text);
	build_show_failure(&w->show, step, own + (*own == '\n'));
}

static int watch_failed(struct watch *w, const json_t *build)
{
	autofree char *words = xasprintf("image log %s %s", image_name(w->arn), w->version);
	autofree char *log = command_text(&w->c->conf, words);
	struct err e;
	json_t *whole = build_get(w->c, w->id, 0, &e);
	const json_t *steps = json_object_get(whole, "steps");
	const json_t *step =
		json_array_size(steps) ? json_array_get(steps, json_array_size(steps) - 1) : NULL;

	if (step)
		watch_failed_step(w, step);
	json_decref(whole);
	say_text("version %s failed: %s", w->version, json_text(build, "stateReason"));
	return say_text("'%s' shows the whole log", log);
}

static int watch_ended(struct watch *w, const json_t *build)
{
	double seconds = (double)(clock_mono_ms() - w->began_ms) / 1000;
	bool failed = !strcmp(json_text(build, "buildState"), "FAILED");
	int rc = 0;

	watch_log(w);
	build_show_log_end(&w->show);
	build_show_clear(&w->show);
	if (failed)
		rc = watch_failed(w, build);
	if (w->show.json)
		build_show_event(&w->show, "end",
				 json_pack("{s:s,s:s,s:s,s:O*,s:f}", "imageArn", w->arn,
					   "imageVersion", w->version, "state",
					   json_text(build, "buildState"), "stateReason",
					   json_object_get(build, "stateReason"), "seconds",
					   seconds));
	else if (!failed)
		printf("%s  version %s  made in %.1f s\n", w->arn, w->version, seconds);
	return rc;
}

/* Looks once.  *over: the build has ended, or cannot be seen; the exit status is returned. */
static int watch_look(struct watch *w, bool *over)
{
	struct err e;
	json_t *build;
	int rc = 0;

	*over = false;
	if (!w->id) {
		w->id = build_id_of(w->c, w->arn, w->version);
		if (w->id && w->show.json)
			build_show_event(&w->show, "begin",
					 json_pack("{s:s,s:s,s:s}", "imageArn", w->arn,
						   "imageVersion", w->version, "buildId", w->id));
	}
	if (!w->id)
		return 0;
	build = build_get(w->c, w->id, w->show.ended, &e);
	if (!build) {
		*over = true;
		build_show_clear(&w->show);
		return say(&e);
	}
	watch_log(w); /* a warning stands before the end of its step */
	build_show_steps(&w->show, build);
	*over = build_state_is_end(json_text(build, "buildState"));
	if (*over)
		rc = watch_ended(w, build);
	json_decref(build);
	return rc;
}

static int watch_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

int build_follow(struct client *c, const char *arn, const char *version, bool verbose)
{
	struct watch w = { .c = c, .arn = arn, .version = version };
	autofree char *words = NULL, *log = NULL;
	bool over = false;
	int rc = 0;

	w.began_ms = clock_mono_ms();
	build_show_begin(&w.show, stdout, c->json ? 0 : watch_columns());
	w.show.json = c->json;
	w.show.verbose = verbose;
	interrupts_catch();
	while (!over && !rc && clock_mono_ms() - w.began_ms < BUILD_MS) {
		rc = watch_look(&w, &over);
		if (!over && !rc && interrupts_take())
			rc = watch_interrupted(&w);
		if (!over && !rc)
			usleep(POLL_US);
	}
	build_show_free(&w.show);
	free(w.id);
	if (over || rc)
		return rc;
	words = xasprintf("image log %s", arn);
	log = command_text(&c->conf, words);
	return say_text("the build takes longer than two hours; '%s' shows how far it is", log);
}

/* The version that was named, or else the newest one: of those that are being built, if @building.
 * NULL: there is none. Owned by the caller. */
static char *version_meant(struct client *c, const char *arn, const char *given, bool building,
			   struct err *e)
{
	autofree char *escaped = client_escape(arn);
	autofree char *path = xasprintf(IMAGES "/%s/versions", escaped);
	json_t *versions = client_list(c, path, e), *v;
	char *found = NULL;
	size_t i;

	json_array_foreach(versions, i, v)
	{
		const char *number = json_text(v, "imageVersion");

		if (given ? !strcmp(given, number)
			  : !building || !build_state_is_end(json_text(v, "state")))
			found = found ? found : xstrdup(number);
	}
	if (versions && !found && given)
		err_set(e, ERR_NOT_FOUND, "image %s has no version %s", image_name(arn), given);
	else if (versions && !found)
		err_set(e, ERR_NOT_FOUND, "image %s has no version%s", image_name(arn),
			building ? " that is being built" : "");
	json_decref(versions);
	return found;
}

int cmd_image_cancel(struct client *c, const struct typed *t)
{
	const char *given = t->words.n > 1 ? t->words.at[1] : NULL;
	struct err e;
	autofree char *arn = name_image(c, t->words.at[0], &e);
	autofree char *version = arn ? version_meant(c, arn, given, true, &e) : NULL;
	autofree char *id = version ? build_id_of(c, arn, version) : NULL;
	json_t *done = id ? build_cancel(c, id, &e) : NULL;
	int rc = 0;

	if (version && !id)
		return say_text("version %s has no build", version);
	if (!done)
		return say(&e);
	if (c->json)
		json_print(done);
	else if (!strcmp(json_text(done, "terminationReasonCode"), "CANCELLED"))
		printf("%s  version %s  cancelled\n", arn, version);
	else if (!build_state_is_end(json_text(done, "buildState")))
		printf("%s  version %s  is being stopped\n", arn, version);
	else
		rc = say_text("the build of version %s has ended already: it is %s", version,
			      json_text(done, "buildState"));
	json_decref(done);
	return rc;
}

/* Prints what the build writes until it has ended, or until there is no more. */
static int log_print(struct client *c, const char *id, bool follow)
{
	autobuf struct buf text = { 0 };
	size_t from = 0;
	struct err e;

	for (;;) {
		json_t *build = build_get(c, id, SIZE_MAX >> 1, &e);
		bool over = !build || !follow || build_state_is_end(json_text(build, "buildState"));

		json_decref(build);
		if (!build)
			return say(&e);
		do {
			build_log_piece(c, id, from, &text);
			fwrite(text.data, 1, text.size, stdout);
			from += text.size;
		} while (text.size);
		fflush(stdout);
		if (over)
			return 0;
		usleep(POLL_US);
	}
}

int cmd_image_log(struct client *c, const struct typed *t)
{
	const char *given = t->words.n > 1 ? t->words.at[1] : NULL;
	struct err e;
	autofree char *arn = name_image(c, t->words.at[0], &e);
	autofree char *version = arn ? version_meant(c, arn, given, false, &e) : NULL;
	autofree char *id = version ? build_id_of(c, arn, version) : NULL;

	if (!version)
		return say(&e);
	if (!id)
		return say_text("there is no build log of '%s', version %s", t->words.at[0],
				version);
	return log_print(c, id, typed_option(t, "--follow"));
}
