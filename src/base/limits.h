/* limits.h - all limits of our own, in one place. The limits of the service itself (lengths of
 * members, durations) are in the API's table, control/api/ops_*.c; a limit that an operator may
 * change is a key of conf/conf.h, and only its default is here. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/base.h"

/* What a stranger sends over HTTP. */
#define LIMIT_HTTP_HEAD    (64 * KIB) /* request line or status line and all headers */
#define LIMIT_HTTP_HEADERS 128        /* header fields of one message */
#define LIMIT_HTTP_TARGET  (16 * KIB) /* request target */
#define LIMIT_HTTP_BUFFER  (64 * KIB) /* bytes held between the two sides of a relay, each way */
/* ... and over HTTP/2, where LIMIT_HTTP_* hold for each stream. */
#define LIMIT_HTTP2_STREAMS 128         /* at a time, of one connection */
#define LIMIT_HTTP2_HELD    (256 * KIB) /* bytes of bodies that nobody takes, of one connection */
#define LIMIT_HTTP2_BLOCK   (1 * MIB)   /* bytes of frames that make one block of header fields */
#define LIMIT_HTTP2_DECODED                                                                  \
	(2 * MIB)                 /* bytes of the fields in it, whether they are kept or not \
				   */
#define LIMIT_HTTP2_CONTINUED 128 /* frames of such a block behind the first */
#define LIMIT_HTTP2_WINDOW    (32 * MIB)  /* 160 MB/s over 100 ms: half is told at once */
#define LIMIT_HTTP2_WINDOWS   (256 * MIB) /* by which the windows of all connections may grow */
#define LIMIT_API_BODY        (1 * MIB)
#define LIMIT_S3_XML_BODY     (1 * MIB) /* DeleteObjects, CompleteMultipartUpload */
#define LIMIT_S3_OBJECT       (20 * GIB)
#define LIMIT_SIGV4_SKEW_MS   (15 * 60 * 1000) /* AWS: a request older or newer is refused */

/* What a stranger may hold of a server: one table for the endpoints, the API and the S3 endpoint,
 * each of which counts for itself.  All are keys of [limits]; where the values come from:
 *
 *   connections         above what nginx ships (worker_connections 1024) and h2o's default
 *                       (max-connections 1024), since an idle one costs 16 KiB here; the one that
 *                       is idle longest is ended for a new one, as nginx does
 *   ..._per_address     more than a browser, an SDK or a NAT of an office needs at once
 *   head_timeout_ms     between h2o (http1-request-timeout 10 s) and nginx (client_header_timeout
 *                       60 s); Apache's mod_reqtimeout allows 20 to 40 s
 *   idle_timeout_ms     longer than nginx (75 s) and h2o (10 s), because SDKs expect minutes
 *   min_rate            Apache's mod_reqtimeout (body MinRate=500); Kestrel's is 240, each way.
 *                       Bodies for an application have none, as with nginx: it may be a sensor
 *                       that speaks now and then, and nothing is held for it
 *   body_timeout_ms     nginx's client_body_timeout
 *   send_timeout_ms     five times nginx's send_timeout: a reader may pause a download
 *   response_timeout_ms and
 *   tunnel_timeout_ms   HAProxy's documented `timeout tunnel 1h`: long polls, events and WebSockets
 *                       are what endpoints are for, and TCP keepalive finds dead peers sooner
 *   unverified_bytes    64 bodies of the API's largest size
 *   flow_timeout_ms     between Linux's own for a flow that was answered (120 s) and one that was
 *                       not (30 s): nf_conntrack_udp_timeout */
struct client_limits {
	int64_t connections, connections_per_address;
	int64_t head_timeout_ms; /* from a head's first byte to its last */
	int64_t idle_timeout_ms; /* a connection without a request */
	int64_t min_rate; /* bytes a second that a client sends of a body to doze itself, or takes
			     of an answer that lies ready; 0: the time-outs count silence alone */
	int64_t body_timeout_ms;     /* that a body may lag behind the rate, or be silent */
	int64_t send_timeout_ms;     /* that taking an answer may lag behind the rate */
	int64_t response_timeout_ms; /* silence of an application that has a request */
	int64_t tunnel_timeout_ms;   /* silence of an upgraded connection, both ways */
	int64_t unverified_bytes, unverified_bytes_per_address; /* bodies before their signature */
	int64_t denied_per_minute; /* requests of an address without a right signature; 0: any */
	int64_t held_requests;     /* per microVM that wakes */
	int64_t published_connections; /* connections and flows of a microVM's published ports */
	int64_t published_rate, published_rate_per_address; /* new ones a second; 0: any */
	int64_t flow_timeout_ms; /* silence of a flow of datagrams, both ways */
};

