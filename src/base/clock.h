/* clock.h - the clocks.  Timers and policies take `now` as an argument: only loops read these.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* never jumps; use it for deadlines inside one process */
int64_t clock_mono_us(void); /* the same clock, to measure with */
int64_t clock_boot_ms(void); /* as clock_mono_ms, and it counts a sleep of the host too */
int64_t clock_wall_ms(void); /* since 1970; use it for what survives a restart */

#endif
