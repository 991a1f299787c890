/* logs.c - the logs of builds and microVMs, from any offset, also while they grow.
 *
 * The answer is the bytes alone.  x-doze-next: where to go on; x-doze-state: of what it is the log;
 * x-doze-step: where a build is; x-doze-rotated: the file that the offset belonged to is full, and
 * the bytes are of the one that follows.  With `wait` an empty answer is held back until there is
 * something to say, or the seconds are over.  A worker reads. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/images/builds.h"
#include "control/model/model.h"
#include "control/storage/lanes.h"

#define LOG_PIECE    (256 * KIB)
#define LOG_CHECK_MS 200

struct log_read {
	struct call *call; /* NULL: it was answered, or the client is gone */
	struct control *ctl;
	uv_timer_t timer;
	bool timer_open, reading;
	int64_t from, until_ms;
	const char *first_state; /* static text: a change of state is worth an answer */
	bool of_build;
	/* The worker's, while it reads. */
	struct disk_task task;
	char path[128];
	int64_t at; /* of the bytes that were read */
	bool rotated;
	ssize_t n;
	uint8_t data[LOG_PIECE];
};

/* What the log is of, looked up each time: it may go meanwhile. */
struct log_subject {
	char path[128], step[96];
	const char *state;
	bool ended;
};

static bool log_subject(const struct log_read *r, struct log_subject *s)
{
	const char *id = call_text(r->call, "id"), *account = r->call->who->account;
	struct build *b = r->of_build ? find_build(r->ctl, account, id) : NULL;
	struct microvm *vm = r->of_build ? NULL : find_microvm(r->ctl, account, id);

	*s = (struct log_subject){ .state = b    ? build_state_name[b->state]
					    : vm ? vm_state_name[vm->state]
						 : NULL };
	if (!s->state)
		return false;
	snprintf(s->path, sizeof(s->path), "%s/%s.log", b ? "builds" : "microvms", id);
	if (b && b->step[0])
		snprintf(s->step, sizeof(s->step), "%s %u/%u", b->step, b->step_n, b->step_of);
	s->ended = b ? builds_ended(b) : vm->state == VM_TERMINATED;
	return true;
}

/* The worker. */

static ssize_t log_read_file(struct log_read *r, const char *path, int64_t at)
{
	autoclose int fd = io_open_below(r->ctl->log_fd, path, O_RDONLY, 0);

	return fd < 0 ? 0 : pread(fd, r->data, LOG_PIECE, at);
}

static int64_t log_size(const struct log_read *r, const char *path)
{
	struct stat st;

	return fstatat(r->ctl->log_fd, path, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_size;
}

/* An offset beyond the file belongs to the full one, which is .log.1 now: what is left of that
 * comes first, then the new one from its beginning. */
static void log_run(struct disk_task *task)
{
	struct log_read *r = container_of(task, struct log_read, task);
	char full[sizeof(r->path) + 2];

	snprintf(full, sizeof(full), "%s.1", r->path);
	r->at = r->from;
	r->rotated = r->from > log_size(r, r->path);
	if (!r->rotated) {
		r->n = log_read_file(r, r->path, r->from);
		return;
	}
	r->n = log_read_file(r, full, r->from);
	if (r->n > 0) {
		r->rotated = false;
		return;
	}
	r->at = 0;
	r->n = log_read_file(r, r->path, 0);
}

/* The loop. */

static void log_try_free(struct log_read *r)
{
	if (!r->call && !r->timer_open && !r->reading)
		free(r);
}

static void log_timer_closed(uv_handle_t *timer)
{
	struct log_read *r = container_of((uv_timer_t *)timer, struct log_read, timer);

	r->timer_open = false;
	log_try_free(r);
}

static struct call *log_end(struct log_read *r)
{
	struct call *c = r->call;

	c->state = NULL;
	r->call = NULL;
	uv_close((uv_handle_t *)&r->timer, log_timer_closed);
	return c;
}

static void log_answer(struct log_read *r, const struct log_subject *s, size_t size)
{
	char next[24];
	struct http_header headers[5] = { { "content-type", "application/octet-stream" },
					  { "x-doze-next", next },
					  { "x-doze-state", s->state } };
	size_t n = 3;

	if (s->step[0])
		headers[n++] = (struct http_header){ "x-doze-step", s->step };
	if (r->rotated)
		headers[n++] = (struct http_header){ "x-doze-rotated", "1" };
	snprintf(next, sizeof(next), "%lld", (long long)r->at + (long long)size);
	call_answer_bytes(log_end(r), 200, headers, n, r->data, size);
}

static void log_not_found(struct log_read *r)
{
	struct call *c = log_end(r);

	call_not_found(c, "There is no %s %s.", r->of_build ? "build" : "microVM",
		       call_text(c, "id"));
}

static void log_done(struct disk_task *task)
{
	struct log_read *r = container_of(task, struct log_read, task);
	struct log_subject s;

	r->reading = false;
	if (!r->call) {
		log_try_free(r);
	} else if (!log_subject(r, &s)) {
		log_not_found(r);
	} else if (r->n > 0 || r->rotated || s.ended || s.state != r->first_state ||
		   clock_mono_ms() >= r->until_ms) {
		log_answer(r, &s, r->n > 0 ? (size_t)r->n : 0);
	}
}

static void log_check(uv_timer_t *timer)
{
	struct log_read *r = container_of(timer, struct log_read, timer);
	struct log_subject s;

	if (r->reading)
		return;
	if (!log_subject(r, &s)) {
		log_not_found(r);
		return;
	}
	if (!r->first_state)
		r->first_state = s.state;
	memcpy(r->path, s.path, sizeof(r->path));
	r->reading = true;
	disk_task_start(lane(r->ctl, LANE_LOG), &r->task);
}

static void log_gone(struct call *c)
{
	log_end(c->state);
	call_answer(c, NULL);
}

static void log_begin(struct call *c, bool of_build)
{
	struct log_read *r = xcalloc(1, sizeof(*r));

	r->call = c;
	r->ctl = c->ctl;
	r->of_build = of_build;
	r->from = call_number(c, "from", 0);
	r->until_ms = clock_mono_ms() + 1000 * call_number(c, "wait", 0);
	r->task.run = log_run;
	r->task.done = log_done;
	c->state = r;
	c->gone = log_gone;
	r->timer_open = true;
	uv_timer_init(&c->ctl->loop, &r->timer);
	uv_timer_start(&r->timer, log_check, LOG_CHECK_MS, LOG_CHECK_MS);
	log_check(&r->timer);
}

void doze_build_log(struct call *c)
{
	log_begin(c, true);
}

void doze_vm_log(struct call *c)
{
	log_begin(c, false);
}
