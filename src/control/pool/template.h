/* template.h - what all machines of an image version share: its RAM in a sealed memfd, and the
 * files of images/<image>/<version>/.  doze-vmm maps the file itself: there is nothing to copy. */
#ifndef CONTROL_POOL_TEMPLATE_H
#define CONTROL_POOL_TEMPLATE_H

#include "control/machine/machine.h"

struct template_wait {
	struct list in;
	void (*ready)(struct template_wait *w, int rc, const struct err *e);
};

/* The pool's part of a version, made at its first use. */
struct template
{
	struct list in; /* pool.c */
	struct control *ctl;
	struct image_version *version; /* borrowed */
	int memfd; /* sealed, or the version's file (engines[].sealed_memory); -1: not loaded */
	int draft_fd, file_fd; /* while it is copied */
	struct fork_task *copying;
	struct list waits; /* of struct template_wait */
	struct list clones;
	bool not_refusing[BUILD_MAX_PORTS]; /* of version->listening: not to be told KNOCK_REFUSABLE
					     */
	uint64_t clone_bytes;               /* private memory of a clone, measured; 0: not yet */
	unsigned demand;                    /* runs of late */
	int64_t demand_ms, retry_ms, backoff_ms;
};

struct template *template_of(struct control *ctl, struct image_version *v);
/* Load it; `ready` comes later or at once. */
void template_load(struct template *t, struct template_wait *w,
		   void (*ready)(struct template_wait *w, int rc, const struct err *e));
void template_leave(struct template_wait *w);            /* harmless on a fresh one */
void template_unload(struct template *t);                /* machines keep their mappings */
void template_cancel(struct template *t);                /* the copying, before it is freed */
uint64_t template_bytes(const struct template *t);       /* of the memfd, grown holes included */
uint64_t template_clone_bytes(const struct template *t); /* of a clone; reckoned, then measured */
uint64_t template_cost(const struct template *t);        /* what a new machine will take */

/* RESTORE a machine from this version, and from vm's save `save` if that is not 0.  The template is
 * loaded. */
void template_restore(struct template *t, struct machine *m, const struct microvm *vm, int64_t save,
		      machine_done *done);

#endif
