/* bucket.h - the operations, one function each (objects/ops.c is their table). */
#ifndef OBJECTS_BUCKET_H
#define OBJECTS_BUCKET_H

#include "objects/request.h"

void bucket_op_list(struct request *r);
void bucket_op_create(struct request *r);
void bucket_op_head(struct request *r);
void bucket_op_delete(struct request *r);
void bucket_op_location(struct request *r);
void bucket_op_versioning(struct request *r);
void bucket_op_delete_objects(struct request *r);

void list_op_v1(struct request *r);
void list_op_v2(struct request *r);
void list_op_uploads(struct request *r);
void list_op_parts(struct request *r);

void object_op_get(struct request *r);
void object_op_delete(struct request *r);

int put_op_begin(struct request *r);
void put_op_run(struct request *r);
int copy_op_begin(struct request *r);
void copy_op_run(struct request *r);
void put_op_drop(struct request *r);

void multipart_op_create(struct request *r);
int multipart_op_part_begin(struct request *r);
void multipart_op_part(struct request *r);
void multipart_op_part_copy(struct request *r);
void multipart_op_complete(struct request *r);
void multipart_op_abort(struct request *r);
void multipart_op_drop(struct request *r);

#endif
