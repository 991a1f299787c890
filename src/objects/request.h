/* request.h - one S3 request, from its head to its answer.
 *
 * route.c reads the head, checks the signature and finds the operation; receive.c takes the body;
 * the operation answers, at once or when its work is done.  A request lives until its exchange is
 * done and no work of it is under way: `x` is NULL once the client is gone. */
#ifndef OBJECTS_REQUEST_H
#define OBJECTS_REQUEST_H

#include "net/http.h"
#include "objects/receive.h"
#include "wire/creds.h"

#define REQUEST_PARAMS 32

struct s3 {
	struct store store;
	struct creds creds;
	uv_loop_t *loop;
	char region[65], owner[16];
	struct http_server *server; /* NULL: not serving yet */
	struct tls *tls;
};

/* What an answer may say wrong; the codes are S3's. */
enum fault {
	FAULT_ACCESS_DENIED,
	FAULT_BAD_DIGEST,
	FAULT_BUCKET_EXISTS,
	FAULT_BUCKET_NOT_EMPTY,
	FAULT_BUSY,
	FAULT_INTERNAL,
	FAULT_INVALID_ARGUMENT,
	FAULT_INVALID_BUCKET,
	FAULT_INVALID_PART,
	FAULT_INVALID_PART_ORDER,
	FAULT_INVALID_RANGE,
	FAULT_INVALID_REQUEST,
	FAULT_KEY_TOO_LONG,
	FAULT_MALFORMED_XML,
	FAULT_METHOD,
	FAULT_MISSING_LENGTH,
	FAULT_NO_BUCKET,
	FAULT_NO_KEY,
	FAULT_NO_SPACE,
	FAULT_NO_UPLOAD,
	FAULT_NOT_IMPLEMENTED,
	FAULT_PRECONDITION,
	FAULT_TOO_LARGE,
	FAULT_NUM,
};

struct request {
	struct s3 *s3;
	struct http_exchange *x; /* NULL: the client is gone */
	const struct op *op;     /* NULL: answered before one was found */
	char id[17];
	char bucket_name[64], key[S3_KEY_SIZE]; /* "": none */
	struct {
		const char *name, *value;
	} params[REQUEST_PARAMS];
	size_t n_params;
	char *param_text; /* owned: what they point into */
	struct sigv4_claim claim;
	struct receive receive;
	struct draft draft;
	struct draft_job job;
	bool working;  /* the job is under way */
	bool answered; /* nothing more is said, nor received */
	void *own;     /* of the operation; freed by op->drop */
	struct {       /* a file that is being sent */
		int fd;
		uint64_t at, left;
	} send;
};

enum body_kind {
	BODY_NONE,
	BODY_XML,
	BODY_XML_UNSUMMED, /* its checksum headers are of something else */
	BODY_OBJECT,
};

struct op {
	const char *name;
	const char *method;
	bool bucket, key;
	const char *param, *param2; /* must be in the query; NULL: any */
	const char *header;         /* must be there; NULL: any */
	enum body_kind body;
	int (*begin)(struct request *r); /* before the body; -1: it answered. May be NULL */
	void (*run)(struct request *r);  /* the body is there and is what it claims to be */
	void (*drop)(struct request *r); /* at the end, always; may be NULL */
};

extern const struct http_handler s3_handler; /* its server's argument is a struct s3 */
extern const struct op s3_ops[];
extern const size_t s3_n_ops;

const char *request_param(const struct request *r, const char *name); /* NULL: absent */
const char *request_header(const struct request *r, const char *name);
/* The bucket that must be there; NULL: answered. */
struct bucket *request_bucket(struct request *r);
/* Run r->job on r->draft; `done` must end with request_finish, which may free r. */
void request_work(struct request *r, void (*done)(struct draft_job *j));
void request_finish(struct request *r);

/* Answers.  Each is the last word. */
void answer_fault(struct request *r, enum fault fault, const char *text); /* text NULL: S3's own */
void answer_err(struct request *r, enum fault fault,
		const struct err *e); /* ERR_CAPACITY: no space */
void answer_signature(struct request *r, const struct err *e);
void answer_empty(struct request *r, unsigned status, const struct http_header *headers, size_t n);
void answer_xml(struct request *r, struct buf *b);
void answer_raw_fault(struct http_exchange *x, unsigned status, const char *why);

void xml_begin(struct buf *b, const char *element);
void xml_time(struct buf *b, const char *element, int64_t at_ms);
void xml_etag(struct buf *b, const char *etag);
void xml_owner(struct buf *b, const struct s3 *s3, const char *element);

#endif
