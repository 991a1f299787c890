/* log.h - one line per fact, on stderr: `time level process text key=value ...`.
 *
 * The text is a sentence for a person; whatever varies goes into key=value. An error is logged
 * once, by the function that does not pass it on. Secrets, tokens, values of environment variables
 * and hook payloads are never logged (service.md 2.9: marked sensitive). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Name this process in every line ("control", "qemu/m-1234"); the name is copied. */
void log_init(const char *process, enum log_level most);

void log_err(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_debug(const char *fmt, ...) printf_like(1, 2);

#endif
