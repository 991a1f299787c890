#include "guest/lease.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEASE_TEXT 32

/* Blanks may stand around the number.  What is no number says nothing. */
uint64_t lease_seconds(const char *text, size_t size)
{
	uint64_t seconds = 0;
	size_t i = 0, begin;

	while (i < size && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t'))
		i++;
	begin = i;
	for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
		if (seconds <= LEASE_SECONDS_MAX)
			seconds = seconds * 10 + (uint64_t)(text[i] - '0');
	if (i == begin || (i < size && text[i] != '\n' && text[i] != ' ' && text[i] != '\r'))
		return LEASE_SECONDS;
	return seconds < LEASE_SECONDS_MAX ? seconds : LEASE_SECONDS_MAX;
}

static void lease_ask(struct lease *l);

static void lease_paced(struct timer *t)
{
	struct lease *l = container_of(t, struct lease, pace);

	if (l->due)
		lease_ask(l);
}

static void lease_ask(struct lease *l)
{
	size_t mark;

	l->due = port_is_full(l->port);
	loop_timer(l->port->loop, &l->pace, LEASE_EVERY_MS, lease_paced);
	if (l->due)
		return;
	mark = agent_begin(&l->port->out, AGENT_LEASE);
	agent_put_u64(&l->port->out, FIELD_TIMEOUT_MS, l->seconds * 1000);
	agent_end(&l->port->out, mark);
	port_send(l->port);
}

void lease_for(struct lease *l, uint64_t seconds)
{
	l->seconds = seconds;
	if (!l->told)
		return;
	if (l->pace.active)
		l->due = true;
	else
		lease_ask(l);
}

static void lease_ready(struct watch *w, uint32_t events)
{
	struct lease *l = container_of(w, struct lease, watch);
	char news[4096], text[LEASE_TEXT];
	bool any = false;
	ssize_t n;

	(void)events;
	while (read(w->fd, news, sizeof(news)) > 0)
		any = true;
	n = any ? pread(l->file_fd, text, sizeof(text), 0) : 0;
	if (any)
		lease_for(l, lease_seconds(text, n > 0 ? (size_t)n : 0));
}

void lease_tell(struct lease *l)
{
	l->told = true;
}

/* A number that was written is whole when its writer closes the file, so writes are no news. */
int lease_open(struct lease *l, struct port *port, struct err *e)
{
	int news = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	l->port = port;
	l->file_fd = open(LEASE_OWN, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (news < 0 || l->file_fd < 0 || fchmod(l->file_fd, 0666) ||
	    inotify_add_watch(news, LEASE_OWN, IN_CLOSE_WRITE | IN_ATTRIB) < 0) {
		fd_close(&news);
		return err_sys(e, "make '%s'", LEASE_OWN);
	}
	return loop_watch(port->loop, &l->watch, news, EPOLLIN, lease_ready, e);
}
