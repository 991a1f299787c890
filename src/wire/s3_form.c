/* s3_form.c - takes a form apart as it comes in.
 *
 * The delimiter begins with the only CR in it, so that a byte that breaks a match can begin a new
 * one only by being a CR itself. */

#include "wire/s3_form.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	FORM_PREAMBLE, /* of which nothing may come */
	FORM_AFTER,    /* a delimiter: CR LF, or "--" */
	FORM_HEAD,
	FORM_VALUE,
	FORM_FILE, /* its event is due */
	FORM_DATA,
	FORM_DONE, /* its event is due */
	FORM_OVER,
	FORM_BROKEN,
};

bool s3_form_begin(struct s3_form *f, const char *content_type)
{
	static const char kind[] = "multipart/form-data";
	const char *at = content_type + sizeof(kind) - 1;
	size_t n;

	*f = (struct s3_form){ 0 };
	if (strncasecmp(content_type, kind, sizeof(kind) - 1) != 0)
		return false;
	at = strcasestr(at, "boundary=");
	if (!at)
		return false;
	at += strlen("boundary=");
	n = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t,");
	if (!n || n > 70)
		return false;
	for (size_t i = 0; i < n; i++)
		if (at[i] < ' ' || at[i] > '~')
			return false;
	memcpy(f->delimiter, "\r\n--", 4);
	memcpy(f->delimiter + 4, at, n);
	f->length = n + 4;
	f->matched = 2; /* the body begins as if after a line */
	buf_add(&f->text, "", 1);
	return true;
}

void s3_form_free(struct s3_form *f)
{
	buf_free(&f->text);
}

static const char *form_text(const struct s3_form *f, size_t at)
{
	return (const char *)f->text.data + at;
}

const char *s3_form_field(const struct s3_form *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(form_text(f, f->fields[i].name), name))
			return form_text(f, f->fields[i].value);
	return NULL;
}

bool s3_form_key(const struct s3_form *f, struct buf *key)
{
	static const char variable[] = "${filename}";
	const char *at = s3_form_field(f, "key"), *found;
	const char *file = f->filename ? form_text(f, f->filename) : "";
	const char *slash = strrchr(file, '/'), *back = strrchr(file, '\\');

	if (!at)
		return false;
	/* Some browsers name the whole path. */
	file = slash ? slash + 1 : file;
	file = back && back >= file ? back + 1 : file;
	for (; (found = strstr(at, variable)); at = found + sizeof(variable) - 1) {
		buf_add(key, at, (size_t)(found - at));
		buf_adds(key, file);
	}
	buf_adds(key, at);
	return key->size > 0;
}

static bool form_put(struct s3_form *f, const char *data, size_t size)
{
	if (f->text.size + size > S3_FORM_SIZE || memchr(data, 0, size))
		return false;
	buf_add(&f->text, data, size);
	return true;
}

/* The value of a parameter, `name="..."`, as the text's last.  Its offset, or 0: it is not there.
 */
static size_t form_parameter(struct s3_form *f, const char *name, bool *fits)
{
	char wanted[16];
	const char *at = f->header;
	size_t offset = f->text.size, n;

	n = (size_t)snprintf(wanted, sizeof(wanted), "%s=\"", name);
	/* "filename=" ends as "name=" does */
	while ((at = strcasestr(at, wanted)) && !strchr(" ;\t", at[-1]))
		at++;
	if (!at)
		return 0;
	for (at += n; *at && *at != '"'; at++) {
		at += *at == '\\' && at[1] == '"';
		*fits = *fits && form_put(f, at, 1);
	}
	*fits = *fits && *at == '"' && f->text.size < S3_FORM_SIZE;
	buf_add(&f->text, "", 1);
	return offset;
}

