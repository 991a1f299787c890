/* datagrams.c - how many datagrams pass through a published port of UDP, and how many are lost.
 *
 *   datagrams STREAM_SOCK PORT RATE SECONDS SIZE
 *
 * It is the machine, which takes one stream and counts its frames, and the client, which sends so
 * many datagrams a second to 127.0.0.1:PORT.  Prints one line of JSON. */

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "wire/datagram.h"

#define BATCH      16
#define PIECE      (256 * KIB)
#define SILENCE_MS 1500 /* after which nothing more comes */

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8))
		abort();
	return fd;
}

static uint64_t count_frames(int fd)
{
	autobuf struct buf in = { 0 };
	struct pollfd at = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	while (poll(&at, 1, SILENCE_MS) > 0) {
		const uint8_t *datagram;
		size_t length, used, done = 0;
		ssize_t got;

		buf_reserve(&in, PIECE);
		got = read(fd, in.data + in.size, PIECE);
		if (got <= 0)
			break;
		in.size += (size_t)got;
		for (;
		     datagram_next(in.data + done, in.size - done, &datagram, &length, &used) == 1;
		     n++)
			done += used;
		buf_drop(&in, done);
	}
	return n;
}

/* The first datagram makes the stream; it is counted like all others. */
static uint64_t serve(int listener)
{
	char line[64];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || read(fd, line, sizeof(line)) <= 0 || write(fd, "OK\n", 3) != 3)
		abort();
	return count_frames(fd);
}

static uint64_t send_all(uint16_t port, double rate, double seconds, size_t size)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	static uint8_t bytes[DATAGRAM_MAX];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec part = { bytes, size };
	int64_t start = clock_mono_us();
	uint64_t sent = 0, most = (uint64_t)(rate * seconds);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		abort();
	for (size_t i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 };
	while (sent < most) {
		int64_t ahead_us = (int64_t)((double)sent / rate * 1e6) - (clock_mono_us() - start);
		int n;

		if (ahead_us > 100)
			usleep((useconds_t)ahead_us);
		n = sendmmsg(fd, messages, BATCH, 0);
		sent += n > 0 ? (uint64_t)n : 0;
	}
	return sent;
}

int main(int argc, char **argv)
{
	uint64_t sent, received;
	int listener, pair[2];
	pid_t child;

	if (argc != 6 || pipe(pair))
		return 2;
	listener = listen_at(argv[1]);
	child = fork();
	if (!child) {
		received = serve(listener);
		return write(pair[1], &received, sizeof(received)) != sizeof(received);
	}
	sent = send_all((uint16_t)atoi(argv[2]), atof(argv[3]), atof(argv[4]),
			(size_t)atoi(argv[5]));
	if (read(pair[0], &received, sizeof(received)) != sizeof(received))
		return 1;
	waitpid(child, NULL, 0);
	printf("{\"sent\": %llu, \"received\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)received);
	return 0;
}
