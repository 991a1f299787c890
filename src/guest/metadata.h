/* metadata.h - answers the application at http://169.254.169.254, where clouds have their metadata
 * (service.md 12).  PUT /latest/api/token gives a token, as IMDSv2 does, with which GET reads what
 * the host gave (metadata_tree.h), the credentials of the execution role among it.  POST
 * /doze/lease asks to be kept awake (lease.h), for as many seconds as its body says.
 *
 * A connection to that address is led to a listener beside that of the streams (metadata_lead.h),
 * so that an application may have port 80 at every address.  Only the guest itself is answered. */
#ifndef GUEST_METADATA_H
#define GUEST_METADATA_H

#include "guest/lease.h"
#include "guest/metadata_request.h"
#include "guest/metadata_token.h"
#include "guest/metadata_tree.h"

#define METADATA_CLIENTS 16
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
	struct metadata_key key;
	struct metadata_tree tree;
};

/* A kernel that leads no connections is logged, and is no error: the file still serves. */
int metadata_open(struct metadata *m, struct loop *l, struct lease *lease,
		  struct err *e) must_check;

/* Takes what the host gives in place of all that it gave before. */
void metadata_put(struct metadata *m, const struct agent_frame *f);
/* No token that was given before is good any more. */
void metadata_renew(struct metadata *m);

#endif
