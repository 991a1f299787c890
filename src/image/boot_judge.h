/* boot_judge.h - judges over time whether a microVM that boots hangs.  Pure: time comes with each
 * look.
 *
 * A slow boot is none that hangs.  On a busy host a guest waits for a CPU, and that is told from a
 * guest that wants none.  A guest that computes is judged by the CPU time that it had, which
 * hardly depends on what else the host does.  Time in which nobody looked does not count. */
#ifndef IMAGE_BOOT_JUDGE_H
#define IMAGE_BOOT_JUDGE_H

#include "base/base.h"
#include "ipc/machine.h"

#define BOOT_LOOK_MS 500 /* between two looks */

enum boot_verdict {
	BOOT_GOES_ON,
	BOOT_SILENT,  /* the machine's process says nothing */
	BOOT_IDLE,    /* the guest does nothing and waits for no CPU and no disk */
	BOOT_SPINS,   /* it computes far longer than a boot takes */
	BOOT_ENDLESS, /* it does a bit of everything, for too long */
	BOOT_NUM_VERDICTS
};

struct boot_judge {
	uint64_t most_cpu_ns; /* that may pass without a byte on the console */
	bool seen;            /* `last` is there */
	struct machine_progress last;
	int64_t looked_ms;                  /* when the last look was */
	int64_t silent_ms, idle_ms, all_ms; /* so long */
	uint64_t word_cpu_ns;               /* its CPU time at the last byte on the console */
};

/* @usual_cpu_ns is what the last good boot took on this host, 0: not known. */
void boot_judge_begin(struct boot_judge *j, int64_t now_ms, uint64_t usual_cpu_ns);
/* @p is NULL if the machine has not answered since the last look. */
enum boot_verdict boot_judge_look(struct boot_judge *j, int64_t now_ms,
				  const struct machine_progress *p);
/* The second half of "its microVM hangs: ...". */
const char *boot_verdict_text(enum boot_verdict v);

#endif
