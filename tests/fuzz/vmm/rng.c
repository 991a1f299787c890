/* The entropy device under a hostile guest. */

#include "vmm/dev/rng.h"
#include "guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest g;
	struct rng rng;
	struct err e;

	guest_open(&g);
	if (rng_init(&rng, NULL, &g.mem, &e))
		return 0;
	guest_play(&g, &rng.dev, data, size, NULL);
	guest_close(&g);
	rng_close(&rng);
	return 0;
}
