/* s3_form.h - reads a form that uploads a file to S3 (multipart/form-data), and judges it by the
 * signed policy that is one of its fields.  Pure: the time is an argument; fuzzed. */
#ifndef WIRE_S3_FORM_H
#define WIRE_S3_FORM_H

#include "wire/http_head.h"
#include "wire/s3.h"

#define S3_FORM_FIELDS 64
#define S3_FORM_SIZE   (20 * KIB) /* of names and values together */

struct s3_form {
	int state;
	char delimiter[80]; /* CR LF "--" and the boundary */
	size_t length, matched, line;
	struct buf text; /* names and values; the fields' offsets point into it */
	struct {
		size_t name, value;
	} fields[S3_FORM_FIELDS + 1]; /* and one that is being read */
	size_t n, filename;           /* `filename` is an offset, too; 0: the file has none */
	bool is_file;                 /* the part that is read */
	char header[4096];            /* a line of a part's head */
};

enum s3_form_event {
	S3_FORM_MORE, /* all consumed */
	S3_FORM_FILE, /* all fields are there; the file comes next */
	S3_FORM_DATA, /* a piece of the file, which may lie in the form */
	S3_FORM_END,  /* the file is whole; what follows means nothing */
	S3_FORM_BAD,
};

/* From the Content-Type.  False: it is no such form.  s3_form_free ends it in any case. */
bool s3_form_begin(struct s3_form *f, const char *content_type);
void s3_form_free(struct s3_form *f);
/* Consumes *used bytes.  Call it again with the rest, even with none, until it returns MORE. */
enum s3_form_event s3_form_next(struct s3_form *f, const uint8_t *data, size_t size, size_t *used,
				const uint8_t **piece, size_t *piece_size);
/* By its name in lower case; NULL: absent.  Of two the first counts. */
const char *s3_form_field(const struct s3_form *f, const char *name);
/* The key, with the file's name in the place of "${filename}".  False: it is none. */
bool s3_form_key(const struct s3_form *f, struct buf *key);

/* Who has signed the policy, by Version 4 (region "..") or 2 (region ""). */
struct s3_form_claim {
	char access_key[129], date[9], region[65];
	bool v4;
};
/* ERR_DENIED or ERR_INVALID; the text begins with S3's code. */
int s3_form_read_claim(const struct s3_form *f, struct s3_form_claim *c, struct err *e) must_check;
int s3_form_verify(const struct s3_form *f, const struct s3_form_claim *c, const char *secret,
		   struct err *e) must_check;

struct s3_form_range {
	uint64_t least, most; /* bytes of the file */
};
/* Does the policy allow all fields?  Likewise. */
int s3_form_judge(const struct s3_form *f, const char *bucket, const char *key, int64_t now_ms,
		  struct s3_form_range *range, struct err *e) must_check;

#endif
