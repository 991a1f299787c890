/* machine_app.c - the application in the guest of machine_test.py: one line a connection, one
 * answer.
 *
 *   count          a counter in memory, and one more
 *   put N MIB      make file N of that size, out of N; synced
 *   sum N          a checksum of file N as it lies on the disk
 *   touch MIB      dirty that much memory
 *   log LINES      print so many lines
 *
 * Port 8081 speaks first: a banner, then whatever is sent comes back. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 65536

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64))
		abort();
	return fd;
}

static void put(unsigned n, unsigned mib)
{
	static uint32_t block[BLOCK / 4];
	char name[32];
	uint32_t v = n * 2654435761U + 1;
	int fd;

	snprintf(name, sizeof(name), "/data-%u", n);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	for (unsigned i = 0; i < mib * (1048576 / BLOCK); i++) {
		for (unsigned w = 0; w < BLOCK / 4; w++)
			block[w] = v = v * 1664525 + 1013904223;
		if (write(fd, block, BLOCK) != BLOCK)
			abort();
	}
	if (fsync(fd))
		abort();
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static uint32_t sum(unsigned n)
{
	static uint32_t block[BLOCK / 4];
	char name[32];
	uint32_t v = 0;
	int fd;

	snprintf(name, sizeof(name), "/data-%u", n);
	fd = open(name, O_RDONLY);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while (read(fd, block, BLOCK) == BLOCK)
		for (unsigned w = 0; w < BLOCK / 4; w++)
			v = v * 31 + block[w];
	close(fd);
	return v;
}

static void touch(unsigned mib)
{
	static uint8_t *kept;

	kept = realloc(kept, (size_t)mib << 20);
	for (size_t i = 0; kept && i < (size_t)mib << 20; i += 64)
		kept[i] = (uint8_t)(i >> 6);
}

static void answer(int fd)
{
	static unsigned counter;
	char line[64] = { 0 }, text[64] = "what?\n";
	unsigned a, b;
	ssize_t n = read(fd, line, sizeof(line) - 1);

	if (n > 0 && !strcmp(line, "count\n")) {
		snprintf(text, sizeof(text), "%u\n", ++counter);
	} else if (sscanf(line, "put %u %u", &a, &b) == 2) {
		put(a, b);
		snprintf(text, sizeof(text), "%u\n", sum(a));
	} else if (sscanf(line, "sum %u", &a) == 1) {
		snprintf(text, sizeof(text), "%u\n", sum(a));
	} else if (sscanf(line, "touch %u", &a) == 1) {
		touch(a);
		snprintf(text, sizeof(text), "%u\n", a);
	} else if (sscanf(line, "log %u", &a) == 1) {
		for (b = 0; b < a; b++)
			printf("line %u of the application, of about sixty characters\n", b);
		fflush(stdout);
		snprintf(text, sizeof(text), "%u\n", a);
	}
	(void)!write(fd, text, strlen(text));
	close(fd);
}

static void echo(int listener)
{
	char bytes[4096];
	ssize_t n;
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		(void)!write(fd, "welcome\n", 8);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			(void)!write(fd, bytes, (size_t)n);
		close(fd);
	}
}

int main(void)
{
	int one = listen_on(8080), other = listen_on(8081);
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (!fork()) {
		echo(other);
		return 1;
	}
	while ((fd = accept(one, NULL, NULL)) >= 0)
		answer(fd);
	return 1;
}
