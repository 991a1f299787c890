/* guest_log.c - the logs of builds and microVMs, from any offset, also while they grow.
 *
 * The answer is the bytes alone.  x-doze-next: where to go on; x-doze-state: of what
 * it is the log; x-doze-step: where a build is.  With `wait` an empty answer is held
 * back until there is something to say, or the seconds are over. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "control/api/call.h"
#include "control/images/images.h"

#define LOG_PIECE   (256 * KIB)
#define LOG_LOOK_MS 200

struct log_read {
	struct call *call;
	uv_timer_t timer;
	int64_t from, until_ms;
	const char *first_state; /* static text: a change of state is worth an answer */
	bool of_build;
};

/* What the log is of, looked up each time: it may go meanwhile. */
struct log_subject {
	char path[128], step[96];
	const char *state;
	bool ended;
};

static bool log_subject(const struct log_read *r, struct log_subject *s)
{
	const char *id = call_text(r->call, "id");
	struct build *b = r->of_build ? images_build(r->call->ctl, id) : NULL;
	struct microvm *vm = r->of_build ? NULL : model_microvm(r->call->ctl, id);

	*s = (struct log_subject){ .state = b ? b->state : vm ? vm_state_name[vm->state] : NULL };
	if (!s->state)
		return false;
	snprintf(s->path, sizeof(s->path), "%s/%s.log", b ? "builds" : "microvms", id);
	if (b && b->step[0])
		snprintf(s->step, sizeof(s->step), "%s %u/%u", b->step, b->step_n, b->step_of);
	s->ended = b ? strcmp(b->state, "PENDING") != 0 && strcmp(b->state, "IN_PROGRESS") != 0
		     : vm->state == VM_TERMINATED;
	return true;
}

static void log_free(uv_handle_t *timer)
{
	free(container_of((uv_timer_t *)timer, struct log_read, timer));
}

static void log_answer(struct log_read *r, const struct log_subject *s, const void *data,
		       size_t size)
{
	struct call *c = r->call;
	char next[24];
	struct http_header headers[] = { { "content-type", "application/octet-stream" },
					 { "x-doze-next", next },
					 { "x-doze-state", s->state },
					 { "x-doze-step", s->step } };

	snprintf(next, sizeof(next), "%lld", (long long)r->from + (long long)size);
	uv_close((uv_handle_t *)&r->timer, log_free);
	c->state = NULL;
	call_answer_bytes(c, 200, headers, s->step[0] ? 4 : 3, data, size);
}

static void log_look(uv_timer_t *timer)
{
	struct log_read *r = container_of(timer, struct log_read, timer);
	struct call *c = r->call;
	autofree uint8_t *data = xmalloc(LOG_PIECE);
	autoclose int fd = -1;
	struct log_subject s;
	ssize_t n = 0;

	if (!log_subject(r, &s)) {
		uv_close((uv_handle_t *)timer, log_free);
		c->state = NULL;
		call_not_found(c, "There is no %s %s.", r->of_build ? "build" : "microVM",
			       call_text(c, "id"));
		return;
	}
	fd = io_open_below(c->ctl->log_fd, s.path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		n = pread(fd, data, LOG_PIECE, r->from);
	if (!r->first_state)
		r->first_state = s.state;
	if (n > 0 || s.ended || s.state != r->first_state || clock_mono_ms() >= r->until_ms)
		log_answer(r, &s, data, n > 0 ? (size_t)n : 0);
}

static void log_gone(struct call *c)
{
	struct log_read *r = c->state;

	uv_close((uv_handle_t *)&r->timer, log_free);
	call_answer(c, NULL);
}

static void log_begin(struct call *c, bool of_build)
{
	struct log_read *r = xcalloc(1, sizeof(*r));

	r->call = c;
	r->of_build = of_build;
	r->from = call_number(c, "from", 0);
	r->until_ms = clock_mono_ms() + 1000 * call_number(c, "wait", 0);
	c->state = r;
	c->gone = log_gone;
	uv_timer_init(&c->ctl->loop, &r->timer);
	uv_timer_start(&r->timer, log_look, LOG_LOOK_MS, LOG_LOOK_MS);
	log_look(&r->timer);
}

void doze_build_log(struct call *c)
{
	log_begin(c, true);
}

void doze_vm_log(struct call *c)
{
	log_begin(c, false);
}
