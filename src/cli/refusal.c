#include "cli/refusal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "cli/suggest.h"

/* The header fields of an answer that the endpoint gives itself (src/proxy). */
static const char *const own_fields[] = { "content-length: 0", "cache-control: private, no-store" };

static bool refusal_has(const char *head, const char *field)
{
	size_t size = strlen(field);

	for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		if (!strncasecmp(line + 1, field, size) &&
		    (line[1 + size] == '\r' || line[1 + size] == '\n'))
			return true;
	return false;
}

int refusal_status(const char *heads)
{
	const char *last = NULL;
	long status;

	for (const char *at = heads; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, "HTTP/", 5))
			last = at;
	}
	last = last ? strchr(last, ' ') : NULL;
	status = last ? strtol(last, NULL, 10) : 0;
	if (status != 502 && status != 504)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(own_fields); i++)
		if (!refusal_has(last, own_fields[i]))
			return 0;
	return (int)status;
}

static char *refusal_command(const struct conf *conf, const char *verb, const char *id)
{
	autofree char *words = xasprintf("%s %s", verb, id);

	return command_text(conf, words);
}

char *refusal_text(const struct conf *conf, const json_t *vm, long port, int status)
{
	const json_t *policy = json_object_get(vm, "idlePolicy");
	const char *id = json_text(vm, "microvmId"), *state = json_text(vm, "state");
	autofree char *resume = refusal_command(conf, "resume", id);
	autofree char *logs = refusal_command(conf, "logs", id);

	if (!strcmp(state, "SUSPENDED") &&
	    !json_is_true(json_object_get(policy, "autoResumeEnabled")))
		return xasprintf("it is suspended, and does not wake by itself: '%s' wakes it",
				 resume);
	if (!strcmp(state, "SUSPENDED"))
		return xasprintf("it is suspended, and could not be woken: '%s' says why", resume);
	if (strcmp(state, "RUNNING") != 0)
		return xasprintf("it is %s%s%s", state, *json_text(vm, "stateReason") ? ": " : "",
				 json_text(vm, "stateReason"));
	if (status == 504)
		return xasprintf(
			"its application on port %ld did not answer in time; '%s' shows what it "
			"wrote",
			port, logs);
	return xasprintf("nothing in it answers on port %ld; '%s' shows what it wrote", port, logs);
}
