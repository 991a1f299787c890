/* ops.c - the operations.  A request is the operation of the first row that fits it. */

#include "objects/ops.h"

/* clang-format off */
const struct op s3_ops[] = {
	/*                          method    bucket key  params                     header               body */
	{ "ListBuckets",             "GET",    false, false, NULL, NULL,             NULL,                BODY_NONE,   NULL, bucket_op_list, NULL },
	{ "GetBucketLocation",       "GET",    true,  false, "location", NULL,       NULL,                BODY_NONE,   NULL, bucket_op_location, NULL },
	{ "GetBucketVersioning",     "GET",    true,  false, "versioning", NULL,     NULL,                BODY_NONE,   NULL, bucket_op_versioning, NULL },
	{ "GetBucketAcl",            "GET",    true,  false, "acl", NULL,            NULL,                BODY_NONE,   NULL, bucket_op_acl, NULL },
	{ "GetBucketTagging",        "GET",    true,  false, "tagging", NULL,        NULL,                BODY_NONE,   NULL, bucket_op_tagging, NULL },
	{ "ListMultipartUploads",    "GET",    true,  false, "uploads", NULL,        NULL,                BODY_NONE,   NULL, list_op_uploads, NULL },
	{ "ListObjectsV2",           "GET",    true,  false, "list-type", NULL,      NULL,                BODY_NONE,   NULL, list_op_v2, NULL },
	{ "ListObjects",             "GET",    true,  false, NULL, NULL,             NULL,                BODY_NONE,   NULL, list_op_v1, NULL },
	{ "HeadBucket",              "HEAD",   true,  false, NULL, NULL,             NULL,                BODY_NONE,   NULL, bucket_op_head, NULL },
	{ "CreateBucket",            "PUT",    true,  false, NULL, NULL,             NULL,                BODY_XML,    NULL, bucket_op_create, bucket_op_drop },
	{ "DeleteBucket",            "DELETE", true,  false, NULL, NULL,             NULL,                BODY_NONE,   NULL, bucket_op_delete, bucket_op_drop },
	{ "DeleteObjects",           "POST",   true,  false, "delete", NULL,         NULL,                BODY_XML,    NULL, delete_op_objects, delete_op_drop },
	{ "PostObject",              "POST",   true,  false, NULL, NULL,             "content-type",      BODY_FORM,   post_op_begin, post_op_run, post_op_drop },
	{ "ListParts",               "GET",    true,  true,  "uploadId", NULL,       NULL,                BODY_NONE,   NULL, list_op_parts, NULL },
	{ "GetObjectAcl",            "GET",    true,  true,  "acl", NULL,            NULL,                BODY_NONE,   NULL, bucket_op_acl, NULL },
	{ "GetObjectTagging",        "GET",    true,  true,  "tagging", NULL,        NULL,                BODY_NONE,   NULL, bucket_op_tagging, NULL },
	{ "GetObject",               "GET",    true,  true,  NULL, NULL,             NULL,                BODY_NONE,   NULL, get_op_run, NULL },
	{ "HeadObject",              "HEAD",   true,  true,  NULL, NULL,             NULL,                BODY_NONE,   NULL, get_op_run, NULL },
	{ "UploadPartCopy",          "PUT",    true,  true,  "partNumber", "uploadId", "x-amz-copy-source", BODY_OBJECT, part_op_copy_begin, part_op_copy_run, part_op_drop },
	{ "UploadPart",              "PUT",    true,  true,  "partNumber", "uploadId", NULL,              BODY_OBJECT, part_op_begin, part_op_run, part_op_drop },
	{ "CopyObject",              "PUT",    true,  true,  NULL, NULL,             "x-amz-copy-source", BODY_OBJECT, copy_op_begin, copy_op_run, put_op_drop },
	{ "PutObject",               "PUT",    true,  true,  NULL, NULL,             NULL,                BODY_OBJECT, put_op_begin, put_op_run, put_op_drop },
	{ "AbortMultipartUpload",    "DELETE", true,  true,  "uploadId", NULL,       NULL,                BODY_NONE,   NULL, multipart_op_abort, NULL },
	{ "DeleteObject",            "DELETE", true,  true,  NULL, NULL,             NULL,                BODY_NONE,   NULL, delete_op_object, delete_op_drop },
	{ "CreateMultipartUpload",   "POST",   true,  true,  "uploads", NULL,        NULL,                BODY_NONE,   NULL, multipart_op_create, multipart_op_create_drop },
	{ "CompleteMultipartUpload", "POST",   true,  true,  "uploadId", NULL,       NULL,                BODY_XML_UNSUMMED, NULL, complete_op_run, complete_op_drop },
};
/* clang-format on */

const size_t s3_n_ops = ARRAY_SIZE(s3_ops);
