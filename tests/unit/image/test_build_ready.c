/* The stage that waits for the application, without a machine: frames come from the test, and what
 * it sends goes nowhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/build.h"

static struct fixture {
	uv_loop_t loop;
	struct conf conf;
	struct image_role role;
	struct build b;
	struct buf log;
	const char *end; /* "next", "fail"; NULL: it waits */
	uint64_t at_ms;
} * f;

void __wrap_build_next(struct build *b);
void __wrap_build_next(struct build *b)
{
	b->stage.at++;
	build_timer_end(&b->tick);
	f->end = "next";
}

void __wrap_build_fail(struct build *b, const char *code, const char *fmt, ...) printf_like(3, 4);
void __wrap_build_fail(struct build *b, const char *code, const char *fmt, ...)
{
	va_list ap;

	snprintf(b->done.code, sizeof(b->done.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(b->done.reason, sizeof(b->done.reason), fmt, ap);
	va_end(ap);
	b->clearing = true;
	build_timer_end(&b->tick);
	f->end = "fail";
}

/* An image with this configuration, whose application is started. */
static struct build *waiting(const char *config)
{
	json_t *json = json_loads(config, 0, NULL);
	struct err e;

	assert_non_null(json);
	assert_int_equal(app_read(&f->b.app, json, &e), 0);
	assert_int_equal(health_read(&f->b.check, json, &e), 0);
	json_decref(json);
	while (!build_is_at(&f->b, build_ready))
		f->b.stage.at++;
	build_ready(&f->b);
	return &f->b;
}

static int begin(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	conf_defaults(&f->conf, "");
	*f->conf.site_ca = '\0';
	f->conf.build_ready_timeout_s = 600;
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->role.loop = &f->loop;
	f->role.conf = &f->conf;
	f->b.role = &f->role;
	f->b.spec.name = f->b.spec.arn = f->b.spec.region = "x";
	f->b.log.fd = memfd_create("log", MFD_CLOEXEC);
	return 0;
}

static int end(void **state)
{
	(void)state;
	build_timer_end(&f->b.tick);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	app_free(&f->b.app);
	health_free(&f->b.check);
	buf_free(&f->b.ready.places);
	buf_free(&f->log);
	close(f->b.log.fd);
	free(f);
	return 0;
}

static void log_has(const char *text)
{
	buf_clear(&f->log);
	assert_int_equal(lseek(f->b.log.fd, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(f->b.log.fd, &f->log, MIB), 0);
	if (!strstr(buf_str(&f->log), text))
		fail_msg("'%s' is not in the log:\n%s", text, buf_str(&f->log));
}

static void give(struct buf *frame)
{
	struct agent_frame view;
	size_t used;

	assert_int_equal(agent_frame_next(frame->data, frame->size, MIB, &view, &used), 1);
	build_frame(&f->b, &view);
	buf_clear(frame);
}

static void listens(uint16_t port, const char *place)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_LISTEN);

	if (port)
		agent_put_u64(&frame, FIELD_PORT, port);
	if (place)
		agent_put_text(&frame, FIELD_PLACE, place);
	agent_end(&frame, mark);
	give(&frame);
}

/* A guest that does nothing for so long, or until it is ready. */
static void rests(int seconds)
{
	static const uint16_t fields[] = { FIELD_CPU_US,      FIELD_DISK_BYTES, FIELD_NET_BYTES,
					   FIELD_BIRTHS,      FIELD_TASKS,      FIELD_OUTPUT_BYTES,
					   FIELD_MEMORY_BYTES };
	autobuf struct buf frame = { 0 };

	for (int i = 0; i < seconds * 4 && !f->end; i++) {
		size_t mark = agent_begin(&frame, AGENT_SAMPLE);

		agent_put_u64(&frame, FIELD_AT_MS, f->at_ms += 250);
		for (size_t k = 0; k < ARRAY_SIZE(fields); k++)
			agent_put_u64(&frame, fields[k], 7);
		agent_end(&frame, mark);
		give(&frame);
	}
}

static void check_ends(enum agent_outcome outcome, uint64_t code, const char *output)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_CHECK_RESULT);

	agent_put_u64(&frame, FIELD_ID, f->b.ready.check_id);
	agent_put_u64(&frame, FIELD_OUTCOME, outcome);
	agent_put_u64(&frame, FIELD_CODE, code);
	agent_put_text(&frame, FIELD_BYTES, output);
	agent_end(&frame, mark);
	give(&frame);
}

