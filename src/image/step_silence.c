#include "image/step_silence.h"

void silence_begin(struct silence *s, int64_t limit_ms, int64_t now_ms)
{
	*s = (struct silence){
		.limit_ms = limit_ms, .heard_ms = now_ms, .worked_ms = now_ms, .sampled_ms = now_ms
	};
}

void silence_heard(struct silence *s, int64_t now_ms)
{
	s->heard_ms = now_ms;
	s->warned = false;
}

/* The sums fall when a process ends that nobody waited for. */
static uint64_t silence_grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static bool silence_worked(const struct silence *s, int64_t passed_ms, uint64_t cpu_ms,
			   uint64_t written)
{
	return silence_grown(s->cpu_ms, cpu_ms) * 100 >= (uint64_t)passed_ms * SILENCE_CPU ||
	       silence_grown(s->written, written) >= SILENCE_WRITTEN;
}

/* A limit below the usual time of the warning is warned of too. */
static int64_t silence_warn_ms(const struct silence *s)
{
	return s->limit_ms && s->limit_ms / 2 < SILENCE_WARN_MS ? s->limit_ms / 2 : SILENCE_WARN_MS;
}

enum silence_say silence_sample(struct silence *s, int64_t now_ms, uint64_t cpu_ms,
				uint64_t written)
{
	int64_t passed_ms = now_ms - s->sampled_ms, quiet_ms = now_ms - s->heard_ms;

	if (passed_ms > 0) {
		if (silence_worked(s, passed_ms, cpu_ms, written))
			s->worked_ms = now_ms;
		s->sampled_ms = now_ms;
		s->cpu_ms = cpu_ms;
		s->written = written;
	}
	if (s->limit_ms && quiet_ms >= s->limit_ms && now_ms - s->worked_ms >= s->limit_ms)
		return SILENCE_END;
	if (s->warned || quiet_ms < silence_warn_ms(s))
		return SILENCE_GO_ON;
	s->warned = true;
	return SILENCE_WARN;
}

int64_t silence_wait_ms(const struct silence *s)
{
	int64_t part_ms = silence_warn_ms(s) / 4;

	return part_ms < 50 ? 50 : part_ms < SILENCE_CHECK_MS ? part_ms : SILENCE_CHECK_MS;
}
