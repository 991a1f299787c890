/* What the kernel does on its own every few seconds is what an idle microVM costs its host, and,
 * done anew in each clone, what a start waits for. */

#include "base/log.h"
#include "guest/boot.h"
#include "guest/sysctl.h"

static const struct {
	const char *path, *value;
} tunes[] = {
	{ "/proc/sys/vm/stat_interval", "3600" },         /* seconds between sums of counters */
	{ "/proc/sys/vm/compaction_proactiveness", "0" }, /* looks for huge pages, which are off */
	{ "/proc/sys/vm/dirty_writeback_centisecs", "6000" }, /* the disk never outlives memory */
	{ "/sys/block/vda/queue/scheduler", "none" },         /* the host has one */
	{ "/sys/block/vda/queue/wbt_lat_usec", "0" },         /* likewise */
};

void boot_tune(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++) {
		struct err e;

		if (file_put(tunes[i].path, tunes[i].value, &e))
			log_warn("%s", e.text);
	}
}
