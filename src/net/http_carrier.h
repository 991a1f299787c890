/* http_carrier.h - what carries an exchange; for net/http only.
 *
 * http_h1.c carries one exchange at a time on a connection, and http_h2.c many as streams.  ALPN
 * chooses between them (http_greeting.c). */
#ifndef NET_HTTP_CARRIER_H
#define NET_HTTP_CARRIER_H

#include "base/list.h"
#include "net/http.h"
#include "net/penalty.h"
#include "net/quota.h"

struct http_natives; /* http_native.h */

struct http_carrier {
	unsigned version;
	void (*read_stop)(struct http_exchange *x);
	void (*read_more)(struct http_exchange *x);
	void (*send_continue)(struct http_exchange *x);
	void (*send_head)(struct http_exchange *x, unsigned status,
			  const struct http_header *headers, size_t n, int64_t length);
	bool (*send_body)(struct http_exchange *x, const void *data, size_t size);
	/* NULL: many a client of HTTP/1.1 would take a 103 for the answer (RFC 8297 3) */
	void (*send_interim)(struct http_exchange *x, unsigned status,
			     const struct http_header *headers, size_t n);
	void (*send_end)(struct http_exchange *x);
	void (*send_trailers)(struct http_exchange *x, const struct http_header *fields, size_t n);
	void (*abort)(struct http_exchange *x, uint32_t h2_code);
	void (*cork)(struct http_exchange *x,
		     bool on); /* what is sent between on and off goes out in one piece */
	const char *(*sni)(const struct http_exchange *x);
	bool (*peer)(const struct http_exchange *x, struct sockaddr_storage *to);
	struct duplex *(*take_duplex)(struct http_exchange *x, const struct duplex_ops *ops,
				      void *owner);
	/* NULL: the client looks at it */
	bool (*upgrade_fits)(const struct http_exchange *x, const struct http_head *answer);
};

struct http_exchange {
	const struct http_carrier *carrier;
	struct http_server *server;
	const struct http_head *head;
	void *user;                  /* borrowed */
	const char *reason;          /* borrowed; NULL: the usual phrase */
	struct quota_source *source; /* borrowed, as long as there is a connection */
	size_t kept;                 /* http_keep */
	bool gone;
};

struct http_server {
	uv_loop_t *loop;
	struct tls *tls; /* borrowed */
	const struct http_handler *handler;
	const struct http_natives *natives; /* borrowed; NULL: none */
	void *arg;
	struct list accepters; /* struct http_listener */
	struct list conns;     /* struct http_link */
	struct list waiting;   /* those of them that may be ended for new ones */
	struct list heads;     /* struct http_wait: connections whose request head has begun,
				  oldest first */
	struct list laters;    /* struct http_later: to be called from the loop */
	uv_timer_t head_timer;
	uv_check_t later;      /* once in each turn of the loop, behind what was read */
	uv_idle_t later_comes; /* runs while somebody is to be called, so that no turn waits */
	struct client_limits limits;
	struct quota *quota;
	struct penalties *penalties;
	int64_t warned_ms; /* when the log last said that a connection is refused; 0: never */
	size_t windows;    /* by which HTTP/2's windows of all connections grew */
	unsigned handles;
	bool freeing, draining;
};

/* Embedded in a carrier's connection. */
struct http_link {
	struct list in, in_waiting, in_source;
	void (*close)(struct http_link *l);
	/* The server drains: tell the client that this connection ends, if that can be told
	 * without an answer.  NULL: it cannot. */
	void (*drain)(struct http_link *l);
};

struct http_wait {
	struct list in;
	int64_t at_ms;
	void (*late)(struct http_wait *w);
};

struct http_later {
	struct list in;
	void (*call)(struct http_later *l);
};

static inline void http_link_init(struct http_link *l, void (*close)(struct http_link *l))
{
	l->close = close;
	list_init(&l->in);
	list_init(&l->in_waiting);
	list_init(&l->in_source);
}

void http_link_add(struct http_server *s, struct http_link *l);
void http_link_del(struct http_server *s, struct http_link *l); /* may free a server that ends */
/* From now on the connection waits for its client.  Of the connections in this state the oldest is
 * ended when there is no room for a new one. */
void http_link_waits(struct http_server *s, struct http_link *l, struct quota_source *source);
void http_link_works(struct http_link *l);
void http_wait_start(struct http_server *s, struct http_wait *w);  /* a head's time begins now */
void http_call_later(struct http_server *s, struct http_later *l); /* it is called once, however
								      often it was asked for */

/* Take a client's connection over, or refuse it. */
int http_server_take(struct http_server *s, int fd, struct err *e) must_check;
int http_greet(struct http_server *s, int fd, struct quota_source *source,
	       struct err *e) must_check; /* takes it over */
/* Take over a connection that is open. */
void http_h1_take(struct http_server *s, struct conn *c, struct quota_source *source);
void http_h2_take(struct http_server *s, struct conn *c, struct quota_source *source);

const char *http_date(void); /* of this second, for an answer's head */

#endif
