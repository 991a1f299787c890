#include "guest/shell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/shell_parts.h"

static uint8_t shell_piece[SHELL_PIECE]; /* empty between events */

void shell_free(struct shell *s)
{
	struct loop *loop = s->all->loop;

	if (s->host)
		s->host->shell = NULL;
	loop_untimer(loop, &s->grace);
	loop_unwatch(loop, &s->on_terminal);
	loop_unwatch(loop, &s->on_report);
	fd_close(&s->terminal); /* which hangs up on who still has the other end */
	fd_close(&s->report);
	ring_free(&s->ring);
	buf_free(&s->typed);
	list_del(&s->in);
	s->all->n_sessions--;
	free(s);
	shell_sweep();
}

static void shell_abandoned(struct timer *t)
{
	shell_free(container_of(t, struct shell, grace));
}

static void shell_tell_start(struct shell *s)
{
	if (s->host)
		shell_host_say(s->host, SHELL_OPENED, SHELL_OFFSET, s->sent);
}

void shell_attach(struct shell *s, struct shell_host *host, uint64_t from)
{
	uint64_t begin = ring_begin(&s->ring);

	s->host = host;
	host->shell = s;
	s->sent = from < begin ? begin : from > s->ring.end ? s->ring.end : from;
	s->taken = s->sent;
	s->foreign = s->typed.size;
	loop_untimer(s->all->loop, &s->grace);
	if (s->state != SHELL_STARTING)
		shell_tell_start(s);
}

void shell_detach(struct shell *s)
{
	if (s->host)
		s->host->shell = NULL;
	s->host = NULL;
	loop_timer(s->all->loop, &s->grace, SHELL_GRACE_MS, shell_abandoned);
	shell_settle(s); /* It may print more now. */
}

static void shell_runs(struct shell *s)
{
	loop_unwatch(s->all->loop, &s->on_report);
	fd_close(&s->report);
	s->state = SHELL_RUNS;
	shell_tell_start(s);
}

/* Why it could not start, or nothing but an end once it runs.  False: it is gone. */
static bool shell_hear_start(struct shell *s)
{
	char why[SHELL_FAULT];
	ssize_t n = read(s->report, why, sizeof(why) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		shell_runs(s);
		return true;
	}
	why[n] = '\0';
	if (s->host)
		shell_host_refuse(s->host, why);
	shell_free(s);
	return false;
}

static void shell_report_ready(struct watch *w, uint32_t events)
{
	struct shell *s = container_of(w, struct shell, on_report);

	(void)events;
	if (shell_hear_start(s))
		shell_settle(s);
}

static bool shell_may_print(const struct shell *s)
{
	return s->ring.end - s->taken < (s->host ? SHELL_WINDOW : SHELL_DETACHED);
}

