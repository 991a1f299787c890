/* The connection to QEMU: answers find their commands, nonsense ends it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu/qmp.h"

struct fixture {
	struct qmp qmp;
	struct loop *loop;
	int other; /* QEMU's end */
	char said[256];
	bool ended;
};

static void say(struct fixture *f, const char *what)
{
	strncat(f->said, what, sizeof(f->said) - strlen(f->said) - 1);
	strncat(f->said, ";", sizeof(f->said) - strlen(f->said) - 1);
	if (strchr(what, '!'))
		loop_stop(f->loop);
}

static void on_greeted(struct qmp *q, const char *version)
{
	say(container_of(q, struct fixture, qmp), version);
}

static void on_event(struct qmp *q, const char *name, const json_t *data)
{
	(void)data;
	say(container_of(q, struct fixture, qmp), name);
}

static void on_ended(struct qmp *q)
{
	struct fixture *f = container_of(q, struct fixture, qmp);

	f->ended = true;
	loop_stop(f->loop);
}

static const struct qmp_ops ops = { .greeted = on_greeted, .event = on_event, .ended = on_ended };

static void on_first(struct qmp *q, const json_t *result, const struct err *why)
{
	say(container_of(q, struct fixture, qmp), result && !why ? "first" : "first refused");
}

static void on_second(struct qmp *q, const json_t *result, const struct err *why)
{
	say(container_of(q, struct fixture, qmp), !result && why ? why->text : "second");
}

static void fixture_open(struct fixture *f)
{
	struct err e;
	int pair[2];

	*f = (struct fixture){ .ended = false };
	f->loop = loop_new(&e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->other = pair[1];
	assert_int_equal(qmp_open(&f->qmp, f->loop, pair[0], &ops, &e), 0);
}

static void fixture_run(struct fixture *f, const char *text)
{
	struct err e;

	assert_int_equal(write(f->other, text, strlen(text)), strlen(text));
	assert_int_equal(loop_run(f->loop, &e), 0);
}

static void fixture_close(struct fixture *f)
{
	qmp_close(&f->qmp);
	close(f->other);
	loop_free(f->loop);
}

static void test_answers_events_and_the_greeting_are_told_apart(void **unused)
{
	struct fixture f;
	struct err e;

	(void)unused;
	fixture_open(&f);
	assert_int_equal(qmp_send(&f.qmp, "stop", NULL, -1, on_first, &e), 0);
	assert_int_equal(qmp_send(&f.qmp, "cont", NULL, -1, on_second, &e), 0);
	fixture_run(&f, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, "
			"\"micro\": 22}}}}\r\n{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n"
			"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no!\"}}\r\n");
	assert_string_equal(f.said, "7.2.22;first;STOP;QEMU refused: no!;");
	assert_false(f.ended);
	fixture_close(&f);
}

static void test_a_command_is_one_line_and_carries_its_descriptor(void **unused)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text[256] = { 0 };
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	struct fixture f;
	struct err e;
	int got;

	(void)unused;
	fixture_open(&f);
	assert_int_equal(qmp_send(&f.qmp, "add-fd", json_pack("{s:i}", "fdset-id", 7), STDIN_FILENO,
				  NULL, &e),
			 0);
	assert_true(recvmsg(f.other, &msg, 0) > 0);
	assert_string_equal(text, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":7}}");
	assert_int_equal(control.align.cmsg_type, SCM_RIGHTS);
	memcpy(&got, CMSG_DATA(&control.align), sizeof(got));
	close(got);
	fixture_close(&f);
}

static void test_what_is_not_qmp_ends_the_connection(void **unused)
{
	static const char *const cases[] = {
		"hello\r\n", "{\"return\": {}}\r\n", "[]\r\n", "{}\r\n", "{\"return\"\n", "\"\n",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		struct err e;

		fixture_open(&f);
		fixture_run(&f, cases[i]);
		assert_true(f.ended);
		assert_int_equal(qmp_send(&f.qmp, "stop", NULL, -1, NULL, &e), -1);
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_events_and_the_greeting_are_told_apart),
		cmocka_unit_test(test_a_command_is_one_line_and_carries_its_descriptor),
		cmocka_unit_test(test_what_is_not_qmp_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
