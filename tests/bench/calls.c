/* calls.c - how many signed calls the API answers in a second, on connections that stay open.
 *
 *   bench-calls PORT CA REGION METHOD BODY CONNECTIONS SECONDS < PATHS
 *
 * The pair of keys is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.  CA is the file of the
 * certificate that the API must have.  Standard input has one path a line; the calls take them by
 * turns, and each is signed anew.  Every connection has one call under way.  It prints one line of
 * JSON, {"calls": N, "seconds": S}, and fails at the first answer that is not 200. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "wire/http1.h"
#include "wire/sigv4.h"

#define MAX_CONNECTIONS 256

struct plan {
	const char *method, *body;
	char host[32], hash[65];
	struct sigv4_key key;
	char **paths;
	size_t n, next;
};

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "bench-calls: %s\n", why);
	exit(1);
}

static SSL *api_open(SSL_CTX *tls, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(tls);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!ssl || fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("no TLS");
	return ssl;
}

static void call_send(SSL *ssl, struct plan *p)
{
	autobuf struct buf auth = { 0 }, request = { 0 };
	const char *path = p->paths[p->next++ % p->n];
	char date[17];

	sigv4_sign(p->method, path, p->host, p->hash, &p->key, true, clock_wall_ms(), date, &auth);
	buf_addf(&request,
		 "%s %s HTTP/1.1\r\nhost: %s\r\nx-amz-date: %s\r\nx-amz-content-sha256: %s\r\n"
		 "authorization: %s\r\ncontent-type: application/json\r\ncontent-length: "
		 "%zu\r\n\r\n%s",
		 p->method, path, p->host, date, p->hash, buf_str(&auth), strlen(p->body), p->body);
	if (SSL_write(ssl, request.data, (int)request.size) != (int)request.size)
		die("cannot write");
}

/* True once the whole answer was fed. */
static bool answer_over(struct http1 *parser, const uint8_t *data, size_t size)
{
	const uint8_t *body;
	size_t at = 0, used, n;

	for (;;) {
		enum http1_event event = http1_next(parser, data + at, size - at, &used, &body, &n);

		at += used;
		if (event == HTTP1_HEAD && http1_head(parser)->status != 200)
			die((const char *)data);
		if (event == HTTP1_BAD)
			die(http1_error(parser));
		if (event == HTTP1_END || event == HTTP1_MORE)
			return event == HTTP1_END;
	}
}

static void call_receive(SSL *ssl)
{
	struct http1 *parser = http1_new(false);
	uint8_t data[16385];
	int n;

	do {
		n = SSL_read(ssl, data, sizeof(data) - 1);
		if (n <= 0)
			die("the API closed the connection");
		data[n] = 0;
	} while (!answer_over(parser, data, (size_t)n));
	http1_free(parser);
}

/* Answers are taken in the order of the connections, so that all of them but one are always under
 * way. */
static long calls(SSL **ssl, size_t n, struct plan *p, int64_t until_ms)
{
	long made = 0;

	for (size_t i = 0; i < n; i++)
		call_send(ssl[i], p);
	while (clock_mono_ms() < until_ms)
		for (size_t i = 0; i < n; i++, made++) {
			call_receive(ssl[i]);
			call_send(ssl[i], p);
		}
	return made;
}

static void read_paths(struct plan *p)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		p->paths = xrealloc(p->paths, (p->n + 1) * sizeof(*p->paths));
		p->paths[p->n++] = xstrdup(line);
	}
	if (!p->n)
		die("no paths on standard input");
}

static SSL_CTX *tls_for(const char *ca)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (!tls || SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)
		die("no CA");
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	return tls;
}

int main(int argc, char **argv)
{
	struct plan p = { .key = { getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"),
				   NULL, "lambda" } };
	SSL *ssl[MAX_CONNECTIONS];
	int64_t began_ms;
	SSL_CTX *tls;
	size_t n;
	long made;

	if (argc != 8 || !p.key.access_key || !p.key.secret)
		die("PORT CA REGION METHOD BODY CONNECTIONS SECONDS, and AWS_ACCESS_KEY_ID and "
		    "AWS_SECRET_ACCESS_KEY in the environment");
	tls = tls_for(argv[2]);
	p.key.region = argv[3];
	p.method = argv[4];
	p.body = argv[5];
	n = (size_t)strtol(argv[6], NULL, 10);
	if (n < 1 || n > MAX_CONNECTIONS)
		die("too few connections, or too many");
	snprintf(p.host, sizeof(p.host), "127.0.0.1:%s", argv[1]);
	sha256_hex(p.body, strlen(p.body), p.hash);
	read_paths(&p);
	for (size_t i = 0; i < n; i++)
		ssl[i] = api_open(tls, (uint16_t)strtol(argv[1], NULL, 10));
	began_ms = clock_mono_ms();
	made = calls(ssl, n, &p, began_ms + 1000 * strtol(argv[7], NULL, 10));
	printf("{\"calls\": %ld, \"seconds\": %.3f}\n", made,
	       (double)(clock_mono_ms() - began_ms) / 1e3);
	return 0;
}
