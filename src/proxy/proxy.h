/* proxy.h - the endpoint proxy: what its parts share (design 7).
 *
 * proxy_init makes it, proxy_listen gives it sockets, and proxy_control its channel to control;
 * main.c wires the supervisor's messages to these.  A relay carries one request, and a tunnel one
 * upgraded connection.  Both stand in their route's list as a struct link, so that all of them are
 * ended when the machine may no longer be used. */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "conf/conf.h"
#include "ipc/super.h"
#include "net/chan_uv.h"
#include "net/http_native.h"
#include "proxy/auth.h"
#include "proxy/route.h"
#include "proxy/shares.h"

struct proxy {
	uv_loop_t *loop;         /* borrowed */
	const struct conf *conf; /* borrowed */
	char suffix[256];        /* ".lambda-microvm.<region>.<domain>" */
	struct auth_keys keys;
	struct certificates *certificates; /* certificates.c */
	struct tls *tls;                   /* owned; NULL: not yet */
	struct tls *to_apps[2];            /* any version; HTTP/1.1 alone, for an upgrade */
	struct http_server *server;
	struct quota *quota; /* of published ports' clients; owned */
	struct route_table routes;
	struct held_clock clock;
	struct list connecting; /* callers that dial */
	struct list pausing;    /* lines that have to be looked at again */
	struct list throttled;  /* those who wait for bandwidth (throttle.h) */
	struct rates *rates;    /* of published ports' clients, by address; owned */
	unsigned n_workers;     /* of which this is one */
	struct worker_shares shares;
	struct list metered;   /* routes with counts to report */
	struct meter unrouted; /* counts of requests that led to no microVM */
	bool unrouted_counts;
	struct access_log *access_log; /* owned */
	struct list unsure;            /* relays whose body waits until the port's kind is known */
	struct list probes;            /* relays that find it out, or that shake hands */
	struct list heads;             /* relays whose head waits for the first piece of its body */
	struct list natives;           /* native clients that are not inside */
	struct certificate_authority *client_ca; /* owned; NULL: no certificate is accepted */
	struct chan_uv *control;                 /* owned; NULL: away */
	uv_tcp_t first;                          /* proxy_make_a_stream */
	uv_timer_t tick_report, tick_held, tick_connect, tick_drain, tick_throttle;
	struct {
		int fd;
		uint16_t port;
	} waiting[4]; /* listeners, owned: nobody is let in before the routes are known */
	size_t n_waiting;
	bool started, synced, serving, draining;
	void (*on_serving)(struct proxy *p);
	void (*on_drained)(struct proxy *p);
	int64_t drain_since_ms;
};

struct link {
	struct list in_route;
	uint16_t published;          /* the port of the host by which it came; 0: an endpoint */
	void (*cut)(struct link *l); /* the machine may no longer be used; takes the link out of
					the list */
};

void link_cut_all(struct list *links); /* of in_route; each is taken out first */

int proxy_init(struct proxy *p, uv_loop_t *loop, const struct conf *conf, struct err *e) must_check;
void proxy_stop(struct proxy *p); /* cuts everything; run the loop to its end afterwards */
void proxy_free(struct proxy *p); /* what the connections used until then */

/* Secrets, which may come again. */
int proxy_set_certificates(struct proxy *p, enum secret which, const char *text, size_t size,
			   struct err *e) must_check;
int proxy_set_keys(struct proxy *p, const char *json, size_t size, struct err *e) must_check;

/* It serves once it has been started and control has sent all routes, and then calls on_serving. */
void proxy_listen(struct proxy *p, int fd, uint16_t port); /* takes it over */
void proxy_start(struct proxy *p, unsigned workers);       /* of which it is one */
void proxy_synced(struct proxy *p);
/* drain.c: another one takes the place; calls on_drained when nothing is left. */
void proxy_drain(struct proxy *p);

/* control.c: the routes come from control.  Takes ownership of the socket; an older channel is
 * closed. */
void proxy_control(struct proxy *p, int sock);
void proxy_control_close(struct proxy *p);
void control_forget_unseen(struct proxy *p);         /* the routes that were not sent again */
void control_wake(struct proxy *p, struct route *r); /* tells control if somebody waits at a
							sleeping endpoint */
void control_touch(struct proxy *p, struct route *r);
void control_report(struct proxy *p); /* soon, of what was counted */
/* Another worker shall have it; the descriptor stays the caller's. */
void control_give_flow(struct proxy *p, const struct route_flow *flow, int fd);
void control_leave_port(struct proxy *p, const struct route_port *port);
/* Tells the microVM's log, but not too often. */
void control_note(struct proxy *p, struct route *r, const char *text);

/* relay.c */
extern const struct http_handler relay_handler;
void relay_tick(struct proxy *p, int64_t now_ms); /* what is due of those who are inside */
bool relay_is_idle(const struct proxy *p);        /* nothing can become due */

/* native_start.c, native_client.c: clients that do not speak HTTP */
extern const struct tls_natives native_names; /* in a handshake */
extern const struct http_natives native_handler;
void native_clients_close(struct proxy *p); /* those that are not inside */

/* queue.c */
void queue_leave_lines(struct route *r); /* who waited for a port waits for the microVM */
void queue_release(struct route *r);     /* decide again about those who wait, as the gate says */
void queue_arm(struct proxy *p);         /* sets the timers for those who wait or connect */

#endif
