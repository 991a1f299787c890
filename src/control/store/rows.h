/* rows.h - what the store holds.
 *
 * Rows are flat structs of text and numbers, NULL text is SQL NULL.  Times are
 * milliseconds since 1970, 0 is "not yet".  Whatever only the API echoes is one
 * JSON column (`params`), so that a new member of the API changes no table. */
#ifndef CONTROL_STORE_ROWS_H
#define CONTROL_STORE_ROWS_H

#include "base/base.h"

struct store_image {
	const char *id; /* uuid; primary key */
	const char *account;
	const char *name;
	const char *state; /* MicrovmImageState */
	int64_t created_ms, updated_ms;
	int64_t next_version;  /* of the next create or update */
	int64_t latest_active; /* version number, 0: none */
	int64_t latest_failed;
	const char *tags; /* JSON object */
};

struct store_version {
	const char *image;  /* primary key: image, version */
	int64_t version;    /* 1 is "1.0" */
	const char *state;  /* MicrovmImageVersionState */
	const char *status; /* ACTIVE, INACTIVE */
	const char *reason;
	int64_t created_ms, updated_ms;
	const char *params; /* JSON: the request, defaults filled in */
	const char *made;   /* JSON: what the build found (shape, exposed and listening ports); NULL
			       before */
};

struct store_build {
	const char *id; /* uuid; primary key */
	const char *image;
	int64_t version;
	const char *state; /* BuildState */
	const char *code, *reason;
	int64_t created_ms, updated_ms;
	int64_t memory_bytes, code_bytes, disk_bytes;
};

struct store_microvm {
	const char *id; /* "microvm-<uuid>"; primary key */
	const char *account;
	const char *endpoint; /* uuid; unique */
	const char *image;
	int64_t version;
	const char *state; /* MicrovmState */
	const char *reason;
	const char *machine; /* "m-<uuid>" while it has one */
	const char *boot_id; /* of the host when `machine` was bound: another one means a restart */
	int64_t save;        /* N of save-N, 0: none */
	int64_t started_ms, terminated_ms;
	int64_t suspended_ms; /* when it became SUSPENDED */
	int64_t last_byte_ms; /* idle clock; written at most every 10 s */
	const char *params;   /* JSON: connectors, policy, durations, role, logging, hook payload */
};

/* A clientToken and its answer (service.md 2.8), kept for [limits] token_keep_ms. */
struct store_token {
	const char *account, *op, *token; /* primary key */
	const char *params_hash;
	const char *answer; /* JSON of the success */
	int64_t created_ms;
};

/* A port of the host that is leased to a microVM. */
struct store_published {
	int64_t port; /* of the host; primary key */
	const char *microvm;
	const char *protocol; /* tcp, udp */
	int64_t target;       /* the microVM's port */
	const char *listen;   /* address of the host */
	const char *sources;  /* JSON list of ranges; empty: everywhere */
	int64_t created_ms;
};

struct store_account {
	const char *id; /* 12 digits; primary key */
	const char *name;
	const char *state;
	int64_t created_ms;
	const char *params; /* JSON: quotas */
};

struct store_access_key {
	const char *id; /* primary key */
	const char *account;
	const char *name;
	const char *secret;
	const char *session; /* the session token; NULL: a key of its own */
	const char *arn;     /* whom it stands for */
	const char *policy;  /* JSON; NULL: all is allowed */
	const char *state;   /* ACTIVE, INACTIVE */
	int64_t created_ms, expires_ms;
};

struct store_connector {
	const char *id; /* primary key */
	const char *account;
	const char *name;
	const char *state;
	const char *reason;
	int64_t version; /* the latest */
	int64_t created_ms, updated_ms;
	const char *tags;   /* JSON object */
	const char *params; /* JSON */
};

struct store_connector_version {
	const char *connector; /* primary key: connector, version */
	int64_t version;
	const char *state;
	int64_t created_ms;
	const char *params; /* JSON */
};

struct store_kms_key {
	const char *id; /* primary key */
	const char *account;
	const char *alias;
	const char *wrapped; /* the key, sealed */
	const char *state;
	int64_t created_ms;
	const char *params; /* JSON */
};

struct store_log_group {
	const char *account, *name; /* primary key */
	int64_t retention_days;     /* 0: for ever */
	int64_t created_ms;
	const char *params; /* JSON */
};

/* The lines of a microVM or build whose own row has gone. */
struct store_log_stream {
	const char *id; /* of the microVM or build */
	const char *account, *log_group, *name;
	int64_t of_build, created_ms, ended_ms;
};

/* Takes every row of a store; a table without a function is passed over. */
struct store_loader {
	void (*image)(void *arg, const struct store_image *row);
	void (*version)(void *arg, const struct store_version *row);
	void (*build)(void *arg, const struct store_build *row);
	void (*microvm)(void *arg, const struct store_microvm *row);
	void (*token)(void *arg, const struct store_token *row);
	void (*published)(void *arg, const struct store_published *row);
	void (*account)(void *arg, const struct store_account *row);
	void (*access_key)(void *arg, const struct store_access_key *row);
	void (*connector)(void *arg, const struct store_connector *row);
	void (*connector_version)(void *arg, const struct store_connector_version *row);
	void (*kms_key)(void *arg, const struct store_kms_key *row);
	void (*log_group)(void *arg, const struct store_log_group *row);
	void (*log_stream)(void *arg, const struct store_log_stream *row);
};
#endif
