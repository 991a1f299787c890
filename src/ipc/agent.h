/* agent.h - the frames between a microVM's owner and doze-init in the guest.
 *
 * They travel over a byte stream (a virtio-serial port named "doze.agent", or a vsock connection of
 * the guest to AGENT_HOST_PORT) that the machine process carries unread.  A frame is an 8-byte
 * little-endian header (u8 type, 3 zero bytes, u32 size of the payload) and a payload of fields
 * (u16 tag, u32 size, bytes).  Unknown fields and unknown frame types are skipped.  A frame over
 * LIMIT_AGENT_TO_GUEST or LIMIT_AGENT_TO_HOST breaks the stream.  wire/agent.c encodes and parses
 * for both sides; the host trusts nothing in a frame.  Integers in fields are little-endian u64. */
#ifndef IPC_AGENT_H
#define IPC_AGENT_H

#include <stdint.h>

#define AGENT_PROTOCOL      1
#define AGENT_PORT_NAME     "doze.agent"
#define AGENT_STREAM_PORT   1 /* of the guest (TCP on eth0 only, or vsock): wire/connect.h */
#define AGENT_HOST_PORT     1 /* of the host (vsock): the agent's frames */
#define AGENT_METADATA_PORT 2 /* of the guest (TCP on eth0), for itself (guest/metadata.h) */

/* On the console, in the last words of a guest whose kernel measured its timer wrong
 * (guest/timer.h). The next boot measures it anew. */
#define AGENT_TIMER_WORDS "the timer was measured wrong, because the host gave the guest no time"

/* The same inner addresses in every slot, so that a snapshot fits every slot (design 5). */
#define SLOT_GUEST_IP   "10.0.2.15"
#define SLOT_GATEWAY_IP "10.0.2.2"
#define SLOT_PREFIX     24
#define SLOT_DNS_IP     "169.254.53.53" /* the slot translates it to the host's resolver */
/* The same, where containers in a guest are told to ask. */
#define SLOT_DNS_CLOUD_IP "169.254.169.253"
/* doze's own API and S3, for guests whose role is doze's own; at no other slot anything is there.
 */
#define SLOT_API_IP "169.254.53.54"
/* A guest's /etc/hosts, as Docker's containers have it. */
#define SLOT_HOSTS                                        \
	"127.0.0.1\tlocalhost\n"                          \
	"::1\tlocalhost ip6-localhost ip6-loopback\n"     \
	"fe00::\tip6-localnet\nff00::\tip6-mcastprefix\n" \
	"ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
#define SLOT_GUEST_MAC "02:d0:2e:00:00:15"
#define SLOT_GUEST_MAC_BYTES                       \
	{                                          \
		0x02, 0xd0, 0x2e, 0x00, 0x00, 0x15 \
	}

enum agent_type {
	AGENT_NONE,

	/* To the guest. */
	AGENT_START,   /* once, at build: start the application */
	AGENT_RESUMED, /* after every restore: FIELD_ID, FIELD_WALL_NS, FIELD_RANDOM,
			* FIELD_IDENTITY; the guest sets the clock, reseeds, ends outbound TCP and
			* all streams that have a port (their host ends are gone), then ACKs */
	AGENT_HOOK,    /* FIELD_ID, FIELD_NAME, FIELD_PORT, FIELD_TIMEOUT_MS, FIELD_BODY (may be
			  absent) */
	AGENT_WARM,    /* FIELD_ID, FIELD_EXERCISE, FIELD_RANDOM: do what RESUMED does without
			* changing anything but the randomness, then ACK; sent before the snapshot,
			* without FIELD_RANDOM, and in the pool */

	/* From the guest. */
	AGENT_HELLO,       /* FIELD_PROTOCOL: the agent runs and waits for START */
	AGENT_LISTEN,      /* FIELD_PORT for each listening TCP port, sorted, at every change from
			    * START until the first RESUMED or WARM; only what 127.0.0.1 or ::1
			    * reaches, the lowest 1024.  FIELD_PLACE for some of the others */
	AGENT_HOOK_RESULT, /* FIELD_ID, FIELD_OUTCOME, FIELD_STATUS */
	AGENT_LOG,         /* FIELD_STREAM, FIELD_BYTES, FIELD_DROPPED (bytes lost before these) */
	AGENT_EXIT,        /* FIELD_CODE: the application's process 1 ended; 128+signal if killed.
			    * FIELD_REASON: what a person may want to know of it */
	AGENT_ACK,         /* FIELD_ID */

