/* meter.h - what the proxy counts, for each microVM and for those requests that led to none.
 *
 * A worker keeps what has been counted since it last said so, and sends it to control, which adds
 * up.  A worker that dies takes the last second of it along. */
#ifndef IPC_METER_H
#define IPC_METER_H

#include "ipc/refusal.h"

#define METER_CLASSES 6 /* of status: none, 1xx (an upgrade) to 5xx */
#define METER_BUCKETS 14

struct meter {
	uint64_t requests[METER_CLASSES];
	uint64_t refusals[REFUSAL_NUM]; /* by us */
	uint64_t in, out;               /* bytes of bodies and of upgraded connections */
	uint64_t held, wakes;           /* requests that waited, and those that waited for a wake */
	uint64_t cut;                   /* answers that had begun and were cut off */
	uint64_t hold[METER_BUCKETS], hold_ms;
	uint64_t first[METER_BUCKETS], first_ms; /* from the head to the answer's */
};

/* What a worker holds now; it sends the whole each time. */
struct meter_now {
	uint64_t connections, held, running;
};

extern const unsigned meter_bounds[METER_BUCKETS]; /* in ms; 0: no bound */

unsigned meter_class(unsigned status);
size_t meter_bucket(int64_t ms);
void meter_add(struct meter *to, const struct meter *more);

#endif
