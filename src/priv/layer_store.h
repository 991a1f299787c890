/* layer_store.h - the file system of all build layers. It is one sparse file of limited size, which
 * is mounted at <data_dir>/build/layers for the build user when the first build asks for it, and
 * unmounted at the end. */
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

/* The struct is embedded in the one that waits. */
struct layer_store_wait {
	struct list in;
	void (*ready)(struct layer_store_wait *w,
		      const struct err *e); /* @e is NULL or says why it failed */
};

void layer_store_want(struct layer_store *l,
		      struct layer_store_wait *w); /* ready() is called at once or later */
void layer_store_forget(struct layer_store_wait *w);
void layer_store_unmount(struct layer_store *l);

#endif
