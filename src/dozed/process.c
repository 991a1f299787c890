#include "dozed/process.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

static void fill_libexec(struct conf *conf)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (*conf->libexec_dir || n <= 0)
		return;
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(conf->libexec_dir, sizeof(conf->libexec_dir), "%.*s", CONF_TEXT - 1, exe);
}

void process_init(struct conf *conf, const char *name)
{
	fill_libexec(conf);
	log_init(name, level_of(conf->log_level));
}
