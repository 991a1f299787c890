/* A build's machine, whose priv and whose monitor are this test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/vm.h"

struct fixture {
	uv_loop_t loop;
	struct conf conf;
	struct image_role role;
	struct chan_uv priv;
	int priv_end, monitor, dir;
	char path[64];
	struct vm *vm;
	/* What the build was told. */
	unsigned ups, downs, frames, answers, ends;
	uint32_t answer; /* its type; 0: none */
	char text[256];
} * f;

static void priv_got(struct chan_uv *c, struct ipc_msg *m)
{
	request_answered(&f->role, c, m);
}

static void priv_lost(struct chan_uv *c)
{
	f->role.priv = NULL;
	requests_lost(&f->role, c);
}

static void on_up(struct vm *vm)
{
	(void)vm;
	f->ups++;
}

static void on_down(struct vm *vm, const struct err *e)
{
	(void)vm;
	snprintf(f->text, sizeof(f->text), "%.200s", e->text);
	f->downs++;
}

static void on_frame(struct vm *vm, const struct agent_frame *frame)
{
	(void)vm;
	(void)frame;
	f->frames++;
}

/* Its owner is gone with it. */
static void on_end(struct vm *vm)
{
	assert_ptr_equal(vm, f->vm);
	memset(vm, 0x5a, sizeof(*vm));
	free(vm);
	f->vm = NULL;
	f->ends++;
}

static void on_frame_end(struct vm *vm, const struct agent_frame *frame)
{
	char before[32], after[32];

	f->frames++;
	assert_true(agent_get_text(frame, FIELD_NAME, before, sizeof(before)));
	vm_end(vm, on_end);
	assert_true(agent_get_text(frame, FIELD_NAME, after, sizeof(after)));
	assert_string_equal(before, after);
}

static const struct vm_ops ops = { on_up, on_down, on_frame };
static const struct vm_ops ending_ops = { on_up, on_down, on_frame_end };

