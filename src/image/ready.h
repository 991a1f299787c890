/* ready.h - decides when an application is ready for its snapshot. Pure: time comes as an argument.
 */
#ifndef IMAGE_READY_H
#define IMAGE_READY_H

#include "base/base.h"

/* Without hooks an application is ready when a port listens and the guest is quiet, because servers
 * listen before they can answer. */
struct quiet {
	int64_t began_ms, listening_ms; /* 0: not yet */
	int64_t mark_ms;                /* start of the second that is being measured */
	uint64_t mark_cpu_ns;
};

enum quiet_say { QUIET_WAIT, QUIET_READY, QUIET_SILENT /* nothing listens */, QUIET_BUSY };

void quiet_begin(struct quiet *q, int64_t now_ms);
/* Tells whether one of the listening ports counts. An EXPOSEd port does, or 8080 if there is none.
 */
bool quiet_listens(const uint16_t *listening, size_t n, const uint16_t *exposed, size_t n_exposed);
/* Takes a sample of the CPU time that the machine has used so far. */
enum quiet_say quiet_sample(struct quiet *q, int64_t now_ms, bool listens, uint64_t cpu_ns);

#endif
