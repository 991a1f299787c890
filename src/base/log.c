#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char log_process[64] = "doze";
static enum log_level log_most = LOG_LEVEL_INFO;

static const char *const level_name[] = {
	[LOG_LEVEL_ERR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_init(const char *process, enum log_level most)
{
	snprintf(log_process, sizeof(log_process), "%s", process);
	log_most = most;
}

/* Each line is one write(), so that the lines of processes that share a file do not mix. */
static void printf_like(2, 0) log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[2048];
	struct timespec now;
	struct tm utc;
	size_t used;
	int kept = errno;

	if (level > log_most)
		return;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)snprintf(line + used, sizeof(line) - used, ".%03ldZ %s %s ",
				 now.tv_nsec / 1000000, level_name[level], log_process);
	vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	used = strlen(line);
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' '; /* a stranger's text must not start a new line */
	line[used] = '\n';
	(void)!write(STDERR_FILENO, line, used + 1);
	errno = kept;
}

#define LOG_AT(level)                     \
	do {                              \
		va_list ap;               \
		va_start(ap, fmt);        \
		log_line(level, fmt, ap); \
		va_end(ap);               \
	} while (0)

void log_err(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERR);
}

void log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_WARN);
}

void log_info(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}
