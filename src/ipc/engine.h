/* engine.h - the differences between the two kinds of machine that an owner must know, one row for
 * each (enum priv_machine_kind).  Everything else is one protocol (machine.h). */
#ifndef IPC_ENGINE_H
#define IPC_ENGINE_H

#include "ipc/priv.h"

struct engine {
	const char *name;   /* the `kind` of a snapshot's header, and of a version's row */
	const char *title;  /* for people */
	bool needs_kvm;     /* usable only where dozed found a usable KVM */
	bool sealed_memory; /* RESTORE takes the image's memory as a sealed memfd, else as its file
			     */
	bool qcow2;         /* an empty overlay is an empty qcow2, else an empty file */
	bool translates;    /* a software CPU: code that has run once is faster the next time */
	bool spares;        /* a fresh one can become any image of its shape */
	uint64_t memory_bytes; /* assumed for a restored machine until it is measured */
};

extern const struct engine engines[PRIV_NUM_MACHINE_KINDS];

/* Find a kind by name, or -1.  NULL means QEMU, as in rows that older versions wrote. */
int engine_kind(const char *name);

#endif
