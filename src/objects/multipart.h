/* multipart.h - what the operations on uploads in parts share. */
#ifndef OBJECTS_MULTIPART_H
#define OBJECTS_MULTIPART_H

#include "objects/request.h"
#include "objects/upload.h"

/* The upload of the request's key that it names.  NULL: the request is answered. */
struct upload *multipart_find(struct request *r);
/* Likewise, but nothing else may be working on the upload: it will be completed or aborted. */
struct upload *multipart_find_idle(struct request *r);
/* Nobody else completes or aborts the upload until it is let go. */
struct upload *multipart_hold(struct upload *u);
void multipart_let_go(struct upload *u); /* does nothing with NULL */
/* The records of the upload are gone: delete its data files, and free it. */
void multipart_forget(struct request *r, struct upload *u);

#endif
