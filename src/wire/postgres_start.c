#include "wire/postgres_start.h"

#include <string.h>

#define POSTGRES_HEAD    8 /* the size of the packet, which counts itself, and a code */
#define POSTGRES_VERSION 3
#define POSTGRES_ASKS    1234 /* in the place of a version: a request of another kind */

static uint32_t postgres_number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void postgres_put_number(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A row that names a size is of that size alone. */
static const struct {
	uint16_t major, minor;
	size_t least, most;
	enum postgres_start start;
} postgres_codes[] = {
	{ POSTGRES_ASKS, 5678, 16, 12 + 256, POSTGRES_CANCEL },
	{ POSTGRES_ASKS, 5679, 8, 8, POSTGRES_SSL },
	{ POSTGRES_ASKS, 5680, 8, 8, POSTGRES_GSS },
};

static enum postgres_start postgres_kind(uint32_t code, size_t size)
{
	uint16_t major = (uint16_t)(code >> 16), minor = (uint16_t)code;

	if (major == POSTGRES_VERSION && size > POSTGRES_HEAD)
		return POSTGRES_STARTUP;
	for (size_t i = 0; i < ARRAY_SIZE(postgres_codes); i++)
		if (major == postgres_codes[i].major && minor == postgres_codes[i].minor &&
		    size >= postgres_codes[i].least && size <= postgres_codes[i].most)
			return postgres_codes[i].start;
	return POSTGRES_BAD;
}

enum postgres_start postgres_start_read(const uint8_t *data, size_t size, size_t *used)
{
	enum postgres_start start;
	uint32_t all;

	if (size < 4)
		return POSTGRES_MORE;
	all = postgres_number(data);
	if (all < POSTGRES_HEAD || all > POSTGRES_START_MAX)
		return POSTGRES_BAD;
	if (size < POSTGRES_HEAD)
		return POSTGRES_MORE;
	start = postgres_kind(postgres_number(data + 4), all);
	if (start != POSTGRES_BAD && size < all)
		return POSTGRES_MORE;
	*used = all;
	return start;
}

static bool postgres_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One word of `options`; a backslash takes a blank's meaning away. */
static size_t postgres_word(const char *at)
{
	size_t n = 0;

	while (at[n] && !postgres_is_blank(at[n]))
		n += at[n] == '\\' && at[n + 1] ? 2 : 1;
	return n;
}

struct postgres_ours {
	const char *name;
	struct buf *value;
};

/* 1: this word is for the endpoint; -1: its value is empty, or it was there before. */
static int postgres_take_word(const char *at, size_t n, const struct postgres_ours ours[2],
			      struct err *e)
{
	for (size_t i = 0; i < 2; i++) {
		size_t name = strlen(ours[i].name);

		if (n < name || memcmp(at, ours[i].name, name) != 0)
			continue;
		if (ours[i].value->size || n == name)
			return err_set(e, ERR_INVALID, "options must have one value behind '%s'",
				       ours[i].name);
		buf_add(ours[i].value, at + name, n - name);
		return 1;
	}
	return 0;
}

/* *to gets what is left of the options.  1: a word was taken out. */
static int postgres_take_options(const char *text, const struct postgres_ours ours[2],
				 struct buf *to, struct err *e)
{
	const char *setting = NULL; /* a "-c" whose setting is the next word */
	int taken = 0;

	for (;;) {
		size_t n;
		int rc;

		while (postgres_is_blank(*text))
			text++;
		n = postgres_word(text);
		if (!n)
			break;
		rc = postgres_take_word(text, n, ours, e);
		if (rc < 0)
			return -1;
		taken |= rc;
		if (!rc && setting)
			buf_addf(to, "%s-c", to->size ? " " : "");
		setting = NULL;
		if (!rc && n == 2 && !memcmp(text, "-c", 2)) {
			setting = text;
		} else if (!rc) {
			buf_adds(to, to->size ? " " : "");
			buf_add(to, text, n);
		}
		text += n;
	}
	if (setting)
		buf_addf(to, "%s-c", to->size ? " " : "");
	return taken;
}

static int postgres_put_options(const char *value, const struct postgres_ours ours[2],
				struct buf *to, struct err *e)
{
	autobuf struct buf left = { .secret = true };
	int taken = postgres_take_options(value, ours, &left, e);

	if (taken < 0)
		return -1;
	if (taken && !left.size)
		return 0;
	buf_add(to, "options", sizeof("options"));
	if (!taken)
		buf_add(to, value, strlen(value) + 1);
	else
		buf_add(to, buf_str(&left), left.size + 1);
	return 0;
}

int postgres_startup_take(const uint8_t *packet, size_t size, struct buf *to, struct buf *endpoint,
			  struct buf *token, struct err *e)
{
	const struct postgres_ours ours[2] = { { "endpoint=", endpoint }, { "token=", token } };
	const char *at = (const char *)packet + POSTGRES_HEAD;
	const char *end = (const char *)packet + size;

	buf_add(to, packet, POSTGRES_HEAD);
	/* Pairs of a name and a value, each with its NUL, and one more NUL. */
	while (at < end && *at) {
		size_t name = strnlen(at, (size_t)(end - at)) + 1;
		const char *value = at + name;
		size_t n = value < end ? strnlen(value, (size_t)(end - value)) + 1 : 0;

		if (!n || value + n > end)
			return err_set(e, ERR_INVALID, "the start of the client is not whole");
		if (strcmp(at, "options") != 0)
			buf_add(to, at, name + n);
		else if (postgres_put_options(value, ours, to, e))
			return -1;
		at = value + n;
	}
	if (at + 1 != end)
		return err_set(e, ERR_INVALID, "the start of the client is not whole");
	buf_add(to, "", 1);
	postgres_put_number(to->data, (uint32_t)to->size);
	return 0;
}

void postgres_error_put(struct buf *to, const char *code, const char *text)
{
	const struct {
		char field;
		const char *value;
	} fields[] = { { 'S', "FATAL" }, { 'V', "FATAL" }, { 'C', code }, { 'M', text } };
	autobuf struct buf body = { 0 };
	uint8_t head[5] = { 'E' };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		buf_add(&body, &fields[i].field, 1);
		buf_add(&body, fields[i].value, strlen(fields[i].value) + 1);
	}
	buf_add(&body, "", 1);
	postgres_put_number(head + 1, (uint32_t)body.size + 4);
	buf_add(to, head, sizeof(head));
	buf_add(to, body.data, body.size);
}
