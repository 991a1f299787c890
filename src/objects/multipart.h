/* multipart.h - what the operations on uploads in parts share. */
#ifndef OBJECTS_MULTIPART_H
#define OBJECTS_MULTIPART_H

#include "objects/request.h"
#include "objects/upload.h"

/* The upload that the request names, for its key.  NULL: answered. */
struct upload *multipart_find(struct request *r);
/* Likewise, to complete or to abort it: nothing else may be working on it. */
struct upload *multipart_find_idle(struct request *r);
/* It is neither completed nor aborted by others until it is let go. */
struct upload *multipart_hold(struct upload *u);
void multipart_let_go(struct upload *u); /* NULL: nothing is done */
/* The upload is gone from the disk: its parts go, and what is in memory. */
void multipart_forget(struct request *r, struct upload *u);

#endif
