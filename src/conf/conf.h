/* conf.h - the configuration: one table of keys that the code, `dozed --help-config` and
 * docs/configuration.md share (a test compares them), as does doze.ini(5).  An ini file; an unknown
 * key or a value out of range is an error that names line, key and what is allowed. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdio.h>

#include "base/err.h"
#include "base/limits.h"

#define CONF_TEXT 256

#define CONF_REGISTRIES 32

/* A section [registry HOST]. */
struct conf_registry {
	char host[CONF_TEXT]; /* as image names have it: "docker.io", "registry.example.com:5000" */
	char mirror[CONF_TEXT], user[CONF_TEXT], password[CONF_TEXT], password_file[CONF_TEXT];
};

#define CONF_ROLES 32

/* A section [role NAME]. */
struct conf_role {
	char name[CONF_TEXT];
	char arn[CONF_TEXT], policy[CONF_TEXT], trust[CONF_TEXT];
	int64_t max_session_s; /* 0: an hour */
	/* Of its microVMs: none, static, process, doze. */
	char credentials[16], credentials_file[CONF_TEXT], credentials_process[CONF_TEXT];
	char credentials_user[64];
};

#define CONF_CERTIFICATES 32

/* A section [certificate DOMAIN]. */
struct conf_certificate {
	char domain[CONF_TEXT]; /* in lower case; for it and all names below it */
	char cert[CONF_TEXT], key[CONF_TEXT];
};

#define CONF_KMS_KEYS 32

/* A section [kms_key alias/NAME]. */
struct conf_kms_key {
	char alias[CONF_TEXT];
	char file[CONF_TEXT]; /* "": none, the store has it */
};

struct conf {
	/* Where: derived from --instance, then overridden by [paths]. */
	char instance[32]; /* "" is the default instance */
	char etc_dir[CONF_TEXT], data_dir[CONF_TEXT], run_dir[CONF_TEXT], log_dir[CONF_TEXT];
	char libexec_dir[CONF_TEXT]; /* doze-qemu, doze-init, doze-build-step, guest/ */

	char region[64], account[16], domain[128];
	char listen[CONF_TEXT], api_name[128];
	int64_t api_port, s3_port,
		endpoint_port;    /* endpoint: 443, else the next free from 8443 on */
	int64_t endpoint_workers; /* 0: one for each processor */
	int64_t access_log;
	int64_t log_keep_days, log_keep_mib, log_file_mib;
	int64_t metrics_port; /* 0: none */
	char log_level[16];

	char engine[16]; /* auto, kvm, qemu */
	int64_t kvm;     /* 1: that is kvm here; no key: dozed finds out and tells the roles */
	int64_t uid_first, uid_count; /* of machines */
	int64_t build_map_first, build_map_count;
	char users_prefix[16]; /* "doze": doze-control, doze-proxy ... */

	char slot_network[32]; /* a /16: each slot takes a /30 */
	int64_t slot_spare;    /* made in advance */
	char dns_upstream[64]; /* "" = the host's first resolver that is no loopback */
	char search[CONF_TEXT], hosts[2048]; /* of guests: conf/guest_names.h */
	char allow_private[CONF_TEXT];       /* private networks that guests may reach; "" = none */
	char subnets[2048], security_groups[2048]; /* that network connectors may name */

	int64_t pool_per_image, pool_spares, pool_memory_percent, pool_recent_ms;
	int64_t start_at_once; /* restores that may run at the same time */
	int64_t capacity_wait_ms;
	int64_t memory_percent; /* of host memory that machines may take */
	int64_t warm_refusals, exercise;
	char warm_request[CONF_TEXT]; /* "image=8080:/path, ..." */

	int64_t build_at_once, build_memory_mib, build_cpu_percent, build_pids, build_disk_gib;
	int64_t build_timeout_ms, build_silence_ms;
	int64_t build_ready_timeout_s; /* of an application without a /ready hook */
	char build_env[CONF_TEXT];
	char site_ca[CONF_TEXT]; /* bundle bound into builds and guests; "" = none */
	int64_t site_ca_in_guest;
	int64_t no_new_privs;   /* in guests */
	char pull[16];          /* always, missing, never */
	int64_t stand_in_older; /* 1: a stand-in may be older than the version asked for */
	char insecure_registries[CONF_TEXT];
	struct conf_registry registries[CONF_REGISTRIES];
	size_t n_registries;
	struct conf_role roles[CONF_ROLES];
	size_t n_roles;
	struct conf_kms_key kms_keys[CONF_KMS_KEYS];
	size_t n_kms_keys;
	char kms_files[16]; /* encrypt, plain */

	int64_t ready_timeout_s, validate_timeout_s, hook_timeout_s; /* defaults, service.md 23 */
	int64_t terminated_keep_ms;
	int64_t max_duration_s;
	int64_t awake_s;       /* work may keep a microVM awake so long after its last byte */
	char awake[CONF_TEXT]; /* "image=cpu=5%,lease; ..." */
	int64_t arm64_as_host;
	char unknown_roles[16]; /* accept, refuse */
	int64_t token_keep_ms;  /* clientToken */
	int64_t hold_ms, hold_body_bytes, drain_ms;
	char limits_preset[16]; /* none, aws */
	/* 0: as the preset says */
	int64_t microvm_requests, microvm_rate, microvm_bandwidth;
	int64_t token_requests; /* 0: any number */
	struct client_limits clients;
	char store_url[CONF_TEXT], store_url_file[CONF_TEXT]; /* of PostgreSQL; "" = doze.db */
	char publish_ports[32], publish_listen[64];
	int64_t max_connectors, max_connector_versions;
	int64_t max_images, max_versions, max_microvms, max_memory_mib;
	char events_calls[16]; /* all, writes, none */
	int64_t events_file_mib, events_files;
	/* 0: as the preset says */
	int64_t max_builds;
	int64_t run_rate, resume_rate, suspend_rate, terminate_rate, get_rate;
	int64_t auth_token_rate, shell_token_rate;

	/* The last ones: what precedes them is read at a start alone (dozed/crew.c). */
	struct conf_certificate certificates[CONF_CERTIFICATES];
	size_t n_certificates;
};

/* Defaults of this instance into *c. */
void conf_defaults(struct conf *c, const char *instance);
/* Read an open ini file (-1: none) over *c and check the whole. */
int conf_read(struct conf *c, int fd, const char *name, struct err *e) must_check;
/* Is there a role whose microVMs use doze's own API? */
bool conf_guests_have_api(const struct conf *c);
/* What an instance may be called: up to 16 of a-z and 0-9, or "" for the default one. */
bool conf_instance_valid(const char *instance);
/* What to type for a command of doze so that it reaches this instance: "sudo doze --instance NAME
 * up".  Owned by the caller. */
char *conf_command(const struct conf *c, bool sudo, const char *words);
/* Where nothing is configured, the programs that doze starts lie beside this one, or, @below given,
 * in that folder of the one above ("libexec/doze"). */
void conf_find_libexec(struct conf *c, const char *below);
/* The table, for people: section, key, default, what it means. */
void conf_help(FILE *to);

/* One key as its row of the table has it. */
struct conf_row {
	const char *section, *name, *fallback, *help;
	const char *words; /* those that the value may be, or NULL */
	bool number;       /* from low to high */
	int64_t low, high;
};

size_t conf_n_rows(void);
struct conf_row conf_row(size_t i);

#endif
