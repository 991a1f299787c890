#include "guest/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static socklen_t loopback_address(uint16_t port, bool six, struct sockaddr_storage *to)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	memcpy(to, six ? (const void *)&in6 : (const void *)&in, six ? sizeof(in6) : sizeof(in));
	return six ? sizeof(in6) : sizeof(in);
}

int loopback_datagrams(uint16_t port, bool six)
{
	struct sockaddr_storage to;
	socklen_t size = loopback_address(port, six, &to);
	autoclose int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, size))
		return -errno;
	return fd_steal(&fd);
}

int loopback_connect(uint16_t port, bool six, bool *done)
{
	struct sockaddr_storage address;
	const struct sockaddr *to = (const void *)&address;
	socklen_t size = loopback_address(port, six, &address);
	autoclose int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*done = !connect(fd, to, size);
	/* The loopback has answered by the end of that call, so asking again saves an event. */
	if (!*done && errno == EINPROGRESS)
		*done = !connect(fd, to, size);
	if (!*done && errno != EALREADY)
		return -errno;
	return fd_steal(&fd);
}

int loopback_result(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return -errno;
	return -error;
}