/* An error is the end: nobody has the terminal open any more. */
static void shell_read(struct shell *s)
{
	while (s->terminal >= 0 && shell_may_print(s)) {
		ssize_t n = read(s->terminal, shell_piece, sizeof(shell_piece));

		if (n > 0) {
			ring_add(&s->ring, shell_piece, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (s->state == SHELL_OVER)
			s->state = SHELL_DRAINED;
		if (n == 0 || errno != EAGAIN) {
			loop_unwatch(s->all->loop, &s->on_terminal);
			fd_close(&s->terminal);
		}
		return;
	}
	if (s->terminal < 0 && s->state == SHELL_OVER)
		s->state = SHELL_DRAINED;
}

static void shell_send(struct shell *s)
{
	while (s->host && s->state != SHELL_STARTING && s->sent < s->ring.end &&
	       s->sent - s->taken < SHELL_WINDOW && !shell_host_full(s->host)) {
		size_t n;
		const uint8_t *data = ring_at(&s->ring, s->sent, SHELL_PIECE, &n);

		shell_host_print(s->host, data, n);
		s->sent += n;
	}
}

static void shell_finish(struct shell *s)
{
	struct shell_host *host = s->host;

	shell_host_say(host, SHELL_EXITED, SHELL_CODE, (uint64_t)s->code);
	shell_free(s);
	shell_host_end(host);
}

static void shell_write(struct shell *s)
{
	size_t done = 0;

	while (s->terminal >= 0 && done < s->typed.size) {
		ssize_t n = write(s->terminal, s->typed.data + done, s->typed.size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (s->terminal < 0)
		done = s->typed.size; /* nobody reads it any more */
	buf_drop(&s->typed, done);
	if (done > s->foreign && s->host)
		shell_host_say(s->host, SHELL_ROOM, SHELL_COUNT, done - s->foreign);
	s->foreign -= done < s->foreign ? done : s->foreign;
}

static void shell_terminal_ready(struct watch *w, uint32_t events)
{
	struct shell *s = container_of(w, struct shell, on_terminal);

	(void)events;
	shell_settle(s);
}

/* A watch for nothing would still report that the other end is closed, again and again. */
static void shell_watch(struct shell *s)
{
	uint32_t events = (shell_may_print(s) ? EPOLLIN : 0) | (s->typed.size ? EPOLLOUT : 0);
	struct loop *loop = s->all->loop;
	struct err e;

	if (s->terminal < 0 || !events || s->state == SHELL_DRAINED) {
		loop_unwatch(loop, &s->on_terminal);
	} else if (s->on_terminal.active) {
		loop_rewatch(loop, &s->on_terminal, events);
	} else if (loop_watch(loop, &s->on_terminal, s->terminal, events, shell_terminal_ready,
			      &e)) {
		fd_close(&s->terminal);
	}
}

void shell_settle(struct shell *s)
{
	shell_write(s);
	shell_read(s);
	shell_watch(s);
	shell_send(s);
	if (s->host && s->state == SHELL_DRAINED && s->sent == s->ring.end)
		shell_finish(s);
	else if (s->host)
		shell_host_flush(s->host);
}

void shell_type(struct shell *s, const uint8_t *data, size_t size)
{
	buf_add(&s->typed, data, size);
}

void shell_resize(struct shell *s, uint64_t columns, uint64_t rows)
{
	const struct winsize size = { .ws_col = (unsigned short)columns,
				      .ws_row = (unsigned short)rows };

	if (s->terminal >= 0 && columns <= UINT16_MAX && rows <= UINT16_MAX)
		ioctl(s->terminal, TIOCSWINSZ, &size);
}

struct shell *shell_find(const struct shells *all, const char *id)
{
	list_each(s, &all->sessions, struct shell, in)
	{
		if (!strcmp(s->id, id))
			return s;
	}
	return NULL;
}

/* The one that nobody has used for longest goes first. */
static bool shells_make_room(struct shells *all)
{
	struct shell *idle = NULL;

	if (all->n_sessions < SHELL_SESSIONS)
		return true;
	list_each(s, &all->sessions, struct shell, in)
	{
		if (!s->host && (!idle || s->grace.at_ms < idle->grace.at_ms))
			idle = s;
	}
	if (idle)
		shell_free(idle);
	return idle;
}

static int shell_begin(struct shell *s, struct err *e)
{
	const struct app *app = s->all->app;

	if (!app->pid)
		return err_set(e, ERR_CONFLICT,
			       "the application has ended, and its container with it");
	if (shell_start(s, app->pid, &app->spec, e))
		return -1;
	return loop_watch(s->all->loop, &s->on_report, s->report, EPOLLIN, shell_report_ready, e);
}

struct shell *shell_new(struct shells *all, const char *id, struct err *e)
{
	struct shell *s;

	if (!shells_make_room(all)) {
		err_set(e, ERR_CAPACITY, "%d shells are open already", SHELL_SESSIONS);
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->all = all;
	s->terminal = s->report = -1;
	s->ring.room = SHELL_RING;
	memcpy(s->id, id, sizeof(s->id));
	list_add(&all->sessions, &s->in);
	all->n_sessions++;
	if (!shell_begin(s, e))
		return s;
	shell_free(s);
	return NULL;
}

void shells_reaped(struct shells *all, int pid, int status)
{
	list_each(s, &all->sessions, struct shell, in)
	{
		if (s->pid != pid)
			continue;
		s->pid = 0;
		s->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (s->report >= 0 && !shell_hear_start(s))
			return;
		/* Who was killed before that leaves a child that may still hold the other end: its
		 * own start says nothing of a shell that is over. */
		if (s->state == SHELL_STARTING)
			shell_runs(s);
		s->state = SHELL_OVER;
		shell_settle(s);
		return;
	}
}

void shells_init(struct shells *s, struct loop *l, const struct app *app)
{
	*s = (struct shells){ .loop = l, .app = app };
	list_init(&s->sessions);
	list_init(&s->hosts);
}
