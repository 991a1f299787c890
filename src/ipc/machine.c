/* machine.c - which answer belongs to which request to a machine. */

#include "ipc/machine.h"

#define IS(type) (1U << (type))

static_assert(MACHINE_NUM_TYPES <= 32, "answers are bits of a word");

/* clang-format off */
static const uint32_t machine_answers[MACHINE_NUM_TYPES] = { /* 0: not a request */
	[MACHINE_BOOT]        = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
	[MACHINE_SNAPSHOT]    = IS(MACHINE_SAVED)  | IS(MACHINE_FAULT),
	[MACHINE_SAVE]        = IS(MACHINE_SAVED)  | IS(MACHINE_FAULT),
	[MACHINE_RESTORE]     = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
	[MACHINE_PAUSE]       = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
	[MACHINE_CONTINUE]    = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
	[MACHINE_STOP]        = IS(MACHINE_EXITED) | IS(MACHINE_FAULT),
	[MACHINE_GET_STATS]   = IS(MACHINE_STATS)  | IS(MACHINE_FAULT),
	[MACHINE_GET_TOUCHED] = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
	[MACHINE_GET_PROGRESS] = IS(MACHINE_PROGRESS) | IS(MACHINE_FAULT),
	[MACHINE_EXPLAIN]     = IS(MACHINE_READY)  | IS(MACHINE_FAULT),
};
/* clang-format on */

bool machine_answer_fits(uint32_t request, uint32_t answer)
{
	return request < MACHINE_NUM_TYPES && answer < MACHINE_NUM_TYPES &&
	       (machine_answers[request] & IS(answer));
}