/* "Content-Disposition: form-data; name="key"".  Other lines of a part's head say nothing. */
static bool form_header(struct s3_form *f)
{
	static const char wanted[] = "content-disposition:";
	bool fits = true;
	size_t name;

	if (strncasecmp(f->header, wanted, sizeof(wanted) - 1) != 0)
		return true;
	if (f->n == S3_FORM_FIELDS || f->fields[f->n].name)
		return false;
	name = form_parameter(f, "name", &fits);
	if (!name || !fits)
		return false;
	for (char *c = (char *)f->text.data + name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	f->fields[f->n].name = name;
	f->is_file = !strcmp(form_text(f, name), "file");
	if (f->is_file)
		f->filename = form_parameter(f, "filename", &fits);
	return fits;
}

/* The line is in f->header. */
static int form_line(struct s3_form *f)
{
	size_t n = f->line;

	f->line = 0;
	if (!n || f->header[n - 1] != '\r')
		return FORM_BROKEN;
	f->header[n - 1] = '\0';
	if (n > 1)
		return form_header(f) ? FORM_HEAD : FORM_BROKEN;
	if (!f->fields[f->n].name)
		return FORM_BROKEN; /* a part without a name */
	f->matched = 0;
	if (f->is_file)
		return FORM_FILE;
	f->fields[f->n].value = f->text.size;
	return FORM_VALUE;
}

static int form_collect(struct s3_form *f, uint8_t byte)
{
	if (byte == '\n')
		return form_line(f);
	if (!byte || f->line + 1 >= sizeof(f->header))
		return FORM_BROKEN;
	f->header[f->line++] = (char)byte;
	return FORM_HEAD;
}

static int form_after(struct s3_form *f, uint8_t byte)
{
	f->header[f->line++] = (char)byte;
	if (f->line < 2)
		return FORM_AFTER;
	f->line = 0;
	return memcmp(f->header, "\r\n", 2) ? FORM_BROKEN : FORM_HEAD; /* "--": without a file */
}

static int form_delimited(struct s3_form *f)
{
	if (f->state == FORM_DATA)
		return FORM_DONE;
	if (f->state == FORM_VALUE) {
		buf_add(&f->text, "", 1);
		f->fields[++f->n].name = 0;
	}
	f->line = 0;
	return FORM_AFTER;
}

/* Text of a field, or of what must not be there. */
static int form_value(struct s3_form *f, const char *data, size_t size)
{
	return f->state == FORM_VALUE && form_put(f, data, size) ? FORM_VALUE : FORM_BROKEN;
}

/* One byte where a delimiter may come.  *lost is how much of one was data after all. */
static int form_match(struct s3_form *f, uint8_t byte, size_t *lost)
{
	*lost = 0;
	if (byte == (uint8_t)f->delimiter[f->matched]) {
		f->matched++;
		return f->matched == f->length ? form_delimited(f) : f->state;
	}
	*lost = f->matched;
	f->matched = byte == '\r';
	return f->state;
}

/* A piece of the file: as many bytes as cannot begin a delimiter, or what looked like one. */
static bool form_data(struct s3_form *f, const uint8_t *data, size_t size, size_t *used,
		      const uint8_t **piece, size_t *piece_size)
{
	size_t lost;

	while (*used < size && f->state == FORM_DATA) {
		const uint8_t *from = data + *used;

		if (!f->matched && *from != '\r') {
			const uint8_t *stop = memchr(from, '\r', size - *used);

			*piece = from;
			*piece_size = stop ? (size_t)(stop - from) : size - *used;
			*used += *piece_size;
			return true;
		}
		if (f->matched && *from != (uint8_t)f->delimiter[f->matched]) {
			*piece = (const uint8_t *)f->delimiter;
			*piece_size = f->matched;
			f->matched = 0; /* the byte itself is looked at again */
			return true;
		}
		++*used;
		f->state = form_match(f, *from, &lost);
	}
	return false;
}

static int form_byte(struct s3_form *f, uint8_t byte)
{
	size_t lost;
	int state;

	if (f->state == FORM_HEAD)
		return form_collect(f, byte);
	if (f->state == FORM_AFTER)
		return form_after(f, byte);
	state = form_match(f, byte, &lost);
	if (lost && form_value(f, f->delimiter, lost) == FORM_BROKEN)
		return FORM_BROKEN;
	if (state == f->state && !f->matched)
		return form_value(f, (const char *)&byte, 1);
	return state;
}

enum s3_form_event s3_form_next(struct s3_form *f, const uint8_t *data, size_t size, size_t *used,
				const uint8_t **piece, size_t *piece_size)
{
	*used = 0;
	while (*used < size && f->state < FORM_FILE)
		f->state = form_byte(f, data[(*used)++]);
	if (f->state == FORM_FILE) {
		f->state = FORM_DATA;
		return S3_FORM_FILE;
	}
	if (f->state == FORM_DATA && form_data(f, data, size, used, piece, piece_size))
		return S3_FORM_DATA;
	if (f->state == FORM_DONE) {
		f->state = FORM_OVER;
		return S3_FORM_END;
	}
	if (f->state == FORM_OVER)
		*used = size;
	return f->state == FORM_BROKEN ? S3_FORM_BAD : S3_FORM_MORE;
}
