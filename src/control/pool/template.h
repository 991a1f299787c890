/* template.h - what all machines of an image version share: its RAM in a sealed memfd, and the
 * files of images/<image>/<version>/.  doze-vmm maps the memory file itself, so for it nothing is
 * copied. */
#ifndef CONTROL_POOL_TEMPLATE_H
#define CONTROL_POOL_TEMPLATE_H

#include "control/machine/machine.h"

struct template_wait {
	struct list in;
	void (*ready)(struct template_wait *w, int rc, const struct err *e);
};

/* The pool's part of a version; it is made at its first use. */
struct template
{
	struct list in; /* pool.c */
	struct control *ctl;
	struct image_version *version; /* borrowed */
	int memfd; /* sealed, or the version's file (engines[].sealed_memory); -1: not loaded */
	struct template_load *loading; /* under way, off the loop */
	uint64_t file_bytes;           /* of the version's memory file; 0: not looked at yet */
	struct list waits;             /* of struct template_wait */
	struct list clones;
	bool not_refusing[BUILD_MAX_PORTS]; /* of version->listening: not to be told
					     * PORT_PROBE_REFUSABLE
					     */
	uint64_t clone_bytes;               /* private memory of a clone, measured; 0: not yet */
	unsigned demand;                    /* runs of late */
	int64_t demand_ms, retry_ms, backoff_ms;
};

/* The path of a file of the version, below the data directory; the caller's. */
char *template_path(const struct template *t, const char *file);

struct template *template_of(struct control *ctl, struct image_version *v);
/* Loads it off the loop.  `ready` is called at once if it is loaded already, else later. */
void template_load(struct template *t, struct template_wait *w,
		   void (*ready)(struct template_wait *w, int rc, const struct err *e));
void template_leave(struct template_wait *w);      /* harmless on a fresh one */
void template_unload(struct template *t);          /* machines keep their mappings */
void template_cancel(struct template *t);          /* call it before it is freed */
uint64_t template_bytes(const struct template *t); /* that the memfd takes */
uint64_t
template_clone_bytes(const struct template *t); /* of a clone: an estimate, then measured */
uint64_t template_cost(struct template *t);     /* bytes that a new machine will take */

#endif
