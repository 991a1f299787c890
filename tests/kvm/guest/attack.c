/* attack.c - a guest whose kernel drives no device: process 1 does, through /dev/mem, and keeps to
 * no rule of virtio (1.2, 2.6, 2.7, 4.2).
 *
 * What it names as its own memory is a run of pages that lie side by side in the guest's memory;
 * every other address lies outside of RAM, so that a device which obeys cannot hurt this guest's
 * own kernel.  Behind these pages as many again lie unused, because a device may read a descriptor
 * that is half written, with the address of one and the length of another. */
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "guest.h"

#define DEVICES   5
#define REGISTERS 0xd0000000L
#define OWN_PAGES 32
#define RUN_PAGES (2 * OWN_PAGES)
#define SEARCHED  2048 /* pages among which such a run is looked for */
#define QUEUE_MAX 256
#define MAGIC     0x74726976
/* Of the status: each with all that comes before. */
#define DRIVER      3
#define FEATURES_OK 11
#define DRIVER_OK   15
#define ROUNDS      64 /* between two lines */
#define RNG         1

static uint8_t *own;     /* OWN_PAGES, here */
static uint64_t own_gpa; /* and there */
static volatile uint8_t *registers;
static uint64_t seed = 88172645463325252ULL;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

static volatile uint32_t *at(unsigned device, unsigned offset)
{
	return (volatile uint32_t *)(registers + (size_t)device * PAGE + offset);
}

