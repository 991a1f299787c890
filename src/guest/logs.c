#include "guest/logs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#define LOGS_PIECE (LIMIT_AGENT_TO_HOST - 256) /* a frame with its fields */
#define LOGS_DRAIN 256 /* pieces at the end, even if something still writes */

size_t log_rate_take(struct log_rate *r, int64_t now_ms, size_t want)
{
	int64_t passed = now_ms - r->at_ms;
	size_t got;

	if (passed >= 1000 || passed < 0)
		r->left = LIMIT_LOG_RATE;
	else
		r->left += LIMIT_LOG_RATE * (size_t)passed / 1000;
	if (r->left > LIMIT_LOG_RATE)
		r->left = LIMIT_LOG_RATE;
	r->at_ms = now_ms;
	got = want < r->left ? want : r->left;
	r->left -= got;
	return got;
}

void log_tail_add(struct log_tail *t, const void *data, size_t size)
{
	size_t kept;

	if (size > sizeof(t->text)) {
		data = (const char *)data + (size - sizeof(t->text));
		size = sizeof(t->text);
	}
	kept = t->n + size > sizeof(t->text) ? sizeof(t->text) - size : t->n;
	memmove(t->text, t->text + (t->n - kept), kept);
	memcpy(t->text + kept, data, size);
	t->n = kept + size;
}

/* How many bytes of an escape sequence of a terminal begin here. */
static size_t log_tail_escape(const char *at, size_t left)
{
	size_t n = 2;

	if (left < 2 || at[0] != '\033' || at[1] != '[')
		return at[0] == '\033';
	while (n < left && (at[n] < '@' || at[n] > '~'))
		n++;
	return n < left ? n + 1 : left;
}

void log_tail_text(const struct log_tail *t, char *text, size_t room)
{
	size_t n = 0;
	bool line_ends = false;

	for (size_t i = 0, escape; i < t->n && n + 4 < room; i++) {
		char c = t->text[i];

		escape = log_tail_escape(t->text + i, t->n - i);
		if (escape) {
			i += escape - 1;
		} else if (c == '\n' || c == '\r') {
			line_ends = n > 0;
		} else if ((unsigned char)c >= ' ' || c == '\t') {
			if (line_ends) {
				memcpy(text + n, " | ", 3);
				n += 3;
			}
			line_ends = false;
			text[n++] = c == '\t' ? ' ' : c;
		}
	}
	text[n] = '\0';
}

static void logs_send(struct port *port, enum log_stream stream, const void *data, size_t size,
		      uint64_t dropped)
{
	size_t mark = agent_begin(&port->out, AGENT_LOG);

	agent_put_u64(&port->out, FIELD_STREAM, stream);
	if (dropped)
		agent_put_u64(&port->out, FIELD_DROPPED, dropped);
	agent_put(&port->out, FIELD_BYTES, data, size);
	agent_end(&port->out, mark);
	port_send(port);
}

static void logs_close(struct log_pipe *p)
{
	if (p->dropped)
		logs_send(p->logs->port, p->stream, "", 0, p->dropped);
	p->dropped = 0;
	loop_unwatch(p->logs->port->loop, &p->watch);
	fd_close(&p->fd);
}

/* Move one piece.  False if there is none. */
static bool logs_move(struct log_pipe *p)
{
	static uint8_t piece[LOGS_PIECE];
	ssize_t n = read(p->fd, piece, sizeof(piece));
	size_t pass = 0;

	if (n < 0 && errno == EINTR)
		return true;
	if (n == 0)
		logs_close(p);
	if (n <= 0)
		return false;
	log_tail_add(&p->logs->tail, piece, (size_t)n);
	p->logs->taken += (uint64_t)n;
	if (!port_is_full(p->logs->port))
		pass = log_rate_take(&p->logs->rate, clock_mono_ms(), (size_t)n);
	if (pass) {
		logs_send(p->logs->port, p->stream, piece, pass, p->dropped);
		p->dropped = 0;
	}
	p->dropped += (size_t)n - pass;
	return true;
}

static void logs_ready(struct watch *w, uint32_t events)
{
	(void)events;
	logs_move(container_of(w, struct log_pipe, watch));
}

static int logs_open_pipe(struct logs *l, struct log_pipe *p, int fd, enum log_stream stream,
			  struct err *e)
{
	*p = (struct log_pipe){ .logs = l, .fd = fd, .stream = stream };
	return loop_watch(l->port->loop, &p->watch, fd, EPOLLIN, logs_ready, e);
}

int logs_open(struct logs *l, struct port *port, int out, int err, struct err *e)
{
	l->port = port;
	l->tail.n = 0;
	l->rate = (struct log_rate){ clock_mono_ms(), LIMIT_LOG_RATE };
	if (logs_open_pipe(l, &l->out, out, LOG_STDOUT, e) ||
	    logs_open_pipe(l, &l->err, err, LOG_STDERR, e))
		return -1;
	return 0;
}

void logs_drain(struct logs *l)
{
	for (int i = 0; i < LOGS_DRAIN && l->out.fd >= 0 && logs_move(&l->out); i++)
		;
	for (int i = 0; i < LOGS_DRAIN && l->err.fd >= 0 && logs_move(&l->err); i++)
		;
}

void logs_note(struct port *port, const char *fmt, ...)
{
	char line[1024];
	size_t size;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	log_info("%s", line);
	size = strlen(line);
	line[size] = '\n';
	if (!port_is_full(port))
		logs_send(port, LOG_AGENT, line, size + 1, 0);
}
