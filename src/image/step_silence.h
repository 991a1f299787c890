/* step_silence.h - judges a child that prints nothing. Pure: time comes as an argument.
 *
 * A command that prints nothing may still be at work, as a quiet compiler is, so that silence alone
 * warns, and ends nothing: a child is given up when it has neither printed nor worked for the whole
 * limit. */
#ifndef IMAGE_STEP_SILENCE_H
#define IMAGE_STEP_SILENCE_H

#include "base/base.h"

#define SILENCE_WARN_MS  120000
#define SILENCE_CHECK_MS 5000 /* between two samples */
#define SILENCE_CPU      5    /* per cent of a core: what works uses more */
#define SILENCE_WRITTEN  (64 * KIB)

struct silence {
	int64_t limit_ms; /* 0: none */
	int64_t heard_ms, worked_ms, sampled_ms;
	uint64_t cpu_ms, written;
	bool warned;
};

enum silence_say {
	SILENCE_GO_ON,
	SILENCE_WARN, /* once until it prints again */
	SILENCE_END,
};

void silence_begin(struct silence *s, int64_t limit_ms, int64_t now_ms);
void silence_heard(struct silence *s, int64_t now_ms);
/* Takes what its processes have used and written so far. */
enum silence_say silence_sample(struct silence *s, int64_t now_ms, uint64_t cpu_ms,
				uint64_t written);
int64_t silence_wait_ms(const struct silence *s); /* until the next sample */

#endif
