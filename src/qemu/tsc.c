#include "qemu/tsc.h"

#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static uint64_t tsc_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static uint64_t tsc_ticks(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return tsc_ns();
#endif
}

/* The two clocks cannot be read at once.  The attempt with the shortest time between the two reads
 * is the best. */
struct tsc_point tsc_now(void)
{
	struct tsc_point best = { 0, 0 };
	uint64_t best_gap = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t before = tsc_ticks();
		uint64_t ns = tsc_ns();
		uint64_t gap = tsc_ticks() - before;

		if (gap >= best_gap)
			continue;
		best_gap = gap;
		best = (struct tsc_point){ before + gap / 2, ns };
	}
	return best;
}

uint64_t tsc_khz(const struct tsc_point *from, const struct tsc_point *to)
{
	uint64_t ns = to->ns - from->ns;

	return ns ? (uint64_t)((double)(to->ticks - from->ticks) * 1e6 / (double)ns + 0.5) : 0;
}

int64_t tsc_ms_since(const struct tsc_point *from)
{
	return (int64_t)((tsc_ns() - from->ns) / 1000000);
}
