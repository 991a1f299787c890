/* The balloon under a hostile guest. */

#include "vmm/dev/balloon.h"
#include "guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct balloon balloon;
	struct guest g;
	struct err e;

	guest_open(&g);
	if (balloon_init(&balloon, NULL, &g.mem, &e))
		return 0;
	guest_play(&g, &balloon.dev, data, size, NULL);
	guest_close(&g);
	balloon_close(&balloon);
	return 0;
}
