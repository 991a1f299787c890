/* init.c - process 1 of a guest that tests a monitor: says what machine it found, then does what
 * the file /mode says.  Its console is the serial port, written by the kernel's driver alone. */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define BEAT_PAGES 512
#define BEAT_NS    50000000

/* "TICK" for ever: there is always a next byte. */
static void guest_tick(int cpus)
{
	(void)cpus;
	while (write(1, "TICK\n", 5) == 5)
		;
}

/* The page holds what was written last, and that names the page: no page was lost or exchanged. */
static int guest_page_right(uint64_t *page, uint64_t name)
{
	uint64_t round = page[0];

	for (int i = 1; i < PAGE / 8; i += 64)
		if (page[i] != name * 0x9e3779b97f4a7c15ULL + round)
			return 0;
	page[0] = round + 1;
	for (int i = 1; i < PAGE / 8; i += 64)
		page[i] = name * 0x9e3779b97f4a7c15ULL + round + 1;
	return 1;
}

static void guest_beat_on(int cpu)
{
	struct timespec pause = { .tv_nsec = BEAT_NS }, now, last = { 0 };
	uint64_t *pages = mmap(NULL, BEAT_PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (uint64_t i = 0; i < BEAT_PAGES; i++)
		for (int k = 1; k < PAGE / 8; k += 64)
			pages[i * PAGE / 8 + (uint64_t)k] = i * 0x9e3779b97f4a7c15ULL;
	for (uint64_t n = 0;; n++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec < last.tv_sec ||
		    (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec))
			dprintf(1, "WRONG clock of cpu %d\n", cpu);
		last = now;
		for (uint64_t i = n % 8; i < BEAT_PAGES; i += 8)
			if (!guest_page_right(pages + i * PAGE / 8, i))
				dprintf(1, "WRONG page %d of cpu %d\n", (int)i, cpu);
		dprintf(1, "BEAT-%d: n=%d\n", cpu, (int)n);
		tcdrain(1);
		nanosleep(&pause, NULL);
	}
}

/* Every CPU writes a line up to 20 times a second, and checks its memory and the clock.  It waits
 * for its line to be out: a serial port that always has a next byte keeps the CPU that serves its
 * interrupt in the handler, and that CPU would not beat any more. */
static void guest_beat(int cpus)
{
	for (int cpu = 1; cpu < cpus; cpu++)
		if (!fork())
			guest_beat_on(cpu);
	guest_beat_on(0);
}

#define DISK_BLOCK  (64 * 1024)
#define DISK_BLOCKS 256

void guest_modules(void)
{
	char path[16];

	for (int i = 0, module;; i++) {
		snprintf(path, sizeof(path), "/%d.ko", i);
		module = open(path, O_RDONLY | O_CLOEXEC);
		if (module < 0)
			break;
		if (syscall(SYS_finit_module, module, "", 0))
			perror(path);
		close(module);
	}
}

static int guest_disk_open(void)
{
	guest_modules();
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	return open("/dev/vda", O_RDWR | O_DIRECT | O_CLOEXEC);
}

/* Blocks of the disk are written all the time, read back, and compared with what memory says was
 * written: a snapshot in the middle of it loses nothing and mixes nothing. */
