#include "guest/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int loopback_connect(uint16_t port, bool six, bool *done)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	const struct sockaddr *to = six ? (const void *)&in6 : (const void *)&in;
	socklen_t size = six ? sizeof(in6) : sizeof(in);
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
