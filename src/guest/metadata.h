/* metadata.h - answers the application at http://169.254.169.254, where clouds have their metadata:
 * POST /doze/lease asks to be kept awake (lease.h), for as many seconds as its body says.
 *
 * Nothing listens at that address.  A connection of the guest's to its port 80 is led to a listener
 * beside that of the streams, by a program that the kernel runs at each connect, so that an
 * application may have port 80 at every address.  Only the guest itself is answered. */
#ifndef GUEST_METADATA_H
#define GUEST_METADATA_H

#include "guest/lease.h"

#define METADATA_CLIENTS 16
#define METADATA_BYTES   2048 /* of a request */
#define METADATA_MS      5000 /* for all of it */

struct metadata_client {
	struct metadata *of; /* borrowed */
	struct watch watch;
	struct timer timer;
	int fd; /* owned; -1: it is free */
	size_t n;
	char in[METADATA_BYTES + 1];
};

struct metadata {
	struct loop *loop;   /* borrowed */
	struct lease *lease; /* borrowed */
	struct watch watch;
	struct metadata_client clients[METADATA_CLIENTS];
};

/* A kernel that leads no connections is logged, and is no error: the file still serves. */
int metadata_open(struct metadata *m, struct loop *l, struct lease *lease,
		  struct err *e) must_check;

/* The status that answers these bytes, or 0 if more are needed; with 204 *seconds is what is asked
 * for.  @text ends with a NUL behind its @n bytes.  Pure. */
unsigned metadata_judge(const char *text, size_t n, uint64_t *seconds);

#endif
