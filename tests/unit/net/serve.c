/* serve.c - the echo handler on a port, for curl and openssl s_client:
 * serve PORT [PEM-FILE] */

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "echo.h"
#include "net/tls.h"

static int serve_socket(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096))
		perror("listen"), exit(1);
	return fd;
}

int main(int argc, char **argv)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	autobuf struct buf pem = { 0 };
	struct http_server *s;
	struct tls *tls = NULL;
	struct err e;

	log_init("serve", LOG_LEVEL_DEBUG);
	if (argc > 2) {
		int fd = open(argv[2], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || io_read_all(fd, &pem, MIB))
			perror(argv[2]), exit(1);
		tls = tls_server_new((char *)pem.data, pem.size, alpn, &e);
		if (!tls)
			fprintf(stderr, "%s\n", e.text), exit(1);
	}
	s = http_server_new(uv_default_loop(), tls, &echo_handler, NULL);
	if (argc < 2 || http_server_listen(s, serve_socket(atoi(argv[1])), &e))
		exit(1);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
