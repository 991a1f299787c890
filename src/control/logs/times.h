/* times.h - when each part of a log came: <id>.times beside <id>.log, records of 16 bytes, a place
 * and a time in little-endian.
 *
 * A place counts from the first byte that the log ever had, across rotations.  The first record of
 * a file is where its log begins; from a record on, up to the next one, the bytes came at its time.
 * Times never go back, whatever the clock does.  A record that a crash tore is cut off. */
#ifndef CONTROL_LOGS_TIMES_H
#define CONTROL_LOGS_TIMES_H

#include "base/base.h"

#define LOG_TIME_SIZE 16

struct log_time {
	int64_t at, ms;
};

/* For whoever writes the log. */
struct log_times {
	int fd; /* -1: not open */
	int64_t base, last_ms;
};

/* Opens or makes @name below @dir_fd; @base is where a log begins whose file is made.  If that
 * fails, the lines come without times of their own. */
void log_times_open(struct log_times *t, int dir_fd, const char *name, int64_t base, int64_t ms);
/* The log goes on at @at of its file. */
void log_times_note(struct log_times *t, int64_t at, int64_t ms);
void log_times_close(struct log_times *t);

/* For readers.  How many whole records there are, and one of them; false: it cannot be read. */
size_t log_times_count(int fd);
bool log_times_read(int fd, size_t i, struct log_time *to) must_check;
/* How many records have a time before @ms, or a place up to @at. */
size_t log_times_before(int fd, int64_t ms);
size_t log_times_up_to(int fd, int64_t at);

#endif
