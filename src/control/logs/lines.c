#include "control/logs/lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "control/logs/times.h"

#define LINES_PIECE (64 * KIB)
#define LINES_TRIES 3 /* of opening both files between two rotations */

static int part_fd(int log_fd, const char *path, const char *tail)
{
	autofree char *name = xasprintf("%s%s", path, tail);
	int fd = io_open_below(log_fd, name, O_RDONLY | O_NONBLOCK, 0);

	return fd < 0 ? -1 : fd;
}

static void part_open(struct log_part *p, int log_fd, const char *path, const char *tail)
{
	autofree char *log = xasprintf(".log%s", tail), *times = xasprintf(".times%s", tail);
	struct stat st;

	*p = (struct log_part){ .fd = part_fd(log_fd, path, log),
				.times = part_fd(log_fd, path, times) };
	if (p->fd >= 0 && (fstat(p->fd, &st) || !S_ISREG(st.st_mode)))
		fd_close(&p->fd);
	else if (p->fd >= 0)
		p->size = st.st_size;
}

static void part_close(struct log_part *p)
{
	fd_close(&p->fd);
	fd_close(&p->times);
}

static bool part_is_current(const struct log_part *p, int log_fd, const char *path)
{
	autofree char *name = xasprintf("%s.log", path);
	struct stat now, then;

	if (fstatat(log_fd, name, &now, AT_SYMLINK_NOFOLLOW))
		return p->fd < 0;
	return p->fd >= 0 && !fstat(p->fd, &then) && now.st_ino == then.st_ino;
}

static void part_place(struct log_part *p, int64_t before)
{
	struct log_time first;

	p->base = log_times_count(p->times) && log_times_read(p->times, 0, &first) ? first.at
										   : before;
	if (p->base < before)
		p->base = before;
}

void log_file_open(struct log_file *f, int log_fd, const char *path, int64_t at_ms)
{
	struct log_part old, now;

	*f = (struct log_file){ .at_ms = at_ms };
	for (int tries = 0; tries < LINES_TRIES; tries++) {
		part_open(&now, log_fd, path, "");
		part_open(&old, log_fd, path, ".1");
		if (part_is_current(&now, log_fd, path))
			break;
		part_close(&now);
		part_close(&old);
	}
	if (old.fd >= 0) {
		part_place(&old, 0);
		f->parts[f->n++] = old;
	} else {
		part_close(&old);
	}
	if (now.fd >= 0) {
		part_place(&now, log_file_end(f));
		f->parts[f->n++] = now;
	} else {
		part_close(&now);
	}
}

void log_file_close(struct log_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		part_close(&f->parts[i]);
	f->n = 0;
}

int64_t log_file_begin(const struct log_file *f)
{
	return f->n ? f->parts[0].base : 0;
}

int64_t log_file_end(const struct log_file *f)
{
	const struct log_part *last = f->n ? &f->parts[f->n - 1] : NULL;

	return last ? last->base + last->size : 0;
}

static const struct log_part *file_part(const struct log_file *f, int64_t at)
{
	for (size_t i = 0; i < f->n; i++)
		if (at < f->parts[i].base + f->parts[i].size)
			return &f->parts[i];
	return NULL;
}

int64_t log_file_time(const struct log_file *f, int64_t at, int64_t *until)
{
	const struct log_part *p = file_part(f, at);
	size_t n = p ? log_times_up_to(p->times, at) : 0;
	struct log_time t, next;

	*until = p ? p->base + p->size : INT64_MAX;
	if (p && log_times_count(p->times) > n && log_times_read(p->times, n, &next))
		*until = next.at;
	return n && log_times_read(p->times, n - 1, &t) ? t.ms : f->at_ms;
}

/* The beginning of the first line at or behind @at. */
static int64_t file_line(const struct log_file *f, int64_t at)
{
	autobuf struct buf piece = { 0 };
	const uint8_t *newline;

	if (at <= log_file_begin(f))
		return log_file_begin(f);
	for (int64_t from = at - 1; log_file_read(f, from, &piece, LINES_PIECE);) {
		newline = memchr(piece.data, '\n', piece.size);
		if (newline)
			return from + (newline - piece.data) + 1;
		from += (int64_t)piece.size;
		piece.size = 0;
		if (from - at > (int64_t)LOG_LINE_MAX)
			return at; /* a line of several events */
	}
	return log_file_end(f);
}

