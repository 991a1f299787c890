/* tsc.h - the rate of the host's time stamp counter, which a software CPU hands to its guest.
 *
 * The guest kernel cannot measure it by itself on our machine (no PIT, no HPET, no PM timer), so it
 * is told; and a snapshot is only as good as the equality of this rate.  Two points make a rate:
 * 50 ms apart it is good to 1 ppm, 5 ms apart to about 20.  Where QEMU does not hand the host's
 * counter through, the guest's counter is nanoseconds and the rate a constant. */
#ifndef QEMU_TSC_H
#define QEMU_TSC_H

#include "base/base.h"

#define TSC_BOOT_MS  50 /* distance of the points for a kernel that is told */
#define TSC_CHECK_MS 5  /* ... for a comparison within FORMAT_TSC_PPM */

struct tsc_point {
	uint64_t ticks, ns;
};

struct tsc_point tsc_now(void);
uint64_t tsc_khz(const struct tsc_point *from, const struct tsc_point *to);
int64_t tsc_ms_since(const struct tsc_point *from);

#endif
