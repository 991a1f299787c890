#include "guest/oom.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "guest/container.h"
#include "guest/logs.h"

#define OOM_EVENTS CONTAINER_CGROUP "/memory.events"

uint64_t oom_count(const char *text)
{
	static const char key[] = "oom_kill ";

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, sizeof(key) - 1))
			return strtoull(line + sizeof(key) - 1, NULL, 10);
	}
	return 0;
}

uint64_t oom_look(struct oom *o)
{
	char text[512];
	ssize_t n = pread(o->fd, text, sizeof(text) - 1, 0); /* which also arms the next event */
	uint64_t kills;

	text[n < 0 ? 0 : n] = '\0';
	kills = oom_count(text);
	if (kills > o->kills)
		logs_note(o->port,
			  "the kernel killed %llu of the application's processes, since its %llu "
			  "MiB of memory were used up",
			  (unsigned long long)(kills - o->kills),
			  (unsigned long long)(o->memory_max / MIB));
	o->kills = kills > o->kills ? kills : o->kills;
	return o->kills;
}

static void oom_event(struct watch *w, uint32_t events)
{
	(void)events;
	oom_look(container_of(w, struct oom, watch));
}

int oom_open(struct oom *o, struct port *port, uint64_t memory_max, struct err *e)
{
	*o = (struct oom){ .port = port, .memory_max = memory_max };
	o->fd = open(OOM_EVENTS, O_RDONLY | O_CLOEXEC);
	if (o->fd < 0)
		return err_sys(e, "open '%s'", OOM_EVENTS);
	oom_look(o);
	return loop_watch(port->loop, &o->watch, o->fd, EPOLLPRI, oom_event, e);
}
