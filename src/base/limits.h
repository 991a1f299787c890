/* limits.h - all limits of our own, in one place. The limits of the service itself (lengths of
 * members, durations) are in the API's table, control/api/ops.c; a limit that an operator may
 * change is a key of conf/conf.h, and only its default is here. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/base.h"

/* What a stranger sends over HTTP. */
#define LIMIT_HTTP_HEAD    (64 * KIB) /* request line or status line and all headers */
#define LIMIT_HTTP_HEADERS 128        /* header fields of one message */
#define LIMIT_HTTP_TARGET  (16 * KIB) /* request target */
#define LIMIT_HTTP_BUFFER  (64 * KIB) /* bytes held between the two sides of a relay, each way */
#define LIMIT_HTTP_HEAD_MS                                                                         \
	30000                      /* from the first byte of a head to its last; TLS handshake too \
				    */
#define LIMIT_HTTP_IDLE_MS  300000 /* a kept connection without a request */
#define LIMIT_API_BODY      (1 * MIB)
#define LIMIT_S3_XML_BODY   (1 * MIB) /* DeleteObjects, CompleteMultipartUpload */
#define LIMIT_S3_OBJECT     (20 * GIB)
#define LIMIT_SIGV4_SKEW_MS (15 * 60 * 1000) /* AWS: a request older or newer is refused */

/* Requests held while a microVM wakes (design 6). */
#define LIMIT_HELD_BODY     (1 * MIB) /* unread body per microVM */
#define LIMIT_HELD_MS       60000
#define LIMIT_HELD_REQUESTS 1000 /* per microVM */

/* The endpoint proxy towards a guest. */
#define LIMIT_PROXY_IDLE     64    /* kept connections per endpoint */
#define LIMIT_PROXY_IDLE_MS  4000  /* less than common servers keep theirs */
#define LIMIT_NET_DIAL_MS    10000 /* until a machine answers a CONNECT */
#define LIMIT_PROXY_RETRY_MS 3000  /* a refused port is tried again for this long ... */
#define LIMIT_PROXY_WOKEN_MS \
	10000 /* ... if its microVM has become RUNNING no longer ago than this */

/* Our own messages. */
#define LIMIT_IPC_BODY       (32 * KIB)
#define LIMIT_IPC_FDS        12
#define LIMIT_AGENT_TO_GUEST (1 * MIB)  /* one frame: START carries argv, env and files */
#define LIMIT_AGENT_TO_HOST  (16 * KIB) /* one frame from the guest, which may be hostile */
#define LIMIT_LOG_RATE \
	(256 * KIB) /* bytes of guest output a second; the rest is counted as dropped */
#define LIMIT_LOG_FILE    (64 * MIB) /* a microVM's log, then it starts over in .1 */
#define LIMIT_LOG_BACKLOG (1 * MIB)  /* of a microVM's output, while its disk is slow */
/* Of the data directory: with less no step of a build begins. */
#define LIMIT_DISK_LEFT (256 * MIB)

/* Artifacts and builds. */
#define LIMIT_ZIP_SIZE     (1 * GIB)
#define LIMIT_ZIP_UNPACKED (4 * GIB)
#define LIMIT_ZIP_ENTRIES  100000
#define LIMIT_ZIP_RATIO    200 /* unpacked : packed, of the whole, above 64 MiB */
#define LIMIT_ZIP_NAME     1024
#define LIMIT_ZIP_DEPTH    64 /* parts of a name */
#define LIMIT_DOCKERFILE   (1 * MIB)

/* Machines. */
#define LIMIT_MACHINE_EXTRA    (128 * MIB) /* memory of a machine's cgroup above its guest RAM */
#define LIMIT_MACHINE_PIDS     128         /* threads too; QEMU has up to 64 for its disks */
#define LIMIT_WAIT_CAPACITY_MS 30000       /* a queued run, then InsufficientCapacityException */
#define LIMIT_AGENT_HELD       (64 * KIB)  /* bytes of the agent that wait in the machine process */
#define LIMIT_STREAMS          64    /* connections to guest ports being opened, per machine */
#define LIMIT_STREAM_MS        15000 /* from stream.sock's accept to OK or ERR */
#define LIMIT_SNAPSHOT_HEADER  (32 * MIB)

#endif
