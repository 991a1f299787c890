/* ready.h - when is an application ready for its snapshot?  Pure: time comes as an argument. */
#ifndef IMAGE_READY_H
#define IMAGE_READY_H

#include "base/base.h"

/* Without hooks: a port listens, and the guest is quiet, because servers listen before they can
 * answer. */
struct quiet {
	int64_t began_ms, listening_ms; /* 0: not yet */
	int64_t mark_ms;                /* begin of the second that is being measured */
	uint64_t mark_cpu_ns;
};

enum quiet_say { QUIET_WAIT, QUIET_READY, QUIET_SILENT /* nothing listens */, QUIET_BUSY };

void quiet_begin(struct quiet *q, int64_t now_ms);
/* Do the ports that listen hold one that counts: an EXPOSEd one, else 8080? */
bool quiet_listens(const uint16_t *listening, size_t n, const uint16_t *exposed, size_t n_exposed);
/* A sample of the CPU time that the machine has used so far. */
enum quiet_say quiet_sample(struct quiet *q, int64_t now_ms, bool listens, uint64_t cpu_ns);

#endif
