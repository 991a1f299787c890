/* backend.c - the application behind every proxy of `tests/bench/run proxy`, so that all of them
 * have the same one.
 *
 *   bench-backend STREAM_SOCK
 *
 * It prints its port on loopback and serves until its standard input ends.  `GET /N` is answered
 * with N KiB; any other request with its body's length.  STREAM_SOCK is a machine's: CONNECT hands
 * out a connection to the same port. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define BLOCK    (1 << 17)
#define EVENTS   256

enum peer_kind { PEER_LISTENER, PEER_STREAMS, PEER_STREAM, PEER_HTTP, PEER_STDIN };

struct peer {
	enum peer_kind kind;
	int fd;
	size_t have;     /* of a head that has begun */
	uint64_t unread; /* of a request's body */
	uint64_t length; /* of that body, whole */
	uint64_t unsent; /* of an answer's body */
	char head[HEAD_MAX + 1];
};

static char block[BLOCK];
static struct sockaddr_in address;
static int epoll_fd;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct peer *peer_add(enum peer_kind kind, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = p };

	if (!p)
		die("out of memory");
	p->kind = kind;
	p->fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	return p;
}

static void peer_end(struct peer *p)
{
	close(p->fd);
	free(p);
}

static void peer_await(struct peer *p, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = p };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, p->fd, &event))
		die("epoll_ctl");
}

/* False: the peer takes no more for now. */
static bool http_flush(struct peer *p)
{
	while (p->unsent) {
		size_t most = p->unsent < BLOCK ? (size_t)p->unsent : BLOCK;
		ssize_t n = send(p->fd, block, most, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			return false;
		p->unsent -= (uint64_t)n;
	}
	return true;
}

/* False: it is gone. */
static bool http_answer(struct peer *p, uint64_t size)
{
	static const char form[] = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
				   "content-length: %llu\r\n\r\n";
	char text[256 + 1024];
	int n = snprintf(text, 256, form, (unsigned long long)size);
	size_t body = size < 1024 ? (size_t)size : 1024;

	memcpy(text + n, block, body);
	if (send(p->fd, text, (size_t)n + body, MSG_NOSIGNAL) != (ssize_t)((size_t)n + body))
		return false;
	p->unsent = size - body;
	if (!http_flush(p))
		peer_await(p, EPOLLOUT);
	return true;
}

static bool http_head(struct peer *p)
{
	const char *length = strcasestr(p->head, "\r\ncontent-length:");
	unsigned long long kib;

	p->length = p->unread = length ? strtoull(length + 17, NULL, 10) : 0;
	if (p->unread)
		return true;
	return http_answer(p, sscanf(p->head, "GET /%llu", &kib) == 1 ? kib << 10 : 0);
}

/* Returns how many of these bytes belong to the head; 0: there is no room for it. */
static size_t http_add_to_head(struct peer *p, const char *data, size_t size, bool *complete)
{
	size_t before = p->have, room = HEAD_MAX - before, n = size < room ? size : room;
	const char *end;

	memcpy(p->head + before, data, n);
	p->head[before + n] = '\0';
	end = strstr(p->head, "\r\n\r\n");
	*complete = end;
	if (end) {
		n = (size_t)(end + 4 - p->head) - before;
		p->head[before + n] = '\0';
	}
	p->have = end ? 0 : before + n;
	return n;
}

/* False: the peer is gone, or speaks no HTTP. */
static bool http_take(struct peer *p, const char *data, size_t size)
{
	while (size) {
		size_t n = p->unread < size ? (size_t)p->unread : size;
		bool complete = false;

		p->unread -= n;
		if (n && !p->unread && !http_answer(p, 0))
			return false;
		if (!n)
			n = http_add_to_head(p, data, size, &complete);
		if (!n || (complete && !http_head(p)))
			return false;
		data += n;
		size -= n;
	}
	return true;
}

static void http_ready(struct peer *p, uint32_t events)
{
	static char data[BLOCK];
	ssize_t n;

	if (events & EPOLLOUT) {
		if (http_flush(p))
			peer_await(p, EPOLLIN);
		return;
	}
	n = recv(p->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n <= 0 || !http_take(p, data, (size_t)n))
		peer_end(p);
}

static void stream_ready(struct peer *p)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	static char answer[] = "OK\n";
	struct iovec ok = { answer, sizeof(answer) - 1 };
	struct msghdr message = { .msg_iov = &ok,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	char line[64];
	int fd;

	if (recv(p->fd, line, sizeof(line), MSG_DONTWAIT) > 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
			die("connect");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
		if (sendmsg(p->fd, &message, MSG_NOSIGNAL) < 0)
			perror("sendmsg");
		close(fd);
	}
	peer_end(p);
}

static void accept_ready(const struct peer *p)
{
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (p->kind == PEER_LISTENER)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	peer_add(p->kind == PEER_LISTENER ? PEER_HTTP : PEER_STREAM, fd);
}

static void listen_all(const char *streams)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", streams);
	if (tcp < 0 || bind(tcp, (struct sockaddr *)&address, size) || listen(tcp, 4096) ||
	    getsockname(tcp, (struct sockaddr *)&address, &size))
		die("listen on loopback");
	if (local < 0 || bind(local, (struct sockaddr *)&path, sizeof(path)) || listen(local, 4096))
		die(streams);
	peer_add(PEER_LISTENER, tcp);
	peer_add(PEER_STREAMS, local);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];

	if (argc != 2) {
		fprintf(stderr, "usage: bench-backend STREAM_SOCK\n");
		return 2;
	}
	memset(block, 'x', sizeof(block));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listen_all(argv[1]);
	peer_add(PEER_STDIN, STDIN_FILENO);
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p->kind == PEER_STDIN)
				return 0;
			if (p->kind == PEER_HTTP)
				http_ready(p, events[i].events);
			else if (p->kind == PEER_STREAM)
				stream_ready(p);
			else
				accept_ready(p);
		}
	}
}
