/* call.h - one request of the API, from its head to its answer.
 *
 * The server makes it, decodes `in` by the operation's table and calls op->run
 * once.  The operation then calls exactly one of call_answer, call_answer_bytes
 * and call_fail*, at once or later; after that the call is not its any more.
 * The client may go away before (call_gone): the operation goes on, its answer
 * goes nowhere. */
#ifndef CONTROL_API_CALL_H
#define CONTROL_API_CALL_H

#include <openssl/evp.h>

#include "base/buf.h"
#include "control/api/ops.h"
#include "control/control.h"
#include "control/model/model.h"
#include "net/http.h"
#include "wire/sigv4.h"

struct replay;

struct call {
	struct control *ctl;     /* borrowed */
	struct http_exchange *x; /* NULL: the client is gone */
	const struct op *op;
	char id[UUID_SIZE];    /* x-amzn-requestid */
	json_t *in;            /* the members that are there; owned */
	json_t *made;          /* what the operation will answer once it is durable; owned */
	struct replay *replay; /* replay.c */
	struct list waits;     /* in the replay of another call */
	int64_t claims_mib;    /* of the quota, until there is a row */
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
/* A lifecycle_done whose arg is the call: answers c->made, or fails. */
void call_done(void *arg, int rc, const struct err *e);

/* The server's: the exchange is over. */
void call_exchange_done(struct call *c);

const char *call_text(const struct call *c, const char *member); /* NULL: absent */
int64_t call_number(const struct call *c, const char *member, int64_t fallback);

/* A key of the caller's own to encrypt with: there is none here, and to take it in silence would be
 * a promise.  false: the call has failed. */
bool call_key_ok(struct call *c);

/* clientToken (service.md 2.8): true if an earlier call answered this one, will answer it, or it is
 * refused.  @alive says whether what was made is still there (NULL: always). */
bool replay_begin(struct call *c, bool (*alive)(struct control *ctl, const json_t *answer));
/* A transaction that holds the token with the answer c->made; NULL: there is no token. */
struct store_txn *replay_txn(struct call *c);
void replay_end(struct call *c, unsigned status, const char *type, const char *text);
void replay_load(struct control *ctl, const struct store_token *row);

/* The image that a member names by its ARN; NULL: the call has failed. */
struct image *call_image(struct call *c, const char *member);
struct image_version *call_version(struct call *c);
struct microvm *call_microvm(struct call *c);

/* What the API keeps. */
struct api {
	struct http_server *server;
	struct tls *tls;
	struct list replays;
	struct buf ca; /* PEM */
	uint16_t port;
	int64_t starting, starting_mib; /* runs that have no row yet */
};

op_run vm_run, vm_get, vm_list, vm_suspend, vm_resume, vm_terminate, token_create;
op_run image_create, image_get, image_list, image_update, image_delete, image_rebuild;
op_run version_get, version_list, version_update, version_delete, build_get, build_list;
op_run managed_list, managed_list_versions, tags_list, tags_add, tags_remove;
op_run doze_build_log, doze_cancel_build, doze_vm_log, doze_ports, doze_list_bases,
	doze_import_base, doze_drain, doze_drain_progress, doze_stats, doze_env;

/* GetCallerIdentity (sts.c): POST /, its own protocol. */
extern const struct op sts_op;
void sts_fail(struct call *c, unsigned status, const char *code, const char *text);

#endif
