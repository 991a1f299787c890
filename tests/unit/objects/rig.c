#include "rig.h"
#include "objects/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "net/http_carrier.h"

#define DEADLINE_MS 20000

int __wrap_sigv4_read(const struct http_head *head, struct sigv4_claim *claim, struct err *e);
int __wrap_sigv4_verify(const struct http_head *head, const struct sigv4_claim *claim,
			const char *secret, const char *body_sha256, bool double_encode,
			int64_t now_ms, struct err *e);

int __wrap_sigv4_read(const struct http_head *head, struct sigv4_claim *claim, struct err *e)
{
	const char *key = http_header(head, "x-test-key");

	(void)e;
	*claim = (struct sigv4_claim){ .service = "s3", .payload = "UNSIGNED-PAYLOAD" };
	snprintf(claim->access_key, sizeof(claim->access_key), "%s", key ? key : "");
	return 0;
}

int __wrap_sigv4_verify(const struct http_head *head, const struct sigv4_claim *claim,
			const char *secret, const char *body_sha256, bool double_encode,
			int64_t now_ms, struct err *e)
{
	(void)head, (void)claim, (void)secret, (void)body_sha256, (void)double_encode;
	(void)now_ms, (void)e;
	return 0;
}

void rig_key(struct rig *g, const char *id, const char *account, const char *policy)
{
	struct access_key *key = key_new(id, "secret");
	struct err e;

	snprintf(key->who.account, sizeof(key->who.account), "%s", account);
	snprintf(key->who.arn, sizeof(key->who.arn), "arn:aws:iam::%s:user/%s", account, id);
	snprintf(key->who.name, sizeof(key->who.name), "%s", id);
	assert_int_equal(key_allow(key, policy, &e), 0);
	keys_put(&g->s3.access.keys, key);
}

static void rig_start(struct rig *g)
{
	struct err e;

	g->s3.loop = &g->loop;
	store_open(&g->s3.store, &g->loop, open(g->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	strcpy(g->s3.store.owner, "000000000000");
	assert_int_equal(load_store(&g->s3.store, &e), 0);
	g->s3.server = http_server_new(&g->loop, NULL, &s3_handler, &g->s3);
}

void rig_open(struct rig *g)
{
	/* In memory: no test waits for a real disk. */
	*g = (struct rig){ .root = "/dev/shm/doze-test-objects-XXXXXX" };
	assert_non_null(mkdtemp(g->root));
	keys_init(&g->s3.access.keys);
	g->s3.access.known = true;
	rig_key(g, "", "000000000000", NULL);
	assert_int_equal(uv_loop_init(&g->loop), 0);
	rig_start(g);
}

void rig_until(struct rig *g, bool (*so)(void *arg), void *arg)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (!so(arg)) {
		if (clock_mono_ms() > until)
			fail_msg("it is not so in time");
		uv_run(&g->loop, UV_RUN_NOWAIT);
		usleep(50);
	}
}

static bool rig_is_settled(void *arg)
{
	struct rig *g = arg;

	return !g->s3.requests && store_idle(&g->s3.store);
}

void rig_settle(struct rig *g)
{
	rig_until(g, rig_is_settled, g);
}

static void rig_stop(struct rig *g)
{
	http_server_free(g->s3.server);
	rig_settle(g);
	uv_run(&g->loop, UV_RUN_DEFAULT);
	store_close(&g->s3.store);
}

void rig_restart(struct rig *g)
{
	rig_stop(g);
	rig_start(g);
}

void rig_close(struct rig *g)
{
	rig_stop(g);
	keys_free(&g->s3.access.keys);
	assert_int_equal(uv_loop_close(&g->loop), 0);
	assert_int_equal(io_remove_tree(AT_FDCWD, g->root), 0);
}

unsigned rig_count(struct rig *g, const char *below)
{
	char path[200];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", g->root, below);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return n;
}

struct ask *ask_begin(struct rig *g, const char *method, const char *target, const char *headers,
		      const char *body, size_t size)
{
	struct ask *a = xcalloc(1, sizeof(*a));
	int pair[2], room = 64 * KIB;
	struct err e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	assert_int_equal(http_server_take(g->s3.server, pair[0], &e), 0);
	a->rig = g;
	a->fd = pair[1];
	a->parser = http1_new(false);
	http1_expect_no_body(a->parser, !strcmp(method, "HEAD"));
	buf_addf(&a->out,
		 "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %zu\r\n"
		 "%s\r\n",
		 method, target, size, headers);
	if (body) {
		buf_add(&a->out, body, size);
	} else {
		buf_reserve(&a->out, size);
		memset(a->out.data + a->out.size, 0, size);
		a->out.size += size;
	}
	return a;
}

static void ask_send(struct ask *a)
{
	while (ask_left(a)) {
		ssize_t n = send(a->fd, a->out.data + a->sent, ask_left(a), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			a->sent = a->out.size; /* the answer may be there all the same */
		if (n <= 0)
			return;
		a->sent += (size_t)n;
	}
}

static void ask_take(struct ask *a, const uint8_t *data, size_t size)
{
	const uint8_t *body;
	size_t used, n;

	for (;; data += used, size -= used) {
		const char *etag;

		switch (http1_next(a->parser, data, size, &used, &body, &n)) {
		case HTTP1_HEAD:
			a->status = http1_head(a->parser)->status;
			etag = http_header(http1_head(a->parser), "etag");
			snprintf(a->etag, sizeof(a->etag), "%s", etag ? etag : "");
			break;
		case HTTP1_BODY:
			buf_add(&a->body, body, n);
			break;
		case HTTP1_TRAILERS:
			break;
		case HTTP1_END:
			a->done = true;
			return;
		case HTTP1_MORE:
			return;
		case HTTP1_UPGRADE:
		case HTTP1_BAD:
			fail_msg("the answer is no HTTP: %s", http1_error(a->parser));
		}
	}
}

bool ask_turn(struct ask *a)
{
	static uint8_t data[64 * KIB];
	ssize_t n;

	ask_send(a);
	n = recv(a->fd, data, sizeof(data), 0);
	if (n > 0)
		ask_take(a, data, (size_t)n);
	return a->done || n == 0 || (n < 0 && errno != EAGAIN);
}

static bool ask_is_done(void *arg)
{
	return ask_turn(arg);
}

unsigned ask_wait(struct ask *a)
{
	rig_until(a->rig, ask_is_done, a);
	return a->done ? a->status : 0;
}

void ask_free(struct ask *a)
{
	close(a->fd);
	http1_free(a->parser);
	buf_free(&a->out);
	buf_free(&a->body);
	free(a);
}

unsigned rig_ask(struct rig *g, const char *method, const char *target, const char *headers,
		 const char *body, char to[4096])
{
	struct ask *a = ask_begin(g, method, target, headers, body, strlen(body));
	unsigned status = ask_wait(a);

	if (to)
		snprintf(to, 4096, "%s", buf_str(&a->body));
	ask_free(a);
	return status;
}
