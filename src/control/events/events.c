#include "control/events/events.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/stamp.h"
#include "control/storage/lanes.h"

#define EVENTS_VERSION "1.11" /* of CloudTrail's records */

json_t *events_new(struct control *ctl, const char *name, const char *source, const char *type,
		   const char *account)
{
	char time[STAMP_SIZE], id[UUID_SIZE];

	stamp_text(clock_wall_ms(), time);
	rand_draw_uuid(&ctl->events->ids, id);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "eventVersion", EVENTS_VERSION,
			 "eventTime", time, "eventSource", source, "eventName", name, "awsRegion",
			 ctl->conf->region, "eventID", id, "eventType", type, "recipientAccountId",
			 account);
}

void events_add(struct control *ctl, json_t *event)
{
	autofree char *line = event ? json_dumps(event, JSON_COMPACT) : NULL;

	json_decref(event);
	if (line)
		journal_add(&ctl->events->journal, line, strlen(line));
}

void events_changed(struct control *ctl, const struct event_change *change)
{
	autofree char *name = xasprintf("%sStateChange", change->what);
	json_t *event = events_new(ctl, name, EVENTS_SOURCE, "AwsServiceEvent", change->account);

	json_object_set_new(event, "readOnly", json_false());
	json_object_set_new(event, "serviceEventDetails",
			    json_pack("{s:s,s:s?,s:s,s:s?}", "id", change->id, "from", change->from,
				      "to", change->to, "reason", change->reason));
	events_add(ctl, event);
}

void events_lost(struct control *ctl, uint64_t n, const char *why)
{
	json_t *event =
		events_new(ctl, "EventsLost", EVENTS_SOURCE, "AwsServiceEvent", ctl->conf->account);

	json_object_set_new(event, "readOnly", json_true());
	json_object_set_new(event, "serviceEventDetails",
			    json_pack("{s:I,s:s}", "count", (json_int_t)n, "reason", why));
	events_add(ctl, event);
}

static void events_had_no_room(struct journal *j, uint64_t n)
{
	log_err("events had no room while they could not be written events=%llu",
		(unsigned long long)n);
	events_lost(j->arg, n, "They had no room while they could not be written.");
}

int events_open(struct control *ctl, struct err *e)
{
	struct events *events = xcalloc(1, sizeof(*events));

	ctl->events = events;
	events->dir_fd =
		openat(ctl->log_fd, "events", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (events->dir_fd < 0)
		return err_sys(e, "open '%s/events'", ctl->conf->log_dir);
	events->journal.dir_fd = events->dir_fd;
	events->journal.lane = lane(ctl, LANE_EVENTS);
	events->journal.segment_size = ctl->conf->events_file_mib * (int64_t)MIB;
	events->journal.kept = ctl->conf->events_files;
	events->journal.lost = events_had_no_room;
	events->journal.arg = ctl;
	return journal_open(&events->journal, &ctl->loop, e);
}

void events_close(struct control *ctl)
{
	journal_close(&ctl->events->journal);
}
