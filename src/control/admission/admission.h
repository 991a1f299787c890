/* admission.h - admission: room in the host's memory, and a bounded number of starts at once.
 *
 * A start costs the host 0.3 to 0.5 s of CPU; a hundred at once all wait for the
 * last, three at a time answer one after the other (research: 21.7 s against
 * 1.1 s to the first).  RunMicrovm waits for room before it has a row, and for a
 * slot after.  The pool starts only when nobody waits. */
#ifndef CONTROL_ADMISSION_ADMISSION_H
#define CONTROL_ADMISSION_ADMISSION_H

#include "control/control.h"

enum queue_rank { QUEUE_MICROVM, QUEUE_POOL, QUEUE_NUM_RANKS };

/* Embedded in who waits; all zero is a fresh one. */
struct queue_item {
	struct list in;
	struct control *ctl;
	void (*go)(struct queue_item *item, int rc, const struct err *e);
	enum queue_rank rank;
	uint64_t bytes;
	int64_t deadline_ms;
	bool waits_room, waits_slot, has_room, has_slot;
};

int queue_open(struct control *ctl, struct err *e) must_check;
void queue_close(struct control *ctl);

/* `go` comes at once or later: rc 0: the bytes are reserved; -1: the wait was in vain. */
void queue_room(struct control *ctl, struct queue_item *item, uint64_t bytes, int64_t wait_ms,
		void (*go)(struct queue_item *item, int rc, const struct err *e));
/* `go` with rc 0 when a start may begin. */
void queue_slot(struct control *ctl, struct queue_item *item, enum queue_rank rank,
		void (*go)(struct queue_item *item, int rc, const struct err *e));
/* Give back what it has, stop waiting.  Harmless on a fresh one. */
void queue_leave(struct queue_item *item);

/* Somebody gave memory back. */
void queue_wake(struct control *ctl);
bool queue_has_room(struct control *ctl, uint64_t bytes);

/* The decisions, pure. */
struct queue_memory {
	uint64_t total, available; /* of the host, now */
	uint64_t reserved;         /* promised and not yet used */
	unsigned percent;          /* of the total that machines may take */
};
bool queue_fits(const struct queue_memory *m, uint64_t bytes);

struct queue_load {
	unsigned at_once, running, pool_running, waiting;
};
bool queue_may_start(const struct queue_load *l, enum queue_rank rank);

/* /proc/meminfo: false if it is not what it should be. */
bool queue_parse_meminfo(const char *text, uint64_t *total, uint64_t *available);
uint64_t queue_total_memory(void);

#endif
