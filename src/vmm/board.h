/* board.h - a machine before it is known what will run on it.  VM, memory window, vCPUs, buses and
 * the board's devices are wired, and the filters are in force.
 *
 * All of this is done before the first request, so a ready board fits every image of its shape. */
#ifndef VMM_BOARD_H
#define VMM_BOARD_H

#include <pthread.h>

#include "ipc/machine.h"
#include "vmm/agent.h"
#include "vmm/dev/balloon.h"
#include "vmm/dev/blk.h"
#include "vmm/dev/genid.h"
#include "vmm/dev/net.h"
#include "vmm/dev/power.h"
#include "vmm/dev/rng.h"
#include "vmm/dev/serial.h"
#include "vmm/kvm/vm.h"
#include "vmm/stream.h"
#include "vmm/virtio/mmio.h"

/* virtio devices by their place on the board (docs/vmm.md). */
enum board_device { BOARD_BLK, BOARD_RNG, BOARD_NET, BOARD_VSOCK, BOARD_BALLOON, BOARD_DEVICES };

struct board {
	struct loop *loop; /* borrowed */
	struct machine_shape shape;
	pthread_mutex_t lock; /* of the devices; the loop holds it whenever it does not sleep */
	struct mem mem;
	struct bus mmio, pio;
	struct vm vm;
	struct serial serial;
	struct power power;
	struct genid genid;
	struct blk blk;
	struct rng rng;
	struct net net;
	struct vsock vsock;
	struct balloon balloon;
	struct streams streams;                    /* of stream.sock, over vsock */
	struct vmm_agent agent;                    /* the guest's agent, over vsock */
	struct virtio_dev *devices[BOARD_DEVICES]; /* they are the board's own */
	struct mmio registers[BOARD_DEVICES];
	struct cow disk;          /* no layers: none yet */
	int pagemap_fd, smaps_fd; /* owned: /proc/self/pagemap and smaps_rollup */
	/* Called in the loop, once, when the guest has ended, with the reason. */
	void (*ended)(struct board *s, const char *why);
	/* Large, and the last, so that what a restore touches lies together without it. */
	struct console console;
};

/* @s must be zero.  Uses the descriptors MACHINE_FD_KVM, MACHINE_FD_STREAM, MACHINE_FD_TAP and
 * MACHINE_FD_PROC, and closes the last.  The caller holds the lock from here on (loop_guard). */
int board_open(struct board *s, struct loop *l, const struct machine_shape *shape,
	       void (*ended)(struct board *s, const char *why), struct err *e) must_check;

/* Set the guest's disk.  On success it takes over @root and the @n @layers, from the top. */
int board_disk(struct board *s, int root, const int *layers, unsigned n, struct err *e) must_check;
/* Before a save: make the top layer alone hold what differs from the image's disk, and make it
 * durable.  *bytes is its size on the host's disk. */
int board_settle_disk(struct board *s, uint64_t *bytes, struct err *e) must_check;

/* Write all devices as records, or read them back.  The vCPUs must be paused. */
int board_save(struct board *s, struct buf *to, struct err *e) must_check;
int board_load(struct board *s, const uint8_t *data, size_t size, struct err *e) must_check;

/* Add to *to how much of this process is in memory. */
void board_memory(const struct board *s, struct machine_stats *to);

/* Stop the guest, or let it run.  Nothing is in flight while it is stopped. */
void board_pause(struct board *s);
void board_resume(struct board *s);

#endif
