/* Any request against the table: the first line is "METHOD target", the rest its body. */

#include <string.h>

#include "control/api/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const char *method, const char *target, const void *body, size_t size)
{
	size_t path = strcspn(target, "?");
	struct op_segments s;
	const struct op *op = op_find(method, target, path, &s);
	autobuf struct buf why = { 0 };
	json_t *in = NULL;

	if (!op)
		return;
	if (op_decode(&(struct op_request){ op, &s, target[path] ? target + path + 1 : NULL, body,
					    size },
		      &in, &why) == DECODED) {
		for (const struct member *m = op->members; m->name; m++)
			assert(!m->required || json_object_get(in, m->name));
		json_decref(in);
	} else {
		assert(!in && why.size);
	}
	op_segments_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t head = line ? (size_t)(line - data) : size;
	autobuf struct buf text = { 0 };
	char *method, *target;

	buf_add(&text, data, head);
	method = buf_str(&text);
	target = strchr(method, ' ');
	if (!target)
		return 0;
	*target++ = '\0';
	decode(method, target, data + head + (line ? 1 : 0), size - head - (line ? 1 : 0));
	return 0;
}
