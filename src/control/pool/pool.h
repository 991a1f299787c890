/* pool.h - clones of image versions, restored, warmed and stopped before anybody asks (ADR 0006).
 *
 * A version in use has a template (its RAM in a sealed memfd, copied once) and,
 * if it is the active one of its image, a few clones.  Clones start when nobody
 * waits to start, take at most [pool] memory_percent of the host's memory in all,
 * and go first, the oldest first, when memory is short. */
#ifndef CONTROL_POOL_POOL_H
#define CONTROL_POOL_POOL_H

#include "control/pool/template.h"

int pool_open(struct control *ctl, struct err *e) must_check;
void pool_close(struct control *ctl);

/* Something changed (a version became active, a machine ended, memory came free): look again. */
void pool_wake(struct control *ctl);

/* Somebody runs this version: a clone, warm and paused, whose owner is the caller now, or NULL. */
struct machine *pool_take(struct control *ctl, struct image_version *v);
void pool_give_back(struct machine *m);         /* untouched since pool_take */
unsigned pool_ready(const struct control *ctl); /* how many there are to take */
void pool_note_run(struct control *ctl, struct image_version *v);

/* Memory is short: end the oldest clone. */
void pool_evict(struct control *ctl);

/* No template and no clone of this version any more: before its files go and before it is freed. */
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
