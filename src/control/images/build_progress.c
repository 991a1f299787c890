#include "control/images/build_progress.h"

#include <stdio.h>
#include <string.h>

static struct build_part *build_progress_last(const struct build *b)
{
	return b->n_parts ? &b->parts[b->n_parts - 1] : NULL;
}

static bool build_progress_same(const struct build_part *p, const struct build_step *step)
{
	return p->n == step->n && p->stage == step->stage && p->part == step->part;
}

static void build_progress_close(struct build *b, int64_t now_ms, uint64_t log_to)
{
	struct build_part *p = build_progress_last(b);

	if (!p || p->ended_ms)
		return;
	p->ended_ms = now_ms;
	p->log_to = log_to;
}

static struct build_part *build_progress_open(struct build *b, const struct build_step *step,
					      int64_t now_ms)
{
	struct build_part *p;

	build_progress_close(b, now_ms, step->log_bytes);
	if (b->n_parts == BUILD_PARTS_MAX)
		return build_progress_last(b);
	b->parts = xrealloc(b->parts, (b->n_parts + 1) * sizeof(*b->parts));
	p = &b->parts[b->n_parts++];
	*p = (struct build_part){ .began_ms = now_ms,
				  .log_from = step->log_bytes,
				  .n = step->n,
				  .of = step->of,
				  .stage = step->stage,
				  .stages = step->stages,
				  .part = step->part,
				  .parts = step->parts };
	return p;
}

/* The texts of a message are not terminated. */
#define BUILD_PROGRESS_TAKE(to, from) \
	snprintf(to, sizeof(to), "%.*s", (int)strnlen(from, sizeof(from)), from)

void build_progress_note(struct build *b, const struct build_step *step, int64_t now_ms)
{
	struct build_part *p = build_progress_last(b);

	BUILD_PROGRESS_TAKE(b->step, step->step);
	b->step_n = step->n;
	b->step_of = step->of;
	if (!p || !build_progress_same(p, step))
		p = build_progress_open(b, step, now_ms);
	BUILD_PROGRESS_TAKE(p->step, step->step);
	BUILD_PROGRESS_TAKE(p->text, step->text);
	BUILD_PROGRESS_TAKE(p->detail, step->detail);
	p->log_to = step->log_bytes;
	if (step->ended)
		build_progress_close(b, now_ms, step->log_bytes);
}

void build_progress_stop(struct build *b, int64_t now_ms)
{
	const struct build_part *p = build_progress_last(b);

	if (p)
		build_progress_close(b, now_ms, p->log_to);
}

static json_t *build_progress_text(const char *text)
{
	json_t *value = *text ? json_string(text) : json_null();

	return value ? value : json_string("?"); /* the image role's text is no UTF-8 */
}

static json_t *build_progress_number(uint32_t n)
{
	return n ? json_integer(n) : json_null();
}

static json_t *build_progress_encode(const struct build_part *p, int64_t now_ms)
{
	int64_t took_ms = (p->ended_ms ? p->ended_ms : now_ms) - p->began_ms;

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:f,s:I,s:I}", "step",
			 build_progress_text(p->step), "text", build_progress_text(p->text),
			 "detail", build_progress_text(p->detail), "n", build_progress_number(p->n),
			 "of", build_progress_number(p->of), "stage",
			 build_progress_number(p->stage), "stages",
			 build_progress_number(p->stages), "part", build_progress_number(p->part),
			 "parts", build_progress_number(p->parts), "ended", p->ended_ms != 0,
			 "seconds", (double)took_ms / 1000, "logFrom", (json_int_t)p->log_from,
			 "logTo", (json_int_t)p->log_to);
}

json_t *build_progress_steps(const struct build *b, size_t from, int64_t now_ms)
{
	json_t *steps = json_array();

	for (size_t i = from; i < b->n_parts; i++)
		json_array_append_new(steps, build_progress_encode(&b->parts[i], now_ms));
	return steps;
}