	/* Later ones stand below, because a snapshot holds the agent of its own release. */
	AGENT_SAMPLE, /* from the guest, with all the fields of a sample, and FIELD_UDP_PORT for
		       * each bound UDP port; four times a second, from START until the first
		       * RESUMED or WARM */
	AGENT_CHECK,  /* to the guest: run a command beside the application.  FIELD_ID,
		       * FIELD_TIMEOUT_MS, and the fields of START but the files */
	AGENT_CHECK_RESULT, /* FIELD_ID, FIELD_OUTCOME (STATUS, TIMEOUT, or GARBAGE if it could not
			     * be run), FIELD_CODE, FIELD_BYTES (the begin of its output) */
	AGENT_LEASE,    /* from the guest, since the first RESUMED: the application asks to be kept
			 * awake for FIELD_TIMEOUT_MS (guest/lease.h) */
	AGENT_METADATA, /* to the guest: all that it serves as metadata (guest/metadata.h), in pairs
			 * of FIELD_NAME, a path, and FIELD_BYTES.  It may come at any time */
	AGENT_NUM_TYPES,
};

enum agent_field {
	FIELD_NONE,
	FIELD_ID,        /* u64, chosen by the host */
	FIELD_PROTOCOL,  /* u64 */
	FIELD_ARG,       /* text, repeated: ENTRYPOINT and CMD joined */
	FIELD_ENV,       /* text "KEY=value", repeated */
	FIELD_USER,      /* text as in a Dockerfile: name|uid[:group|gid]; absent: root */
	FIELD_WORKDIR,   /* text; absent: / */
	FIELD_ALL_CAPS,  /* u64 1: additionalOsCapabilities ["ALL"] */
	FIELD_FILE_PATH, /* text, followed by FIELD_FILE_DATA: written there for the application */
	FIELD_FILE_DATA,
	FIELD_WALL_NS,    /* u64 */
	FIELD_RANDOM,     /* 64 bytes */
	FIELD_IDENTITY,   /* text: the microvmId */
	FIELD_NAME,       /* text: ready, validate, run, resume, suspend, terminate */
	FIELD_PORT,       /* u64 */
	FIELD_TIMEOUT_MS, /* u64 */
	FIELD_BODY,       /* bytes: the hook's JSON */
	FIELD_OUTCOME,    /* u64, enum agent_outcome */
	FIELD_STATUS,     /* u64: HTTP status, if there was one */
	FIELD_STREAM,     /* u64: 1 stdout, 2 stderr, 3 the agent itself */
	FIELD_BYTES,
	FIELD_DROPPED,  /* u64 */
	FIELD_CODE,     /* u64 */
	FIELD_EXERCISE, /* u64 1: of WARM: run the application's interpreter once (guest/exercise.h)
			 */
	FIELD_NO_NEW_PRIVS, /* u64 1: set-user-ID bits and file capabilities have no effect */
	FIELD_REASON,       /* text, one or more sentences */
	FIELD_PLACE,    /* text "10.0.2.15:80": a listener that 127.0.0.1 and ::1 do not reach */
	FIELD_UDP_PORT, /* u64 */

	/* Of a sample, all u64.  Counters count from the guest's boot. */
	FIELD_AT_MS,  /* since START, by the guest's clock */
	FIELD_CPU_US, /* of the application's processes, and what the host kept from the guest */
	FIELD_DISK_BYTES,   /* read and written */
	FIELD_NET_BYTES,    /* received and sent by eth0 */
	FIELD_BIRTHS,       /* processes and threads that began */
	FIELD_TASKS,        /* of the application, now */
	FIELD_OUTPUT_BYTES, /* that the application wrote to standard output and error */
	FIELD_MEMORY_BYTES, /* of the application, now, with its files in the page cache */
	/* Text, in place of FIELD_FILE_PATH: written only if the image has a file there. */
	FIELD_FILE_OVER,
	AGENT_NUM_FIELDS,
};

enum agent_outcome {
	OUTCOME_STATUS,  /* an HTTP status came */
	OUTCOME_REFUSED, /* nothing listens on the hooks port */
	OUTCOME_TIMEOUT,
	OUTCOME_GARBAGE, /* the answer is not HTTP, or the connection broke */
	OUTCOME_NUM,
};

#endif
