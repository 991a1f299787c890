#include "control/storage/lanes.h"

#define LANES_OTHER_THREADS 2 /* for the imports of base images, and for names */

static const unsigned lane_width[NUM_LANES] = {
	[LANE_FILES] = 4, [LANE_PUBLISH] = 4, [LANE_COPY] = 2,   [LANE_READ_AHEAD] = 1,
	[LANE_GC] = 1,    [LANE_LOG] = 2,     [LANE_SEARCH] = 2, [LANE_EVENTS] = 1,
};

struct lanes {
	struct disk_lane each[NUM_LANES];
};

void lanes_open(struct control *ctl)
{
	unsigned threads = LANES_OTHER_THREADS;

	ctl->lanes = xcalloc(1, sizeof(*ctl->lanes));
	for (size_t i = 0; i < NUM_LANES; i++) {
		disk_lane_init(&ctl->lanes->each[i], &ctl->loop, lane_width[i]);
		threads += lane_width[i];
	}
	disk_pool_size(threads);
}

struct disk_lane *lane(const struct control *ctl, enum lane which)
{
	return &ctl->lanes->each[which];
}
