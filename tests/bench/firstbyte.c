/* firstbyte.c - from the first byte of RunMicrovm to the last byte of the first 200, as a C client
 * sees it.
 *
 *   firstbyte DATA_DIR API_PORT REGION IMAGE_ARN GUEST_PORT RUNS PAUSE_MS
 *
 * One connection to the API stays open; each run makes RunMicrovm, CreateMicrovmAuthToken, a new
 * TLS connection to the endpoint and a GET /, then TerminateMicrovm, and prints one line of JSON
 * with the milliseconds of each part. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "wire/creds.h"
#include "wire/http1.h"
#include "wire/sigv4.h"

struct peer {
	SSL *ssl;
	int fd;
};

static SSL_CTX *tls;
static struct creds creds;
static const char *region;

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "firstbyte: %s\n", why);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct peer peer_open(const char *host, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	autofree char *name = xstrdup(host);
	struct peer p = { SSL_new(tls), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!p.ssl || p.fd < 0 || connect(p.fd, (struct sockaddr *)&to, sizeof(to)))
		die("cannot connect");
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	SSL_set_fd(p.ssl, p.fd);
	SSL_ctrl(p.ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
	if (SSL_connect(p.ssl) != 1)
		die("no TLS");
	return p;
}

static void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	close(p->fd);
}

/* What came: the status, and whether the message is over. */
struct reading {
	struct http1 *parser;
	unsigned status;
	bool over;
	struct buf *body;
};

static void reading_feed(struct reading *r, const uint8_t *data, size_t size)
{
	size_t at = 0;

	/* An event may follow the last byte: until the parser wants more. */
	while (!r->over) {
		const uint8_t *body;
		size_t n, used;
		enum http1_event event =
			http1_next(r->parser, data + at, size - at, &used, &body, &n);

		at += used;
		if (event == HTTP1_HEAD)
			r->status = http1_head(r->parser)->status;
		else if (event == HTTP1_BODY)
			buf_add(r->body, body, n);
		else if (event == HTTP1_BAD)
			die(http1_error(r->parser));
		r->over = event == HTTP1_END;
		if (event == HTTP1_MORE)
			return;
	}
}

/* One request and its whole answer; the status. */
static unsigned peer_call(struct peer *p, const struct buf *request, struct buf *answer)
{
	struct reading r = { .parser = http1_new(false), .body = answer };
	uint8_t data[16384];

	if (SSL_write(p->ssl, request->data, (int)request->size) <= 0)
		die("cannot write");
	while (!r.over) {
		int n = SSL_read(p->ssl, data, sizeof(data));

		if (n <= 0)
			break;
		reading_feed(&r, data, (size_t)n);
	}
	http1_free(r.parser);
	return r.status;
}

static json_t *api_call(struct peer *api, const char *method, const char *path, const char *body,
			uint16_t port)
{
	struct sigv4_key key = { creds.keys[0].access_key, creds.keys[0].secret, region, "lambda" };
	autobuf struct buf auth = { 0 }, request = { 0 }, answer = { 0 };
	char hash[65], date[17], host[32];
	json_t *out;

	snprintf(host, sizeof(host), "127.0.0.1:%u", port);
	sha256_hex(body, strlen(body), hash);
	sigv4_sign(method, path, host, hash, &key, true, clock_wall_ms(), date, &auth);
	buf_addf(&request,
		 "%s %s HTTP/1.1\r\nhost: %s\r\nx-amz-date: %s\r\nx-amz-content-sha256: %s\r\n"
		 "authorization: %s\r\ncontent-type: application/json\r\ncontent-length: "
		 "%zu\r\n\r\n%s",
		 method, path, host, date, hash, buf_str(&auth), strlen(body), body);
	if (peer_call(api, &request, &answer) != 200)
		die(answer.size ? buf_str(&answer) : "no answer of the API");
	out = json_loadb((const char *)answer.data, answer.size, 0, NULL);
	if (!out)
		die("the API's answer is not JSON");
	return out;
}

static unsigned first_get(const char *endpoint, const char *token, const char *guest_port)
{
	autobuf struct buf request = { 0 }, answer = { 0 };
	const char *colon = strchr(endpoint, ':');
	autofree char *host = xasprintf("%.*s", colon ? (int)(colon - endpoint) : 255, endpoint);
	struct peer p = peer_open(host, colon ? (uint16_t)strtol(colon + 1, NULL, 10) : 443);
	unsigned status;

	buf_addf(&request,
		 "GET / HTTP/1.1\r\nhost: %s\r\nx-aws-proxy-auth: %s\r\nx-aws-proxy-port: "
		 "%s\r\n\r\n",
		 endpoint, token, guest_port);
	status = peer_call(&p, &request, &answer);
	peer_close(&p);
	return status;
}

static void one_run(struct peer *api, uint16_t api_port, const char *arn, const char *guest_port)
{
	autofree char *run_body = xasprintf("{\"imageIdentifier\":\"%s\"}", arn);
	autofree char *token_body = xasprintf(
		"{\"expirationInMinutes\":5,\"allowedPorts\":[{\"port\":%s}]}", guest_port);
	double begin = now_ms(), ran, minted, answered;
	json_t *vm = api_call(api, "POST", "/2025-09-09/microvms", run_body, api_port), *token;
	const char *id = json_string_value(json_object_get(vm, "microvmId"));
	autofree char *token_path = xasprintf("/2025-09-09/microvms/%s/auth-token", id);
	autofree char *end_path = xasprintf("/2025-09-09/microvms/%s", id);
	unsigned status;

	ran = now_ms();
	token = api_call(api, "POST", token_path, token_body, api_port);
	minted = now_ms();
	status = first_get(json_string_value(json_object_get(vm, "endpoint")),
			   json_string_value(json_object_get(json_object_get(token, "authToken"),
							     "X-aws-proxy-auth")),
			   guest_port);
	answered = now_ms();
	printf("{\"status\":%u,\"run_ms\":%.2f,\"token_ms\":%.2f,\"request_ms\":%.2f,\"total_ms\":%"
	       ".2f}\n",
	       status, ran - begin, minted - ran, answered - minted, answered - begin);
	fflush(stdout);
	json_decref(token);
	json_decref(api_call(api, "DELETE", end_path, "", api_port));
	json_decref(vm);
}

static void read_keys(const char *data_dir)
{
	autofree char *ca = xasprintf("%s/ca.crt", data_dir);
	autofree char *key_file = xasprintf("%s/client-credentials", data_dir);
	autoclose int fd = open(key_file, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	struct err e;

	if (fd < 0 || io_read_all(fd, &text, 65536) ||
	    creds_parse(buf_str(&text), text.size, &creds, &e))
		die("no credentials");
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls || SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)
		die("no CA");
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
}

int main(int argc, char **argv)
{
	struct peer api;
	uint16_t port;
	long runs;

	if (argc != 8)
		die("DATA_DIR API_PORT REGION IMAGE_ARN GUEST_PORT RUNS PAUSE_MS");
	port = (uint16_t)strtol(argv[2], NULL, 10);
	region = argv[3];
	runs = strtol(argv[6], NULL, 10);
	read_keys(argv[1]);
	api = peer_open("localhost", port);
	for (long i = 0; i < runs; i++) {
		one_run(&api, port, argv[4], argv[5]);
		usleep((useconds_t)strtol(argv[7], NULL, 10) * 1000);
	}
	peer_close(&api);
	SSL_CTX_free(tls);
	return 0;
}
