/* Filter patterns of a stranger, and lines of a guest that they are held against. */

#include <string.h>

#include "base/buf.h"
#include "control/logs/lines.h"
#include "control/logs/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The pattern, a newline, the line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	autobuf struct buf text = { 0 }, clean = { 0 };
	struct log_pattern p;
	struct err e;

	buf_add(&text, data, line ? (size_t)(line - data) : size);
	if (log_pattern_read(&p, buf_str(&text), &e))
		return 0;
	if (line) {
		size_t rest = size - (size_t)(++line - data);

		(void)!log_pattern_matches(&p, (const char *)line, rest);
		log_clean(&clean, (const char *)line, rest);
		assert(clean.size <= 3 * rest);
	}
	log_pattern_free(&p);
	return 0;
}
