/* admission.h - admission: room in the host's memory, and a bounded number of starts at once.
 *
 * A start costs the host 0.3 to 0.5 s of CPU.  If a hundred run at once, all of them end together,
 * and the first answer takes 21.7 s; if three run at a time, it takes 1.1 s.  RunMicrovm waits for
 * memory before it has a row, and for a slot afterwards.  Accounts take turns.  The pool starts a
 * clone only when nobody waits. */
#ifndef CONTROL_ADMISSION_ADMISSION_H
#define CONTROL_ADMISSION_ADMISSION_H

#include "base/turns.h"
#include "control/control.h"
#include "control/model/model.h"

enum admission_priority { ADMISSION_MICROVM, ADMISSION_POOL, ADMISSION_NUM_PRIORITIES };

/* It is embedded in whatever waits; all zero is a fresh one. */
struct admission_ticket {
	struct turn in; /* of its account; NULL: the pool's */
	struct control *ctl;
	void (*granted)(struct admission_ticket *ticket, int rc, const struct err *e);
	enum admission_priority priority;
	uint64_t bytes;
	int64_t deadline_ms;
	bool waits_memory, waits_slot, has_memory, has_slot;
};

struct admission_ops {
	void (*reclaim)(struct control *ctl); /* memory is short: give some back soon */
	void (*freed)(struct control *ctl);   /* a start has ended, or a ticket waits no more */
};

int admission_open(struct control *ctl, const struct admission_ops *ops, struct err *e) must_check;
void admission_close(struct control *ctl);

/* `granted` is called at once or later.  rc 0: the bytes are reserved; -1: there was no memory for
 * them within @wait_ms. */
void admission_wait_memory(struct control *ctl, struct admission_ticket *ticket, uint64_t bytes,
			   int64_t wait_ms,
			   void (*granted)(struct admission_ticket *ticket, int rc,
					   const struct err *e));
/* `granted` is called with rc 0, at once or later, when the start may begin. */
void admission_wait_slot(struct control *ctl, struct admission_ticket *ticket,
			 enum admission_priority priority,
			 void (*granted)(struct admission_ticket *ticket, int rc,
					 const struct err *e));
/* Gives back what the ticket has, and stops its waiting.  It is harmless on a fresh one. */
void admission_leave(struct admission_ticket *ticket);

/* Memory was given back: look whether a waiting ticket fits now. */
void admission_wake(struct control *ctl);
bool admission_has_memory(struct control *ctl, uint64_t bytes);

/* The decisions, pure. */
struct admission_memory {
	uint64_t total, available; /* of the host, now */
	uint64_t reserved;         /* promised and not yet used */
	unsigned percent;          /* of the total that machines may take */
};
bool admission_fits(const struct admission_memory *m, uint64_t bytes);

struct admission_load {
	unsigned at_once, running, pool_running, waiting;
};
bool admission_may_start(const struct admission_load *l, enum admission_priority priority);

uint64_t admission_total_memory(void);

#endif
