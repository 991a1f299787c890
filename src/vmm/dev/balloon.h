/* balloon.h - virtio-balloon (virtio 1.2, 5.5) for free-page reporting: what the guest does not use
 * goes back.
 *
 * The guest names runs of free pages; what lies behind them is dropped: on a machine that was
 * booted they are empty pages again, on a clone the image's, so that neither the host's memory nor
 * a save holds them.  A guest that wants its free pages filled with something (init_on_free) does
 * not report.  Nobody asks a guest to inflate; what it puts into the balloon all the same is
 * dropped in the same way. */
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
