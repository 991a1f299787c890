/* tune.c - settings of the kernel.  Most slow down its periodic work: that work is what an idle
 * microVM costs its host, and because each clone does it anew, it delays every start. */

#include "base/log.h"
#include "guest/boot.h"
#include "guest/sysctl.h"

static const struct {
	const char *path, *value;
} tunes[] = {
	{ "/proc/sys/vm/stat_interval", "3600" },         /* seconds between sums of counters */
	{ "/proc/sys/vm/compaction_proactiveness", "0" }, /* looks for huge pages, which are off */
	{ "/proc/sys/vm/dirty_writeback_centisecs",
	  "6000" }, /* the disk is never needed without the memory */
	{ "/sys/block/vda/queue/scheduler", "none" }, /* the host has one */
	{ "/sys/block/vda/queue/wbt_lat_usec", "0" }, /* likewise */
	{ "/proc/sys/kernel/dmesg_restrict", "0" },   /* dmesg works (service.md 12) */
};

void boot_tune(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++) {
		struct err e;

		if (file_put(tunes[i].path, tunes[i].value, &e))
			log_warn("%s", e.text);
	}
}
