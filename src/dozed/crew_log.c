#include "dozed/crew_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "dozed/seat.h"

#define CREW_LOG_SIZE                                                              \
	(64 * MIB) /* then it becomes access.log.1, in the place of the one before \
		    */
#define CREW_LOG_LOOK_MS 2000

static char *crew_log_path(const struct super *s, const char *end)
{
	return xasprintf("%s/access.log%s", s->setup->conf->log_dir, end);
}

static int crew_log_open(const struct super *s)
{
	autofree char *path = crew_log_path(s, "");
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		log_warn("the access log cannot be opened, so requests are not logged file=%s "
			 "errno=%d",
			 path, errno);
	return fd;
}

void crew_log_hand_over(struct super_seat *seat)
{
	const struct super_which none = { 0, 0 };

	if (seat->role == ROLE_PROXY && seat->super->access_log >= 0)
		seat_send(seat, SUPER_LOG, &none, sizeof(none), seat->super->access_log);
}

/* Lines that are on their way still go to the old file. */
static void crew_log_rotate(struct super *s)
{
	autofree char *path = crew_log_path(s, "");
	autofree char *old = crew_log_path(s, ".1");

	if (rename(path, old) && errno != ENOENT)
		log_warn("the access log cannot be renamed file=%s errno=%d", path, errno);
	fd_close(&s->access_log);
	s->access_log = crew_log_open(s);
	for (size_t i = 0; i < SUPER_SEATS; i++)
		if (s->seats[i].pid)
			crew_log_hand_over(&s->seats[i]);
}

/* Another program may have moved it away, too. */
static void crew_log_look(struct timer *t)
{
	struct super *s = container_of(t, struct super, rotate);
	autofree char *path = crew_log_path(s, "");
	struct stat ours, there;

	if (s->access_log < 0 || fstat(s->access_log, &ours) ||
	    ours.st_size >= (off_t)CREW_LOG_SIZE || stat(path, &there) ||
	    there.st_ino != ours.st_ino || there.st_dev != ours.st_dev)
		crew_log_rotate(s);
	loop_timer(s->loop, &s->rotate, CREW_LOG_LOOK_MS, crew_log_look);
}

void crew_log_begin(struct super *s)
{
	s->access_log = -1;
	if (!s->setup->conf->access_log)
		return;
	s->access_log = crew_log_open(s);
	loop_timer(s->loop, &s->rotate, CREW_LOG_LOOK_MS, crew_log_look);
}

void crew_log_end(struct super *s)
{
	fd_close(&s->access_log);
}
