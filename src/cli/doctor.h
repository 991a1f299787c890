/* doctor.h - what `doze doctor` checks.  Each check has a reader in doctor.c, which looks at the
 * host, and a judge in doctor_judge.c, which is pure. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "base/base.h"

/* What a reader found. */
struct doctor_fact {
	bool there;     /* false: the host has no such thing, or does not tell */
	int64_t n;      /* the figure */
	char text[256]; /* its words */
};

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD, DOCTOR_NUM_LEVELS };

struct doctor_says {
	enum doctor_level level;
	char text[512];
};

#define DOCTOR_UNREAD INT64_MIN

enum doctor_check {
	DOCTOR_KVM,
	DOCTOR_CGROUPS,      /* n: 1, 2; text: controllers, each behind a blank */
	DOCTOR_FAVOR,        /* there: KVM is; n: the hierarchy is mounted favordynmods */
	DOCTOR_KERNEL,       /* n: major * 1000 + minor; text: the release */
	DOCTOR_SMT,          /* n: on */
	DOCTOR_KSM,          /* n: runs */
	DOCTOR_THP,          /* text: the file */
	DOCTOR_NX_PAGES,     /* text: the parameter */
	DOCTOR_FILES,        /* n: hard limit of descriptors */
	DOCTOR_PIDS,         /* n: pid_max */
	DOCTOR_MAPS,         /* n: max_map_count */
	DOCTOR_NFTABLES,     /* there: the program is */
	DOCTOR_DISK,         /* n: free MiB; text: where */
	DOCTOR_FILESYSTEM,   /* n: can share blocks; text: its name */
	DOCTOR_CLOCK,        /* text: clock source */
	DOCTOR_CERTIFICATES, /* there: the operator has some; n: days that the first to end is
				valid, DOCTOR_UNREAD: its file cannot be read; text: its domain */
	DOCTOR_NUM,
};

extern const char *const doctor_level_name[DOCTOR_NUM_LEVELS];
const char *doctor_name(enum doctor_check check);

void doctor_judge(enum doctor_check check, const struct doctor_fact *f, struct doctor_says *to);

#endif
