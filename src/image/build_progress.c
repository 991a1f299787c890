/* What control is told of a build: the stage it is in, the step of the Dockerfile, and what it
 * waits for. */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "image/build.h"

#define PROGRESS_FAILED "The container image build failed."

/* A step may print lines that look like steps, and control must not drown in them. */
#define PROGRESS_EACH_MS 1000
#define PROGRESS_BURST   64

static void build_progress_send(struct build *b)
{
	struct build_step *s = &b->progress.sent;

	s->log_bytes = b->log.bytes;
	build_progress_resend(b);
}

void build_progress_resend(const struct build *b)
{
	const struct build_step *s = &b->progress.sent;

	if (b->role->control && s->n)
		chan_uv_send(b->role->control, BUILD_STEP, 0, s, sizeof(*s), NULL, 0);
}

void build_progress_begin(struct build *b, const struct build_stage *stage, size_t n_stages)
{
	struct build_step *s = &b->progress.sent;

	*s = (struct build_step){ .name = b->what.name,
				  .n = (uint32_t)b->stage.at + 1,
				  .of = (uint32_t)n_stages };
	snprintf(s->step, sizeof(s->step), "%s", stage->name);
	snprintf(s->text, sizeof(s->text), "%s", stage->shown);
	memset(&b->progress.lines, 0, sizeof(b->progress.lines));
	build_progress_send(b);
}

static void build_progress_write(struct build *b)
{
	build_log(b, b->progress.unwritten.data, b->progress.unwritten.size);
	buf_clear(&b->progress.unwritten);
}

static void build_progress_text(void *arg, const uint8_t *data, size_t size)
{
	struct build *b = arg;

	buf_add(&b->progress.unwritten, data, size);
}

static void build_progress_late(uv_timer_t *timer)
{
	struct build *b = timer->data;

	build_timer_end(&b->progress.late);
	b->progress.burst = 0;
	build_progress_send(b);
}

/* Of too many the last one is told, when the others are forgotten. */
static void build_progress_tell(struct build *b)
{
	int64_t now_ms = clock_mono_ms();

	if (b->progress.late)
		return;
	if (now_ms - b->progress.since_ms >= PROGRESS_EACH_MS) {
		b->progress.since_ms = now_ms;
		b->progress.burst = 0;
	}
	if (b->progress.burst++ < PROGRESS_BURST)
		build_progress_send(b);
	else
		b->progress.late = build_timer(b, PROGRESS_EACH_MS, 0, build_progress_late);
}

static void build_progress_step(void *arg)
{
	struct build *b = arg;
	const struct build_lines_step *step = &b->progress.lines.step;
	struct build_step *s = &b->progress.sent;

	build_progress_write(b); /* the step begins behind it */
	s->stage = step->stage;
	s->stages = step->stages;
	s->part = step->n;
	s->parts = step->of;
	snprintf(s->text, sizeof(s->text), "%s", step->text);
	snprintf(s->detail, sizeof(s->detail), "%s", step->cached ? "cached" : "");
	build_progress_tell(b);
}

static const struct build_lines_sink *build_progress_sink(struct build *b,
							  struct build_lines_sink *sink)
{
	*sink = (struct build_lines_sink){ build_progress_text, build_progress_step, b };
	return sink;
}

void build_output(struct build *b, const uint8_t *data, size_t size)
{
	struct build_lines_sink sink;

	if (b->clearing)
		return;
	build_lines_feed(&b->progress.lines, data, size, build_progress_sink(b, &sink));
	build_progress_write(b);
}

/* The job's output has ended, perhaps without a line feed. */
static void build_progress_flush(struct build *b)
{
	struct build_lines_sink sink;

	build_lines_end(&b->progress.lines, build_progress_sink(b, &sink));
	build_progress_write(b);
}

void build_progress_end(struct build *b)
{
	build_progress_flush(b);
	b->progress.sent.ended = 1;
	build_progress_send(b);
}

void build_waits_for(struct build *b, const char *text)
{
	struct build_step *s = &b->progress.sent;
	char detail[sizeof(s->detail)];

	build_text_clean(detail, sizeof(detail), text ? text : "", text ? strlen(text) : 0);
	if (!b->stage.open || !strcmp(s->detail, detail))
		return;
	memcpy(s->detail, detail, sizeof(s->detail));
	build_progress_send(b);
}

/* "Step 3/7, RUN make" */
static void build_progress_place(const struct build_lines_step *step, char *to, size_t room)
{
	char command[96]; /* the sentence has to hold the cause too */

	build_text_clean(command, sizeof(command), step->text, strlen(step->text));
	if (step->stages)
		snprintf(to, room, "Stage %u/%u, step %u/%u, %s", step->stage, step->stages,
			 step->n, step->of, command);
	else
		snprintf(to, room, "Step %u/%u, %s", step->n, step->of, command);
}

void build_progress_reason(struct build *b, const char *reason, char *to, size_t room)
{
	const struct build_lines *l = &b->progress.lines;
	const char *own = reason + sizeof(PROGRESS_FAILED) - 1; /* what the job says itself */
	char place[160], status[48] = "", cause[BUILD_CAUSE_MAX];

	build_progress_flush(b);
	if (!l->step.n || strncmp(reason, PROGRESS_FAILED, sizeof(PROGRESS_FAILED) - 1) != 0) {
		snprintf(to, room, "%s", reason);
		return;
	}
	build_lines_cause(l, cause);
	if (strcasestr(own, "step ")) { /* the job names it; what the step printed says why */
		size_t n = strlen(own), tail = strlen(cause);
		bool said = n >= tail && !strcmp(own + n - tail, cause);
		bool more = *cause && !said && strstr(own, "exit status");

		snprintf(to, room, "%s%s%s", reason, more ? ": " : "", more ? cause : "");
		return;
	}
	build_progress_place(&l->step, place, sizeof(place));
	own += strspn(own, " ");
	if (l->status)
		snprintf(status, sizeof(status), " ended with exit status %u", l->status);
	if (*own)
		snprintf(to, room, PROGRESS_FAILED " %s: %s", place, own);
	else if (*cause)
		snprintf(to, room, PROGRESS_FAILED " %s%s: %s", place, status, cause);
	else
		snprintf(to, room, PROGRESS_FAILED " %s%s and printed nothing.", place,
			 *status ? status : " failed");
}
