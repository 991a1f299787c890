/* What the supervisor hands to a role arrives, and the role ends with its word or without it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "leftover.h"
#include "net/role.h"

static struct {
	struct role_link *role;
	char secret[32];
	uint16_t port;
	int listeners, peers, starts, stops;
	bool keep;
} seen;

static void seen_secret(void *arg, enum secret which, const char *text, size_t size)
{
	(void)arg;
	assert_int_equal(which, SECRET_CREDENTIALS);
	assert_int_equal(strlen(text), size);
	strcpy(seen.secret, text);
}

static void seen_listener(void *arg, enum listener which, uint16_t port, int fd)
{
	(void)arg;
	assert_int_equal(which, LISTENER_S3);
	seen.port = port;
	seen.listeners++;
	close(fd);
}

static void seen_peer(void *arg, enum role which, unsigned worker, int fd)
{
	(void)arg;
	assert_int_equal(worker, 3);
	assert_int_equal(which, ROLE_IMAGE);
	seen.peers++;
	close(fd);
}

static void seen_start(void *arg, uint16_t endpoint_port, unsigned workers)
{
	(void)arg;
	assert_int_equal(endpoint_port, 8443);
	assert_int_equal(workers, 2);
	seen.starts++;
	role_ready(seen.role);
}

static void seen_stop(void *arg, bool keep)
{
	(void)arg;
	seen.stops++;
	seen.keep = keep;
	role_progress(seen.role);
	role_finish(seen.role);
}

static const struct role_events events = { seen_secret, seen_listener, seen_peer, seen_start,
					   seen_stop,   NULL,          NULL,      NULL };

static void say(int sock, uint32_t type, uint32_t which, uint32_t more, int fd)
{
	const struct ipc_head head = { type, 8, 0 };
	const uint32_t body[2] = { which, more };

	assert_int_equal(ipc_send(sock, &head, body, &fd, fd >= 0 ? 1 : 0), 0);
}

static void test_a_role_gets_what_it_is_handed_and_finishes_when_told(void **unused)
{
	static struct ipc_msg m;
	uv_loop_t loop;
	struct err e;
	int pair[2], secret = memfd_create("secret", MFD_CLOEXEC);

	(void)unused;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(ipc_pair(pair, &e), 0);
	assert_int_equal(write(secret, "hush", 4), 4); /* the offset is at the end now */
	say(pair[0], SUPER_SECRET, SECRET_CREDENTIALS, 0, secret);
	say(pair[0], SUPER_LISTENER, LISTENER_S3, 9011, secret);
	say(pair[0], SUPER_PEER, ROLE_IMAGE, 3, secret);
	say(pair[0], SUPER_START, 8443, 2, -1);
	say(pair[0], SUPER_STOP, 1, 0, -1);
	seen.role = role_open(&loop, pair[1], &events, NULL, &e);
	assert_non_null(seen.role);
	assert_int_equal(role_run(seen.role), 0);
	assert_string_equal(seen.secret, "hush");
	assert_int_equal(seen.port, 9011);
	assert_int_equal(seen.listeners + seen.peers + seen.starts + seen.stops, 4);
	assert_true(seen.keep);
	assert_int_equal(ipc_recv(pair[0], &m, super_rows, SUPER_NUM_TYPES), 1);
	assert_int_equal(m.head.type, SUPER_READY);
	assert_int_equal(ipc_recv(pair[0], &m, super_rows, SUPER_NUM_TYPES), 1);
	assert_int_equal(m.head.type, SUPER_PROGRESS);
	close(pair[0]);
	close(secret);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static char long_secret[100000];
static bool long_secret_seen;

static void seen_long_secret(void *arg, enum secret which, const char *text, size_t size)
{
	(void)arg;
	(void)which;
	assert_int_equal(size, sizeof(long_secret));
	assert_memory_equal(text, long_secret, size);
	assert_int_equal(text[size], '\0');
	long_secret_seen = true;
}

/* Longer than one read: the buffer grows on the way. */
static void test_a_secret_leaves_no_copy_when_the_role_has_taken_it(void **unused)
{
	static const struct role_events wants = { .secret = seen_long_secret };
	int pair[2], secret = memfd_create("secret", MFD_CLOEXEC);
	struct role_link *r;
	uv_loop_t loop;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < sizeof(long_secret); i += 10)
		memcpy(long_secret + i, "hush-hush ", 10);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(ipc_pair(pair, &e), 0);
	assert_int_equal(write(secret, long_secret, sizeof(long_secret)), sizeof(long_secret));
	say(pair[0], SUPER_SECRET, SECRET_CREDENTIALS, 0, secret);
	say(pair[0], SUPER_STOP, 0, 0, -1);
	leftover_watch("hush-hush");
	r = role_open(&loop, pair[1], &wants, NULL, &e);
	assert_int_equal(role_run(r), 0);
	assert_true(long_secret_seen);
	assert_int_equal(leftover_found(), 0);
	close(pair[0]);
	close(secret);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_a_role_ends_when_its_supervisor_is_gone(void **unused)
{
	const struct role_events none = { 0 };
	struct role_link *r;
	uv_loop_t loop;
	struct err e;
	int pair[2];

	(void)unused;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(ipc_pair(pair, &e), 0);
	r = role_open(&loop, pair[1], &none, NULL, &e);
	close(pair[0]);
	assert_int_equal(role_run(r), 1);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_role_gets_what_it_is_handed_and_finishes_when_told),
		cmocka_unit_test(test_a_secret_leaves_no_copy_when_the_role_has_taken_it),
		cmocka_unit_test(test_a_role_ends_when_its_supervisor_is_gone),
	};

	return cmocka_run_group_tests_name("net/role", tests, NULL, NULL);
}
