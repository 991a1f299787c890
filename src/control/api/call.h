/* call.h - one request of the API, from its head to its answer.
 *
 * The server makes it, decodes `in` by the operation's table and calls op->run
 * once.  The operation then calls exactly one of call_answer, call_answer_bytes
 * and call_fail*, at once or later.  After that it must not touch the call.
 * If the client leaves first, the operation goes on and its answer is dropped. */
#ifndef CONTROL_API_CALL_H
#define CONTROL_API_CALL_H

#include <openssl/evp.h>

#include "base/buf.h"
#include "control/api/ops.h"
#include "control/api/roles.h"
#include "control/control.h"
#include "control/model/model.h"
#include "net/http.h"
#include "wire/sigv4.h"

struct replay;

/* How a call ended: with an answer, or (type is not NULL) with an error. */
struct call_end {
	const json_t *answer; /* NULL: no body */
	unsigned status;
	const char *type, *text;
};

struct call {
	struct control *ctl;     /* borrowed */
	struct http_exchange *x; /* NULL: the client is gone */
	const struct op *op;
	char id[UUID_SIZE]; /* x-amzn-requestid */
	/* Whom it comes from.  The signature is right before the operation runs.  NULL: the head
	 * named no key of ours, and the call has failed. */
	const struct principal *who;
	struct access_key *key; /* whose `who` it is; held until the call is freed */
	bool verified;          /* the signature is right */
	json_t *in;             /* the members that are there; owned */
	json_t *made;           /* what the operation will answer once it is durable; owned */
	/* How an error leaves; NULL: as JSON. */
	void (*fail)(struct call *c, unsigned status, const char *type, const char *text);
	void (*ended)(struct call *c, const struct call_end *end); /* before the answer leaves */
	struct call_end end;                                       /* as it is answered */
	void (*audit)(const struct call *c); /* then; NULL: nobody wants to know */
	const char *action;    /* of STS, which names it in its form; static text; NULL: op->name */
	struct replay *replay; /* idempotency.c */
	struct list waits;     /* in the replay of another call */
	int64_t retry_after_s; /* for an error: when it may be tried again; 0: as the status says */
	bool answered;

	/* Of the server. */
	struct buf body;
	struct op_segments segments;
	struct sigv4_claim claim;
	EVP_MD_CTX *hash; /* of a streamed body */

	/* A streaming operation sets these in run; piece may take fewer bytes and call
	 * http_read_more(c->x) later.  `gone`: the client left before the answer. */
	size_t (*piece)(struct call *c, const uint8_t *data, size_t size);
	void (*complete)(struct call *c, bool intact);
	void (*gone)(struct call *c);
	void *state;
};

/* @answer is taken over; NULL: no body. */
void call_answer(struct call *c, json_t *answer);
void call_answer_bytes(struct call *c, unsigned status, const struct http_header *headers, size_t n,
		       const void *data, size_t size);
void call_fail(struct call *c, const struct err *e);
void call_fail_as(struct call *c, unsigned status, const char *type, const char *text);
/* ValidationException and ResourceNotFoundException. */
void call_invalid(struct call *c, const char *fmt, ...) printf_like(2, 3);
void call_not_found(struct call *c, const char *fmt, ...) printf_like(2, 3);
/* For whoever makes a change durable: answers c->made, or fails.  @arg is the call. */
void call_done(void *arg, int rc, const struct err *e);

/* The server's: the exchange is over. */
void call_exchange_done(struct call *c);

const char *call_text(const struct call *c, const char *member); /* NULL: absent */
int64_t call_number(const struct call *c, const char *member, int64_t fallback);

/* What the API keeps. */
struct api {
	struct http_server *server;
	struct certificates *certificates;
	struct tls *tls;
	struct replays *replays;
	struct role_table roles;
	struct list programs; /* credentials_outside.c */
	struct buf ca;        /* PEM */
	uint16_t port;
};

#endif
