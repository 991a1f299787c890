/* speed.c - how fast the disk and the network are, by the guest's own clock: "SPEED NAME
 * NANOSECONDS", each for a MiB or for a request. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define MIB      (1024 * 1024)
#define DISK_MIB 32
#define NET_MIB  32
#define PIECE    (128 * 1024)
#define REQUESTS 1000
#define HOST     "10.0.2.2"
#define GUEST    "10.0.2.15"
#define SOURCE   9000 /* HTTP */
#define SINK     9001

static char *piece;

static int64_t speed_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void speed_say(const char *name, int64_t begin, int units)
{
	dprintf(1, "SPEED %s %lld\n", name, (long long)(speed_now() - begin) / units);
}

static ssize_t disk_read(int disk, size_t size, off_t at)
{
	return pread(disk, piece, size, at);
}

static ssize_t disk_write(int disk, size_t size, off_t at)
{
	return pwrite(disk, piece, size, at);
}

/* One after the other, as much as DISK_MIB. */
static void disk_row(const char *name, int disk, ssize_t (*move)(int disk, size_t size, off_t at))
{
	int64_t begin = speed_now();

	for (off_t at = 0; at < DISK_MIB * MIB; at += PIECE)
		if (move(disk, PIECE, at) != PIECE)
			perror("WRONG disk");
	fsync(disk);
	speed_say(name, begin, DISK_MIB);
}

/* A page here and a page there. */
static void disk_requests(const char *name, int disk,
			  ssize_t (*move)(int disk, size_t size, off_t at))
{
	int64_t begin = speed_now();
	uint32_t x = 1;

	for (int i = 0; i < REQUESTS; i++) {
		x = x * 1664525 + 1013904223;
		if (move(disk, PAGE, (off_t)(x >> 8) % (DISK_MIB * MIB / PAGE) * PAGE) != PAGE)
			perror("WRONG disk");
	}
	speed_say(name, begin, REQUESTS);
}

static void speed_disk(void)
{
	int disk = open("/dev/vda", O_RDWR | O_DIRECT | O_CLOEXEC);

	if (disk < 0)
		perror("WRONG /dev/vda");
	disk_row("disk-read", disk, disk_read);
	disk_requests("disk-read-4k", disk, disk_read);
	disk_row("disk-write", disk, disk_write);
	disk_row("disk-write-again", disk, disk_write);
	disk_requests("disk-write-4k", disk, disk_write);
	close(disk);
}

static void net_address(int sock, unsigned long request, const char *address)
{
	struct ifreq r = { .ifr_name = "eth0" };
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	if (ioctl(sock, request, &r))
		perror("WRONG address");
}

static void net_up(void)
{
	struct ifreq r = { .ifr_name = "eth0", .ifr_flags = IFF_UP | IFF_RUNNING };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	net_address(sock, SIOCSIFADDR, GUEST);
	net_address(sock, SIOCSIFNETMASK, "255.255.255.0");
	if (ioctl(sock, SIOCSIFFLAGS, &r))
		perror("WRONG eth0");
	close(sock);
}

static int net_connect(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, HOST, &in.sin_addr);
	if (connect(sock, (struct sockaddr *)&in, sizeof(in)))
		perror("WRONG connect");
	return sock;
}

static void net_take(void)
{
	static const char get[] = "GET /big HTTP/1.0\r\n\r\n";
	int64_t begin = speed_now(), all = 0;
	int sock = net_connect(SOURCE);
	ssize_t n = write(sock, get, sizeof(get) - 1);

	for (; n > 0; n = read(sock, piece, PIECE))
		all += n;
	if (all < (int64_t)NET_MIB * MIB)
		dprintf(1, "WRONG: %d bytes came\n", (int)all);
	speed_say("net-take", begin, NET_MIB);
	close(sock);
}

/* Until the host has it all. */
static void net_send(void)
{
	int64_t begin = speed_now();
	int sock = net_connect(SINK);

	for (int i = 0; i < NET_MIB * (MIB / PIECE); i++)
		for (ssize_t left = PIECE, n; left; left -= n)
			if ((n = write(sock, piece, (size_t)left)) <= 0) {
				perror("WRONG send");
				return;
			}
	shutdown(sock, SHUT_WR);
	if (read(sock, piece, 1) != 0)
		perror("WRONG end");
	speed_say("net-send", begin, NET_MIB);
	close(sock);
}

void guest_speed(int cpus)
{
	(void)cpus;
	guest_modules();
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	memset(piece, 'x', PIECE);
	speed_disk();
	net_up();
	net_take();
	net_send();
	dprintf(1, "SPEED done 0\n");
}
