/* The disk under a hostile guest, with its thread: ended after each step, so that an input always
 * does the same. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "vmm/dev/blk.h"

#define DISK (64 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settle(struct virtio_dev *dev)
{
	dev->ops->drain(dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int root = memfd_create("root", MFD_CLOEXEC), top = memfd_create("top", MFD_CLOEXEC);
	static struct cow cow;
	static struct blk blk;
	struct guest g;
	struct err e;

	guest_open(&g);
	memset(&blk, 0, sizeof(blk));
	if (ftruncate(root, DISK) || cow_open(&cow, root, &top, 1, &e) ||
	    blk_init(&blk, NULL, &g.mem, NULL, &e))
		__builtin_trap();
	blk_attach(&blk, &cow);
	guest_play(&g, &blk.dev, data, size, settle);
	blk_close(&blk);
	guest_close(&g);
	cow_close(&cow);
	return 0;
}
