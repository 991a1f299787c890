/* lines.h - a log as lines, each with its place and its time, whatever its two files do meanwhile.
 *
 * For workers: it reads from the disk.  Nothing of what a guest wrote is trusted: a line is any
 * bytes, and one of more than LOG_LINE_MAX is several. */
#ifndef CONTROL_LOGS_LINES_H
#define CONTROL_LOGS_LINES_H

#include "base/buf.h"

#define LOG_LINE_MAX (256 * KIB) /* of an event, as the service has it */

struct log_part {
	int fd, times; /* -1: there is none */
	int64_t base, size;
};

struct log_file {
	struct log_part parts[2]; /* the older one first */
	size_t n;
	int64_t at_ms; /* of lines whose time nobody wrote down */
};

/* Which log: @path is "microvms/<id>" or "builds/<id>", below @log_fd.  A log that is not there is
 * empty. */
void log_file_open(struct log_file *f, int log_fd, const char *path, int64_t at_ms);
void log_file_close(struct log_file *f);
int64_t log_file_begin(const struct log_file *f);
int64_t log_file_end(const struct log_file *f);
/* When the byte at @at came; the same is true up to *until. */
int64_t log_file_time(const struct log_file *f, int64_t at, int64_t *until);
/* The first line that came at @ms or later. */
int64_t log_file_seek(const struct log_file *f, int64_t ms);
/* Appends at most @size bytes from @at on, all of one part; returns how many, 0 at the end. */
size_t log_file_read(const struct log_file *f, int64_t at, struct buf *to, size_t size);

struct log_line {
	int64_t at, ms;
	const char *text; /* until the next line is asked for */
	size_t size;      /* without its newline */
	int64_t next;     /* the place behind it */
};

struct log_lines {
	struct log_file file;
	bool ended; /* what follows the last newline is a line too */
	int64_t at; /* of the first byte in the buffer */
	struct buf buf;
	size_t used;          /* of it */
	size_t read;          /* bytes in all */
	int64_t ms, ms_until; /* the time of what stands before ms_until */
};

void log_lines_from(struct log_lines *l, int64_t at);
bool log_lines_next(struct log_lines *l, struct log_line *line) must_check;
void log_lines_free(struct log_lines *l); /* closes the file too */

/* The text of an event: UTF-8 throughout, as an owned buffer's content. */
void log_clean(struct buf *to, const char *text, size_t size);

#endif
