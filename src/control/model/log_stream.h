/* log_stream.h - where CloudWatch Logs' clients find the lines: groups and streams (service.md 16).
 *
 * A microVM has a stream as long as its row is there, a build from its end on, unless logging is
 * disabled for it.  When such a row goes, its stream stays with a row of its own until the group's
 * retention ends it (logs/retention.h).  A group is there once it has a stream or was made by name;
 * it has a row if there is more to say about it.
 *
 * A group that was deleted hides the streams that were there, and comes back with the next one. */
#ifndef CONTROL_MODEL_LOG_STREAM_H
#define CONTROL_MODEL_LOG_STREAM_H

#include "control/model/image.h"
#include "control/model/microvm.h"
#include "control/store/store.h"

struct log_group {
	struct hash_node by_key;
	struct order_node in_order; /* of its account, by name */
	struct control *ctl;        /* borrowed */
	char account[ACCOUNT_SIZE];
	char *name, *key;       /* key: "<account>:<name>"; owned */
	int64_t created_ms;     /* 0: it is not there */
	int64_t deleted_ms;     /* streams that began until then are not shown */
	int64_t retention_days; /* 0: for ever */
	size_t n_streams;
	bool committing; /* a change of it is on its way to the store */
};

struct log_stream {
	struct order_node by_name, by_time; /* of its group */
	struct log_group *group;
	struct microvm *vm;  /* NULL: it has a row of its own, or is a build's */
	struct build *build; /* likewise */
	int64_t created_ms;
	int64_t last_ms; /* of its last line, as far as is known; 0: not */
	char *kept_id;   /* likewise; owned */
	bool of_build;
	char name[];
};

void log_streams_open(struct control *ctl);
void log_streams_close(struct control *ctl); /* frees the groups, and the streams with own rows */

struct log_group *log_group_find(const struct control *ctl, const char *account, const char *name);
/* Makes it if there is none; one that is made is not there yet (created_ms). */
struct log_group *log_group_of(struct control *ctl, const char *account, const char *name);
void log_group_put(struct store_txn *t, const struct log_group *g);
void log_group_load(struct control *ctl, const struct store_log_group *row);

/* Of a row that can be found from now on; nothing happens where logging is disabled. */
void log_stream_add_microvm(struct microvm *vm);
void log_stream_add_build(struct control *ctl, struct build *b);
void log_stream_load(struct control *ctl, const struct store_log_stream *row);
void log_stream_free(struct log_stream *s); /* NULL: nothing */

/* Its microVM or build goes: _put writes the row, and _keep is for when that is durable. */
void log_stream_put(struct store_txn *t, const struct log_stream *s);
void log_stream_keep(struct log_stream *s);

const char *log_stream_id(const struct log_stream *s); /* of the microVM or build */
int64_t log_stream_end(const struct log_stream *s);    /* 0: more lines may come */
bool log_stream_shown(const struct log_stream *s);     /* NULL: no */
struct log_stream *log_stream_find(const struct control *ctl, const struct log_group *g,
				   const char *name);

/* Whether a microVM's output is to be kept. */
bool log_stream_wanted(const struct microvm *vm);

#endif
