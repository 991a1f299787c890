#include "ipc/meter.h"

const unsigned meter_bounds[METER_BUCKETS] = { 1,   2,    5,    10,   20,    50,    100,
					       250, 1000, 2500, 5000, 15000, 60000, 0 };

unsigned meter_class(unsigned status)
{
	return status / 100 < METER_CLASSES ? status / 100 : 0;
}

size_t meter_bucket(int64_t ms)
{
	size_t i = 0;

	while (meter_bounds[i] && ms > (int64_t)meter_bounds[i])
		i++;
	return i;
}

void meter_add(struct meter *to, const struct meter *more)
{
	const uint64_t *from = (const void *)more;
	uint64_t *at = (void *)to;

	static_assert(sizeof(*to) % sizeof(*at) == 0, "a meter is numbers alone");
	for (size_t i = 0; i < sizeof(*to) / sizeof(*at); i++)
		at[i] += from[i];
}
