/* build.h - control asks the image role for image versions.  Only the image role writes below
 * images/.
 *
 * The image role keeps no state.  After it restarts, control sends every unfinished build again,
 * and what the first attempt left is cleared. */
#ifndef IPC_BUILD_H
#define IPC_BUILD_H

#include "base/rand.h"
#include "ipc/chan.h"

#define BUILD_MAX_PORTS 32

enum build_type {
	BUILD_NONE,

	/* control -> image */
	BUILD_START,  /* struct build_start; fd: a memfd with the JSON of docs/data-layout.md "build
			 spec" */
	BUILD_CANCEL, /* struct build_name: stop and clear; no answer but BUILD_DONE */
	/* struct build_version: delete images/<id>/<version> -> BUILD_REMOVED, or nothing if it
	 * cannot be: to be asked again when the role comes back */
	BUILD_REMOVE,
	BUILD_BASE_IMPORT, /* struct build_base; fd: a root file system or an image as tar ->
			      BUILD_BASE_DONE */
	BUILD_BASE_REMOVE, /* struct build_base: take the name away -> BUILD_BASE_DONE */
	BUILD_BASE_PULL,   /* struct build_base: fetch it from its registry -> BUILD_BASE_DONE */
	BUILD_BASE_LIST,   /* struct build_none -> BUILD_BASE_ITEM ..., BUILD_BASE_DONE */

	/* image -> control */
	BUILD_STEP,      /* struct build_step: a step begins, goes on, or ends */
	BUILD_DONE,      /* struct build_done */
	BUILD_REMOVED,   /* struct build_version */
	BUILD_BASE_ITEM, /* struct build_base */
	BUILD_BASE_DONE, /* struct build_result */
	BUILD_NUM_TYPES,
};

struct build_name {
	char build[UUID_SIZE];
	char pad[3];
};

struct build_version {
	char image[UUID_SIZE]; /* the image's uuid; a name can be reused, an id cannot */
	char pad[3];
	uint32_t version; /* 1 is "1.0" */
};

struct build_start {
	struct build_name name;
	struct build_version version;
};

/* A message with the numbers of the one before it tells more of the same step; one with others
 * begins the next step, which ends the one before. */
struct build_step {
	struct build_name name;
	char step[64]; /* "fetch", "unpack", "build", "disk", "boot", "ready", "snapshot",
			  "validate" */
	uint32_t n, of;
	/* Of the Dockerfile, while the container image is built: "[1/2] STEP 3/7"; 0: none. */
	uint32_t stage, stages, part, parts;
	char text[160];   /* what is done, as "RUN make" */
	char detail[160]; /* what is waited for, or "cached"; "" if there is nothing to say */
	uint32_t ended;   /* 1: this step has ended, and none has begun */
	uint32_t zero;
	uint64_t log_bytes; /* of the build's log, when the step began or ended */
};

struct build_done {
	struct build_name name;
	uint32_t ok;
	char code[48]; /* of service.md 10.1, e.g. "CONTAINER_BUILD_FAILED"; "" when ok */
	char reason[IPC_TEXT_SIZE]; /* the sentence for stateReason */
	uint32_t engine;            /* enum priv_machine_kind: what it booted on, and can run on */
	uint64_t memory_bytes, code_bytes, disk_bytes; /* snapshotBuild; 0: not reached */
	uint32_t vcpus, memory_mib;                    /* the machine shape that the snapshot has */
	uint32_t n_ports;                              /* EXPOSEd, sorted */
	uint16_t ports[BUILD_MAX_PORTS];
	uint32_t n_listening; /* listening when the snapshot was taken; the pool warms them */
	uint16_t listening[BUILD_MAX_PORTS];
};

struct build_base {
	char name[512];  /* as FROM has it: "debian-12", "example.com/base:1" */
	char digest[80]; /* sha256:... of what was imported; "" in a request */
	uint64_t bytes;
	int64_t created_ms;
};

struct build_result {
	uint32_t ok;
	uint32_t kind; /* enum err_kind */
	char text[IPC_TEXT_SIZE];
};

struct build_none {
	uint32_t zero;
};

extern const struct ipc_row build_rows[BUILD_NUM_TYPES];

#endif
