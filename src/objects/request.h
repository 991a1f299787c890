/* request.h - one S3 request, from its head to its answer.
 *
 * serve.c gets the calls of the HTTP server; route.c reads the head, checks the signature and finds
 * the operation; receive.c takes the body; the operation answers, at once or after its steps.
 *
 * A step is a piece of work on the disk, off the loop, and a request has at most one under way.  A
 * request lives until its exchange is done and no step of it is under way: `x` is NULL once the
 * client is gone.  A client that goes before its body is whole leaves nothing; after that the
 * operation goes on to its end without it. */
#ifndef OBJECTS_REQUEST_H
#define OBJECTS_REQUEST_H

#include "net/http.h"
#include "objects/access.h"
#include "objects/found.h"
#include "objects/receive.h"

#define REQUEST_PARAMS 32

struct s3 {
	struct store store;
	struct access access;
	uv_loop_t *loop;
	char region[65];
	char api_name[128];         /* of [service]: hosts below it are buckets */
	struct http_server *server; /* NULL: not serving yet */
	struct tls *tls;
	unsigned requests; /* that live */
};

/* The faults that an answer may report; their codes are S3's. */
enum fault {
	FAULT_ACCESS_DENIED,
	FAULT_BAD_DIGEST,
	FAULT_BUCKET_EXISTS,
	FAULT_BUCKET_TAKEN,
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
	FAULT_NO_TAGS,
	FAULT_NO_UPLOAD,
	FAULT_NOT_IMPLEMENTED,
	FAULT_PRECONDITION,
	FAULT_SLOW_DOWN,
	FAULT_TOO_LARGE,
	FAULT_NUM,
};

enum request_phase {
	REQUEST_BODY,     /* the head was accepted: the body comes in */
	REQUEST_ENDED,    /* the body is whole, and a piece of it is still being written */
	REQUEST_RUNNING,  /* the operation was called */
	REQUEST_ANSWERED, /* nothing more is said (but the bytes of a GET), nor taken */
};

struct request;

struct step {
	enum store_lane lane;
	/* Optional, on the loop, right before `run`.  False: the request is answered, and the rest
	 * is left out.
	 */
	bool (*turn)(struct request *r);
	/* Off the loop.  It touches only what is named below as for the steps, and `own`. */
	void (*run)(struct request *r);
	void (*done)(struct request *r); /* on the loop; r->x may be NULL by now */
};

/* The object that is copied (source.h). */
struct source {
	struct bucket *bucket;          /* a reference; NULL: the request copies nothing */
	char *key;                      /* owned */
	char *if_match, *if_none_match; /* owned; NULL: any */
	char *range;                    /* owned; NULL: all of it */
	void (*opened)(struct request *r);
};

/* The record that is written last (commit.h). */
struct commit {
	struct object *object; /* owned until it is in the index */
	char *text;            /* owned */
	char name[65];
	bool unsure;
	void (*done)(struct request *r, const struct object *o);
};

struct request {
	struct s3 *s3;
	struct http_exchange *x; /* NULL: the client is gone */
	const struct op *op;     /* NULL: answered before one was found */
	enum request_phase phase;
	char id[17];
	char bucket_name[64], key[S3_KEY_SIZE]; /* "": none */
	struct bucket *bucket; /* a reference, since request_bucket; NULL: not looked for yet */
	struct {
		const char *name, *value;
	} params[REQUEST_PARAMS];
	size_t n_params;
	char *param_text; /* owned: what they point into */
	char *if_match,
		*if_none_match; /* owned: they are looked at again when the client is gone */
	struct sigv4_claim claim;
	struct access_key *signer; /* a reference; NULL: the signature is not known yet */
	struct receive receive;
	void *own; /* of the operation; freed by op->drop */

	/* For the steps. */
	struct disk_task task;
	const struct step *step; /* NULL: none is */
	int rc;                  /* how it went: 0 or -errno */
	struct draft draft;
	struct copying copying;
	void (*made)(struct request *r); /* the draft is durable, or rc says why not */
	struct source source;
	struct found found;
	struct commit commit;
	struct { /* a file that is being sent: found.fd */
		uint64_t at, left;
		struct buf piece;
	} send;
};

enum body_kind {
	BODY_NONE,
	BODY_XML,
	BODY_XML_UNSUMMED, /* the checksum headers do not describe the body */
	BODY_OBJECT,
	BODY_FORM, /* the operation takes it itself, and signs in by it */
};

struct op {
	const char *name;
	const char *method;
	bool bucket, key;
	const char *param, *param2; /* must be in the query; NULL: any */
	const char *header;         /* must be in the head; NULL: any */
	enum body_kind body;
	int (*begin)(
		struct request *r); /* before the body; -1: the request is answered; may be NULL */
	void (*run)(struct request *r);  /* the body is whole and its hashes are right */
	void (*drop)(struct request *r); /* always called at the end; may be NULL */
};

extern const struct http_handler s3_handler; /* its server's argument is a struct s3 */
extern const struct op s3_ops[];
extern const size_t s3_n_ops;

struct request *request_new(struct s3 *s3, struct http_exchange *x);
void request_gone(struct request *r); /* the exchange is done: r is freed, now or after its step */

/* Find the bucket, key, parameters and operation of the request, and check its signature.  False:
 * it is answered. */
bool route_request(struct request *r);
/* The key of a claim, which the request holds from now on; NULL: ERR_DENIED. */
const char *request_secret(struct request *r, const char *id, const char *session,
			   struct err *e) must_check;
/* It is not who it says it is, which counts against its address; not so if nobody can know yet, or
 * if it was. */
void request_penalize(struct request *r, const struct err *e);

const char *request_param(const struct request *r, const char *name);  /* NULL: absent */
const char *request_header(const struct request *r, const char *name); /* NULL: absent, or gone */
/* The bucket of the request, held until the request is freed.  NULL: there is none, or it is
 * another account's, and the request is answered. */
struct bucket *request_bucket(struct request *r);
bool request_bucket_stays(
	struct request *r); /* false: it was dropped since, and the request is answered */

void request_step(struct request *r, const struct step *step);
/* Write the rest of the draft, append what r->copying names, sync it, and call @made. */
void request_make(struct request *r, void (*made)(struct request *r));
/* Write the piece of the body that is full, if one is.  While an older one is being written the
 * client has to wait. */
void request_flush(struct request *r);
void request_send(struct request *r); /* bytes of found.fd, as long as the client takes them */

/* Answers.  The first one ends the request; later ones are ignored. */
void answer_fault(struct request *r, enum fault fault, const char *text); /* text NULL: S3's own */
void answer_err(struct request *r, enum fault fault,
		const struct err *e); /* ERR_CAPACITY: no space */
void answer_signature(struct request *r, const struct err *e);
/* The signature is for another region.  The answer names ours, so that clients can sign again. */
void answer_region(struct request *r);
void answer_empty(struct request *r, unsigned status, const struct http_header *headers, size_t n);
void answer_xml(struct request *r, struct buf *b);
void answer_document(struct request *r, unsigned status, const struct http_header *headers,
		     size_t n, const struct buf *b);
void answer_raw_fault(struct http_exchange *x, unsigned status, const char *why);

void xml_begin(struct buf *b, const char *element);
void xml_time(struct buf *b, const char *element, int64_t at_ms);
void xml_etag(struct buf *b, const char *etag);
void xml_owner(struct buf *b, const struct request *r, const char *element);

#endif
