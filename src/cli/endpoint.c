#include "cli/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

#define ENDPOINT_HEAD      (16 * KIB)
#define ENDPOINT_CONNECT_S 10

/* Names below localhost are this host, whatever its resolver knows of them (RFC 6761). */
static bool endpoint_is_local(const char *name)
{
	size_t n = strlen(name), tail = strlen(".localhost");

	return n > tail && !strcasecmp(name + n - tail, ".localhost");
}

/* Of a connect and of the handshake, which block; what follows them does not. */
static void endpoint_limit(int fd)
{
	const struct timeval most = { .tv_sec = ENDPOINT_CONNECT_S };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
}

/* An address of IPv6 may stand in brackets. */
static char *endpoint_machine(const char *name, const char *via)
{
	size_t n = via ? strlen(via) : 0;

	if (!via)
		return xstrdup(endpoint_is_local(name) ? "127.0.0.1" : name);
	return *via == '[' && n > 2 ? strndup(via + 1, n - 2) : xstrdup(via);
}

static int endpoint_connect(const char *name, const char *via, const char *port, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	autofree char *machine = endpoint_machine(name, via);
	struct addrinfo *all = NULL;
	int fd = -1, rc;

	rc = getaddrinfo(machine, port, &hints, &all);
	if (rc)
		return err_set(e, ERR_INTERNAL, "find %s: %s", name, gai_strerror(rc));
	for (struct addrinfo *at = all; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		endpoint_limit(fd);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen))
			fd_close(&fd);
	}
	freeaddrinfo(all);
	if (fd < 0)
		return err_sys(e, "connect to %s, port %s", name, port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

/* OpenSSL's macro for this casts a const away. */
static long endpoint_name_server(SSL *ssl, const char *name)
{
	return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			(void *)(uintptr_t)name);
}

static int endpoint_secure(struct endpoint *p, const char *name, const char *ca_file, struct err *e)
{
	p->context = SSL_CTX_new(TLS_client_method());
	if (!p->context || SSL_CTX_load_verify_locations(p->context, ca_file, NULL) != 1)
		return err_set(e, ERR_INTERNAL, "the CA certificate '%s' cannot be read", ca_file);
	SSL_CTX_set_verify(p->context, SSL_VERIFY_PEER, NULL);
	p->ssl = SSL_new(p->context);
	if (!p->ssl || SSL_set1_host(p->ssl, name) != 1 ||
	    endpoint_name_server(p->ssl, name) != 1 || SSL_set_fd(p->ssl, p->fd) != 1 ||
	    SSL_connect(p->ssl) != 1)
		return err_set(e, ERR_INTERNAL, "TLS with the endpoint failed: %s",
			       X509_verify_cert_error_string(p->ssl ? SSL_get_verify_result(p->ssl)
								    : X509_V_ERR_UNSPECIFIED));
	SSL_set_mode(p->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return 0;
}

size_t endpoint_header(const struct endpoint *p, const char *name, const char **value)
{
	size_t n = strlen(name);

	for (const char *line = strstr(p->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		*value = line + n + 1 + strspn(line + n + 1, " ");
		return strcspn(*value, "\r");
	}
	return 0;
}

static ssize_t endpoint_result(const struct endpoint *p, int n)
{
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, n);

	if (why == SSL_ERROR_NONE)
		return n;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t endpoint_read(struct endpoint *p, void *to, size_t size)
{
	return endpoint_result(p, SSL_read(p->ssl, to, (int)size));
}

ssize_t endpoint_write(struct endpoint *p, const void *from, size_t size)
{
	return endpoint_result(p, SSL_write(p->ssl, from, (int)size));
}

void endpoint_shutdown(struct endpoint *p)
{
	(void)SSL_shutdown(p->ssl);
}

/* False: it is to be waited for no longer. */
static bool endpoint_wait(struct endpoint *p, int give_up, short events)
{
	struct pollfd ready[] = { { .fd = p->fd, .events = events },
				  { .fd = give_up, .events = POLLIN } };

	if (poll(ready, ARRAY_SIZE(ready), -1) > 0 && ready[1].revents)
		p->gave_up = true;
	return !p->gave_up;
}

static int endpoint_send(struct endpoint *p, const struct buf *request, struct err *e)
{
	for (size_t at = 0; at < request->size;) {
		ssize_t n = endpoint_write(p, request->data + at, request->size - at);

		if (n < 0)
			return err_set(e, ERR_CAPACITY, "the endpoint ended the connection");
		if (!n)
			(void)endpoint_wait(p, -1, POLLOUT);
		at += (size_t)n;
	}
	return 0;
}

/* Byte by byte, since those behind the head are not ours. */
static int endpoint_read_head(struct endpoint *p, int give_up, struct err *e)
{
	size_t n = 0;

	while (n < ENDPOINT_HEAD - 1) {
		ssize_t got = endpoint_read(p, p->head + n, 1);

		if (got < 0)
			return err_set(e, ERR_CAPACITY, "the endpoint ended the connection");
		if (!got && !endpoint_wait(p, give_up, POLLIN))
			return err_set(e, ERR_CONFLICT, "the microVM has not answered yet");
		n += (size_t)got;
		p->head[n] = '\0';
		if (n >= 4 && !strcmp(p->head + n - 4, "\r\n\r\n"))
			return 0;
	}
	return err_set(e, ERR_INTERNAL, "the endpoint's answer is too long");
}

static int endpoint_upgrade(struct endpoint *p, const struct endpoint_ask *ask, struct err *e)
{
	autobuf struct buf request = { .secret = true };
	const char *why, *protocol;
	size_t n;

	buf_addf(&request,
		 "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
		 "X-aws-proxy-auth: %s\r\n%s\r\n",
		 ask->target, ask->host, ask->upgrade, ask->token, ask->fields);
	p->head = xcalloc(1, ENDPOINT_HEAD);
	if (endpoint_send(p, &request, e) || endpoint_read_head(p, ask->give_up, e))
		return -1;
	if (sscanf(p->head, "HTTP/1.1 %u ", &p->status) != 1)
		return err_set(e, ERR_INTERNAL, "the endpoint's answer is no HTTP");
	if (p->status == 101 && endpoint_header(p, "upgrade", &protocol))
		return 0;
	n = endpoint_header(p, "x-doze-reason", &why);
	return err_set(e, p->status == 403 ? ERR_DENIED : ERR_CONFLICT,
		       "the endpoint answered %u%s%.*s", p->status, n ? ": " : "", (int)n,
		       n ? why : "");
}

int endpoint_open(struct endpoint *p, const struct endpoint_ask *ask, struct err *e)
{
	const char *colon = strchr(ask->host, ':');
	autofree char *name = xasprintf("%.*s", (int)strcspn(ask->host, ":"), ask->host);

	*p = (struct endpoint){ .fd = endpoint_connect(name, ask->via, colon ? colon + 1 : "443",
						       e) };
	if (p->fd < 0)
		return -1;
	if (!endpoint_secure(p, name, ask->ca_file, e)) {
		if (io_nonblock(p->fd))
			err_sys(e, "use the connection to the endpoint");
		else if (!endpoint_upgrade(p, ask, e))
			return 0;
	}
	endpoint_close(p);
	return -1;
}

void endpoint_close(struct endpoint *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->context);
	if (p->fd >= 0)
		fd_close(&p->fd);
	mem_free(&p->head);
	*p = (struct endpoint){ .fd = -1, .status = p->status, .gave_up = p->gave_up };
}
