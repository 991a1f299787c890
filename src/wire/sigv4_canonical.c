#include "wire/sigv4_canonical.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static bool sigv4_plain(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

static void sigv4_put_byte(struct buf *to, uint8_t c, bool twice)
{
	if (sigv4_plain(c))
		buf_add(to, &c, 1);
	else
		buf_addf(to, "%%%s%02X", twice ? "25" : "", c);
}

/* Append one path segment, or one name or value of the query.  @twice encodes a second time what is
 * encoded already; @raw_twice encodes bare characters twice, too. */
static void sigv4_put_part(struct buf *to, const char *text, size_t size, bool path, bool twice,
			   bool raw_twice)
{
	for (size_t i = 0; i < size; i++) {
		int byte = percent_byte(text + i, size - i);

		if (byte >= 0 && twice) { /* Keep the client's digits; only '%' is encoded. */
			buf_adds(to, "%25");
			buf_add(to, text + i + 1, 2);
			i += 2;
		} else if (byte >= 0) {
			sigv4_put_byte(to, (uint8_t)byte, false);
			i += 2;
		} else if (text[i] == '+' && !path) {
			buf_adds(to, "%20");
		} else {
			sigv4_put_byte(to, (uint8_t)text[i], raw_twice);
		}
	}
}

static bool sigv4_segment_is(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && !memcmp(text, word, size);
}

static void sigv4_put_path(struct buf *to, const struct sigv4_request *r, const char *path,
			   size_t size)
{
	size_t begin = to->size, slash = 0;

	if (!r->double_encode) { /* S3: a key may hold "//" and ".." */
		for (size_t i = 0; i <= size; i++)
			if (i == size || path[i] == '/') {
				sigv4_put_part(to, path + slash, i - slash, true, false, false);
				if (i < size)
					buf_adds(to, "/");
				slash = i + 1;
			}
		if (to->size == begin)
			buf_adds(to, "/");
		return;
	}
	for (size_t i = 0; i < size; i = slash) {
		const char *segment = path + i;
		size_t length;

		while (slash < size && path[slash] != '/')
			slash++;
		length = slash - i;
		slash++;
		if (!length || sigv4_segment_is(segment, length, "."))
			continue;
		if (sigv4_segment_is(segment, length, "..")) {
			while (to->size > begin && to->data[--to->size] != '/')
				;
			continue;
		}
		buf_adds(to, "/");
		sigv4_put_part(to, segment, length, true, true, r->raw_reserved_twice);
	}
	if (to->size == begin || path[size - 1] == '/')
		buf_adds(to, "/");
}

struct sigv4_param {
	const char *name, *value;
};

static int sigv4_param_order(const void *a, const void *b)
{
	const struct sigv4_param *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

/* Append encoded names and values in sorted order; the query form leaves out the signature itself.
 */
static bool sigv4_put_query(struct buf *to, const char *query, bool query_form)
{
	struct sigv4_param params[SIGV4_MAX_PARAMS] = { { NULL, NULL } };
	autobuf struct buf text = { 0 };
	size_t n = 0;
	/* A byte becomes at most three, and each part gets a NUL, so `text` never moves below. */
	buf_reserve(&text, 3 * strlen(query) + 2 * SIGV4_MAX_PARAMS);
	while (*query) {
		size_t size = strcspn(query, "&"), name = 0;

		while (name < size && query[name] != '=')
			name++;
		if (size && n == SIGV4_MAX_PARAMS)
			return false;
		if (size) {
			params[n].name = (const char *)text.data + text.size;
			sigv4_put_part(&text, query, name, false, false, false);
			buf_add(&text, "", 1);
			params[n].value = (const char *)text.data + text.size;
			if (name < size)
				sigv4_put_part(&text, query + name + 1, size - name - 1, false,
					       false, false);
			buf_add(&text, "", 1);
			if (!query_form || strcmp(params[n].name, "X-Amz-Signature") != 0)
				n++;
		}
		query += size + (query[size] == '&');
	}
	qsort(params, n, sizeof(params[0]), sigv4_param_order);
	for (size_t i = 0; i < n; i++)
		buf_addf(to, "%s%s=%s", i ? "&" : "", params[i].name, params[i].value);
	return true;
}

/* Append all values of one name, joined by commas, with runs of blanks made one. */
static void sigv4_put_header(struct buf *to, const struct http_head *head, const char *name,
			     size_t size)
{
	bool first = true;

	buf_add(to, name, size);
	buf_adds(to, ":");
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct http_header *h = &head->headers[i];

		if (strlen(h->name) != size || memcmp(h->name, name, size) != 0)
			continue;
		if (!first)
			buf_adds(to, ",");
		first = false;
		for (const char *v = h->value; *v; v++) {
			bool blank = *v == ' ' || *v == '\t';

			if (!blank)
				buf_add(to, v, 1);
			else if (v[1] && v[1] != ' ' && v[1] != '\t')
				buf_adds(to, " ");
		}
	}
	if (first && sigv4_segment_is(name, size, "host") && head->host)
		buf_adds(to, head->host);
	buf_adds(to, "\n");
}

bool sigv4_canonical(struct buf *to, const struct sigv4_request *r)
{
	const char *query = strchr(r->target, '?');
	size_t path = query ? (size_t)(query - r->target) : strlen(r->target);

	buf_addf(to, "%s\n", r->method);
	sigv4_put_path(to, r, r->target, path);
	buf_adds(to, "\n");
	if (query && !sigv4_put_query(to, query + 1, r->query_form))
		return false;
	buf_adds(to, "\n");
	for (const char *name = r->signed_headers; *name;) {
		size_t size = strcspn(name, ";");

		sigv4_put_header(to, r->head, name, size);
		name += size + (name[size] == ';');
	}
	buf_addf(to, "\n%s\n%s", r->signed_headers, r->payload);
	return true;
}
