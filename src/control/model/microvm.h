/* microvm.h - a microVM as memory holds it.
 *
 * The states are the API's.  Only microvm/lifecycle.c changes one; its table says how. */
#ifndef CONTROL_MODEL_MICROVM_H
#define CONTROL_MODEL_MICROVM_H

#include <jansson.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/order.h"
#include "base/rand.h"
#include "conf/awake.h"
#include "control/model/image.h"
#include "ipc/machine.h"
#include "ipc/meter.h"

struct control;
struct image_version;

enum vm_state {
	VM_PENDING,
	VM_RUNNING,
	VM_SUSPENDING,
	VM_SUSPENDED,
	VM_TERMINATING,
	VM_TERMINATED,
	VM_NUM_STATES,
};
extern const char *const vm_state_name[VM_NUM_STATES];

/* There are many rows of microVMs, so these are no longer than they must be (IPC_ID_SIZE is). */
#define MICROVM_ID_SIZE 48 /* "microvm-<uuid>", with the NUL */
#define MACHINE_ID_SIZE 40 /* "m-<uuid>" */

/* A process that is, or can become, a microVM. */
struct machine;

struct idle_policy {
	int64_t max_idle_ms, suspended_ms;
	bool given, auto_resume;
};

/* What keeps it awake besides bytes, which are the service's only sign (microvm/policy.h). */
struct awake_policy {
	struct awake signs;
	int64_t most_ms; /* so long after the last byte */
};

struct microvm {
	struct list in_control, in_account;
	struct hash_node by_id, by_endpoint;
	struct order_node in_order, in_image_order;
	struct control *ctl; /* borrowed */
	char id[MICROVM_ID_SIZE];
	char account[ACCOUNT_SIZE];
	char endpoint[UUID_SIZE];
	struct image_version *version; /* NULL: it is TERMINATED, and its version was deleted */
	struct {
		char image[UUID_SIZE];
		char *name; /* of the image */
		int64_t number;
	} origin; /* what it was made from; it outlives the version */
	enum vm_state state;
	char *reason;
	int64_t checkpoint; /* N of save-N; 0: none */
	int64_t started_ms, terminated_ms, suspended_ms, last_byte_ms;
	struct {
		int64_t started_ms, terminated_ms, suspended_ms, last_byte_ms;
	} since;      /* the same times on clock_boot_ms() (microvm/policy.h) */
	char *params; /* JSON (model_params): what Run resolved, which Get echoes, and what it must
			 not echo (payload, logging).  A text, since most microVMs have ended. */
	struct kms_key *kms; /* model/sealing.c: what seals its secret members; borrowed */
	struct idle_policy idle;
	struct awake_policy awake;
	struct {
		int64_t cpu_ms;   /* when it last worked; 0: never */
		int64_t until_ms; /* its lease; 0: none */
		int64_t asked_ms; /* when its machine was asked last */
		int64_t seen_ms;  /* when it said so much, 0: not yet */
		uint64_t seen_ns;
		uint32_t cpu_percent; /* at the last look */
	} work;                       /* on clock_boot_ms() */
	int64_t max_duration_ms;
	bool http_ingress, shell_ingress, internet;
	bool mixed_ingress; /* ALL_INGRESS beside others, which opens no shell */
	bool drained; /* doze suspended it in order to stop: traffic wakes it whatever its policy */
	char machine_id[MACHINE_ID_SIZE]; /* as in the row; "" when none is bound */
	char boot_id[UUID_SIZE];          /* of the host when it was bound */
	struct {
		bool on;          /* the proxy was told to hold new requests */
		uint64_t awaited; /* workers of the proxy that have not answered */
		int64_t last_byte_ms;
	} hold;              /* channels/routes.c's own */
	uint32_t share;      /* likewise: its row at the proxy, from 1 on; 0: none yet */
	struct meter *meter; /* channels/routes.c: of its requests; NULL: it had none */
	bool starting;       /* a machine is on its way to being this microVM (microvm/start.c) */
	struct machine *machine;     /* its process, NULL until it is there */
	struct log_stream *stream;   /* model/log_stream.h; NULL: its lines are not kept */
	struct lifecycle *lifecycle; /* what is under way: lifecycle.c's own */
};

#endif