static int begin(void **state)
{
	int pair[2];
	struct err e;

	(void)state;
	f = calloc(1, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "/tmp/doze-test-vm-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->dir, "m", 0700), 0);
	snprintf(f->conf.run_dir, sizeof(f->conf.run_dir), "%s", f->path);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->loop.data = &f->role;
	f->role.loop = &f->loop;
	f->role.conf = &f->conf;
	list_init(&f->role.requests);
	list_init(&f->role.vms);
	f->monitor = -1;
	assert_int_equal(ipc_pair(pair, &e), 0);
	assert_int_equal(chan_uv_open(&f->priv, &f->loop, pair[0], priv_rows, PRIV_NUM_TYPES,
				      priv_got, priv_lost, &e),
			 0);
	f->role.priv = &f->priv;
	f->priv_end = pair[1];
	f->vm = calloc(1, sizeof(*f->vm));
	return 0;
}

static int end(void **state)
{
	(void)state;
	fd_close(&f->priv_end);
	while (f->role.priv)
		uv_run(&f->loop, UV_RUN_ONCE);
	if (f->vm)
		vm_end(f->vm, on_end);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_null(f->vm);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	fd_close(&f->monitor);
	close(f->dir);
	assert_int_equal(io_remove_tree(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

static void run_until(const unsigned *count)
{
	while (!*count)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void say(uint32_t type, uint64_t tag, const void *body, size_t size)
{
	const struct ipc_head head = { type, (uint32_t)size, tag };

	assert_int_equal(ipc_send(f->monitor, &head, body, NULL, 0), 0);
}

/* What the monitor has been asked. */
static uint64_t asked(uint32_t type)
{
	static struct ipc_msg m;
	uint64_t tag;

	assert_int_equal(ipc_recv(f->monitor, &m, machine_rows, MACHINE_NUM_TYPES), 1);
	assert_int_equal(m.head.type, type);
	tag = m.head.tag;
	ipc_msg_close(&m);
	return tag;
}

/* Started by priv, connected to its monitor, which has said HELLO. */
static void start(const struct vm_ops *with)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const struct priv_machine_start what = { .vcpus = 1 };
	const struct priv_machine_item item = { .pid = 1 };
	const struct machine_hello hello = { MACHINE_PROTOCOL, MACHINE_EMPTY, "test" };
	int listening = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	static struct ipc_msg m;
	char folder[90];
	struct ipc_head head = { PRIV_MACHINE_STARTED, sizeof(item), 0 };

	vm_start(f->vm, &f->role, with, &what);
	assert_int_equal(ipc_recv(f->priv_end, &m, priv_rows, PRIV_NUM_TYPES), 1);
	head.tag = m.head.tag;
	snprintf(folder, sizeof(folder), "%.30s/m/%.50s", f->path, f->vm->id);
	assert_int_equal(mkdir(folder, 0700), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/machine.sock", folder);
	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(ipc_send(f->priv_end, &head, &item, NULL, 0), 0);
	while (!f->vm->chan)
		uv_run(&f->loop, UV_RUN_ONCE);
	f->monitor = accept(listening, NULL, NULL);
	close(listening);
	say(MACHINE_HELLO, 0, &hello, sizeof(hello));
	run_until(&f->ups);
}

static void on_answer(struct vm *vm, struct ipc_msg *m, const struct err *e)
{
	(void)vm;
	f->answers++;
	f->answer = m ? m->head.type : 0;
	if (!m)
		snprintf(f->text, sizeof(f->text), "%.200s", e->text);
}

static void boot(uint32_t answer, const void *body, size_t size)
{
	const struct machine_boot what = { { 1, 512 } };
	const int fds[BOOT_NUM_FDS] = { 1, 1, 1, 1 };

	f->answers = 0;
	vm_request(f->vm,
		   &(struct request_what){ MACHINE_BOOT, &what, sizeof(what), fds, BOOT_NUM_FDS },
		   on_answer);
	say(answer, asked(MACHINE_BOOT), body, size);
	run_until(&f->answers);
}

static void an_answer_that_fits_its_request_is_handed_over(void **unused)
{
	const struct machine_none none = { 0 };

	(void)unused;
	start(&ops);
	boot(MACHINE_READY, &none, sizeof(none));
	assert_int_equal(f->answer, MACHINE_READY);
}

static void a_fault_fails_its_request_in_its_words(void **unused)
{
	const struct machine_fault fault = { ERR_CAPACITY, "no room" };

	(void)unused;
	start(&ops);
	boot(MACHINE_FAULT, &fault, sizeof(fault));
	assert_int_equal(f->answer, 0);
	assert_string_equal(f->text, "no room");
}

/* A monitor that a guest has broken into may answer anything: its body is never taken for another.
 */
static void an_answer_of_another_type_fails_its_request(void **unused)
{
	const struct machine_stats stats = { .cpu_ns = 7 };
	const struct machine_exited last = { "bye" };
	const struct machine_saved saved = { 0 };

	(void)unused;
	start(&ops);
	boot(MACHINE_STATS, &stats, sizeof(stats));
	assert_int_equal(f->answer, 0);
	assert_non_null(strstr(f->text, "another request"));
	boot(MACHINE_SAVED, &saved, sizeof(saved));
	assert_int_equal(f->answer, 0);
	boot(MACHINE_EXITED, &last, sizeof(last));
	assert_int_equal(f->answer, 0);
	assert_int_equal(f->downs, 0);
}

/* With priv gone there is nobody to wait for: the end comes inside the call. */
static void a_frame_may_end_the_machine_and_its_owner(void **unused)
{
	autobuf struct buf frames = { 0 };

	(void)unused;
	start(&ending_ops);
	for (int i = 0; i < 3; i++) {
		size_t mark = agent_begin(&frames, AGENT_LOG);

		agent_put_text(&frames, FIELD_NAME, "a frame");
		agent_end(&frames, mark);
	}
	fd_close(&f->priv_end);
	while (f->role.priv)
		uv_run(&f->loop, UV_RUN_ONCE);
	say(MACHINE_AGENT, 0, frames.data, frames.size);
	run_until(&f->ends);
	assert_int_equal(f->frames, 1);
}

static void frames_that_come_in_pieces_are_put_together(void **unused)
{
	autobuf struct buf frames = { 0 };

	(void)unused;
	start(&ops);
	for (int i = 0; i < 3; i++) {
		size_t mark = agent_begin(&frames, AGENT_LOG);

		agent_put_text(&frames, FIELD_NAME, "a frame");
		agent_end(&frames, mark);
	}
	for (size_t i = 0; i < frames.size; i += 5)
		say(MACHINE_AGENT, 0, frames.data + i, frames.size - i < 5 ? frames.size - i : 5);
	while (f->frames < 3)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->downs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_that_fits_its_request_is_handed_over,
						begin, end),
		cmocka_unit_test_setup_teardown(a_fault_fails_its_request_in_its_words, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_of_another_type_fails_its_request, begin,
						end),
		cmocka_unit_test_setup_teardown(a_frame_may_end_the_machine_and_its_owner, begin,
						end),
		cmocka_unit_test_setup_teardown(frames_that_come_in_pieces_are_put_together, begin,
						end),
	};

	alarm(30);
	return cmocka_run_group_tests_name("image/vm", tests, NULL, NULL);
}
