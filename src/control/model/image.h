/* image.h - rows in memory: images, their versions, and the builds of these. */
#ifndef CONTROL_MODEL_IMAGE_H
#define CONTROL_MODEL_IMAGE_H

#include <jansson.h>

#include "base/list.h"
#include "base/rand.h"
#include "ipc/build.h"
#include "ipc/engine.h"
#include "ipc/machine.h"

/* Which hooks are on, on which port, how long they may take (service.md 13). */
enum hook {
	HOOK_READY,
	HOOK_VALIDATE,
	HOOK_RUN,
	HOOK_RESUME,
	HOOK_SUSPEND,
	HOOK_TERMINATE,
	NUM_HOOKS
};
extern const char *const hook_name[NUM_HOOKS]; /* "ready", as in the path */

struct hooks {
	uint16_t port;
	struct {
		bool enabled;
		int64_t timeout_ms;
	} each[NUM_HOOKS];
};

struct image_version {
	struct list in_image;
	struct image *image;
	int64_t number;     /* 1 is "1.0" */
	const char *state;  /* static text of MicrovmImageVersionState */
	const char *status; /* "ACTIVE", "INACTIVE" */
	char *reason;
	int64_t created_ms, updated_ms;
	json_t *params;     /* the request with its defaults: what Get echoes */
	struct hooks hooks; /* of params */
	int64_t memory_mib; /* the class: minimumMemoryInMiB */
	/* Of the build; zero before. */
	struct machine_shape shape;
	uint32_t engine; /* enum priv_machine_kind: what it was snapshotted on, and runs on */
	uint16_t ports[BUILD_MAX_PORTS], listening[BUILD_MAX_PORTS];
	size_t n_ports, n_listening;
	struct list builds;
	struct template *template; /* pool.c: the memfd and the clones; NULL when none */
	int64_t recent_ms;         /* became active or ran: the pool's demand */
	unsigned n_microvms;       /* that are not TERMINATED */
};

struct build {
	struct list in_version;
	struct image_version *version;
	char id[UUID_SIZE];
	const char *state;
	char *code, *reason;
	int64_t created_ms, updated_ms;
	int64_t memory_bytes, code_bytes, disk_bytes;
	char step[64];
	unsigned step_n, step_of;
};

struct image {
	struct list in_control;
	char id[UUID_SIZE];
	char *name;
	const char *state; /* static text of MicrovmImageState */
	int64_t created_ms, updated_ms;
	int64_t next_version, latest_active, latest_failed;
	json_t *tags;
	struct list versions; /* in order of their number */
};

#endif
