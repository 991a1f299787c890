/* s3_xml.c - reads the subset of XML that S3 uses.  Attributes and comments are skipped.  A DTD,
 * CDATA, or a processing instruction other than the first is refused. */

#include <stdlib.h>
#include <string.h>

#include "wire/s3.h"
#include "wire/xml.h"

#define S3_XML_DEPTH 16

void s3_xml_init(struct s3_xml *x, const char *text, size_t size)
{
	*x = (struct s3_xml){ .at = text, .end = text + size };
	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		x->at += 3;
	while (x->at < x->end && strchr(" \t\r\n", *x->at) && *x->at)
		x->at++;
	if (x->end - x->at >= 5 && !memcmp(x->at, "<?xml", 5)) {
		const char *close = memmem(x->at, (size_t)(x->end - x->at), "?>", 2);

		x->bad = !close;
		x->at = close ? close + 2 : x->end;
	}
}

void s3_xml_free(struct s3_xml *x)
{
	buf_free(&x->text);
}

static enum s3_xml_event s3_xml_broken(struct s3_xml *x)
{
	x->bad = true;
	return S3_XML_BAD;
}

static void s3_xml_put_point(struct buf *b, unsigned long c)
{
	uint8_t u[4];

	if (c < 0x80) {
		u[0] = (uint8_t)c;
		buf_add(b, u, 1);
	} else if (c < 0x800) {
		u[0] = (uint8_t)(0xc0 | c >> 6);
		u[1] = (uint8_t)(0x80 | (c & 0x3f));
		buf_add(b, u, 2);
	} else if (c < 0x10000) {
		u[0] = (uint8_t)(0xe0 | c >> 12);
		u[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		u[2] = (uint8_t)(0x80 | (c & 0x3f));
		buf_add(b, u, 3);
	} else {
		u[0] = (uint8_t)(0xf0 | c >> 18);
		u[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		u[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		u[3] = (uint8_t)(0x80 | (c & 0x3f));
		buf_add(b, u, 4);
	}
}

/* Decode the "&...;" at x->at. */
static bool s3_xml_entity(struct s3_xml *x)
{
	/* clang-format off */
	static const struct { const char *name; char c; } named[] = {
		{ "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&apos;", '\'' },
	};
	/* clang-format on */
	size_t left = (size_t)(x->end - x->at), size;
	const char *semicolon = memchr(x->at, ';', left < 12 ? left : 12);
	char digits[12], *stop;
	unsigned long c;

	if (!semicolon)
		return false;
	size = (size_t)(semicolon - x->at) + 1;
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (strlen(named[i].name) != size || memcmp(x->at, named[i].name, size) != 0)
			continue;
		buf_add(&x->text, &named[i].c, 1);
		x->at += size;
		return true;
	}
	if (size < 4 || x->at[1] != '#')
		return false;
	memcpy(digits, x->at + 2, size - 3);
	digits[size - 3] = '\0';
	if (digits[0] == 'x')
		c = strspn(digits + 1, "0123456789abcdefABCDEF") == size - 4
			    ? strtoul(digits + 1, &stop, 16)
			    : 0;
	else
		c = strspn(digits, "0123456789") == size - 3 ? strtoul(digits, &stop, 10) : 0;
	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	s3_xml_put_point(&x->text, c);
	x->at += size;
	return true;
}

static enum s3_xml_event s3_xml_text(struct s3_xml *x)
{
	buf_clear(&x->text);
	while (x->at < x->end && *x->at != '<') {
		if (!*x->at)
			return s3_xml_broken(x);
		if (*x->at == '&') {
			if (!s3_xml_entity(x))
				return s3_xml_broken(x);
		} else {
			buf_add(&x->text, x->at++, 1);
		}
	}
	buf_str(&x->text);
	return S3_XML_TEXT;
}

/* Read a name into x->name without its prefix. */
static bool s3_xml_name(struct s3_xml *x)
{
	size_t n = 0;

	for (; x->at < x->end && *x->at && !strchr(" \t\r\n/>=<&\"'", *x->at); x->at++) {
		if (*x->at == ':') {
			n = 0;
			continue;
		}
		if (n == sizeof(x->name) - 1)
			return false;
		x->name[n++] = *x->at;
	}
	x->name[n] = '\0';
	return n > 0;
}

/* Skip to the '>' that ends this tag.  A quoted value may hold one too. */
static bool s3_xml_skip_attributes(struct s3_xml *x, bool *empty)
{
	char quote = '\0';

	*empty = false;
	for (; x->at < x->end; x->at++) {
		if (quote) {
			quote = *x->at == quote ? '\0' : quote;
		} else if (*x->at == '"' || *x->at == '\'') {
			quote = *x->at;
		} else if (*x->at == '<' || !*x->at) {
			return false;
		} else if (*x->at == '>') {
			*empty = x->at[-1] == '/';
			x->at++;
			return true;
		}
	}
	return false;
}

static enum s3_xml_event s3_xml_open(struct s3_xml *x)
{
	bool empty;

	x->at++;
	if (!s3_xml_name(x) || !s3_xml_skip_attributes(x, &empty) || x->depth == S3_XML_DEPTH)
		return s3_xml_broken(x);
	x->depth++;
	x->closing = empty;
	return S3_XML_OPEN;
}

static enum s3_xml_event s3_xml_close(struct s3_xml *x)
{
	bool empty;

	x->at += 2;
	if (!x->depth || !s3_xml_name(x) || !s3_xml_skip_attributes(x, &empty) || empty)
		return s3_xml_broken(x);
	x->depth--;
	return S3_XML_CLOSE;
}

enum s3_xml_event s3_xml_next(struct s3_xml *x)
{
	while (!x->bad) {
		size_t left = (size_t)(x->end - x->at);
		const char *stop;

		if (x->closing) {
			x->closing = false;
			x->depth--;
			return S3_XML_CLOSE;
		}
		if (!left)
			return x->depth ? s3_xml_broken(x) : S3_XML_END;
		if (*x->at != '<')
			return s3_xml_text(x);
		if (left > 4 && !memcmp(x->at, "<!--", 4)) {
			stop = memmem(x->at + 4, left - 4, "-->", 3);
			x->bad = !stop;
			x->at = stop ? stop + 3 : x->end;
			continue;
		}
		if (left < 3 || x->at[1] == '!' || x->at[1] == '?')
			return s3_xml_broken(x);
		return x->at[1] == '/' ? s3_xml_close(x) : s3_xml_open(x);
	}
	return S3_XML_BAD;
}

void s3_xml_put(struct buf *b, const char *element, const char *text)
{
	buf_addf(b, "<%s>", element);
	xml_put_text(b, text);
	buf_addf(b, "</%s>", element);
}