/* The time that has passed since the start, without waiting. */
static void pass(int seconds)
{
	f->b.ready.began_ms -= (int64_t)seconds * 1000;
}

static void tick(void)
{
	assert_non_null(f->b.tick);
	uv_timer_start(f->b.tick, f->b.tick->timer_cb, 0, 0);
	uv_run(&f->loop, UV_RUN_ONCE);
}

#define CMD "\"Cmd\":[\"/app\"]"

static void the_log_says_at_once_what_is_waited_for(void **unused)
{
	(void)unused;
	waiting("{" CMD ",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}");
	log_has("doze: waiting until ports 80 and 53/udp listen and the application comes to rest, "
		"at most 600 "
		"seconds ([build] ready_timeout_s)\n");
}

static void a_port_and_rest_end_the_stage(void **unused)
{
	(void)unused;
	waiting("{" CMD ",\"ExposedPorts\":{\"80/tcp\":{}}}");
	rests(10);
	assert_null(f->end);
	listens(80, NULL);
	rests(3);
	assert_string_equal(f->end, "next");
	log_has("seconds: port 80 listens, and the application has been quiet for 1.");
}

static void a_port_that_closes_again_is_waited_for_again(void **unused)
{
	(void)unused;
	waiting("{" CMD ",\"ExposedPorts\":{\"80/tcp\":{}}}");
	listens(80, NULL);
	rests(1);
	listens(0, NULL);
	log_has("doze: a port has closed again: nothing listens on port 80\n");
	rests(20);
	assert_null(f->end);
	listens(80, NULL);
	rests(3);
	assert_string_equal(f->end, "next");
}

static void half_a_minute_later_the_log_says_what_listens_instead(void **unused)
{
	(void)unused;
	waiting("{" CMD ",\"ExposedPorts\":{\"80/tcp\":{}}}");
	listens(5000, "10.0.2.15:80");
	rests(1);
	pass(29);
	tick();
	pass(1);
	tick();
	log_has("doze: after 30 seconds nothing listens on port 80; port 5000 listens instead; "
		"10.0.2.15:80 listens, "
		"but requests come to 127.0.0.1 or ::1: let it listen on all addresses; the "
		"application has been quiet "
		"for 0.8 seconds\n");
	rests(10);
	assert_string_equal(f->end, "next");
	log_has("requests must name the port");
}

static void a_process_without_a_port_is_taken_when_it_is_idle(void **unused)
{
	(void)unused;
	waiting("{" CMD "}");
	rests(9);
	assert_null(f->end);
	rests(3);
	assert_string_equal(f->end, "next");
	log_has("nothing listens on port 8080, and the application has been quiet for 10.0 "
		"seconds, so it counts as "
		"one without a port\n");
}

static void a_half_started_application_fails_at_the_bound(void **unused)
{
	struct build *b = waiting("{" CMD ",\"ExposedPorts\":{\"80/tcp\":{}}}");

	(void)unused;
	rests(1);
	pass(599);
	tick();
	assert_null(f->end);
	pass(1);
	tick();
	assert_string_equal(f->end, "fail");
	assert_string_equal(b->done.code, CODE_START);
	assert_non_null(
		strstr(b->done.reason, "nothing listens on port 80, and it uses 0 % of a core"));
	assert_non_null(strstr(b->done.reason, "ready_timeout_s"));
}

static void one_that_listens_and_works_is_taken_at_the_bound(void **unused)
{
	(void)unused;
	waiting("{" CMD "}");
	listens(8080, NULL);
	pass(600);
	tick();
	assert_string_equal(f->end, "next");
	log_has("doze: warning: the application still works after 600 seconds");
}

#define CHECK "\"Healthcheck\":{\"Test\":[\"CMD\",\"/up\"],\"Interval\":10000000000}"

static void a_healthcheck_decides_instead(void **unused)
{
	(void)unused;
	waiting("{" CMD "," CHECK "}");
	log_has("waiting until the image's HEALTHCHECK succeeds");
	listens(8080, NULL);
	pass(6);
	rests(5);
	assert_null(f->end);
	assert_true(f->b.ready.check_id);
	check_ends(OUTCOME_STATUS, 1, "connection refused");
	assert_null(f->end);
	pass(6);
	rests(2);
	check_ends(OUTCOME_STATUS, 0, "");
	assert_string_equal(f->end, "next");
	log_has("the image's HEALTHCHECK succeeded");
}

