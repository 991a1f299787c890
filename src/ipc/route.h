/* route.h - control tells the proxy where an endpoint leads; the proxy reports its traffic.
 *
 * On a new connection control sends ROUTE_SET for every microVM that has an endpoint, then SYNCED,
 * then changes as they happen.  When SYNCED arrives the proxy drops the routes of the connection
 * before. */
#ifndef IPC_ROUTE_H
#define IPC_ROUTE_H

#include "base/cidr.h"
#include "base/rand.h"
#include "ipc/chan.h"
#include "ipc/meter.h"

enum route_type {
	ROUTE_NONE,

	/* control -> proxy */
	ROUTE_SET,     /* struct route_set */
	ROUTE_GONE,    /* struct route_endpoint: forget it; its name is unknown from now on */
	ROUTE_SYNCED,  /* struct route_none */
	ROUTE_HOLD,    /* struct route_endpoint: hold new requests, answer HELD */
	ROUTE_RELEASE, /* struct route_endpoint: the suspend was cancelled */

	/* proxy -> control */
	ROUTE_ACTIVE, /* struct route_bytes: at most once a second per endpoint */
	ROUTE_HELD,   /* struct route_bytes: answer to HOLD, with the last byte's time */
	ROUTE_WAKE,   /* struct route_endpoint: requests wait at a SLEEPING endpoint; sent once */
	ROUTE_NOTE,   /* struct route_note: for the microVM's log, a few per minute */
	ROUTE_METER,  /* struct route_meter: what was counted since the last one */
	ROUTE_NOW,    /* struct route_now: at most once a second */

	/* control -> proxy; the microVM's ROUTE_SET comes before */
	ROUTE_PUBLISH,   /* struct route_publish, fd: serve a port of the host, or what serves it
			    has changed */
	ROUTE_UNPUBLISH, /* struct route_port: no longer; its connections are cut */

	/* proxy -> control, on a new connection.  A control that was started again gets the
	 * sockets back in this way, without a moment in which nobody listens. */
	ROUTE_LISTENS,  /* struct route_port, fd: what the proxy serves */
	ROUTE_LISTENED, /* struct route_none: these were all */

	/* proxy -> control -> another worker.  A worker that is replaced gives the flows of its
	 * ports of UDP away, and then, to control, the port. */
	ROUTE_FLOW,   /* struct route_flow, fd: the flow's stream into the guest */
	ROUTE_LEAVES, /* struct route_port: another worker has to serve it */
	ROUTE_NUM_TYPES,
};

enum route_state {
	ROUTE_OPEN,     /* RUNNING: requests go to the machine */
	ROUTE_WAITING,  /* PENDING, SUSPENDING, resuming: requests are held; open streams are closed
			 */
	ROUTE_SLEEPING, /* SUSPENDED with auto-resume: WAKE once, hold */
	ROUTE_DEAD,     /* SUSPENDED without auto-resume, TERMINATING, TERMINATED: 502, empty */
	ROUTE_NUM_STATES,
};

struct route_set {
	char endpoint[UUID_SIZE]; /* the first label of the host name */
	char pad[3];
	char microvm[IPC_ID_SIZE]; /* what a token must name */
	char machine[IPC_ID_SIZE]; /* its stream.sock; "" when it has none */
	uint32_t state;            /* enum route_state */
	uint32_t http_ingress;     /* 0: every port is denied */
	uint32_t shell_ingress;    /* 0: no shell is opened */
	uint32_t share;            /* its row of ipc/share.h, from 1 on; 0: none */
	uint32_t units;            /* of 512 MiB: what limits by size count in */
};

struct route_endpoint {
	char endpoint[UUID_SIZE];
	char pad[3];
};

struct route_bytes {
	char endpoint[UUID_SIZE];
	char pad[3];
	int64_t last_byte_ms; /* wall clock; 0: none since the proxy started */
};

#define ROUTE_NOTE_SIZE 320

/* Why a request was refused. */
struct route_note {
	char endpoint[UUID_SIZE];
	char pad[3];
	uint64_t missed; /* so many were not sent, since the last one */
	char text[ROUTE_NOTE_SIZE];
};

#define ROUTE_SOURCES    16
#define ROUTE_FLOW_FROM  128
#define ROUTE_FLOW_LOCAL 64

/* A port of the host that leads to a port of a microVM. */
struct route_publish {
	char endpoint[UUID_SIZE];
	char pad[3];
	uint16_t port, target; /* of the host, of the guest */
	uint32_t datagrams;    /* 1: UDP */
	uint32_t serves;       /* 0: another worker does; keep the socket alone */
	uint32_t n_sources;    /* 0: from everywhere */
	struct cidr sources[ROUTE_SOURCES];
};

struct route_port {
	char endpoint[UUID_SIZE];
	char pad[3];
	uint32_t port; /* of the host */
};

/* Between two datagrams: nothing of it waits in the worker that gives it. */
struct route_flow {
	char endpoint[UUID_SIZE];
	char pad[3];
	char machine[IPC_ID_SIZE];
	uint16_t port; /* of the host */
	uint16_t from_size, local_size;
	uint16_t more_pad;
	uint8_t from[ROUTE_FLOW_FROM];   /* the client's address, a struct sockaddr */
	uint8_t local[ROUTE_FLOW_LOCAL]; /* a control message: where it arrived */
};

struct route_meter {
	char endpoint[UUID_SIZE]; /* "": of requests that led to no microVM */
	char pad[3];
	struct meter meter;
};

struct route_now {
	struct meter_now now;
};

struct route_none {
	uint32_t zero;
};

extern const struct ipc_row route_rows[ROUTE_NUM_TYPES];

#endif
