#include "bare.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "ipc/agent.h"

/* In the kernel's place: it takes as many registers as it is given. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_msrs *msrs;
	va_list ap;

	(void)fd;
	va_start(ap, request);
	msrs = va_arg(ap, const struct kvm_msrs *);
	va_end(ap);
	return request == KVM_SET_MSRS ? (int)msrs->nmsrs : 0;
}

/* The owner keeps up, and does not look. */
static bool bare_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	(void)a;
	(void)frames;
	(void)size;
	return true;
}

static void bare_fault(struct agent *a)
{
	(void)a;
}

static void bare_devices(struct bare *b, int tap)
{
	struct board *s = &b->board;
	struct virtio_dev *const devices[] = {
		[BOARD_BLK] = &s->blk.dev,         [BOARD_RNG] = &s->rng.dev,
		[BOARD_NET] = &s->net.dev,         [BOARD_VSOCK] = &s->vsock.dev,
		[BOARD_BALLOON] = &s->balloon.dev,
	};
	struct err e;

	vmm_agent_init(&s->agent);
	s->agent.agent.deliver = bare_deliver;
	s->agent.agent.fault = bare_fault;
	if (blk_init(&s->blk, s->loop, &s->mem, NULL, &e) ||
	    rng_init(&s->rng, s->loop, &s->mem, &e) ||
	    net_init(&s->net, s->loop, &s->mem, tap, &e) ||
	    vsock_init(&s->vsock, s->loop, &s->mem, AGENT_HOST_PORT, &s->agent.conn, &vmm_agent_ops,
		       &e) ||
	    balloon_init(&s->balloon, s->loop, &s->mem, &e) || serial_open(&s->serial, &s->pio, &e))
		abort();
	blk_attach(&s->blk, &s->disk);
	for (size_t i = 0; i < BOARD_DEVICES; i++)
		s->devices[i] = devices[i];
}

void bare_open(struct bare *b, uint64_t memory, uint64_t disk)
{
	int root = memfd_create("root", MFD_CLOEXEC), top = memfd_create("top", MFD_CLOEXEC);
	struct board *s = &b->board;
	int pair[2];
	struct err e;

	s->loop = loop_new(&e);
	if (!s->loop || mem_reserve(&s->mem, memory, &e) || mem_attach_empty(&s->mem, &e) ||
	    ftruncate(root, (off_t)disk) || cow_open(&s->disk, root, &top, 1, &e) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	b->wire = pair[1];
	bare_devices(b, pair[0]);
	s->vm = (struct vm){ .mem = &s->mem, .fd = -1, .n_vcpus = 1, .arch = { &b->cpuid } };
	s->vm.vcpus[0] = (struct vcpu){ .vm = &s->vm, .fd = -1 };
}

void bare_close(struct bare *b)
{
	struct board *s = &b->board;
	int tap = s->net.tap;

	agent_free(&s->agent.agent);
	serial_close(&s->serial);
	balloon_close(&s->balloon);
	vsock_close(&s->vsock);
	net_close(&s->net);
	rng_close(&s->rng);
	blk_close(&s->blk);
	cow_close(&s->disk);
	loop_free(s->loop);
	mem_release(&s->mem);
	close(tap);
	close(b->wire);
}
