/* layer_store.h - the file system of all build layers: one sparse file of limited size, mounted at
 * <data_dir>/build/layers for the build user when the first build asks, unmounted at the end. */
#ifndef PRIV_LAYER_STORE_H
#define PRIV_LAYER_STORE_H

#include "priv/child.h"

struct layer_store {
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
struct layer_store_wait {
	struct list in;
	void (*ready)(struct layer_store_wait *w, const struct err *e); /* e: why not, or NULL */
};

void layer_store_want(struct layer_store *l,
		      struct layer_store_wait *w); /* ready() at once or later */
void layer_store_forget(struct layer_store_wait *w);
void layer_store_unmount(struct layer_store *l);

#endif
