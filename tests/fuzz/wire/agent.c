/* Frames of a hostile guest: found, walked, read; nothing is believed. */

#include "wire/agent.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_frame f;
	size_t used;

	while (agent_frame_next(data, size, LIMIT_AGENT_TO_HOST, &f, &used) == 1) {
		struct agent_field_view v;
		size_t at = 0;
		uint64_t number;
		char text[64];

		while (agent_field_next(&f, &at, &v) == 1)
			if (v.size && v.data[v.size - 1] == 0xff)
				(void)v.data[0];
		if (agent_get_u64(&f, FIELD_ID, &number) &&
		    agent_get_text(&f, FIELD_NAME, text, sizeof(text)) && number == 42)
			text[0] = '\0';
		data += used;
		size -= used;
	}
	return 0;
}