static void guest_disk(int cpus)
{
	static uint32_t written[DISK_BLOCKS];
	uint32_t *block =
		mmap(NULL, DISK_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int disk = guest_disk_open();
	uint32_t x = (uint32_t)cpus;

	if (disk < 0)
		perror("WRONG /dev/vda");
	for (uint32_t n = 1; disk >= 0; n++) {
		uint32_t to = (x = x * 1664525 + 1013904223) >> 24, from = (x >> 8) % DISK_BLOCKS;

		for (uint32_t i = 0; i < DISK_BLOCK / 4; i++)
			block[i] = n;
		if (pwrite(disk, block, DISK_BLOCK, (off_t)to * DISK_BLOCK) != DISK_BLOCK)
			perror("WRONG write");
		written[to] = n;
		if (pread(disk, block, DISK_BLOCK, (off_t)from * DISK_BLOCK) != DISK_BLOCK)
			perror("WRONG read");
		for (uint32_t i = 0; i < DISK_BLOCK / 4; i += 32)
			if (block[i] != written[from])
				dprintf(1, "WRONG block %u: %u, not %u\n", from, block[i],
					written[from]);
		if (n % 16 == 0)
			dprintf(1, "DISK: n=%u\n", n);
		if (n % 64 == 0)
			fsync(disk);
	}
}

#define FREE_SIZE (64UL << 20)

/* Takes memory and gives it back, time after time. */
static void guest_free(int cpus)
{
	guest_modules();
	for (int n = cpus;; n++) {
		uint8_t *at = mmap(NULL, FREE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; i < FREE_SIZE; i += PAGE) {
			if (at[i])
				dprintf(1, "WRONG page that is not empty\n");
			memset(at + i, n, PAGE);
		}
		dprintf(1, "HELD\n");
		sleep(2);
		munmap(at, FREE_SIZE);
		dprintf(1, "FREED\n");
		sleep(8);
	}
}

/* What the first sector of the disk says, which another disk does when it is restored: that many
 * MiB of memory become new. */
static void guest_dirty(int cpus)
{
	char *order = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int disk = guest_disk_open(), mib;
	uint64_t *at;

	(void)cpus;
	dprintf(1, "CLEAN\n");
	do
		usleep(20000);
	while (pread(disk, order, PAGE, 0) != PAGE || !*order);
	mib = atoi(order);
	at = mmap(NULL, ((size_t)mib << 20) + PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < (size_t)mib << 20; i += PAGE)
		for (size_t k = 0; k < PAGE; k += 512)
			at[(i + k) / 8] = i + k + 1;
	dprintf(1, "DIRTY %d\n", mib);
}

/* A loop in kernel mode with interrupts off, that writes "#" to the serial port: nothing else
 * runs when it is restored. */
static void guest_quiet(int cpus)
{
	int module = open("/quiet.ko", O_RDONLY | O_CLOEXEC);

	(void)cpus;
	syscall(SYS_finit_module, module, "", 0);
	perror("quiet.ko");
}

static void guest_poweroff(int cpus)
{
	(void)cpus;
	reboot(RB_POWER_OFF);
}

static void guest_reboot(int cpus)
{
	(void)cpus;
	reboot(RB_AUTOBOOT);
}

/* The kernel faults, and has no tables to handle it. */
static void guest_triple(int cpus)
{
	int type;

	(void)cpus;
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	type = open("/sys/kernel/reboot/type", O_WRONLY | O_CLOEXEC);
	if (write(type, "triple", 6) == 6)
		reboot(RB_AUTOBOOT);
	perror("triple");
}

/* Process 1 ends: the kernel panics. */
static void guest_panic(int cpus)
{
	exit(cpus);
}

static const struct {
	const char *name;
	void (*run)(int cpus);
} modes[] = {
	{ "tick", guest_tick },     { "beat", guest_beat },         { "quiet", guest_quiet },
	{ "disk", guest_disk },     { "poweroff", guest_poweroff }, { "reboot", guest_reboot },
	{ "panic", guest_panic },   { "free", guest_free },         { "triple", guest_triple },
	{ "attack", guest_attack }, { "flood", guest_flood },       { "speed", guest_speed },
	{ "dirty", guest_dirty },
};

int main(void)
{
	char mode[16] = "";
	int file = open("/mode", O_RDONLY | O_CLOEXEC);
	struct sysinfo info;
	cpu_set_t set;
	int cpus;

	sysinfo(&info);
	sched_getaffinity(0, sizeof(set), &set);
	cpus = CPU_COUNT(&set);
	if (read(file, mode, sizeof(mode) - 1) < 0)
		perror("/mode");
	dprintf(1, "\nGUEST %s cpus=%d memory=%d MiB\n", mode, cpus,
		(int)(info.totalram * info.mem_unit >> 20));
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, mode))
			modes[i].run(cpus);
	for (;;)
		pause();
}
