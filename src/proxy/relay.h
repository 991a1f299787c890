/* relay.h - one request on its way: relay.c is the client's side of it, caller.h says when it goes
 * on, forward.c is the guest's side.
 *
 *   head -> denied
 *        -> calling (caller.h) -> forwarding -> finished
 *
 * A relay that nobody may forward any more goes back to its gate while it dials, and ends when it
 * is forwarding.  It lives as long as its exchange, or becomes a tunnel (tunnel.h). */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "net/upstream.h"
#include "proxy/auth.h"
#include "proxy/caller.h"
#include "proxy/recording.h"
#include "proxy/throttle.h"

struct relay {
	struct caller caller;
	struct throttle throttle;
	struct list in_heads;    /* of proxy->heads, unsure or probes */
	struct http_exchange *x; /* borrowed */
	struct upstream *up;     /* owned; NULL: not forwarding */
	const char *raw; /* the protocol of an upgrade that is ours (forward_dial.c); NULL: HTTP */
	struct auth_offer offer;
	struct request_record record; /* recording.h */
	char id[UUID_SIZE];
	int64_t kept_ms;       /* how long its connection had been idle, if it was a kept one */
	int64_t keep_alive_ms; /* how long the application says that it keeps it */
	const struct http_header *trailers; /* of the request, once it has `ended`; borrowed */
	size_t n_trailers;
	const struct http_header *answer_trailers; /* borrowed until the answer's end */
	size_t n_answer_trailers;
	unsigned emptied;        /* connections that ended before the request was sent */
	unsigned repeats;        /* how often it was sent again */
	bool force_http2;        /* the client asks for HTTP/2 without TLS */
	bool http2;              /* it goes over HTTP/2 */
	bool body_passed;        /* bytes of its body were passed on */
	bool body_lost;          /* ... and `sent` does not hold all of them */
	bool probed;             /* whether its port speaks TLS; probe.c */
	bool probing;            /* a handshake is under way, or the dial for it */
	struct buf sent;         /* body that was passed on, while its port's kind is not known */
	struct conn *shake;      /* owned; NULL: no handshake is under way */
	struct dial *probe_dial; /* owned; NULL: none */
	int64_t probe_since_ms;  /* monotonic */
	const struct http_head *held; /* an answer that waits for what a probe finds; borrowed */
	const char *why;              /* what the client hears if it finds nothing; borrowed */
	int64_t unsure_until_ms;      /* its body waits so long for the port's kind; 0: not yet */
	bool ended;                   /* the request is complete */
	bool reused;   /* the connection had served another request, so this one is repeatable */
	bool answered; /* the application said something, but it cannot be passed on */
	bool reset;    /* the application reset its stream, so that of the client is, too */
	uint32_t abort_code; /* HTTP/2's, for a client whose answer is cut */
	bool headed;         /* the answer's head went to the client */
	bool client_full;    /* the client takes no more for now */
	bool guest_full;
};

/* relay.c */
void relay_detach(struct relay *r); /* let go of the route and of everything that leads into the
				       machine */
/* End it with the status of @why and an empty body or, if the answer has begun, with a cut.  The
 * client and the microVM's log are told why.  *r may be gone afterwards. */
void relay_refuse(struct relay *r, enum refusal why, const char *text, ...)
	__attribute__((format(printf, 3, 4)));
void relay_free(struct relay *r);
void relay_held(struct caller *c, bool for_microvm); /* of caller_ops: the record says so */

/* forward_dial.c */
/* "doze-tcp" and "doze-udp": after the 101 the bytes are those of the port, or frames of datagrams.
 * NULL: the request is for the application. */
const char *forward_raw_protocol(const struct http_head *head, enum connect_way *way);
extern const struct caller_ops forward_caller;
/* shell.c: for a request whose token opens a shell.  It is answered with an upgrade once the guest
 * has answered; a session_error says why it gave none. */
extern const struct caller_ops shell_caller;

/* probe.c */
/* Keep what is passed on, until the port's kind is known.  False: it has to wait a moment. */
bool probe_keep_body(struct relay *r, const uint8_t *data, size_t size);
void probe_gives_up(struct relay *r); /* nothing came for so long that it must be reading */
void probe_cancel(struct relay *r);   /* harmless if there is none */
struct relay *probe_late(const struct proxy *p, int64_t now_ms); /* NULL: none is */
void probe_times_out(struct relay *r);

#endif
