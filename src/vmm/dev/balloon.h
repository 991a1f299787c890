/* balloon.h - virtio-balloon (virtio 1.2, 5.5) for free-page reporting: gives unused memory of the
 * guest back to the host.
 *
 * The guest names runs of free pages, and their memory is dropped.  On a machine that was booted
 * they become empty pages, on a clone the image's pages, so neither the host's memory nor a save
 * holds them.  A guest whose free pages must be filled (init_on_free) does not report.  The host
 * never asks a guest to inflate, but pages that it puts into the balloon are dropped in the same
 * way. */
#ifndef VMM_DEV_BALLOON_H
#define VMM_DEV_BALLOON_H

#include <linux/virtio_balloon.h>

#include "vmm/virtio/device.h"

#define BALLOON_AT_ONCE 32 /* chains, before the loop looks at all else */

struct balloon {
	struct virtio_dev dev;
	struct virtio_balloon_config config;
};

int balloon_init(struct balloon *b, struct loop *l, const struct mem *mem,
		 struct err *e) must_check;
void balloon_close(struct balloon *b);

#endif
