/* device.h - the contract between a virtio device and its transport.
 *
 * struct virtio_dev is the first member of a device's own struct, which is found by container_of. A
 * vCPU thread serves a driver's register accesses under the devices' lock.  It may make few system
 * calls, so it calls only configured() and settle().  Everything else runs in the loop, which
 * learns of a reset and of DRIVER_OK by a notification, so no two of them run at once.  Only the
 * interrupt (isr, irq_fd) may be used by every thread.
 *
 * A guest fault (virtio_fault) sets DEVICE_NEEDS_RESET and stops the queues; the machine keeps
 * running. */
#ifndef VMM_VIRTIO_DEVICE_H
#define VMM_VIRTIO_DEVICE_H

#include <stdatomic.h>

#include "base/loop.h"
#include "vmm/snap/record.h"
#include "vmm/virtio/vq.h"

#define VIRTIO_QUEUES 4

struct virtio_dev;

struct virtio_ops {
	const char *name;
	char tag[5]; /* of its record in the state file */
	uint32_t id; /* virtio 1.2, section 5 */
	unsigned n_queues;
	uint64_t features;   /* beyond VERSION_1, INDIRECT_DESC, EVENT_IDX: the core's */
	uint64_t chain_most; /* bytes of one chain; 0: VQ_BYTES_MAX */
	/* Saved members of the device's own struct, with tags below 0x8000, or NULL.  The core
	 * saves the config space. */
	const struct snap_field *saved;
	void (*kick)(struct virtio_dev *dev, unsigned q); /* chains may wait in queue q */
	/* Optional. */
	void (*start)(
		struct virtio_dev *dev); /* queues run: at DRIVER_OK and after virtio_resume */
	/* The driver asks for a reset.  Once it has written that, it takes its memory back (virtio
	 * 1.2, 2.4), so no thread of the device may touch it any more.  Called in the vCPU's
	 * thread; may block shortly. */
	void (*settle)(struct virtio_dev *dev);
	void (*reset)(
		struct virtio_dev *dev); /* end or forget what is in flight; queues are stopped */
	/* The machine pauses.  Complete what is in flight, give back or unpop chains, and start no
	 * new work until start().  May block shortly. */
	void (*drain)(struct virtio_dev *dev);
	/* The driver wrote @size bytes of the config space at @offset, already in place. */
	void (*configured)(struct virtio_dev *dev, uint32_t offset, uint32_t size);
	/* Check a state that snap_get read from a file.  False refuses it. */
	bool (*loaded)(struct virtio_dev *dev);
};

struct virtio_dev {
	const struct virtio_ops *ops;
	struct loop *loop;     /* borrowed; NULL in tests without one */
	const struct mem *mem; /* borrowed */
	struct vq vq[VIRTIO_QUEUES];
	void *config; /* the config space, in guest byte order; the device's */
	size_t config_size;
	bool config_writable;
	int irq_fd;  /* owned: written to raise the interrupt (KVM_IRQFD) */
	int kick_fd; /* borrowed from the transport: notifications; -1: none */

	/* The driver's view; saved by the core. */
	uint64_t driver_features;
	uint32_t features_sel, driver_features_sel, queue_sel, config_generation;
	uint32_t status;
	_Atomic uint32_t isr;
	bool drained; /* between virtio_drain or a load and virtio_resume */
	/* The driver did it, and the loop does not know yet. */
	bool unreset, unstarted;
	unsigned long faults; /* guest faults so far: the log is kept to the first few */
};

/* Once, before the guest runs: ops and the config space; makes irq_fd. */
int virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, struct loop *l,
		const struct mem *mem, struct err *e) must_check;
void virtio_close(struct virtio_dev *dev);

bool virtio_has(const struct virtio_dev *dev, unsigned feature); /* agreed with the driver */
void virtio_fault(struct virtio_dev *dev, const char *why); /* DEVICE_NEEDS_RESET; never aborts */
void virtio_interrupt(struct virtio_dev *dev, uint32_t cause); /* VIRTIO_MMIO_INT_*, at once */
void virtio_config_changed(struct virtio_dev *dev);            /* tell the driver */
bool virtio_runs(const struct virtio_dev *dev);        /* DRIVER_OK, no reset needed, not drained */
uint64_t virtio_offered(const struct virtio_dev *dev); /* features, the core's among them */

#endif
