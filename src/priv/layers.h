/* layers.h - the file system of all build layers: one sparse file of limited size, mounted at
 * <data_dir>/build/layers for the build user when the first build asks, unmounted at the end. */
#ifndef PRIV_LAYERS_H
#define PRIV_LAYERS_H

#include "priv/child.h"

struct layers {
	struct loop *loop;
	char *build_dir; /* <data_dir>/build, the image role's */
	uint64_t size_bytes;
	uid_t owner, user; /* of the directory; of the file system's root */
	gid_t owner_gid, user_gid;
	bool mounted;
	struct child mounting;
	struct list waiting;
};

/* Embedded in who waits. */
struct layers_wait {
	struct list in;
	void (*ready)(struct layers_wait *w, const struct err *e); /* e: why not, or NULL */
};

void layers_want(struct layers *l, struct layers_wait *w); /* ready() at once or later */
void layers_forget(struct layers_wait *w);
void layers_unmount(struct layers *l);

#endif