int64_t log_file_seek(const struct log_file *f, int64_t ms)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct log_part *p = &f->parts[i];
		size_t n = log_times_count(p->times), before = log_times_before(p->times, ms);
		struct log_time t;

		if (!n && f->at_ms >= ms)
			return p->base;
		if (before < n && log_times_read(p->times, before, &t))
			return file_line(f, t.at);
	}
	return log_file_end(f);
}

size_t log_file_read(const struct log_file *f, int64_t at, struct buf *to, size_t size)
{
	const struct log_part *p = file_part(f, at);
	int64_t from = p && at > p->base ? at - p->base : 0;
	ssize_t n;

	if (!p)
		return 0;
	if ((int64_t)size > p->size - from)
		size = (size_t)(p->size - from);
	buf_reserve(to, size);
	n = pread(p->fd, to->data + to->size, size, from);
	if (n <= 0)
		return 0;
	to->size += (size_t)n;
	return (size_t)n;
}

void log_lines_from(struct log_lines *l, int64_t at)
{
	int64_t begin = log_file_begin(&l->file);

	l->at = at > begin ? at : begin;
	l->buf.size = l->used = 0;
	l->ms_until = INT64_MIN;
}

static bool lines_fill(struct log_lines *l)
{
	size_t n;

	if (l->used) {
		l->at += (int64_t)l->used;
		memmove(l->buf.data, l->buf.data + l->used, l->buf.size - l->used);
		l->buf.size -= l->used;
		l->used = 0;
	}
	n = log_file_read(&l->file, l->at + (int64_t)l->buf.size, &l->buf, LINES_PIECE);
	l->read += n;
	return n;
}

/* How long the line at the front is, with its newline; 0: it is not whole. */
static size_t lines_front(const struct log_lines *l)
{
	size_t have = l->buf.size - l->used;
	const uint8_t *from, *newline;

	if (!have)
		return 0;
	from = l->buf.data + l->used;
	newline = memchr(from, '\n', have);
	if (newline && newline - from <= (ptrdiff_t)LOG_LINE_MAX)
		return (size_t)(newline - from) + 1;
	return have >= LOG_LINE_MAX ? LOG_LINE_MAX : 0;
}

bool log_lines_next(struct log_lines *l, struct log_line *line)
{
	size_t size;

	while (!(size = lines_front(l)))
		if (!lines_fill(l)) {
			size = l->ended ? l->buf.size - l->used : 0;
			break;
		}
	if (!size)
		return false;
	*line = (struct log_line){ .at = l->at + (int64_t)l->used,
				   .text = (const char *)l->buf.data + l->used,
				   .size = size };
	l->used += size;
	line->next = line->at + (int64_t)size;
	if (line->at >= l->ms_until)
		l->ms = log_file_time(&l->file, line->at, &l->ms_until);
	line->ms = l->ms;
	if (line->text[size - 1] == '\n')
		line->size--;
	if (line->size && line->text[line->size - 1] == '\r')
		line->size--;
	return true;
}

void log_lines_free(struct log_lines *l)
{
	log_file_close(&l->file);
	buf_free(&l->buf);
}

/* The length of the character of UTF-8 at the front; 0: there is none. */
static size_t clean_character(const uint8_t *s, size_t size)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};

	for (size_t n = 0; n < ARRAY_SIZE(forms) && n < size; n++) {
		uint32_t code = s[0] & (uint8_t)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		if (code < forms[n].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return n + 1;
	}
	return 0;
}

void log_clean(struct buf *to, const char *text, size_t size)
{
	const uint8_t *s = (const uint8_t *)text;

	while (size) {
		size_t n = clean_character(s, size);

		if (n)
			buf_add(to, s, n);
		else
			buf_adds(to, "\xef\xbf\xbd");
		s += n ? n : 1;
		size -= n ? n : 1;
	}
}
