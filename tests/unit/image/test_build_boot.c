/* The boot of a build's microVM, whose priv and whose monitor are this test.  A clock that runs
 * forty times as fast as the host's lets it hang wherever it can. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/build.h"

#define FASTER         40
#define PATIENT        5000 /* ms */
#define PATIENT_FASTER 8
#define BUILD          "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define WHERE          "# info registers -a\nRIP=ffffffff81a17a0b\n"

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
	static int64_t first;

	if (!first)
		first = __real_clock_mono_ms();
	return first + (__real_clock_mono_ms() - first) * FASTER;
}

int __real_uv_timer_start(uv_timer_t *t, uv_timer_cb fire, uint64_t first_ms, uint64_t every_ms);
int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb fire, uint64_t first_ms, uint64_t every_ms);
int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb fire, uint64_t first_ms, uint64_t every_ms)
{
	/* What the code gives up has time on a busy host too. */
	uint64_t faster = first_ms < PATIENT ? FASTER : PATIENT_FASTER;

	return __real_uv_timer_start(t, fire, first_ms / faster, every_ms / faster);
}

/* How far a machine comes. */
enum ending {
	GOOD,
	NO_PROCESS, /* priv does not answer */
	NO_HELLO,   /* the process connects, and says nothing */
	NO_BOOT,    /* it does not answer BOOT */
	NO_AGENT,   /* the guest does nothing */
	SPINS,      /* the guest computes */
	MUTE,       /* the process answers nothing after READY */
	LATE,       /* the guest is found hanging, and speaks while it is explained */
	DUMB,       /* likewise, and nothing explains it */
	WRONG_TIMER /* the guest ends, since its timer was measured wrong */
};

static struct fixture {
	uv_loop_t loop;
	struct conf conf;
	struct image_role role;
	struct chan_uv priv;
	struct build b;
	char path[64];
	int priv_end, listening, monitor, top;
	enum ending endings[12];
	unsigned n_started, n_ended, n_explained;
	uint64_t cpu_ns;
	const char *end; /* "next", "fail"; NULL: it waits */
	struct buf log;
} * f;

void __wrap_build_next(struct build *b);
void __wrap_build_next(struct build *b)
{
	(void)b;
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
	build_timer_end(&b->boot.timer);
	f->end = "fail";
}

static void priv_got(struct chan_uv *c, struct ipc_msg *m)
{
	request_answered(&f->role, c, m);
}

static void priv_lost(struct chan_uv *c)
{
	f->role.priv = NULL;
	requests_lost(&f->role, c);
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdirat(f->top, name, 0700), 0);
}

