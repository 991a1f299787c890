#include "qemu/tail.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "ipc/agent.h"

/* The lines that follow a kernel's panic, or the last error of doze-init, explain nothing. */
static bool tail_names_cause(const char *line)
{
	return strstr(line, "Kernel panic") || strstr(line, " error ") ||
	       strstr(line, AGENT_TIMER_WORDS);
}

static void tail_line(struct tail *t)
{
	t->line[t->used] = '\0';
	if (t->used)
		log_debug("%s said: %s", t->name, t->line);
	if (t->used && (tail_names_cause(t->line) || !tail_names_cause(t->last)))
		memcpy(t->last, t->line, t->used + 1);
	t->used = 0;
}

static void tail_add(struct tail *t, const char *text, size_t size)
{
	if (t->all)
		console_add(t->all, text, size);
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '\n') {
			tail_line(t);
			continue;
		}
		if (c >= ' ' && c <= '~' && t->used < sizeof(t->line) - 1)
			t->line[t->used++] = c;
	}
}

void tail_read(struct tail *t)
{
	char piece[4096];
	ssize_t n = t->fd < 0 ? 0 : read(t->fd, piece, sizeof(piece));

	if (n > 0)
		tail_add(t, piece, (size_t)n);
	else if (!n)
		tail_close(t);
}

static void tail_ready(struct watch *w, uint32_t events)
{
	(void)events;
	tail_read(container_of(w, struct tail, watch));
}

int tail_open(struct tail *t, struct loop *l, const char *name, int fd, struct err *e)
{
	*t = (struct tail){ .loop = l, .name = name, .fd = fd };
	if (io_nonblock(fd))
		return err_sys(e, "set the output of %s non-blocking", name);
	return loop_watch(l, &t->watch, fd, EPOLLIN, tail_ready, e);
}

void tail_close(struct tail *t)
{
	if (t->fd < 0)
		return;
	loop_unwatch(t->loop, &t->watch);
	fd_close(&t->fd);
	tail_line(t);
}
