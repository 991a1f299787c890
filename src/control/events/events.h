/* events.h - what happened, with CloudTrail's names of members: each call of the API (api/audit.h)
 * and each change of a state, as a line of the journal.
 *
 * A change is told once it is durable.  Nothing waits for a line, and none is in memory only for
 * long; a kill may lose those of the last moment. */
#ifndef CONTROL_EVENTS_EVENTS_H
#define CONTROL_EVENTS_EVENTS_H

#include <jansson.h>

#include "base/rand.h"
#include "control/control.h"
#include "control/events/journal.h"

#define EVENTS_SOURCE "lambda.amazonaws.com"

struct events {
	struct journal journal;
	int dir_fd;
	struct rand_stock ids;    /* of events */
	int64_t strangers_due_us; /* api/audit.c */
	uint64_t strangers_untold;
};

int events_open(struct control *ctl, struct err *e) must_check;
void events_close(struct control *ctl);

/* The members that each event has.  The caller adds its own, and gives it to events_add. */
json_t *events_new(struct control *ctl, const char *name, const char *source, const char *type,
		   const char *account);
void events_add(struct control *ctl, json_t *event); /* taken over; NULL: nothing */

/* Something of an account is in another state.  @what is its type, such as "MicroVM"; @from may be
 * NULL: it is new; @reason may be NULL. */
struct event_change {
	const char *account, *what, *id, *from, *to, *reason;
};
void events_changed(struct control *ctl, const struct event_change *change);
/* So many events were not told; @why is a sentence. */
void events_lost(struct control *ctl, uint64_t n, const char *why);

#endif
