#include "dozed/process.h"

#include <string.h>

#include "base/log.h"

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

void process_init(struct conf *conf, const char *name)
{
	conf_find_libexec(conf, NULL);
	log_init(name, level_of(conf->log_level));
}
