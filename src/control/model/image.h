/* image.h - images, their versions and the builds of these, as memory holds them.
 *
 * The states are the API's, except the first of each: a row is NEW until the store has it, and
 * nobody sees it before.  images/steps.c says which state follows which. */
#ifndef CONTROL_MODEL_IMAGE_H
#define CONTROL_MODEL_IMAGE_H

#include <jansson.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/order.h"
#include "base/rand.h"
#include "iam/principal.h"
#include "ipc/build.h"
#include "ipc/engine.h"
#include "ipc/machine.h"

enum image_state {
	IMAGE_NEW,
	IMAGE_CREATING,
	IMAGE_CREATED,
	IMAGE_CREATE_FAILED,
	IMAGE_UPDATING,
	IMAGE_UPDATED,
	IMAGE_UPDATE_FAILED,
	IMAGE_DELETING,
	IMAGE_NUM_STATES,
};
extern const char *const image_state_name[IMAGE_NUM_STATES];

enum version_state {
	VERSION_NEW,
	VERSION_PENDING,
	VERSION_IN_PROGRESS,
	VERSION_SUCCESSFUL,
	VERSION_FAILED,
	VERSION_DELETING,
	VERSION_NUM_STATES,
};
extern const char *const version_state_name[VERSION_NUM_STATES];

enum version_status { VERSION_INACTIVE, VERSION_ACTIVE, VERSION_NUM_STATUSES };
extern const char *const version_status_name[VERSION_NUM_STATUSES];

enum build_state {
	BUILD_NEW,
	BUILD_PENDING,
	BUILD_IN_PROGRESS,
	BUILD_SUCCESSFUL,
	BUILD_FAILED,
	BUILD_NUM_STATES,
};
extern const char *const build_state_name[BUILD_NUM_STATES];

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

struct kms_key;

struct image_version {
	struct list in_image;
	struct image *image;
	int64_t number; /* 1 is "1.0" */
	enum version_state state;
	enum version_status status;
	char *reason;
	int64_t created_ms, updated_ms;
	json_t *params;      /* the request with its defaults: what Get echoes */
	struct kms_key *kms; /* model/sealing.c: what seals them; NULL: none; borrowed */
	struct hooks hooks;  /* of params */
	int64_t memory_mib;  /* the class: minimumMemoryInMiB */
	/* Of the build; zero before. */
	struct machine_shape shape;
	uint32_t engine; /* enum priv_machine_kind: what it was snapshotted on, and runs on */
	uint16_t ports[BUILD_MAX_PORTS], listening[BUILD_MAX_PORTS];
	size_t n_ports, n_listening;
	struct list builds;
	struct template *template; /* pool.c: the memfd and the clones; NULL when none */
	int64_t recent_ms;         /* became active or ran: the pool's demand */
	unsigned n_microvms;       /* that are not TERMINATED */
	bool leaving;              /* its deletion is on its way to the store */
};

/* A step of a build, of those that the image role has told of since control began. */
struct build_part {
	char step[64], text[160], detail[160];
	uint32_t n, of, stage, stages, part, parts; /* of ipc/build.h */
	int64_t began_ms, ended_ms;                 /* 0: it has not ended */
	uint64_t log_from, log_to;                  /* what of the log is its own */
};

struct build {
	struct list in_version;
	struct image_version *version;
	char id[UUID_SIZE];
	enum build_state state;
	char *code, *reason;
	int64_t created_ms, updated_ms;
	int64_t memory_bytes, code_bytes, disk_bytes;
	char step[64];
	unsigned step_n, step_of;
	struct log_stream *stream; /* model/log_stream.h; NULL: it has not ended, or none is kept */
	struct build_part *parts;  /* images/build_progress.c; owned */
	size_t n_parts;
};

struct image {
	struct list in_control, in_account;
	struct order_node in_order;
	struct hash_node by_id, by_name;
	char id[UUID_SIZE];
	char account[ACCOUNT_SIZE];
	char *name;
	char *key; /* of by_name: "<account>:<name>"; owned */
	enum image_state state;
	int64_t created_ms, updated_ms;
	int64_t next_version, latest_active, latest_failed;
	json_t *tags;
	struct list versions; /* in order of their number */
	/* images/change.c */
	struct list changes; /* struct change, the first of which may be on its way to the store */
	bool committing;     /* it is */
	bool waiting;        /* the store refused it, and it is tried again later */
	bool leaving;        /* its deletion is on its way to the store */
};

#endif
