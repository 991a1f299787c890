/* record.h - what happened to one request: filled on its way, and read once, at its end, by the
 * access log (access_log.h) and the meters (meters.h).  Pure: time is an argument. */
#ifndef PROXY_RECORD_H
#define PROXY_RECORD_H

#include "base/buf.h"
#include "base/rand.h"
#include "ipc/chan.h"
#include "ipc/refusal.h"
#include "ipc/share.h"
#include "proxy/trace.h"

#define RECORD_REASON 160

struct request_record {
	int64_t wall_ms; /* when its head was complete; 0: nothing is recorded */
	int64_t begin_ms, held_ms, sent_ms, first_ms; /* monotonic; 0: it did not come to that */
	bool woke;         /* it waited for its microVM, not only for its turn */
	unsigned status;   /* 0: the client left before there was an answer */
	bool refused, cut; /* by us; after its answer had begun */
	enum refusal why;  /* if it was refused */
	unsigned version;  /* of HTTP: 1 or 2; 0: another protocol, which is the method */
	bool entered;      /* it counts as one that its microVM has now ... */
	struct share_token *in_token; /* borrowed; ... and its token, if those are counted */
	uint16_t port;                /* 0: unknown */
	uint64_t in, out;             /* bytes of bodies, or of an upgraded connection */
	char endpoint[UUID_SIZE], microvm[IPC_ID_SIZE];
	char method[24];
	char *path; /* owned; without the query */
	char reason[RECORD_REASON];
	struct trace trace;
};

/* The identifiers of requests are made of it.  There is one loop, and the role never forks. */
extern struct rand_stock record_random;

void record_begin(struct request_record *r, const struct http_head *head, unsigned version,
		  int64_t wall_ms, int64_t mono_ms);
void record_route(struct request_record *r, const char *endpoint, const char *microvm,
		  uint16_t port);
void record_hold(struct request_record *r, bool for_microvm, int64_t mono_ms);
void record_sent(struct request_record *r, int64_t mono_ms); /* to the application */
void record_answer(struct request_record *r, unsigned status, int64_t mono_ms); /* its head */
/* @reason says more than the name of @why. */
void record_refuse(struct request_record *r, enum refusal why, const char *reason);
void record_free(struct request_record *r);
/* It goes on in another place: *r is as if nothing had begun. */
struct request_record record_take(struct request_record *r);

/* Adds it as one line of JSON. */
void record_put(const struct request_record *r, int64_t mono_ms, struct buf *to);

#endif
