/* shape.c - what a string may be: length, pattern, enumeration. */

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/shape.h"

/* The service counts UTF-16 units. */
static int64_t text_length(const char *text)
{
	int64_t n = 0;

	for (; *text; text++) {
		n += ((uint8_t)*text & 0xc0) != 0x80;
		n += (uint8_t)*text >= 0xf0;
	}
	return n;
}

static bool pattern_match(const struct pattern *p, const char *text)
{
	static struct {
		const struct pattern *pattern;
		regex_t regex;
	} cache[16];
	size_t i = 0;

	while (i < ARRAY_SIZE(cache) && cache[i].pattern && cache[i].pattern != p)
		i++;
	assert(i < ARRAY_SIZE(cache));
	if (!cache[i].pattern) {
		autofree char *whole = xasprintf("^(%s)$", p->ere);
		int rc = regcomp(&cache[i].regex, whole, REG_EXTENDED | REG_NOSUB);

		assert(rc == 0);
		cache[i].pattern = p;
	}
	return !regexec(&cache[i].regex, text, 0, NULL, 0);
}

bool shape_allows(const struct shape *shape, const char *text)
{
	int64_t length = text_length(text);
	bool found = !shape->values;

	for (size_t i = 0; !found && shape->values[i]; i++)
		found = !strcmp(shape->values[i], text);
	/* A value that is too long is refused for that; matching it would only cost time. */
	return found && length >= shape->min && length <= shape->max &&
	       (!shape->pattern || pattern_match(shape->pattern, text));
}

void shape_phrases(const struct shape *shape, const char *text, void *arg,
		   void (*phrase)(void *arg, const char *words))
{
	int64_t length = text ? text_length(text) : 0;
	autobuf struct buf b = { 0 };

	if (shape->max != NO_MAX && (!text || length > shape->max)) {
		buf_addf(&b, "Member must have length less than or equal to %lld",
			 (long long)shape->max);
		phrase(arg, buf_str(&b));
	}
	if (shape->min > 0 && (!text || length < shape->min)) {
		buf_clear(&b);
		buf_addf(&b, "Member must have length greater than or equal to %lld",
			 (long long)shape->min);
		phrase(arg, buf_str(&b));
	}
	if (shape->pattern &&
	    (!text || (length <= shape->max && !pattern_match(shape->pattern, text)))) {
		buf_clear(&b);
		buf_addf(&b, "Member must satisfy regular expression pattern: %s",
			 shape->pattern->text);
		phrase(arg, buf_str(&b));
	}
	if (shape->values) {
		bool found = false;

		buf_clear(&b);
		buf_adds(&b, "Member must satisfy enum value set: [");
		for (size_t i = 0; shape->values[i]; i++) {
			found |= text && !strcmp(shape->values[i], text);
			buf_addf(&b, "%s%s", i ? ", " : "", shape->values[i]);
		}
		buf_adds(&b, "]");
		if (!found)
			phrase(arg, buf_str(&b));
	}
}

void shape_show(struct buf *to, const json_t *value)
{
	autofree char *dump = NULL;
	const json_t *item;
	size_t i;

	if (json_is_string(value)) {
		buf_adds(to, json_string_value(value));
	} else if (json_is_array(value) && json_is_string(json_array_get(value, 0))) {
		buf_adds(to, "[");
		json_array_foreach(value, i, item)
		{
			buf_addf(to, "%s%s", i ? ", " : "",
				 json_is_string(item) ? json_string_value(item) : "");
		}
		buf_adds(to, "]");
	} else {
		dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		buf_adds(to, dump ? dump : "");
	}
}
