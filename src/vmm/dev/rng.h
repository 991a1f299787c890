/* rng.h - virtio-rng (virtio 1.2, 5.4): the host kernel's random bytes.  At most RNG_MAX for a
 * request and RNG_AT_ONCE requests in one go, whatever the guest asks; nothing is allocated. */
#ifndef VMM_DEV_RNG_H
#define VMM_DEV_RNG_H

#include "vmm/virtio/device.h"

#define RNG_MAX     (64 * KIB)
#define RNG_AT_ONCE 16

struct rng {
	struct virtio_dev dev;
};

int rng_init(struct rng *r, struct loop *l, const struct mem *mem, struct err *e) must_check;
void rng_close(struct rng *r);

#endif
