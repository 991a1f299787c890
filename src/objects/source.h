/* source.h - the object that x-amz-copy-source names, for CopyObject and UploadPartCopy. */
#ifndef OBJECTS_SOURCE_H
#define OBJECTS_SOURCE_H

#include "objects/request.h"

/* Read it from the head.  -1: the request is answered. */
int source_begin(struct request *r) must_check;
/* Open it into r->found and r->copying, then call @opened.  If it is gone, or if a condition does
 * not hold, the request is answered instead. */
void source_open(struct request *r, void (*opened)(struct request *r));

#endif