static uint64_t page_gpa(int map, const uint8_t *page)
{
	uint64_t entry = 0;

	if (pread(map, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) != 8)
		perror("WRONG pagemap");
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* A run of pages that are neighbours in both worlds. */
static int find_own(void)
{
	uint8_t *all = mmap(NULL, (size_t)SEARCHED * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), run = 0;
	uint64_t before = 0;

	if (all == MAP_FAILED || map < 0)
		return -1;
	for (int i = 0; i < SEARCHED && run < RUN_PAGES; i++) {
		uint64_t gpa = page_gpa(map, all + (size_t)i * PAGE);

		run = run && gpa == before + PAGE ? run + 1 : 1;
		before = gpa;
		own = all + (size_t)(i + 1 - run) * PAGE;
		own_gpa = gpa - (uint64_t)(run - 1) * PAGE;
	}
	close(map);
	return run == RUN_PAGES ? 0 : -1;
}

static int attack_open(void)
{
	int mem;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mem = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	registers = mmap(NULL, (size_t)DEVICES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem,
			 REGISTERS);
	if (registers == MAP_FAILED || find_own()) {
		perror("WRONG: no registers, or no memory that lies side by side");
		return -1;
	}
	return 0;
}

/* Where there is no RAM, up to the end of all addresses. */
static uint64_t any_outside(void)
{
	static const uint64_t outside[] = { 0xd0000000,   0xd0000050, 0xc0000000,
					    0xfee00000,   1ULL << 40, ~0ULL,
					    ~0ULL - 4095, 1ULL << 63, 0xffffffff };

	return outside[any(sizeof(outside) / sizeof(outside[0]))];
}

static uint64_t any_address(void)
{
	return any(8) ? own_gpa + any(OWN_PAGES * PAGE) : any_outside();
}

/* No longer than what is ours, or longer than all memory. */
static uint32_t any_length(uint64_t address)
{
	uint64_t room = own_gpa + (uint64_t)OWN_PAGES * PAGE - address;

	if (!any(8) || address < own_gpa || address >= own_gpa + (uint64_t)OWN_PAGES * PAGE)
		return any(2) ? 0xffffffff : 0xf0000000 + any(4096);
	return any((uint32_t)(any(2) ? room + 1 : room < 64 ? room + 1 : 64));
}

static void any_descriptor(struct vring_desc *d)
{
	d->addr = any_address();
	d->len = any_length(d->addr);
	d->flags = (uint16_t)(any(4) ? any(4) : any(65536));
	d->next = (uint16_t)(any(4) ? any(QUEUE_MAX) : any(65536));
}

/* Page 0 and 1 hold descriptors, 2 the available ring, 3 the used one; more of them are indirect
 * tables. */
static void scribble(void)
{
	struct vring_desc *desc = (void *)own;
	uint16_t *avail = (void *)(own + (size_t)2 * PAGE);

	for (int n = 0; n < 16; n++)
		any_descriptor(&desc[any(2 * PAGE / sizeof(*desc))]);
	for (int n = 0; n < 4; n++)
		any_descriptor(
			(void *)(own + (size_t)(8 + any(8)) * PAGE + (size_t)any(PAGE / 16) * 16));
	for (int n = 0; n < 16; n++)
		avail[2 + any(QUEUE_MAX)] = (uint16_t)(any(8) ? any(QUEUE_MAX) : any(65536));
	avail[0] = (uint16_t)any(4);
	avail[1] = (uint16_t)(any(8) ? avail[1] + any(4) : any(65536));
}

/* Where the rings of a queue are, in the order of its registers: descriptors, available, used. */
static void place_queue(unsigned device, uint32_t size, const uint64_t place[3])
{
	static const unsigned low[] = { VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
					VIRTIO_MMIO_QUEUE_USED_LOW };
	static const unsigned high[] = { VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
					 VIRTIO_MMIO_QUEUE_USED_HIGH };

	*at(device, VIRTIO_MMIO_QUEUE_NUM) = size;
	for (int i = 0; i < 3; i++) {
		*at(device, low[i]) = (uint32_t)place[i];
		*at(device, high[i]) = (uint32_t)(place[i] >> 32);
	}
}

static void any_queue(unsigned device, unsigned queue)
{
	uint64_t place[3] = { own_gpa, own_gpa + 2UL * PAGE, own_gpa + 3UL * PAGE };

	if (!any(8)) /* a whole ring is ours, or none of it */
		place[any(3)] = any(2) ? own_gpa + any((OWN_PAGES - 1) * PAGE) : any_outside();
	*at(device, VIRTIO_MMIO_QUEUE_SEL) = any(16) ? queue : any(~0U);
	place_queue(device, any(8) ? 1U << any(9) : any(70000), place);
	*at(device, VIRTIO_MMIO_QUEUE_READY) = any(16) ? 1 : any(~0U);
}

/* As a driver begins; the features are mostly some of those that are offered. */
static void begin(unsigned device)
{
	*at(device, VIRTIO_MMIO_STATUS) = 0;
	*at(device, VIRTIO_MMIO_STATUS) = DRIVER;
	for (unsigned half = 0; half < 2; half++) {
		uint32_t offered;

		*at(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL) = half;
		offered = *at(device, VIRTIO_MMIO_DEVICE_FEATURES);
		*at(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = half;
		*at(device, VIRTIO_MMIO_DRIVER_FEATURES) =
			any(8) ? offered & (half ? 1 : any(~0U)) : any(~0U);
	}
	*at(device, VIRTIO_MMIO_STATUS) = FEATURES_OK;
	if (any(8)) /* else the ring is wrong from its begin */
		((uint16_t *)(own + (size_t)2 * PAGE))[1] = 0;
	for (unsigned queue = 0; queue < 4; queue++)
		any_queue(device, queue);
	*at(device, VIRTIO_MMIO_STATUS) = DRIVER_OK;
}

/* Accesses of every width anywhere in the registers. */
static void any_access(unsigned device)
{
	unsigned offset = any(8) ? any(0x140) : any(PAGE - 8);
	volatile uint8_t *to = registers + (size_t)device * PAGE + offset;
	uint32_t value = any(2) ? any(8) : any(~0U);

	switch (any(8)) {
	case 0:
		*to = (uint8_t)value;
		break;
	case 1:
		*(volatile uint16_t *)to = (uint16_t)value;
		break;
	case 2:
		*(volatile uint64_t *)to = ((uint64_t)value << 32) + value;
		break;
	case 3:
		(void)*(volatile uint64_t *)to;
		break;
	case 4:
		(void)*to;
		break;
	case 5:
		*(volatile uint32_t *)to = value;
		break;
	default:
		*at(device, VIRTIO_MMIO_QUEUE_NOTIFY) = any(8) ? any(4) : value;
	}
}

static sigjmp_buf port_fault;
static int ports_closed;

static void port_refused(int number)
{
	(void)number;
	siglongjmp(port_fault, 1);
}

/* Of every width, beside those that end the machine and what the console needs.  QEMU's software
 * CPU lets no process at a port once KVM has restored its task register: a clone in L1 keeps to the
 * devices. */
static void any_port(void)
{
	/* A word at the last would be a reset too, by its upper byte. */
	static const unsigned short numbers[] = { 0x2f8, 0x3fe, 0x3ff, 0x60, 0x70,
						  0x71,  0xcf8, 0xcfc, 0x80, 0x601 };
	unsigned short port = numbers[any(sizeof(numbers) / sizeof(numbers[0]))];

	if (ports_closed || sigsetjmp(port_fault, 1)) {
		ports_closed = 1;
		return;
	}
	switch (any(5)) {
	case 0:
		(void)inl(port);
		break;
	case 1:
		(void)inw(port);
		break;
	case 2:
		outl(any(~0U), port);
		break;
	case 3:
		outw((unsigned short)any(port == 0x601 ? 256 : 65536), port);
		break;
	default:
		outb((unsigned char)any(256), port);
	}
}

static void attack_round(unsigned device)
{
	begin(device);
	for (unsigned n = any(64); n; n--) {
		scribble();
		*at(device, VIRTIO_MMIO_QUEUE_NOTIFY) = any(4);
		if (!any(4))
			any_access(device);
		if (!any(8))
			any_port();
	}
}

/* After all that a reset gives a device that can be spoken to. */
static void check(unsigned device)
{
	*at(device, VIRTIO_MMIO_STATUS) = 0;
	if (*at(device, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC || *at(device, VIRTIO_MMIO_STATUS))
		dprintf(1, "WRONG device %u after its reset\n", device);
}

void guest_attack(int cpus)
{
	if (attack_open() || iopl(3)) {
		perror("WRONG start");
		return;
	}
	signal(SIGSEGV, port_refused);
	for (int cpu = 1; cpu < cpus; cpu++)
		if (!fork()) /* the rings change while a device reads them */
			for (seed += (uint64_t)cpu;; scribble())
				;
	for (unsigned n = 1;; n++) {
		attack_round(n % DEVICES);
		if (n % ROUNDS)
			continue;
		for (unsigned device = 0; device < DEVICES; device++)
			check(device);
		dprintf(1, "ATTACK n=%u\n", n);
	}
}

/* The entropy device with a ring that is always full: each notification ends in an interrupt that
 * nobody acknowledges. */
static void flood_begin(void)
{
	const uint64_t place[3] = { own_gpa, own_gpa + 2UL * PAGE, own_gpa + 3UL * PAGE };
	struct vring_desc *desc = (void *)own;
	uint16_t *avail = (void *)(own + (size_t)2 * PAGE);

	for (unsigned i = 0; i < QUEUE_MAX; i++) {
		desc[i] = (struct vring_desc){ own_gpa + 8UL * PAGE, 1, VRING_DESC_F_WRITE, 0 };
		avail[2 + i] = (uint16_t)i;
	}
	*at(RNG, VIRTIO_MMIO_STATUS) = 0;
	*at(RNG, VIRTIO_MMIO_STATUS) = DRIVER;
	*at(RNG, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*at(RNG, VIRTIO_MMIO_DRIVER_FEATURES) = 1;
	*at(RNG, VIRTIO_MMIO_STATUS) = FEATURES_OK;
	*at(RNG, VIRTIO_MMIO_QUEUE_SEL) = 0;
	place_queue(RNG, QUEUE_MAX, place);
	*at(RNG, VIRTIO_MMIO_QUEUE_READY) = 1;
	*at(RNG, VIRTIO_MMIO_STATUS) = DRIVER_OK;
}

void guest_flood(int cpus)
{
	volatile uint16_t *avail, *used;

	(void)cpus;
	if (attack_open())
		return;
	flood_begin();
	avail = (void *)(own + (size_t)2 * PAGE);
	used = (void *)(own + (size_t)3 * PAGE);
	for (unsigned n = 1;; n++) {
		avail[1] = (uint16_t)(used[1] + QUEUE_MAX);
		for (unsigned device = 0; device < DEVICES; device++)
			*at(device, VIRTIO_MMIO_QUEUE_NOTIFY) = 0;
		if (n % 1024 == 0)
			dprintf(1, "FLOOD n=%u\n", n);
	}
}
