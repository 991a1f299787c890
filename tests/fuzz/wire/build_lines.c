/* What a build prints, in pieces: steps and causes are clean text, and no byte of a line is lost
 * but what a carriage return takes back.  The first byte is the size of the pieces. */

#include <stdlib.h>
#include <string.h>

#include "wire/build_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct build_lines lines;
	size_t bytes;
};

static void check_text(const char *text, size_t room)
{
	if (strnlen(text, room) == room)
		abort();
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f || *s == 0x1b)
			abort();
}

static void on_text(void *arg, const uint8_t *data, size_t size)
{
	struct seen *s = arg;

	(void)data;
	if (!size || size > BUILD_LINE_MAX + 1)
		abort();
	s->bytes += size;
}

static void on_step(void *arg)
{
	const struct build_lines *l = &((struct seen *)arg)->lines;

	if (!l->step.n || l->step.n > l->step.of || l->step.stage > l->step.stages)
		abort();
	check_text(l->step.text, sizeof(l->step.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen *s = calloc(1, sizeof(*s));
	const struct build_lines_sink sink = { on_text, on_step, s };
	char cause[BUILD_CAUSE_MAX];
	size_t piece = size ? data[0] + 1u : 1, returns = 0;

	for (size_t at = 0; at < size; at += piece)
		build_lines_feed(&s->lines, data + at, size - at < piece ? size - at : piece,
				 &sink);
	build_lines_end(&s->lines, &sink);
	build_lines_cause(&s->lines, cause);
	check_text(cause, sizeof(cause));
	for (size_t i = 0; i < size; i++)
		returns += data[i] == '\r';
	if (s->bytes > size + 1 || (!returns && s->bytes < size))
		abort();
	free(s);
	return 0;
}
