/* tsc.h - measures the rate of the host's time stamp counter, which a software CPU hands to its
 * guest.
 *
 * The guest kernel cannot measure the rate on our machine (no PIT, no HPET, no PM timer), so it is
 * told; and a snapshot can run only on a host with the same rate.  The rate is taken from two
 * points: 50 ms apart they give 1 ppm, 5 ms apart about 20 ppm.  Where QEMU does not pass the
 * host's counter through, the guest's counter counts nanoseconds and the rate is a constant. */
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
