/* search.h - events of several logs in the order of their times, for FilterLogEvents; and of one,
 * forwards and backwards, for GetLogEvents.  For workers: bounded in memory and in what one call
 * reads, whatever the logs hold. */
#ifndef CONTROL_LOGS_SEARCH_H
#define CONTROL_LOGS_SEARCH_H

#include "base/buf.h"
#include "control/logs/pattern.h"
#include "ipc/machine.h"

#define SEARCH_AT_ONCE 64         /* logs that one call merges; the others are for the next */
#define SEARCH_EVENTS  10000      /* in one answer, as the service has it */
#define SEARCH_ANSWER  (1 * MIB)  /* likewise */
#define SEARCH_EVENT   26         /* what an event counts beside its text, likewise */
#define SEARCH_BYTES   (16 * MIB) /* read by one call */

/* A log, as the loop's thread knows it. */
struct log_source {
	char id[IPC_ID_SIZE];
	char *name; /* of the stream; owned by whoever made it */
	bool of_build;
	bool ended;    /* no more lines come */
	int64_t at_ms; /* of lines without a time of their own */
};

struct log_event {
	int64_t at, ms;
	char *text; /* owned */
	size_t size;
	const struct log_source *source;
};

struct log_events {
	struct log_event *all; /* owned */
	size_t n;
	size_t size; /* as the service counts an answer */
};

/* Where a search goes on: behind the event of this time, log and place. */
struct log_place {
	int64_t ms, at;
	char id[IPC_ID_SIZE]; /* "": before all events of this time */
};

struct log_search {
	int log_fd;
	const struct log_source *sources;
	size_t n; /* at most SEARCH_AT_ONCE */
	const struct log_pattern *pattern;
	int64_t from_ms, to_ms; /* from <= time < to */
	size_t most;            /* events */
	struct log_place after; /* both ways: where it begins, and where it has ended */
	bool more;              /* it ended before the logs did */
	struct log_events events;
};

void log_search_run(struct log_search *s);

/* One log.  @place is of a byte: the events at and behind it, or (backwards) before it. */
struct log_read {
	int log_fd;
	const struct log_source *source;
	int64_t from_ms, to_ms;
	size_t most;
	bool backward;
	int64_t place;         /* -1: the beginning, or backwards the end */
	int64_t first, behind; /* where a read before, and a read after these events begin */
	struct log_events events;
};

void log_read_run(struct log_read *r);

void log_events_free(struct log_events *e);

#endif
