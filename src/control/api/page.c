/* page.c - cursors are opaque to clients: URL-safe base64 of a place in a list, and of a code that
 * only we can make for it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "control/api/page.h"

#define PAGE_DEFAULT 50
#define CURSOR_MAC   16
#define CURSOR_HEAD  (CURSOR_MAC + 8) /* the code, then the number; the id follows */
#define CURSOR_BYTES (CURSOR_HEAD + CURSOR_ID)
#define CURSOR_TEXT  (4 * ((CURSOR_BYTES + 2) / 3) + 1)

/* How each family pages. */
static const struct page_words {
	const char *max, *cursor, *next;
	bool null; /* there is a member `next` on the last page too */
} page_words[] = {
	[FAMILY_MICROVMS] = { "maxResults", "nextToken", "nextToken", true },
	[FAMILY_TAGS] = { "maxResults", "nextToken", "nextToken", true },
	[FAMILY_CORE] = { "MaxItems", "Marker", "NextMarker", false },
	[FAMILY_LOGS] = { "limit", "nextToken", "nextToken", false },
	[FAMILY_DOZE] = { "maxResults", "nextToken", "nextToken", true },
};

static const struct page_words *words_of(const struct page *p)
{
	return &page_words[p->call->op->family];
}

/* What the list is of: another account, operation or filter makes another list. */
static char *cursor_list(const struct page *p)
{
	json_t *filters = json_copy(p->call->in);
	autofree char *text = NULL;

	json_object_del(filters, words_of(p)->max);
	json_object_del(filters, words_of(p)->cursor);
	text = json_dumps(filters, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(filters);
	return xasprintf("cursor\n%s\n%s\n%s\n", p->call->who->account, p->call->op->name,
			 text ? text : "");
}

/* The code of what follows it in @place. */
static void cursor_code(const struct page *p, const uint8_t key[32], const uint8_t *place,
			size_t size, uint8_t code[CURSOR_MAC])
{
	autofree char *list = cursor_list(p);
	autobuf struct buf all = { 0 };
	uint8_t mac[EVP_MAX_MD_SIZE];

	buf_adds(&all, list);
	buf_add(&all, place + CURSOR_MAC, size - CURSOR_MAC);
	if (!HMAC(EVP_sha256(), key, 32, all.data, all.size, mac, NULL))
		abort();
	memcpy(code, mac, CURSOR_MAC);
}

static char *cursor_encode(const struct page *p)
{
	const struct token_keys *keys = &p->call->ctl->token_keys;
	uint8_t place[CURSOR_BYTES] = { 0 };
	size_t size = CURSOR_HEAD + strlen(p->last);
	char *out = xmalloc(CURSOR_TEXT);

	for (size_t i = 0; i < 8; i++)
		place[CURSOR_MAC + i] = (uint8_t)((uint64_t)p->last_at >> (56 - 8 * i));
	memcpy(place + CURSOR_HEAD, p->last, strlen(p->last));
	cursor_code(p, keys->keys[keys->current].key, place, size, place);
	EVP_EncodeBlock((unsigned char *)out, place, (int)size);
	for (char *s = out; *s; s++)
		*s = *s == '+' ? '-' : *s == '/' ? '_' : *s;
	out[strcspn(out, "=")] = '\0';
	return out;
}

static bool cursor_is_ours(const struct page *p, const uint8_t *place, size_t size)
{
	const struct token_keys *keys = &p->call->ctl->token_keys;

	for (size_t i = 0; i < keys->n; i++) {
		uint8_t code[CURSOR_MAC];

		cursor_code(p, keys->keys[i].key, place, size, code);
		if (!CRYPTO_memcmp(code, place, CURSOR_MAC))
			return true;
	}
	return false;
}

/* Returns the bytes behind a cursor, 0 if it is no base64.  Clients may have padded it. */
static size_t cursor_bytes(const char *cursor, uint8_t place[CURSOR_TEXT])
{
	size_t size = strcspn(cursor, "="), padding = (4 - size % 4) % 4;
	char plain[CURSOR_TEXT + 4];

	if (size + 4 > CURSOR_TEXT || strspn(cursor + size, "=") != strlen(cursor + size) ||
	    strlen(cursor + size) > 2)
		return 0;
	for (size_t i = 0; i < size; i++)
		plain[i] = cursor[i] == '-' ? '+' : cursor[i] == '_' ? '/' : cursor[i];
	memset(plain + size, '=', padding);
	if (padding > 2 ||
	    EVP_DecodeBlock(place, (const unsigned char *)plain, (int)(size + padding)) < 0)
		return 0;
	return (size + padding) / 4 * 3 - padding;
}

static bool cursor_decode(struct page *p, const char *cursor)
{
	uint8_t place[CURSOR_TEXT] = { 0 };
	size_t size = cursor_bytes(cursor, place);
	uint64_t at = 0;

	if (size <= CURSOR_HEAD || size >= CURSOR_BYTES || !cursor_is_ours(p, place, size))
		return false;
	for (size_t i = 0; i < 8; i++)
		at = at << 8 | place[CURSOR_MAC + i];
	p->after_at = (int64_t)at;
	memcpy(p->after, place + CURSOR_HEAD, size - CURSOR_HEAD);
	return true;
}

bool page_begin(struct page *p, struct call *c)
{
	const struct page_words *words = &page_words[c->op->family];
	const char *cursor = call_text(c, words->cursor);

	*p = (struct page){ .call = c,
			    .name = "items",
			    .max = call_number(c, words->max, PAGE_DEFAULT) };
	p->begun = !cursor;
	if (cursor && !cursor_decode(p, cursor)) {
		call_invalid(c, "The %s is not valid.", words->cursor);
		return false;
	}
	p->items = json_array();
	return true;
}

struct order_node *page_from(struct page *p, const struct order *o, const char *group,
			     const char *prefix)
{
	struct order_node *n;

	if (p->begun)
		return order_from(o, group, 0, prefix);
	p->begun = true;
	n = order_from(o, group, p->after_at, p->after);
	return n && n->at == p->after_at && !strcmp(n->id, p->after) ? order_next(n) : n;
}

struct order_node *page_first(struct page *p, const struct order *o, const char *group)
{
	if (p->begun)
		return order_last(o, group);
	p->begun = true;
	return order_before(o, group, p->after_at, p->after);
}

bool page_takes(struct page *p, const char *id, int64_t at)
{
	if (!p->begun) {
		bool is_last = !strcmp(id, p->after);

		p->begun = is_last || at < p->after_at;
		if (is_last || !p->begun)
			return false;
	}
	if (p->n == p->max) {
		p->more = true;
		return false;
	}
	p->n++;
	snprintf(p->last, sizeof(p->last), "%s", id);
	p->last_at = at;
	return true;
}

void page_add(struct page *p, json_t *item)
{
	json_array_append_new(p->items, item);
}

char *page_cursor(struct page *p, const char *id, int64_t at)
{
	snprintf(p->last, sizeof(p->last), "%s", id);
	p->last_at = at;
	return cursor_encode(p);
}

void page_answer(struct page *p)
{
	autofree char *cursor = p->more ? cursor_encode(p) : NULL;
	json_t *answer = json_object();

	json_object_set_new(answer, p->name, p->items);
	if (cursor || words_of(p)->null)
		json_object_set_new(answer, words_of(p)->next,
				    cursor ? json_string(cursor) : json_null());
	call_answer(p->call, answer);
}
