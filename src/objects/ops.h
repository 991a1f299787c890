/* ops.h - the operations (objects/ops.c is their table). */
#ifndef OBJECTS_OPS_H
#define OBJECTS_OPS_H

#include "objects/request.h"

void bucket_op_list(struct request *r);
void bucket_op_create(struct request *r);
void bucket_op_head(struct request *r);
void bucket_op_delete(struct request *r);
void bucket_op_location(struct request *r);
void bucket_op_versioning(struct request *r);
void bucket_op_acl(struct request *r);
void bucket_op_tagging(struct request *r);
void bucket_op_drop(struct request *r);

void list_op_v1(struct request *r);
void list_op_v2(struct request *r);
void list_op_uploads(struct request *r);
void list_op_parts(struct request *r);

void get_op_run(struct request *r);

void delete_op_object(struct request *r);
void delete_op_objects(struct request *r);
void delete_op_drop(struct request *r);

int put_op_begin(struct request *r);
void put_op_run(struct request *r);
int post_op_begin(struct request *r);
void post_op_take(struct request *r, const uint8_t *data, size_t size);
int post_op_end(struct request *r, struct err *e) must_check; /* the body is whole: is the form? */
void post_op_run(struct request *r);
void post_op_drop(struct request *r);
int copy_op_begin(struct request *r);
void copy_op_run(struct request *r);
void put_op_drop(struct request *r);

void multipart_op_create(struct request *r);
void multipart_op_create_drop(struct request *r);
void multipart_op_abort(struct request *r);

int part_op_begin(struct request *r);
void part_op_run(struct request *r);
int part_op_copy_begin(struct request *r);
void part_op_copy_run(struct request *r);
void part_op_drop(struct request *r);

void complete_op_run(struct request *r);
void complete_op_drop(struct request *r);

#endif
