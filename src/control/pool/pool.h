/* pool.h - clones of image versions: restored, warmed and paused before anybody asks (ADR 0006).
 *
 * A version in use has a template (its RAM in a sealed memfd, copied once).  If it is the active
 * version of its image, it also has a few clones.  Clones start only when no microVM waits to
 * start.  All of them together take at most [pool] memory_percent of the host's memory, and when
 * memory is short they go first, the oldest first. */
#ifndef CONTROL_POOL_POOL_H
#define CONTROL_POOL_POOL_H

#include "control/pool/template.h"

int pool_open(struct control *ctl, struct err *e) must_check;
void pool_close(struct control *ctl);

/* Call it when a version became active, a machine ended, or memory came free: the pool checks what
 * it needs. */
void pool_wake(struct control *ctl);

/* A clone of this version, warm and paused, which the caller owns from now on; NULL: none is ready.
 */
struct machine *pool_take(struct control *ctl, struct image_version *v);
void pool_give_back(struct machine *m);         /* it was not used since pool_take */
unsigned pool_ready(const struct control *ctl); /* how many clones can be taken */
void pool_note_run(struct control *ctl, struct image_version *v);

/* Memory is short: ends the oldest clone. */
void pool_evict(struct control *ctl);

/* Ends the clones of this version and frees its template.  Call it before the version's files are
 * removed and before the version is freed. */
void pool_forget(struct image_version *v);

/* How many clones a version should have; pure. */
struct pool_facts {
	bool active;        /* the version that a run without a version would get */
	int64_t since_ms;   /* since it became active or ran */
	int64_t recent_ms;  /* [pool] recent_ms */
	unsigned per_image; /* [pool] per_image */
	unsigned demand;    /* runs in the last minute */
};
unsigned pool_target(const struct pool_facts *f);

#endif
