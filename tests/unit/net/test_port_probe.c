/* One connection to a guest's port, and what is read of its answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/port_probe.h"

/* A machine process that serves one CONNECT in a child: what the guest got goes into a pipe. */
struct machine {
	char path[108];
	int heard; /* read end */
	pid_t pid;
};

static void machine_hand_over(int sock, int fd)
{
	char ok[] = "OK\n";
	struct iovec iov = { ok, 3 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	(void)!sendmsg(sock, &msg, MSG_NOSIGNAL);
	close(fd);
	close(sock);
}

static void machine_serve(int fd, int report, const char *answer)
{
	int sock = accept(fd, NULL, NULL), pair[2];
	char line[64];
	ssize_t n = read(sock, line, sizeof(line));

	if (n <= 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		_exit(1);
	(void)!write(report, line, (size_t)n);
	machine_hand_over(sock, pair[1]);
	if (answer) {
		n = read(pair[0], line, sizeof(line));
		(void)!write(report, line, n > 0 ? (size_t)n : 0);
		(void)!write(pair[0], answer, strlen(answer));
	}
	_exit(0);
}

static void machine_begin(struct machine *m, const char *answer)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), report[2];

	snprintf(m->path, sizeof(m->path), "/tmp/doze-test-probe-%d", (int)getpid());
	memcpy(at.sun_path, m->path, sizeof(m->path));
	unlink(m->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(pipe(report), 0);
	m->pid = fork();
	if (!m->pid)
		machine_serve(fd, report[1], answer);
	close(fd);
	close(report[1]);
	m->heard = report[0];
}

static void came(void *arg, unsigned status)
{
	unsigned *to = arg;

	*to = status;
}

/* The status that a probe ends with, and in *heard what machine and guest got. */
static unsigned probe(const char *text, const char *answer, char heard[128])
{
	struct machine m;
	uv_loop_t loop;
	unsigned status = 9999;
	size_t n = 0;
	ssize_t more;

	machine_begin(&m, answer);
	uv_loop_init(&loop);
	port_probe_start(&loop, &(struct port_probe_what){ .stream = m.path,
							   .port = 5000,
							   .text = text,
							   .most_ms = 5000,
							   .done = came,
							   .arg = &status });
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	while (n < 127 && (more = read(m.heard, heard + n, 127 - n)) > 0)
		n += (size_t)more;
	heard[n] = '\0';
	close(m.heard);
	unlink(m.path);
	return status;
}

static void a_probe_without_a_text_connects_and_closes(void **state)
{
	char heard[128];

	(void)state;
	assert_int_equal(probe(NULL, NULL, heard), 0);
	assert_string_equal(heard, "CONNECT 5000\n");
}

static void a_refused_line_brings_the_status(void **state)
{
	char heard[128];

	(void)state;
	assert_int_equal(probe(PORT_PROBE_REFUSABLE, "HTTP/1.1 400 Bad Request\r\n\r\n", heard),
			 400);
	assert_string_equal(heard, "CONNECT 5000\n" PORT_PROBE_REFUSABLE);
}

static void what_does_not_speak_http_has_no_status(void **state)
{
	char heard[128];

	(void)state;
	assert_int_equal(probe(PORT_PROBE_REFUSABLE, "-ERR unknown command\r\n", heard), 0);
	assert_int_equal(probe(PORT_PROBE_REFUSABLE, "", heard), 0);
}

static void a_machine_that_is_not_there_ends_the_probe(void **state)
{
	unsigned status = 9999;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	port_probe_start(&loop,
			 &(struct port_probe_what){ .stream = "/tmp/doze-test-no-such-socket",
						    .port = 1,
						    .most_ms = 5000,
						    .done = came,
						    .arg = &status });
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(status, 0);
}

static void what_reaches_nobody_is_told_apart_from_no_answer(void **state)
{
	unsigned status = 9999;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	port_probe_start(&loop,
			 &(struct port_probe_what){ .stream = "/tmp/doze-test-no-such-socket",
						    .port = 1,
						    .text = PORT_PROBE_REFUSABLE,
						    .most_ms = 5000,
						    .done = came,
						    .arg = &status });
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(status, PORT_PROBE_UNSENT);
}

static void a_cancelled_probe_is_silent(void **state)
{
	unsigned status = 9999;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	port_probe_cancel(port_probe_start(
		&loop, &(struct port_probe_what){ .stream = "/tmp/doze-test-no-such-socket",
						  .port = 1,
						  .most_ms = 5000,
						  .done = came,
						  .arg = &status }));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(status, 9999);
}

static void a_status_is_three_digits_behind_http_1(void **state)
{
	(void)state;
	assert_int_equal(port_probe_status("HTTP/1.0 505 x", 14), 505);
	assert_int_equal(port_probe_status("HTTP/1.1 40", 11), 0);
	assert_int_equal(port_probe_status("HTTP/2.0 400 ", 13), 0);
	assert_int_equal(port_probe_status("HTTP/1.1 4x0 ", 13), 0);
	assert_int_equal(port_probe_status("HTTP/1.1x400 ", 13), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_without_a_text_connects_and_closes),
		cmocka_unit_test(a_refused_line_brings_the_status),
		cmocka_unit_test(what_does_not_speak_http_has_no_status),
		cmocka_unit_test(a_machine_that_is_not_there_ends_the_probe),
		cmocka_unit_test(what_reaches_nobody_is_told_apart_from_no_answer),
		cmocka_unit_test(a_cancelled_probe_is_silent),
		cmocka_unit_test(a_status_is_three_digits_behind_http_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
