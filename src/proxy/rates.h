/* rates.h - how fast each address may come.  Pure: time is an argument.
 *
 * A table of a fixed size, in which the address that has been quiet for longest makes room.  One
 * that is forgotten so may come as if it had not come before. */
#ifndef PROXY_RATES_H
#define PROXY_RATES_H

#include "base/base.h"

#define RATES_SETS 1024
#define RATES_WAYS 4

struct rates {
	struct {
		uint64_t address;
		int64_t due_us; /* when its next one would come at the rate allowed; 0: free */
	} rows[RATES_SETS][RATES_WAYS];
};

/* May one more come from there, at a rate of @per_second with a burst of as many?  0: any. */
bool rates_pass(struct rates *r, uint64_t address, unsigned per_second, int64_t now_us) must_check;

#endif
