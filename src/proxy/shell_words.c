#include "proxy/shell_words.h"

#include <string.h>

#include <jansson.h>

#define RESIZE_MOST 1024 /* bytes of such a message */

static bool number_read(const char *text, size_t size, uint64_t *value)
{
	*value = 0;
	if (!size || size > 19)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	}
	return true;
}

static bool take_session(struct shell_request *r, const char *text, size_t size)
{
	if (size != UUID_SIZE - 1)
		return false;
	memcpy(r->session, text, size);
	r->session[size] = '\0';
	return uuid_valid(r->session);
}

static bool take_offset(struct shell_request *r, const char *text, size_t size)
{
	r->has_offset = true;
	return number_read(text, size, &r->offset);
}

static bool take_status(struct shell_request *r, const char *text, size_t size)
{
	r->wants_status = size == 1 && *text == '1';
	return size == 1 && (*text == '0' || *text == '1');
}

static const struct {
	const char *name;
	bool (*take)(struct shell_request *r, const char *text, size_t size);
} shell_request_words[] = {
	{ "session=", take_session },
	{ "offset=", take_offset },
	{ "status=", take_status },
};

bool shell_request_read(const char *target, struct shell_request *r)
{
	const char *at = strchr(target, '?');

	*r = (struct shell_request){ 0 };
	while (at && *at) {
		size_t size = strcspn(++at, "&");

		for (size_t i = 0; i < ARRAY_SIZE(shell_request_words); i++) {
			const char *name = shell_request_words[i].name;
			size_t n = strlen(name);

			if (size >= n && !memcmp(at, name, n) &&
			    !shell_request_words[i].take(r, at + n, size - n))
				return false;
		}
		at += size;
	}
	return !r->has_offset || *r->session;
}

static uint64_t size_read(const json_t *message, const char *name)
{
	const json_t *value = json_object_get(message, name);
	json_int_t n = json_integer_value(value);

	return json_is_integer(value) && n > 0 && n <= UINT16_MAX ? (uint64_t)n : 0;
}

bool shell_resize_read(const uint8_t *text, size_t size, uint64_t sizes[2])
{
	json_t *message;
	const char *type;
	bool is;

	if (!size || size > RESIZE_MOST || *text != '{')
		return false;
	message = json_loadb((const char *)text, size, 0, NULL);
	type = json_string_value(json_object_get(message, "type"));
	is = type && !strcmp(type, "resize");
	sizes[0] = size_read(message, "cols");
	sizes[1] = size_read(message, "rows");
	if (!sizes[0] || !sizes[1])
		sizes[0] = sizes[1] = 0;
	json_decref(message);
	return is;
}
