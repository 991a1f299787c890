/* events.c - what happened, and who asked for it. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define EVENTS_PAUSE_S 1

struct events_asked {
	const char *microvm;
	long since_s;
	char next[64]; /* "": from the beginning of what is asked for */
};

static const char *event_member(const json_t *event, const char *group, const char *name)
{
	const char *text = json_string_value(json_object_get(json_object_get(event, group), name));

	return text ? text : "";
}

/* What it is about: the first of these that it has. */
static const char *event_subject(const json_t *event)
{
	static const struct {
		const char *group, *name;
	} places[] = {
		{ "serviceEventDetails", "id" },
		{ "responseElements", "microvmId" },
		{ "responseElements", "imageArn" },
		{ "requestParameters", "microvmIdentifier" },
		{ "requestParameters", "imageIdentifier" },
		{ "requestParameters", "Identifier" },
		{ "requestParameters", "name" },
		{ "requestParameters", "Name" },
		{ "requestParameters", "key" },
		{ "requestParameters", "logGroupName" },
		{ "requestParameters", "quota" },
		{ "requestParameters", "account" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *text = event_member(event, places[i].group, places[i].name);

		if (*text)
			return text;
	}
	return "";
}

static void event_print(const json_t *event)
{
	const char *error = json_string_value(json_object_get(event, "errorCode"));
	const char *to = event_member(event, "serviceEventDetails", "to");
	const char *who = event_member(event, "userIdentity", "userName");

	printf("%s  %-28s  %-16s  %s%s%s\n", json_text(event, "eventTime"),
	       json_text(event, "eventName"), *who ? who : "-", error ? error : to,
	       error || *to ? "  " : "", event_subject(event));
}

/* Prints one answer; *more: the next may be asked for at once. */
static int events_show(struct client *c, struct events_asked *asked, bool *more)
{
	autofree char *path =
		xasprintf("/doze/v1/events?since=%ld%s%s%s%s", asked->since_s,
			  asked->microvm ? "&microvm=" : "", asked->microvm ? asked->microvm : "",
			  *asked->next ? "&after=" : "", asked->next);
	struct err e;
	json_t *answer = client_json(c, "GET", path, NULL, &e), *event;
	size_t i;

	if (!answer)
		return say(&e);
	if (json_is_true(json_object_get(answer, "gap")))
		fputs("doze: some events are missing here: they are kept no longer\n", stderr);
	json_array_foreach(json_object_get(answer, "items"), i, event)
	{
		if (!c->json) {
			event_print(event);
			continue;
		}
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	}
	*more = strcmp(asked->next, json_text(answer, "next")) != 0;
	snprintf(asked->next, sizeof(asked->next), "%s", json_text(answer, "next"));
	json_decref(answer);
	fflush(stdout);
	return 0;
}

/* The whole id is taken as it is: events are of microVMs too that are gone. */
static char *events_microvm(struct client *c, const char *given, struct err *e)
{
	if (!strncmp(given, "microvm-", strlen("microvm-")) && strlen(given) == 44)
		return xstrdup(given);
	return name_microvm(c, given, e);
}

int cmd_events(struct client *c, const struct typed *t)
{
	const struct timespec pause = { .tv_sec = EVENTS_PAUSE_S };
	const char *microvm = typed_option(t, "--microvm"), *since = typed_option(t, "--since");
	autofree char *id = NULL;
	struct events_asked asked = { 0 };
	bool more = true;
	struct err e;

	if (microvm) {
		id = events_microvm(c, microvm, &e);
		if (!id)
			return say(&e);
		asked.microvm = id;
	}
	if (since && words_seconds("--since", since, &asked.since_s))
		return USAGE;
	if (since)
		asked.since_s = (long)time(NULL) - asked.since_s;
	while (more || typed_option(t, "--follow")) {
		if (!more)
			nanosleep(&pause, NULL);
		if (events_show(c, &asked, &more))
			return 1;
	}
	return 0;
}
