#include "wire/s3_body.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S3_DELETE_MAX 1000

static size_t s3_utf8(const uint8_t *s, size_t left)
{
	/* clang-format off */
	static const struct { size_t size; uint32_t least; uint8_t mask, head; } rows[] = {
		{ 1, 0, 0x80, 0x00 }, { 2, 0x80, 0xe0, 0xc0 }, { 3, 0x800, 0xf0, 0xe0 }, { 4, 0x10000, 0xf8, 0xf0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t c = s[0] & (uint8_t)~rows[i].mask;

		if ((s[0] & rows[i].mask) != rows[i].head)
			continue;
		if (rows[i].size > left)
			return 0;
		for (size_t k = 1; k < rows[i].size; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < rows[i].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return 0;
		return rows[i].size;
	}
	return 0;
}

bool s3_key_valid(const char *key, size_t size)
{
	size_t n;

	if (!size || size >= S3_KEY_SIZE || memchr(key, 0, size))
		return false;
	for (size_t i = 0; i < size; i += n) {
		n = s3_utf8((const uint8_t *)key + i, size - i);
		if (!n)
			return false;
	}
	return true;
}

bool s3_bucket_valid(const char *name)
{
	size_t size = strlen(name);
	struct in_addr ip;

	if (size < 3 || size > 63 || inet_pton(AF_INET, name, &ip) == 1)
		return false;
	for (size_t i = 0; i < size; i++) {
		bool edge = i == 0 || i == size - 1 || name[i - 1] == '.' || name[i + 1] == '.';
		bool plain =
			(name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');

		if (!plain && (edge || (name[i] != '-' && name[i] != '.')))
			return false;
	}
	return true;
}

/* A walk over the document.  Its path is the names of the open elements, joined by '/'. */
struct s3_walk {
	struct s3_xml xml;
	char path[256];
	struct buf text; /* of the innermost element that just closed */
};

static enum s3_xml_event s3_walk_next(struct s3_walk *w)
{
	for (;;) {
		enum s3_xml_event event = s3_xml_next(&w->xml);
		char *slash = strrchr(w->path, '/');

		if (event == S3_XML_OPEN) {
			size_t have = strlen(w->path), room = sizeof(w->path) - have;

			if (strlen(w->xml.name) + 2 > room)
				return S3_XML_BAD;
			snprintf(w->path + have, room, "/%s", w->xml.name);
			buf_clear(&w->text);
		} else if (event == S3_XML_TEXT) {
			buf_add(&w->text, w->xml.text.data, w->xml.text.size);
			continue;
		} else if (event == S3_XML_CLOSE &&
			   (!slash || strcmp(slash + 1, w->xml.name) != 0)) {
			return S3_XML_BAD;
		}
		return event;
	}
}

/* Leave an element whose CLOSE was handled. */
static void s3_walk_up(struct s3_walk *w)
{
	*strrchr(w->path, '/') = '\0';
	buf_clear(&w->text);
}

static void s3_walk_free(struct s3_walk *w)
{
	s3_xml_free(&w->xml);
	buf_free(&w->text);
}

/* Call `row` at the end of every element, and with text NULL where one opens. */
static int s3_walk(const char *text, size_t size, void *arg,
		   int (*row)(void *arg, const char *path, const char *text, struct err *e),
		   struct err *e)
{
	struct s3_walk w = { 0 };
	enum s3_xml_event event;
	int rc = 0;

	s3_xml_init(&w.xml, text, size);
	while (!rc && (event = s3_walk_next(&w)) != S3_XML_END) {
		if (event == S3_XML_BAD) {
			rc = err_set(e, ERR_INVALID, "The XML you provided was not well-formed.");
		} else if (event == S3_XML_OPEN) {
			rc = row(arg, w.path, NULL, e);
		} else {
			rc = row(arg, w.path, buf_str(&w.text), e);
			s3_walk_up(&w);
		}
	}
	s3_walk_free(&w);
	return rc;
}

static int s3_delete_row(void *arg, const char *path, const char *text, struct err *e)
{
	struct s3_delete *d = arg;

	if (text && !strcmp(path, "/Delete/Quiet"))
		d->quiet = !strcmp(text, "true");
	if (!text || strcmp(path, "/Delete/Object/Key") != 0)
		return 0;
	if (d->n == S3_DELETE_MAX)
		return err_set(e, ERR_INVALID, "More than %d keys in one request.", S3_DELETE_MAX);
	if (!s3_key_valid(text, strlen(text)))
		return err_set(e, ERR_INVALID, "A key is not 1 to 1024 bytes of UTF-8.");
	d->keys = xrealloc(d->keys, (d->n + 1) * sizeof(*d->keys));
	d->keys[d->n++] = xstrdup(text);
	return 0;
}

int s3_delete_parse(struct s3_delete *d, const char *text, size_t size, struct err *e)
{
	*d = (struct s3_delete){ 0 };
	if (s3_walk(text, size, d, s3_delete_row, e)) {
		s3_delete_free(d);
		return -1;
	}
	return d->n ? 0 : err_set(e, ERR_INVALID, "The XML you provided names no key.");
}

void s3_delete_free(struct s3_delete *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->keys[i]);
	free(d->keys);
	*d = (struct s3_delete){ 0 };
}

static int s3_part_number(struct s3_complete *c, struct s3_part *p, const char *text, struct err *e)
{
	if (strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 5)
		return err_set(e, ERR_INVALID, "A part number is no number.");
	p->number = (unsigned)strtoul(text, NULL, 10);
	if (!p->number || p->number > S3_PARTS_MAX)
		return err_set(e, ERR_INVALID, "A part number is not in 1 to %d.", S3_PARTS_MAX);
	if (c->n > 1 && p->number <= p[-1].number)
		return err_set(e, ERR_CONFLICT, "The list of parts was not in ascending order.");
	return 0;
}

static int s3_complete_row(void *arg, const char *path, const char *text, struct err *e)
{
	static const char in[] = "/CompleteMultipartUpload/Part";
	struct s3_complete *c = arg;
	struct s3_part *p;

	if (strncmp(path, in, sizeof(in) - 1) != 0)
		return 0;
	path += sizeof(in) - 1;
	if (!*path && !text) {
		if (c->n == S3_PARTS_MAX)
			return err_set(e, ERR_INVALID, "More than %d parts.", S3_PARTS_MAX);
		c->parts = xrealloc(c->parts, (c->n + 1) * sizeof(*c->parts));
		c->parts[c->n++] = (struct s3_part){ 0 };
	}
	if (!text || !c->n)
		return 0;
	p = &c->parts[c->n - 1];
	if (!strcmp(path, "/PartNumber"))
		return s3_part_number(c, p, text, e);
	if (!strcmp(path, "/ETag")) {
		size_t quote = *text == '"', size = strlen(text);

		quote = size > 1 && quote && text[size - 1] == '"';
		size -= 2 * quote;
		if (size >= sizeof(p->etag))
			return err_set(e, ERR_INVALID, "An ETag is too long.");
		memcpy(p->etag, text + quote, size);
		p->etag[size] = '\0';
	}
	for (int i = 1; i < S3_SUM_NUM; i++) {
		if (*path != '/' || strcmp(path + 1, s3_sum_rows[i].element) != 0)
			continue;
		if (strlen(text) >= sizeof(p->sum))
			return err_set(e, ERR_INVALID, "A checksum is too long.");
		memcpy(p->sum, text, strlen(text) + 1);
		p->sum_kind = (enum s3_sum_kind)i;
	}
	return 0;
}

int s3_complete_parse(struct s3_complete *c, const char *text, size_t size, struct err *e)
{
	*c = (struct s3_complete){ 0 };
	if (s3_walk(text, size, c, s3_complete_row, e))
		goto fail;
	if (!c->n) {
		err_set(e, ERR_INVALID, "You must specify at least one part.");
		goto fail;
	}
	for (size_t i = 0; i < c->n; i++)
		if (!c->parts[i].number || !c->parts[i].etag[0]) {
			err_set(e, ERR_INVALID, "A part without PartNumber or ETag.");
			goto fail;
		}
	return 0;
fail:
	s3_complete_free(c);
	return -1;
}

void s3_complete_free(struct s3_complete *c)
{
	free(c->parts);
	*c = (struct s3_complete){ 0 };
}

static int s3_location_row(void *arg, const char *path, const char *text, struct err *e)
{
	char *location = arg;

	if (!text || strcmp(path, "/CreateBucketConfiguration/LocationConstraint") != 0)
		return 0;
	if (strlen(text) > 64)
		return err_set(e, ERR_INVALID, "A location that is too long.");
	memcpy(location, text, strlen(text) + 1);
	return 0;
}

int s3_location_parse(char location[65], const char *text, size_t size, struct err *e)
{
	*location = '\0';
	return size ? s3_walk(text, size, location, s3_location_row, e) : 0;
}
