/* access.h - control tells the objects role of access keys and what they may do.
 *
 * A new channel begins with all keys, in batches that the receiver asks for, and ends them with
 * SYNCED: what the receiver knew before and did not hear again is gone.  After that each change is
 * told as it becomes durable.  The key pairs of the credentials file are not among them: both roles
 * have that file. */
#ifndef IPC_ACCESS_H
#define IPC_ACCESS_H

#include "ipc/chan.h"

#define ACCESS_POLICY_MAX 28672 /* bytes */

enum access_type {
	ACCESS_NONE,
	/* control -> objects */
	ACCESS_PUT,    /* struct access_put, and the JSON of its policy behind it */
	ACCESS_GONE,   /* struct access_gone */
	ACCESS_BATCH,  /* struct access_none: more follow when it is answered by NEXT */
	ACCESS_SYNCED, /* struct access_none: these were all */
	/* objects -> control */
	ACCESS_NEXT, /* struct access_none */

	ACCESS_COUNT,   /* control -> objects: struct access_count, how many buckets there are */
	ACCESS_COUNTED, /* objects -> control: the same, answered */
	ACCESS_NUM_TYPES,
};

struct access_put {
	char id[129];
	char account[16];
	char name[65];
	char arn[256];
	char secret[129];
	char session[201]; /* "": it has none */
	char pad[4];
	int64_t created_ms, expires_ms;
	uint32_t active;
	uint32_t policy; /* 1: what follows is its policy; 0: it may do all */
};

struct access_gone {
	char id[129];
	char pad[7];
};

/* Of an account. */
struct access_count {
	char account[16];
	uint64_t ask; /* control's: which question it is */
	uint64_t buckets;
};

struct access_none {
	uint32_t zero;
};

extern const struct ipc_row access_rows[ACCESS_NUM_TYPES];

#endif
