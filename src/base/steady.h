/* steady.h - the time that promises are held against: when a token, a key or a session ends.
 *
 * It is milliseconds since 1970, as the wall clock had them when the daemon first began since the
 * host was booted, and goes on with the clock that nobody sets.  A step of the wall clock moves
 * none of what was promised.  Stamps that people read stay those of the wall clock. */
#ifndef BASE_STEADY_H
#define BASE_STEADY_H

#include <stdint.h>

int64_t steady_ms(void);

/* How far it is ahead of clock_boot_ms().  All roles of a daemon have one basis; a process that was
 * given none takes the wall clock's at its first use. */
void steady_set_basis(int64_t basis_ms);
int64_t steady_basis(void);

/* What the wall clock shows at a steady time, as it is set now; and the other way round, for a time
 * that others have promised. */
int64_t steady_shown(int64_t at_ms);
int64_t steady_of_wall(int64_t wall_ms);

/* The earlier of both clocks, to tell the age of a stamp that the wall clock made: it may have been
 * set since, and what was promised must not end early. */
int64_t steady_or_wall(void);

#endif
