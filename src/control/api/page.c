/* page.c - cursors are opaque to clients: url-safe base64 of operation, time and id. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "control/api/page.h"

#define PAGE_DEFAULT 50
#define CURSOR_TEXT  512

static char *cursor_encode(const struct page *p)
{
	autofree char *text =
		xasprintf("%s\n%lld\n%s", p->call->op->name, (long long)p->last_ms, p->last);
	size_t size = strlen(text);
	char *out = xmalloc(4 * ((size + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)size);
	for (char *s = out; *s; s++)
		*s = *s == '+' ? '-' : *s == '/' ? '_' : *s;
	return out;
}

static bool cursor_decode(struct page *p, const char *cursor)
{
	unsigned char text[CURSOR_TEXT + 4] = { 0 };
	char plain[CURSOR_TEXT], *end;
	size_t size = strlen(cursor), name = strlen(p->call->op->name);

	if (!size || size >= sizeof(plain))
		return false;
	for (size_t i = 0; i <= size; i++)
		plain[i] = cursor[i] == '-' ? '+' : cursor[i] == '_' ? '/' : cursor[i];
	if (EVP_DecodeBlock(text, (const unsigned char *)plain, (int)size) < 0)
		return false;
	if (strncmp((const char *)text, p->call->op->name, name) != 0 || text[name] != '\n')
		return false;
	p->after_ms = strtoll((const char *)text + name + 1, &end, 10);
	if (*end != '\n' || !end[1] || strlen(end + 1) >= sizeof(p->after))
		return false;
	snprintf(p->after, sizeof(p->after), "%s", end + 1);
	return true;
}

bool page_begin(struct page *p, struct call *c)
{
	const char *cursor = call_text(c, "nextToken");

	*p = (struct page){ .call = c, .max = call_number(c, "maxResults", PAGE_DEFAULT) };
	p->begun = !cursor;
	if (cursor && !cursor_decode(p, cursor)) {
		call_invalid(c, "The nextToken is not valid.");
		return false;
	}
	p->items = json_array();
	return true;
}

bool page_takes(struct page *p, const char *id, int64_t created_ms)
{
	if (!p->begun) {
		bool is_last = !strcmp(id, p->after);

		p->begun = is_last || created_ms < p->after_ms;
		if (is_last || !p->begun)
			return false;
	}
	if (p->n == p->max) {
		p->more = true;
		return false;
	}
	p->n++;
	snprintf(p->last, sizeof(p->last), "%s", id);
	p->last_ms = created_ms;
	return true;
}

void page_add(struct page *p, json_t *item)
{
	json_array_append_new(p->items, item);
}

void page_answer(struct page *p)
{
	autofree char *cursor = p->more ? cursor_encode(p) : NULL;

	call_answer(p->call, json_pack("{s:o,s:s?}", "items", p->items, "nextToken", cursor));
}