static void make_file(const char *name)
{
	int fd = openat(f->top, name, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int open_dir(const char *name)
{
	int fd = openat(f->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void begin_role(void)
{
	int pair[2];
	struct err e;

	conf_defaults(&f->conf, "");
	snprintf(f->conf.run_dir, sizeof(f->conf.run_dir), "%s", f->path);
	snprintf(f->conf.log_dir, sizeof(f->conf.log_dir), "%s", f->path);
	snprintf(f->conf.libexec_dir, sizeof(f->conf.libexec_dir), "%s", f->path);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->loop.data = &f->role;
	f->role.loop = &f->loop;
	f->role.conf = &f->conf;
	f->role.control_gid = getgid();
	f->role.log_fd = open_dir("builds");
	list_init(&f->role.requests);
	list_init(&f->role.vms);
	assert_int_equal(ipc_pair(pair, &e), 0);
	assert_int_equal(chan_uv_open(&f->priv, &f->loop, pair[0], priv_rows, PRIV_NUM_TYPES,
				      priv_got, priv_lost, &e),
			 0);
	f->role.priv = &f->priv;
	f->priv_end = pair[1];
}

static int begin(void **state)
{
	static const char *const dirs[] = { "m", "guest", "builds", "draft" };

	(void)state;
	f = calloc(1, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "/tmp/doze-test-boot-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->top = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		make_dir(dirs[i]);
	make_file("guest/vmlinux");
	make_file("guest/initrd");
	make_file("draft/root");
	make_file("draft/overlay");
	begin_role();
	f->listening = f->monitor = -1;
	f->b.role = &f->role;
	f->b.shape = (struct spec_shape){ .vcpus = 1, .memory_mib = 512 };
	f->b.boot.explanation_fd = -1;
	f->b.files.draft_fd = open_dir("draft");
	f->b.log.fd = memfd_create("log", MFD_CLOEXEC);
	snprintf(f->b.what.name.build, sizeof(f->b.what.name.build), "%s", BUILD);
	f->b.files.root_fd = openat(f->top, "draft/root", O_RDONLY | O_CLOEXEC);
	assert_true(f->b.files.root_fd >= 0);
	return 0;
}

static void on_end(struct vm *vm)
{
	(void)vm;
}

static int end(void **state)
{
	(void)state;
	fd_close(&f->priv_end);
	while (f->role.priv)
		uv_run(&f->loop, UV_RUN_ONCE);
	vm_end(&f->b.vm, on_end);
	build_timer_end(&f->b.boot.timer);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	fd_close(&f->monitor);
	fd_close(&f->listening);
	fd_close(&f->b.boot.explanation_fd);
	close(f->b.files.root_fd);
	close(f->b.files.draft_fd);
	close(f->b.log.fd);
	close(f->role.log_fd);
	close(f->top);
	buf_free(&f->log);
	assert_int_equal(io_remove_tree(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

static void say(uint32_t type, uint64_t tag, const void *body, size_t size)
{
	const struct ipc_head head = { type, (uint32_t)size, tag };

	assert_int_equal(ipc_send(f->monitor, &head, body, NULL, 0), 0);
}

static enum ending ending(void)
{
	return f->endings[f->n_started - 1];
}

static void priv_starts(const struct ipc_msg *m)
{
	const struct priv_machine_start *what = (const void *)m->body;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const struct priv_machine_item item = { .pid = 1 };
	const struct ipc_head head = { PRIV_MACHINE_STARTED, sizeof(item), m->head.tag };
	char folder[90];

	f->n_started++;
	assert_true(f->n_started <= ARRAY_SIZE(f->endings));
	f->cpu_ns = 0;
	if (ending() == NO_PROCESS)
		return;
	snprintf(folder, sizeof(folder), "%.30s/m/%.50s", f->path, what->machine);
	assert_int_equal(mkdir(folder, 0700), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/machine.sock", folder);
	f->listening = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(f->listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(f->listening, 1), 0);
	assert_int_equal(ipc_send(f->priv_end, &head, &item, NULL, 0), 0);
}

static void priv_ends(const struct ipc_msg *m)
{
	const struct priv_done done = { 0 };
	const struct ipc_head head = { PRIV_DONE, sizeof(done), m->head.tag };

	f->n_ended++;
	fd_close(&f->monitor);
	fd_close(&f->listening);
	assert_int_equal(ipc_send(f->priv_end, &head, &done, NULL, 0), 0);
}

static void priv_serves(void)
{
	static struct ipc_msg m;

	assert_int_equal(ipc_recv(f->priv_end, &m, priv_rows, PRIV_NUM_TYPES), 1);
	if (m.head.type == PRIV_MACHINE_START)
		priv_starts(&m);
	else if (m.head.type == PRIV_MACHINE_END)
		priv_ends(&m);
	ipc_msg_close(&m);
}

static void guest_speaks(void)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_HELLO);

	agent_put_u64(&frame, FIELD_PROTOCOL, AGENT_PROTOCOL);
	agent_end(&frame, mark);
	say(MACHINE_AGENT, 0, frame.data, frame.size);
}

static void monitor_boots(uint64_t tag)
{
	const struct machine_exited last = {
		"the guest ended: guest-reset; its console says: doze-init: " AGENT_TIMER_WORDS
	};
	const struct machine_none none = { 0 };

	if (ending() == NO_BOOT)
		return;
	say(MACHINE_READY, tag, &none, sizeof(none));
	if (ending() == GOOD)
		guest_speaks();
	if (ending() == WRONG_TIMER)
		say(MACHINE_EXITED, 0, &last, sizeof(last));
}

static void monitor_tells(uint64_t tag)
{
	struct machine_progress p = { .cpu_ns = f->cpu_ns };

	if (ending() == MUTE)
		return;
	f->cpu_ns += ending() == SPINS ? 500000000 : 1000000;
	say(MACHINE_PROGRESS, tag, &p, sizeof(p));
}

static void monitor_explains(const struct ipc_msg *m)
{
	const struct machine_none none = { 0 };

	f->n_explained++;
	assert_int_equal(m->n_fds, 1);
	if (ending() == LATE)
		guest_speaks();
	if (ending() == LATE || ending() == DUMB)
		return;
	assert_int_equal(io_write_full(m->fds[0], WHERE, sizeof(WHERE) - 1), 0);
	say(MACHINE_READY, m->head.tag, &none, sizeof(none));
}

static void monitor_serves(void)
{
	static struct ipc_msg m;

	if (ipc_recv(f->monitor, &m, machine_rows, MACHINE_NUM_TYPES) != 1) {
		fd_close(&f->monitor);
		return;
	}
	if (m.head.type == MACHINE_BOOT)
		monitor_boots(m.head.tag);
	else if (m.head.type == MACHINE_GET_PROGRESS)
		monitor_tells(m.head.tag);
	else if (m.head.type == MACHINE_EXPLAIN)
		monitor_explains(&m);
	ipc_msg_close(&m);
}

static void monitor_meets(void)
{
	const struct machine_hello hello = { MACHINE_PROTOCOL, MACHINE_EMPTY, "test" };

	f->monitor = accept(f->listening, NULL, NULL);
	fd_close(&f->listening);
	if (ending() != NO_HELLO)
		say(MACHINE_HELLO, 0, &hello, sizeof(hello));
}

static void turn(void)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
	if (readable(f->priv_end))
		priv_serves();
	if (readable(f->listening))
		monitor_meets();
	if (readable(f->monitor))
		monitor_serves();
	poll(NULL, 0, 1);
}

/* The stages between the begin and the wait are done. */
static void begin_boot(void)
{
	build_boot_begin(&f->b);
	assert_string_equal(f->end, "next");
	f->end = NULL;
	while (!build_is_at(&f->b, build_boot))
		f->b.stage.at++;
	build_boot(&f->b);
}

static void boot(const enum ending *endings, size_t n)
{
	int64_t until = __real_clock_mono_ms() + 30000;

	memcpy(f->endings, endings, n * sizeof(*endings));
	begin_boot();
	while (!f->end && __real_clock_mono_ms() < until)
		turn();
	assert_non_null(f->end);
}

#define BOOT(...)                                  \
	boot((const enum ending[]){ __VA_ARGS__ }, \
	     sizeof((const enum ending[]){ __VA_ARGS__ }) / sizeof(enum ending))

static const char *text_of(int dir, const char *name)
{
	int fd = dir < 0 ? dup(f->b.log.fd) : openat(dir, name, O_RDONLY);

	buf_clear(&f->log);
	assert_true(fd >= 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(io_read_all(fd, &f->log, 1 << 20), 0);
	close(fd);
	return buf_str(&f->log);
}

static void log_has(const char *text)
{
	if (!strstr(text_of(-1, NULL), text))
		fail_msg("'%s' is not in the log:\n%s", text, text_of(-1, NULL));
}

static void a_boot_that_goes_well_leaves_nothing_behind(void **state)
{
	(void)state;
	BOOT(GOOD);
	assert_string_equal(f->end, "next");
	assert_string_equal(text_of(-1, NULL), "");
	assert_int_equal(faccessat(f->role.log_fd, BUILD ".hung", F_OK, 0), -1);
}

static void wherever_it_hangs_it_is_explained_and_boots_once_more(void **state)
{
	static const struct {
		enum ending ending;
		const char *cause;
		bool explains;
	} points[] = {
		{ NO_HELLO, "nothing for 8 seconds", true },
		{ NO_BOOT, "nothing for 8 seconds", true },
		{ NO_AGENT, "nothing for 8 seconds", true },
		{ SPINS, "computes and gets nowhere", true },
		{ DUMB, "nothing for 8 seconds", false },
		{ MUTE, "does not answer", false },
		{ NO_PROCESS, "does not answer", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		begin(state);
		BOOT(points[i].ending, GOOD);
		assert_string_equal(f->end, "next");
		assert_int_equal(f->n_started, 2);
		assert_int_equal(f->n_ended, 1);
		assert_int_equal(f->n_explained, points[i].explains || points[i].ending == DUMB);
		log_has(points[i].cause);
		log_has("it boots once more");
		if (points[i].explains)
			log_has("RIP=ffffffff81a17a0b");
		assert_non_null(strstr(text_of(f->role.log_fd, BUILD ".hung"), "== boot 1: "));
		end(state);
	}
}

static void it_boots_once_more_and_never_twice(void **state)
{
	(void)state;
	BOOT(NO_AGENT, SPINS, GOOD);
	assert_string_equal(f->end, "fail");
	assert_int_equal(f->n_started, 2);
	assert_string_equal(f->b.done.code, CODE_INTERNAL);
	assert_non_null(strstr(f->b.done.reason, "hung twice while it booted"));
	assert_non_null(strstr(f->b.done.reason, BUILD ".hung"));
	assert_non_null(strstr(text_of(f->role.log_fd, BUILD ".hung"), "== boot 2: "));
}

static void a_guest_that_speaks_while_it_is_explained_was_only_slow(void **state)
{
	(void)state;
	BOOT(LATE);
	assert_string_equal(f->end, "next");
	assert_int_equal(f->n_started, 1);
	assert_int_equal(f->n_ended, 0);
}

static void a_timer_that_was_measured_wrong_is_measured_again(void **state)
{
	(void)state;
	BOOT(WRONG_TIMER, WRONG_TIMER, GOOD);
	assert_string_equal(f->end, "next");
	assert_int_equal(f->n_started, 3);
	log_has("it boots again (2 of 10)");
	log_has("it boots again (3 of 10)");
}

static void a_timer_that_is_never_measured_right_fails_the_build(void **state)
{
	(void)state;
	BOOT(WRONG_TIMER, WRONG_TIMER, WRONG_TIMER, WRONG_TIMER, WRONG_TIMER, WRONG_TIMER,
	     WRONG_TIMER, WRONG_TIMER, WRONG_TIMER, WRONG_TIMER, GOOD);
	assert_string_equal(f->end, "fail");
	assert_int_equal(f->n_started, 10);
	assert_non_null(strstr(f->b.done.reason, AGENT_TIMER_WORDS));
}

static void a_build_that_is_cancelled_while_it_boots_again_boots_no_more(void **state)
{
	int64_t until = __real_clock_mono_ms() + 30000;

	(void)state;
	f->endings[0] = NO_AGENT;
	f->endings[1] = GOOD;
	begin_boot();
	while (!f->b.boot.hangs && __real_clock_mono_ms() < until)
		turn();
	f->b.clearing = true;
	build_timer_end(&f->b.boot.timer);
	vm_end(&f->b.vm, on_end);
	while (!f->n_ended && __real_clock_mono_ms() < until)
		turn();
	for (int i = 0; i < 50; i++)
		turn();
	assert_int_equal(f->n_started, 1);
	assert_null(f->end);
}

static void a_guest_that_speaks_while_the_disk_is_made_is_not_waited_for(void **state)
{
	int64_t until = __real_clock_mono_ms() + 30000;

	(void)state;
	f->endings[0] = GOOD;
	build_boot_begin(&f->b);
	f->end = NULL;
	while (f->b.boot.under_way && __real_clock_mono_ms() < until)
		turn();
	assert_false(f->b.boot.under_way);
	assert_null(f->end);
	build_boot(&f->b);
	assert_string_equal(f->end, "next");
}

/* The job is ended first, and the microVM only after it. */
static void a_build_whose_job_is_being_ended_boots_no_more(void **state)
{
	int64_t until = __real_clock_mono_ms() + 30000;

	(void)state;
	f->endings[0] = WRONG_TIMER;
	f->endings[1] = GOOD;
	build_boot_begin(&f->b);
	f->end = NULL;
	while (!f->b.boot.timers && __real_clock_mono_ms() < until)
		turn();
	f->b.clearing = true;
	build_timer_end(&f->b.boot.timer);
	while (!f->n_ended && __real_clock_mono_ms() < until)
		turn();
	for (int i = 0; i < 50; i++)
		turn();
	assert_int_equal(f->n_started, 1);
	assert_null(f->end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_boot_that_goes_well_leaves_nothing_behind, begin,
						end),
		cmocka_unit_test(wherever_it_hangs_it_is_explained_and_boots_once_more),
		cmocka_unit_test_setup_teardown(it_boots_once_more_and_never_twice, begin, end),
		cmocka_unit_test_setup_teardown(
			a_guest_that_speaks_while_it_is_explained_was_only_slow, begin, end),
		cmocka_unit_test_setup_teardown(a_timer_that_was_measured_wrong_is_measured_again,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_timer_that_is_never_measured_right_fails_the_build, begin, end),
		cmocka_unit_test_setup_teardown(
			a_build_that_is_cancelled_while_it_boots_again_boots_no_more, begin, end),
		cmocka_unit_test_setup_teardown(
			a_guest_that_speaks_while_the_disk_is_made_is_not_waited_for, begin, end),
		cmocka_unit_test_setup_teardown(a_build_whose_job_is_being_ended_boots_no_more,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