static void the_bound_waits_for_a_look_that_is_under_way(void **unused)
{
	(void)unused;
	waiting("{" CMD "," CHECK "}");
	listens(8080, NULL);
	pass(10);
	tick();
	assert_true(f->b.ready.check_id);
	pass(600);
	tick();
	assert_null(f->end);
	check_ends(OUTCOME_TIMEOUT, 0, "");
	tick();
	assert_string_equal(f->end, "next");
}

static void an_unhealthy_application_is_judged_by_its_guest(void **unused)
{
	(void)unused;
	waiting("{" CMD "," CHECK "}");
	listens(8080, NULL);
	for (int i = 0; i < 3; i++) {
		pass(11);
		tick();
		assert_true(f->b.ready.check_id);
		check_ends(OUTCOME_STATUS, 7, "no\nmore\x1b");
	}
	log_has("doze: warning: the image's HEALTHCHECK failed 3 times (the last exited with 7: "
		"no) and is no longer "
		"looked at\n");
	rests(3);
	assert_string_equal(f->end, "next");
}

static void a_sample_that_lacks_a_field_is_skipped(void **unused)
{
	autobuf struct buf frame = { 0 };

	(void)unused;
	waiting("{" CMD "}");
	listens(8080, NULL);
	for (unsigned i = 1; i < 100; i++) {
		size_t mark = agent_begin(&frame, AGENT_SAMPLE);

		agent_put_u64(&frame, FIELD_AT_MS, i * 1000);
		agent_end(&frame, mark);
		give(&frame);
	}
	assert_null(f->end);
	assert_int_equal(f->b.ready.judge.n, 0);
}

static void hook_ends(enum agent_outcome outcome, uint64_t status)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_HOOK_RESULT);

	agent_put_u64(&frame, FIELD_ID, f->b.hook.id);
	agent_put_u64(&frame, FIELD_OUTCOME, outcome);
	agent_put_u64(&frame, FIELD_STATUS, status);
	agent_end(&frame, mark);
	give(&frame);
}

static void a_ready_hook_decides_alone_and_the_log_says_what_it_answers(void **unused)
{
	(void)unused;
	f->b.spec.hook_port = 9000;
	f->b.spec.ready = (struct spec_hook){ true, 120000 };
	waiting("{" CMD "," CHECK ",\"ExposedPorts\":{\"80/tcp\":{}}}");
	log_has("doze: waiting until the /ready hook on port 9000 answers 200, at most 120 "
		"seconds\n");
	rests(60);
	assert_null(f->end);
	assert_false(f->b.ready.check_id);
	f->b.hook.began_ms -= 30000;
	hook_ends(OUTCOME_REFUSED, 0);
	log_has("doze: after 30 seconds nothing listens on port 9000, where the /ready hook is\n");
	tick();
	f->b.hook.began_ms -= 60000;
	hook_ends(OUTCOME_STATUS, 503);
	log_has("doze: after 90 seconds the /ready hook still answers 503\n");
	tick();
	hook_ends(OUTCOME_STATUS, 200);
	assert_string_equal(f->end, "next");
	log_has("doze: the /ready hook answered 200 after 9");
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(the_log_says_at_once_what_is_waited_for),
		EACH(a_port_and_rest_end_the_stage),
		EACH(a_port_that_closes_again_is_waited_for_again),
		EACH(half_a_minute_later_the_log_says_what_listens_instead),
		EACH(a_process_without_a_port_is_taken_when_it_is_idle),
		EACH(a_half_started_application_fails_at_the_bound),
		EACH(one_that_listens_and_works_is_taken_at_the_bound),
		EACH(a_healthcheck_decides_instead),
		EACH(the_bound_waits_for_a_look_that_is_under_way),
		EACH(an_unhealthy_application_is_judged_by_its_guest),
		EACH(a_sample_that_lacks_a_field_is_skipped),
		EACH(a_ready_hook_decides_alone_and_the_log_says_what_it_answers),
	};

	alarm(60);
	return cmocka_run_group_tests_name("image/build_ready", tests, NULL, NULL);
}
