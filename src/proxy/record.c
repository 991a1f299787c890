#include "proxy/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORD_PATH 1024

struct rand_stock record_random;

/* What does not fit is left out. */
static void record_copy(char *to, size_t room, const char *text)
{
	size_t n = strnlen(text, room - 1);

	memcpy(to, text, n);
	to[n] = '\0';
}

void record_begin(struct request_record *r, const struct http_head *head, unsigned version,
		  int64_t wall_ms, int64_t mono_ms)
{
	size_t n = strcspn(head->target, "?");
	uint8_t random[24];

	rand_draw(&record_random, random, sizeof(random));
	*r = (struct request_record){ .wall_ms = wall_ms, .begin_ms = mono_ms, .version = version };
	record_copy(r->method, sizeof(r->method), head->method);
	r->path = strndup(head->target, n < RECORD_PATH ? n : RECORD_PATH);
	trace_read(head, random, &r->trace);
}

void record_route(struct request_record *r, const char *endpoint, const char *microvm,
		  uint16_t port)
{
	record_copy(r->endpoint, sizeof(r->endpoint), endpoint);
	record_copy(r->microvm, sizeof(r->microvm), microvm);
	r->port = port;
}

void record_hold(struct request_record *r, bool for_microvm, int64_t mono_ms)
{
	r->woke |= for_microvm;
	if (!r->held_ms)
		r->held_ms = mono_ms;
}

void record_sent(struct request_record *r, int64_t mono_ms)
{
	if (!r->sent_ms)
		r->sent_ms = mono_ms;
}

void record_answer(struct request_record *r, unsigned status, int64_t mono_ms)
{
	r->status = status;
	r->first_ms = mono_ms;
}

void record_refuse(struct request_record *r, enum refusal why, const char *reason)
{
	r->refused = true;
	r->why = why;
	r->cut = r->first_ms != 0;
	if (!r->cut)
		r->status = refusal_status(why);
	record_copy(r->reason, sizeof(r->reason), reason);
}

void record_free(struct request_record *r)
{
	free(r->path);
	*r = (struct request_record){ 0 };
}

struct request_record record_take(struct request_record *r)
{
	struct request_record taken = *r;

	*r = (struct request_record){ 0 };
	return taken;
}

static void record_put_text(struct buf *to, const char *name, const char *text)
{
	buf_addf(to, ",\"%s\":\"", name);
	for (const unsigned char *c = (const void *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_addf(to, "\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f)
			buf_addf(to, "\\u%04x", *c);
		else
			buf_add(to, c, 1);
	}
	buf_adds(to, "\"");
}

static void record_put_time(struct buf *to, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(to, "{\"time\":\"%s.%03dZ\"", text, (int)(wall_ms % 1000));
}

static void record_put_span(struct buf *to, const char *name, int64_t from_ms, int64_t to_ms)
{
	if (from_ms && to_ms)
		buf_addf(to, ",\"%s\":%lld", name, (long long)(to_ms - from_ms));
}

void record_put(const struct request_record *r, int64_t mono_ms, struct buf *to)
{
	char trace[33];

	trace_id(&r->trace, trace);
	record_put_time(to, r->wall_ms);
	if (*r->microvm)
		record_put_text(to, "microvm", r->microvm);
	if (r->port)
		buf_addf(to, ",\"port\":%u", r->port);
	if (r->version)
		buf_addf(to, ",\"http\":%u", r->version);
	record_put_text(to, "method", r->method);
	if (r->version)
		record_put_text(to, "path", r->path ? r->path : "");
	buf_addf(to, ",\"status\":%u,\"bytesIn\":%llu,\"bytesOut\":%llu", r->status,
		 (unsigned long long)r->in, (unsigned long long)r->out);
	record_put_span(to, "holdMs", r->held_ms, r->sent_ms ? r->sent_ms : mono_ms);
	if (r->woke)
		buf_adds(to, ",\"woke\":true");
	record_put_span(to, "firstByteMs", r->begin_ms, r->first_ms);
	record_put_span(to, "endMs", r->begin_ms, mono_ms);
	record_put_text(to, "trace", trace);
	if (r->cut)
		buf_adds(to, ",\"cut\":true");
	if (r->refused)
		record_put_text(to, "refusal", refusal_name(r->why));
	if (*r->reason)
		record_put_text(to, "reason", r->reason);
	buf_adds(to, "}\n");
}
