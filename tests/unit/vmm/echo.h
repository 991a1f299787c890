/* echo.h - a device for tests of the core: it copies what it may read to what it may write. */
#ifndef TESTS_VMM_ECHO_H
#define TESTS_VMM_ECHO_H

#include "vmm/virtio/device.h"

#define ECHO_FEATURE 3 /* the one it offers beyond the core's */

struct echo {
	struct virtio_dev dev;
	uint32_t config[2];
	uint32_t served; /* saved */
	unsigned most;   /* chains at one kick; the rest waits for the next */
	unsigned resets, starts, configured;
	bool refuses; /* any state that is loaded */
};

void echo_open(struct echo *echo, struct loop *l, const struct mem *mem);

#endif
