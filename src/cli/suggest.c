#include "cli/suggest.h"

#include <string.h>
#include <unistd.h>

bool command_needs_root(const char *words)
{
	static const char *const needs[] = { "up", "down", "reload" };
	size_t size = strcspn(words, " ");

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (strlen(needs[i]) == size && !strncmp(needs[i], words, size))
			return true;
	return false;
}

/* The instance is given as an option because sudo drops DOZE_INSTANCE. */
char *command_text(const struct conf *conf, const char *words)
{
	return conf_command(conf, command_needs_root(words) && geteuid() != 0, words);
}

char *instance_text(const struct conf *conf)
{
	return *conf->instance ? xasprintf("instance %s", conf->instance) : xstrdup("doze");
}

char *help_text(const struct conf *conf, const char *text)
{
	static const char etc[] = "{etc}";
	const char *at = strstr(text, etc);

	return at ? xasprintf("%.*s%s%s", (int)(at - text), text, conf->etc_dir,
			      at + sizeof(etc) - 1)
		  : xstrdup(text);
}
