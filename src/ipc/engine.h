/* engine.h - how the two kinds of machine differ for those who own them: one row for each
 * (enum priv_machine_kind).  Everything else is the same protocol (machine.h). */
#ifndef IPC_ENGINE_H
#define IPC_ENGINE_H

#include "ipc/priv.h"

struct engine {
	const char *name;   /* the `kind` of a snapshot's header, and of a version's row */
	const char *title;  /* for people */
	bool needs_kvm;     /* usable only where dozed found KVM so */
	bool sealed_memory; /* RESTORE takes the image's memory as a sealed memfd, else as its file
			     */
	bool qcow2;         /* an empty overlay is an empty qcow2, else an empty file */
	bool translates;    /* a software CPU: what has run once is faster the next time */
	bool shells;        /* one that was asked nothing can become any image of its shape */
	uint64_t memory_bytes; /* a restored machine's own at first, until it is measured */
};

extern const struct engine engines[PRIV_NUM_MACHINE_KINDS];

/* By name; NULL: QEMU, as in rows of before there were two.  An unknown one: -1. */
int engine_kind(const char *name);

#endif