#define CLIENT_LIMITS                                                                            \
	{                                                                                        \
		.connections = 16384, .connections_per_address = 1024, .head_timeout_ms = 30000, \
		.idle_timeout_ms = 300000, .min_rate = 500, .body_timeout_ms = 60000,            \
		.send_timeout_ms = 300000, .response_timeout_ms = 3600000,                       \
		.tunnel_timeout_ms = 3600000, .unverified_bytes = 64 * MIB,                      \
		.unverified_bytes_per_address = 32 * MIB, .denied_per_minute = 100,              \
		.held_requests = 1000, .published_connections = 1024, .flow_timeout_ms = 60000,  \
	}

#define LIMIT_UNVERIFIED_FREE (16 * KIB) /* that every request may keep, whatever others do */
#define LIMIT_TLS_MS          30000      /* a handshake */
#define LIMIT_CONN_FINISH_MS  30000      /* to take the last bytes of a connection that is ending */
/* A peer that is gone without a word is found after 60 + 4 * 15 s (Linux alone: two hours). */
#define LIMIT_KEEPALIVE_IDLE_S     60
#define LIMIT_KEEPALIVE_INTERVAL_S 15
#define LIMIT_KEEPALIVE_PROBES     4

/* The endpoint proxy towards a guest. */
#define LIMIT_PROXY_IDLE     512   /* kept connections per endpoint */
#define LIMIT_PROXY_IDLE_MS  4000  /* less than common servers keep theirs */
#define LIMIT_NET_DIAL_MS    10000 /* until a machine answers a CONNECT */
#define LIMIT_PROXY_DIALS    8     /* connections to a port being opened, until some succeed */
#define LIMIT_PROXY_RETRY_MS 3000  /* a refused port is tried again for this long ... */
#define LIMIT_PROXY_WOKEN_MS \
	10000 /* ... if its microVM has become RUNNING no longer ago than this */
#define LIMIT_PROXY_STARTING_MS \
	(15 * 60 * 1000)             /* after which a port that never opened is refused at once */
#define LIMIT_PROXY_LEARNED_MS 60000 /* so long the early close of a kept one is remembered */

/* HTTP/2 towards a guest.  Its way is short, so little under way is enough for it. */
#define LIMIT_SESSION_STREAMS 100         /* at a time, whatever the guest allows */
#define LIMIT_SESSION_STREAM  (256 * KIB) /* window of an answer at first ... */
#define LIMIT_SESSION_GROWN   (1 * MIB)   /* ... and as far as it grows */
#define LIMIT_SESSION_WINDOW  (4 * MIB)   /* of all answers */
#define LIMIT_SESSION_KEPT    (4 * MIB) /* bytes that clients do not take, until that window shuts */
#define LIMIT_SESSION_INTERIM 32        /* heads in front of one answer */

/* Our own messages. */
#define LIMIT_IPC_BODY       (32 * KIB)
#define LIMIT_IPC_FDS        12
#define LIMIT_AGENT_TO_GUEST (1 * MIB)  /* one frame: START carries argv, env and files */
#define LIMIT_AGENT_TO_HOST  (16 * KIB) /* one frame from the guest, which may be hostile */
#define LIMIT_LOG_RATE \
	(256 * KIB) /* bytes of guest output a second; the rest is counted as dropped */
#define LIMIT_LOG_FILE    (64 * MIB) /* a build's log */
#define LIMIT_LOG_BACKLOG (1 * MIB)  /* of a microVM's output, while its disk is slow */
/* Of the data directory: with less no step of a build begins. */
#define LIMIT_DISK_LEFT (256 * MIB)

/* Artifacts and builds. */
#define LIMIT_ZIP_SIZE     (1 * GIB)
#define LIMIT_ZIP_UNPACKED (4 * GIB)
#define LIMIT_ZIP_ENTRIES  100000
#define LIMIT_ZIP_RATIO    200 /* unpacked : packed, of the whole, above 64 MiB */
#define LIMIT_ZIP_NAME     1024
#define LIMIT_ZIP_DEPTH    64        /* parts of a name */
#define LIMIT_DOCKERFILE   (1 * MIB) /* one value, too */
/* Bytes that a Dockerfile's variables make and steps that its patterns take, of all of it; bytes of
 * the lowered text. */
#define LIMIT_DOCKERFILE_WORK (32 * MIB)
#define LIMIT_IGNORE_WORK     (32 * GIB) /* steps that the rules of a .dockerignore take */

/* Machines. */
#define LIMIT_MACHINE_EXTRA    (128 * MIB) /* memory of a machine's cgroup above its guest RAM */
#define LIMIT_MACHINE_PIDS     128         /* threads too; QEMU has up to 64 for its disks */
#define LIMIT_WAIT_CAPACITY_MS 30000       /* a queued run, then InsufficientCapacityException */
#define LIMIT_AGENT_HELD       (64 * KIB)  /* bytes of the agent that wait in the machine process */
#define LIMIT_STREAMS          64    /* connections to guest ports being opened, per machine */
#define LIMIT_STREAM_MS        15000 /* from stream.sock's accept to OK or ERR */
#define LIMIT_SNAPSHOT_HEADER  (32 * MIB)

#endif
