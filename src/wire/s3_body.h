/* s3_body.h - reads and checks the XML bodies that S3's clients send.  Pure. */
#ifndef WIRE_S3_BODY_H
#define WIRE_S3_BODY_H

#include "wire/s3.h"

#define S3_KEY_SIZE  1025 /* UTF-8, with the NUL */
#define S3_PARTS_MAX 10000

/* 1 to 1024 bytes of UTF-8 without NUL. */
bool s3_key_valid(const char *key, size_t size);
/* 3 to 63 characters: a-z, 0-9, '-', and single dots between labels.  No IPv4 address. */
bool s3_bucket_valid(const char *name);

/* DeleteObjects: at most 1000 keys. */
struct s3_delete {
	char **keys; /* owned */
	size_t n;
	bool quiet;
};
int s3_delete_parse(struct s3_delete *d, const char *text, size_t size, struct err *e) must_check;
void s3_delete_free(struct s3_delete *d);

/* CompleteMultipartUpload.  Part numbers must ascend; ERR_CONFLICT if they do not. */
struct s3_part {
	unsigned number;
	char etag[64]; /* without quotes */
	char sum[S3_SUM_TEXT];
	enum s3_sum_kind sum_kind;
};
struct s3_complete {
	struct s3_part *parts; /* owned */
	size_t n;
};
int s3_complete_parse(struct s3_complete *c, const char *text, size_t size,
		      struct err *e) must_check;
void s3_complete_free(struct s3_complete *c);

/* CreateBucketConfiguration: its LocationConstraint, or "" if it has none. */
int s3_location_parse(char location[65], const char *text, size_t size, struct err *e) must_check;

#endif
