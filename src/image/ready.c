#include "image/ready.h"

#define QUIET_LISTEN_MS  30000 /* if nothing listens for this long, the snapshot is taken anyway */
#define QUIET_BUSY_MS    30000 /* from when a port first listens */
#define QUIET_WINDOW_MS  1000
#define QUIET_PERCENT    20 /* of a core */
#define QUIET_USUAL_PORT 8080

void quiet_begin(struct quiet *q, int64_t now_ms)
{
	*q = (struct quiet){ .began_ms = now_ms };
}

bool quiet_listens(const uint16_t *listening, size_t n, const uint16_t *exposed, size_t n_exposed)
{
	static const uint16_t usual[] = { QUIET_USUAL_PORT };

	if (!n_exposed) {
		exposed = usual;
		n_exposed = 1;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_exposed; k++)
			if (listening[i] == exposed[k])
				return true;
	return false;
}

enum quiet_say quiet_sample(struct quiet *q, int64_t now_ms, bool listens, uint64_t cpu_ns)
{
	int64_t passed;
	uint64_t used;

	if (!listens) {
		q->listening_ms = 0;
		return now_ms - q->began_ms >= QUIET_LISTEN_MS ? QUIET_SILENT : QUIET_WAIT;
	}
	if (!q->listening_ms) {
		q->listening_ms = q->mark_ms = now_ms;
		q->mark_cpu_ns = cpu_ns;
		return QUIET_WAIT;
	}
	passed = now_ms - q->mark_ms;
	if (passed < QUIET_WINDOW_MS)
		return QUIET_WAIT;
	used = cpu_ns > q->mark_cpu_ns ? cpu_ns - q->mark_cpu_ns : 0;
	if (used * 100 < (uint64_t)passed * 1000000 * QUIET_PERCENT)
		return QUIET_READY;
	q->mark_ms = now_ms;
	q->mark_cpu_ns = cpu_ns;
	return now_ms - q->listening_ms >= QUIET_BUSY_MS ? QUIET_BUSY : QUIET_WAIT;
}
