#include "image/boot_judge.h"

#define BOOT_STRIDE_MS  (2 * BOOT_LOOK_MS) /* as much counts between two looks */
#define BOOT_SILENT_MS  30000
#define BOOT_START_MS   90000 /* until the machine's process answers at all */
#define BOOT_IDLE_MS    8000
#define BOOT_ENDLESS_MS 600000
#define BOOT_IDLE_PART  50 /* less than one part in so many of a CPU is nothing */
#define BOOT_CPU_TIMES  6  /* what it usually takes */
#define BOOT_CPU_LEAST  10000000000ULL
#define BOOT_CPU_MOST   40000000000ULL

void boot_judge_begin(struct boot_judge *j, int64_t now_ms, uint64_t usual_cpu_ns)
{
	*j = (struct boot_judge){ .looked_ms = now_ms, .most_cpu_ns = BOOT_CPU_MOST };
	if (!usual_cpu_ns || usual_cpu_ns > BOOT_CPU_MOST / BOOT_CPU_TIMES)
		return;
	j->most_cpu_ns = usual_cpu_ns * BOOT_CPU_TIMES;
	if (j->most_cpu_ns < BOOT_CPU_LEAST)
		j->most_cpu_ns = BOOT_CPU_LEAST;
}

/* Does anything happen, or would it if the host let it? */
static bool boot_judge_works(const struct boot_judge *j, const struct machine_progress *p,
			     int64_t passed_ms)
{
	uint64_t wanted_ns = p->cpu_ns - j->last.cpu_ns + p->waited_ns - j->last.waited_ns;

	return p->n_blocked || p->console_bytes != j->last.console_bytes ||
	       wanted_ns * BOOT_IDLE_PART >= (uint64_t)passed_ms * 1000000;
}

static void boot_judge_note(struct boot_judge *j, int64_t passed_ms,
			    const struct machine_progress *p)
{
	/* A thread takes its times with it when it ends. */
	bool back = j->seen && (p->cpu_ns < j->last.cpu_ns || p->waited_ns < j->last.waited_ns);

	j->silent_ms = 0;
	if (!j->seen || back || boot_judge_works(j, p, passed_ms))
		j->idle_ms = 0;
	else
		j->idle_ms += passed_ms;
	if (!j->seen || p->console_bytes != j->last.console_bytes)
		j->word_cpu_ns = p->cpu_ns;
	j->seen = true;
	j->last = *p;
}

enum boot_verdict boot_judge_look(struct boot_judge *j, int64_t now_ms,
				  const struct machine_progress *p)
{
	int64_t passed_ms = now_ms - j->looked_ms;

	j->looked_ms = now_ms;
	if (passed_ms > BOOT_STRIDE_MS)
		passed_ms = BOOT_STRIDE_MS;
	j->all_ms += passed_ms;
	j->silent_ms += passed_ms;
	if (p)
		boot_judge_note(j, passed_ms, p);
	if (j->silent_ms >= (j->seen ? BOOT_SILENT_MS : BOOT_START_MS))
		return BOOT_SILENT;
	if (j->idle_ms >= BOOT_IDLE_MS)
		return BOOT_IDLE;
	if (j->last.cpu_ns > j->word_cpu_ns + j->most_cpu_ns)
		return BOOT_SPINS;
	return j->all_ms >= BOOT_ENDLESS_MS ? BOOT_ENDLESS : BOOT_GOES_ON;
}

const char *boot_verdict_text(enum boot_verdict v)
{
	static const char *const text[BOOT_NUM_VERDICTS] = {
		[BOOT_GOES_ON] = "it does not hang",
		[BOOT_SILENT] = "its process does not answer",
		[BOOT_IDLE] = "its guest has done nothing for 8 seconds, and waits for no CPU",
		[BOOT_SPINS] = "its guest computes and gets nowhere",
		[BOOT_ENDLESS] = "its guest has not begun to serve within 10 minutes",
	};

	return text[v];
}
