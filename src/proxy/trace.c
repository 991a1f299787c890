#include "proxy/trace.h"

#include <string.h>

#include "base/hex.h"

#define TRACE_AT_ID   3
#define TRACE_AT_SPAN 36
#define TRACE_AT_FLAG 53

static bool trace_hex(const char *at, size_t n)
{
	return strspn(at, "0123456789abcdef") >= n;
}

static bool trace_zero(const char *at, size_t n)
{
	return strspn(at, "0") >= n;
}

/* Version 00 is exactly this long; a later one may go on behind another dash. */
static bool trace_valid(const char *text)
{
	size_t n = strlen(text);
	bool first = !strncmp(text, "00", 2);

	if (n < TRACE_SIZE - 1 || (first && n != TRACE_SIZE - 1))
		return false;
	if (n > TRACE_SIZE - 1 && text[TRACE_SIZE - 1] != '-')
		return false;
	return trace_hex(text, 2) && strncmp(text, "ff", 2) != 0 && text[2] == '-' &&
	       trace_hex(text + TRACE_AT_ID, 32) && !trace_zero(text + TRACE_AT_ID, 32) &&
	       text[TRACE_AT_SPAN - 1] == '-' && trace_hex(text + TRACE_AT_SPAN, 16) &&
	       !trace_zero(text + TRACE_AT_SPAN, 16) && text[TRACE_AT_FLAG - 1] == '-' &&
	       trace_hex(text + TRACE_AT_FLAG, 2);
}

static void trace_begin(const uint8_t random[24], struct trace *t)
{
	uint8_t bytes[24];

	/* An identifier of zeros is not valid. */
	memcpy(bytes, random, sizeof(bytes));
	bytes[0] |= 1U;
	bytes[16] |= 1U;
	memcpy(t->parent, "00-", TRACE_AT_ID);
	hex_encode(bytes, 16, t->parent + TRACE_AT_ID);
	t->parent[TRACE_AT_SPAN - 1] = '-';
	hex_encode(bytes + 16, 8, t->parent + TRACE_AT_SPAN);
	memcpy(t->parent + TRACE_AT_FLAG - 1, "-01", 4);
}

void trace_read(const struct http_head *head, const uint8_t random[24], struct trace *t)
{
	const char *text = http_header(head, "traceparent");

	*t = (struct trace){ 0 };
	t->given = text && http_header_count(head, "traceparent") == 1 && trace_valid(text);
	if (t->given)
		memcpy(t->parent, text, TRACE_SIZE - 1);
	else
		trace_begin(random, t);
}

/* A state belongs to its trace; one of a later version is passed on as it came. */
void trace_put(const struct trace *t, struct filtered_headers *to)
{
	size_t n = 0;

	for (size_t i = 0; i < to->n; i++) {
		bool parent = http_name_is(to->at[i].name, "traceparent");
		bool state = http_name_is(to->at[i].name, "tracestate");

		if (t->given || (!parent && !state))
			to->at[n++] = to->at[i];
	}
	to->n = n;
	if (!t->given && to->n < ARRAY_SIZE(to->at))
		to->at[to->n++] = (struct http_header){ "traceparent", t->parent };
}

void trace_id(const struct trace *t, char to[33])
{
	memcpy(to, t->parent + TRACE_AT_ID, 32);
	to[32] = '\0';
}
