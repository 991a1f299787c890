/* keys.c - the table of the configuration: every key, its limits, its default and its help. */

#include "conf/keys.h"

#include <limits.h>

#define TEXT(m)      CONF_STRING, offsetof(struct conf, m), sizeof(((struct conf *)0)->m), 0, 0
#define NUM(m, l, h) CONF_INT, offsetof(struct conf, m), 0, l, h

/* clang-format off */
const struct conf_key conf_keys[] = {
	{ "paths", "data", TEXT(data_dir), "/var/lib/doze", "state: database, objects, bases, images, microVMs" },
	{ "paths", "run", TEXT(run_dir), "/run/doze", "sockets of machines, pid file" },
	{ "paths", "log", TEXT(log_dir), "/var/log/doze", "logs of the daemon, builds and microVMs" },
	{ "paths", "libexec", TEXT(libexec_dir), "", "where doze-qemu, doze-vmm and the guest parts are; empty: beside dozed" },

	{ "service", "region", TEXT(region), "us-east-1", "the region that ARNs and endpoints name" },
	{ "service", "account", TEXT(account), "000000000000", "the account that ARNs name" },
	{ "service", "domain", TEXT(domain), "localhost", "endpoints are <uuid>.lambda-microvm.<region>.<domain>" },
	{ "service", "listen", TEXT(listen), "", "addresses that API, S3 and endpoints listen on beside 127.0.0.1 and ::1, with blanks between them (0.0.0.0 and :: are all); if empty, endpoints whose domain is not under localhost listen on all" },
	{ "service", "api_name", TEXT(api_name), "", "name of the API and of S3 for clients on other machines: it goes into their certificates, and [certificate DOMAIN] of that name, or of one above it, is used for it" },
	{ "service", "api_port", NUM(api_port, 1, 65535), "9010", "HTTPS port of the API" },
	{ "service", "s3_port", NUM(s3_port, 1, 65535), "9011", "HTTPS port of the S3 endpoint" },
	{ "service", "endpoint_port", NUM(endpoint_port, 1, 65535), "443", "HTTPS port of the endpoints; if taken, the next free one from 8443 on" },
	{ "service", "endpoint_workers", NUM(endpoint_workers, 0, 32), "0", "processes that serve the endpoints; 0: one for each processor, 32 at most" },
	{ "service", "access_log", NUM(access_log, 0, 1), "1", "1: access.log in the log directory has a line of JSON for each request to an endpoint" },
	{ "service", "metrics_port", NUM(metrics_port, 0, 65535), "9012", "HTTP port of /metrics (Prometheus), on 127.0.0.1 and ::1; if taken, the next free one of 64; 0: none" },
	{ "service", "log_level", TEXT(log_level), "info", "error, warn, info or debug" },

	{ "logs", "keep_days", NUM(log_keep_days, 0, 36500), "90", "lines of microVMs and builds whose rows are gone stay so long where their log group has no retention; 0: for ever" },
	{ "logs", "keep_mib", NUM(log_keep_mib, 0, 1073741824), "10240", "and no more than so much of them, the oldest going first; 0: no limit" },
	{ "logs", "file_mib", NUM(log_file_mib, 1, 65536), "64", "a microVM's log begins a new file at this size; the one before it is kept, and no other" },

	{ "events", "calls", TEXT(events_calls), "all", "calls of the API that become events: all, writes (what changes something, and what is refused), or none; changes of states always do" },
	{ "events", "file_mib", NUM(events_file_mib, 1, 65536), "16", "events begin a new file at this size" },
	{ "events", "files", NUM(events_files, 2, 100000), "16", "files of them that are kept, the oldest going first" },

	{ "machine", "engine", TEXT(engine), "auto", "what new images run on: kvm (doze-vmm), qemu (software CPU), or auto: kvm where it is usable" },
	{ "machine", "uid_first", NUM(uid_first, 1000, INT_MAX), "400000", "first user id of machines; each has one of its own" },
	{ "machine", "uid_count", NUM(uid_count, 16, 65536), "65536", "how many" },
	{ "machine", "memory_percent", NUM(memory_percent, 1, 100), "80", "host memory that machines may take together" },
	{ "machine", "start_at_once", NUM(start_at_once, 1, 64), "3", "restores that run at the same time; others wait in a queue" },
	{ "machine", "capacity_wait_ms", NUM(capacity_wait_ms, 0, 600000), "30000", "how long a run waits for memory, then InsufficientCapacityException" },

	{ "network", "slots", TEXT(slot_network), "100.100.0.0/16", "a /16 of which each microVM takes a /30" },
	{ "network", "spare", NUM(slot_spare, 0, 256), "4", "network slots made in advance" },
	{ "network", "dns", TEXT(dns_upstream), "", "resolver for guests; empty: the host's first that is no loopback" },
	{ "network", "search", TEXT(search), "", "domains that guests of images made from now on look names up in, with blanks between them" },
	{ "network", "hosts", TEXT(hosts), "", "what stands in their /etc/hosts besides: ADDRESS NAME ..., semicolon-separated; the key may be given several times" },
	{ "network", "allow_private", TEXT(allow_private), "", "private networks that guests may reach, comma-separated" },
	{ "network", "subnets", TEXT(subnets), "", "ids of the subnets that network connectors may name, comma-separated" },
	{ "network", "security_groups", TEXT(security_groups), "", "ids of the security groups that network connectors may name, comma-separated" },

	{ "pool", "per_image", NUM(pool_per_image, 0, 1000), "2", "warm clones kept for an image in use" },
	{ "pool", "spares", NUM(pool_spares, 0, 64), "2", "processes kept ready for any image of a size in use; only with engine kvm" },
	{ "pool", "memory_percent", NUM(pool_memory_percent, 0, 100), "25", "host memory that all clones may take" },
	{ "pool", "recent_ms", NUM(pool_recent_ms, 1000, 86400000), "600000", "an image is in use if it became active or ran so recently" },
	{ "pool", "warm_refusals", NUM(warm_refusals, 0, 1), "1", "warm clones with what their servers refuse unseen by the application" },
	{ "pool", "exercise", NUM(exercise, 0, 1), "1", "warm clones by running the application's interpreter once, on a text of doze's (engine qemu)" },
	{ "pool", "warm_request", TEXT(warm_request), "", "requests of your own to warm clones with: image=port:/path, comma-separated" },

	{ "build", "at_once", NUM(build_at_once, 1, 64), "2", "builds that run at the same time" },
	{ "build", "memory_mib", NUM(build_memory_mib, 256, 1048576), "2048", "memory of one build" },
	{ "build", "cpu_percent", NUM(build_cpu_percent, 10, 100000), "200", "CPU of one build; 100 is one core" },
	{ "build", "pids", NUM(build_pids, 16, 1000000), "2048", "processes of one build" },
	{ "build", "disk_gib", NUM(build_disk_gib, 2, 10240), "40", "disk for all layers; a sparse file" },
	{ "build", "timeout_ms", NUM(build_timeout_ms, 1000, 86400000), "1800000", "a whole build" },
	{ "build", "ready_timeout_s", NUM(build_ready_timeout_s, 1, 86400), "900", "an application without a /ready hook that still works is waited for so long" },
	{ "build", "silence_timeout_ms", NUM(build_silence_ms, 0, 86400000), "600000", "a build step that neither prints nor works; 0: no limit" },
	{ "build", "map_first", NUM(build_map_first, 1000, INT_MAX), "300000", "first user id that builds are mapped to" },
	{ "build", "map_count", NUM(build_map_count, 65536, 65536), "65536", "how many" },
	{ "build", "env", TEXT(build_env), "", "variables for RUN only, KEY=value, comma-separated" },
	{ "build", "pull", TEXT(pull), "missing", "when a registry is asked for a base image: always (what has not changed is not fetched again), missing, never" },
	{ "build", "stand_in_older", NUM(stand_in_older, 0, 1), "0", "what stands in for an image may be older than the version asked for" },
	{ "build", "insecure_registries", TEXT(insecure_registries), "", "host:port of registries without TLS, comma-separated" },
	{ "build", "site_ca", TEXT(site_ca), "/etc/ssl/certs/ca-certificates.crt", "CA bundle bound into builds and guests; empty: none" },
	{ "build", "site_ca_in_guest", NUM(site_ca_in_guest, 0, 1), "1", "put it in running guests too" },

	{ "guest", "no_new_privs", NUM(no_new_privs, 0, 1), "0", "1: set-user-ID programs (sudo, su, ping) and file capabilities have no effect in new images' microVMs" },

	{ "limits", "ready_timeout_s", NUM(ready_timeout_s, 1, 3600), "60", "/ready hook without a timeout of its own" },
	{ "limits", "validate_timeout_s", NUM(validate_timeout_s, 1, 3600), "60", "/validate hook likewise" },
	{ "limits", "hook_timeout_s", NUM(hook_timeout_s, 1, 60), "1", "/run, /resume, /suspend, /terminate likewise" },
	{ "limits", "terminated_keep_ms", NUM(terminated_keep_ms, 0, 864000000), "86400000", "TERMINATED microVMs stay visible so long" },
	{ "limits", "max_duration_s", NUM(max_duration_s, 60, 864000), "28800", "longest life of a microVM" },
	{ "limits", "awake_s", NUM(awake_s, 60, 864000), "28800", "work may keep a microVM awake so long after its last byte (doze run --awake)" },
	{ "limits", "awake", TEXT(awake), "", "what keeps microVMs of an image awake: image=cpu=5%,lease; semicolon-separated" },
	{ "limits", "token_keep_ms", NUM(token_keep_ms, 1000, 864000000), "86400000", "a clientToken is remembered so long" },
	{ "limits", "preset", TEXT(limits_preset), "none", "aws: what the service allows a microVM for each 512 MiB of its memory: 8 requests at once, 10 a second, 1 MB/s; and an account: 5 builds, and calls as often as its quotas say (doze quota ls); none: no limit" },
	{ "limits", "microvm_requests", NUM(microvm_requests, 0, 1000000), "0", "requests and upgraded connections that a microVM has at once, then 429; 0: as the preset says" },
	{ "limits", "microvm_rate", NUM(microvm_rate, 0, 1000000), "0", "requests a second to a microVM, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "microvm_bandwidth", NUM(microvm_bandwidth, 0, 1000000000000), "0", "bytes a second through a microVM's endpoint and published ports, both ways together, with a burst of as many; the rest waits, and datagrams are dropped; 0: as the preset says" },
	{ "limits", "token_requests", NUM(token_requests, 0, 1000000), "0", "requests and upgraded connections that all holders of a token have at once, then 429; 0: no limit" },
	{ "limits", "drain_ms", NUM(drain_ms, 0, 864000000), "3600000", "a worker that is replaced (doze reload) lets what runs through it run on so long, then cuts it" },
	{ "limits", "hold_ms", NUM(hold_ms, 1000, 600000), "60000", "a request is held so long for a microVM that wakes, or for a port that never opened, then 502" },
	{ "limits", "hold_body_bytes", NUM(hold_body_bytes, 0, 1073741824), "1048576", "unread body held per microVM, at each endpoint worker" },
	{ "limits", "held_requests", NUM(clients.held_requests, 1, 1000000), "1000", "requests held per microVM, at each endpoint worker, then 502" },
	{ "limits", "connections", NUM(clients.connections, 1, 1000000), "16384", "connections of clients: to endpoints, to the API and to S3, each; above it idle ones end; each endpoint worker has its share" },
	{ "limits", "connections_per_address", NUM(clients.connections_per_address, 1, 1000000), "1024", "connections from one IPv4 address or one IPv6 /64; each endpoint worker has its share" },
	{ "limits", "head_timeout_ms", NUM(clients.head_timeout_ms, 100, 3600000), "30000", "from the first byte of a request's head to its last" },
	{ "limits", "idle_timeout_ms", NUM(clients.idle_timeout_ms, 100, 86400000), "300000", "a client's connection without a request" },
	{ "limits", "min_rate", NUM(clients.min_rate, 0, 1000000000), "500", "bytes a second that a client sends of a body to the API or S3, or takes of what waits for it; 0: any" },
	{ "limits", "body_timeout_ms", NUM(clients.body_timeout_ms, 100, 86400000), "60000", "a request's body may lag behind that rate so long; to an endpoint it may be silent so long" },
	{ "limits", "send_timeout_ms", NUM(clients.send_timeout_ms, 100, 86400000), "300000", "a client that takes its answer may lag behind that rate so long" },
	{ "limits", "response_timeout_ms", NUM(clients.response_timeout_ms, 100, 864000000), "3600000", "silence of an application with a request, then 504 or the end of the answer" },
	{ "limits", "tunnel_timeout_ms", NUM(clients.tunnel_timeout_ms, 100, 864000000), "3600000", "silence of a WebSocket or another upgraded connection" },
	{ "limits", "unverified_bytes", NUM(clients.unverified_bytes, 0, 17179869184), "67108864", "bodies of API requests whose signature is not checked yet; above it those over 16 KiB get 429" },
	{ "limits", "unverified_bytes_per_address", NUM(clients.unverified_bytes_per_address, 0, 17179869184), "33554432", "likewise, from one address" },
	{ "limits", "denied_per_minute", NUM(clients.denied_per_minute, 0, 1000000), "100", "requests to the API or S3 without a right signature, from one IPv4 address or one IPv6 /64; then all of its requests are refused until fewer come; 127.0.0.1 and ::1 have no limit; 0: none" },
	{ "limits", "published_connections", NUM(clients.published_connections, 1, 1000000), "1024", "connections and UDP flows of one microVM's published ports, at each endpoint worker" },
	{ "limits", "published_rate", NUM(clients.published_rate, 0, 1000000), "0", "new connections and UDP flows a second by one microVM's published ports, with a burst of as many; above it they are closed, or dropped; 0: no limit" },
	{ "limits", "published_rate_per_address", NUM(clients.published_rate_per_address, 0, 1000000), "0", "likewise, from one address to all published ports; each endpoint worker has its share" },
	{ "limits", "flow_timeout_ms", NUM(clients.flow_timeout_ms, 1000, 86400000), "60000", "silence of a UDP flow of a published port, both ways, after which it is forgotten" },
	{ "limits", "max_images", NUM(max_images, 1, 100000), "100", "images of an account" },
	{ "limits", "max_versions", NUM(max_versions, 1, 100000), "50", "versions of an image" },
	{ "limits", "max_connectors", NUM(max_connectors, 1, 100000), "100", "network connectors of an account" },
	{ "limits", "max_connector_versions", NUM(max_connector_versions, 1, 100000), "50", "versions of a network connector" },
	{ "limits", "max_microvms", NUM(max_microvms, 1, 16000), "4000", "microVMs of an account that are not TERMINATED" },
	{ "limits", "max_memory_mib", NUM(max_memory_mib, 512, 1073741824), "409600", "baseline memory of all microVMs of an account that are not TERMINATED" },
	{ "limits", "max_builds", NUM(max_builds, 0, 100000), "0", "builds of an account that have not ended; 0: as the preset says" },
	{ "limits", "run_rate", NUM(run_rate, 0, 100000), "0", "RunMicrovm a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "resume_rate", NUM(resume_rate, 0, 100000), "0", "ResumeMicrovm a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "suspend_rate", NUM(suspend_rate, 0, 100000), "0", "SuspendMicrovm a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "terminate_rate", NUM(terminate_rate, 0, 100000), "0", "TerminateMicrovm a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "get_rate", NUM(get_rate, 0, 100000), "0", "GetMicrovm a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "auth_token_rate", NUM(auth_token_rate, 0, 100000), "0", "CreateMicrovmAuthToken a second by an account, with a burst of as many, then 429; 0: as the preset says" },
	{ "limits", "shell_token_rate", NUM(shell_token_rate, 0, 100000), "0", "CreateMicrovmShellAuthToken a second by an account, with a burst of as many, then 429; 0: as the preset says" },

	{ "publish", "ports", TEXT(publish_ports), "20000-29999", "ports of the host that doze publish may lease: FIRST-LAST" },
	{ "publish", "listen", TEXT(publish_listen), "127.0.0.1", "address of the host that they listen on, unless doze publish --listen names another" },

	{ "store", "url", TEXT(store_url), "", "where the rows are kept: postgresql://USER@HOST/DATABASE; empty: in the file control/doze.db. doze.ini can be read by everyone, so put no password here" },
	{ "store", "url_file", TEXT(store_url_file), "", "file with that URL alone, of the user doze-control and readable by nobody else; for one with a password" },

	{ "kms", "files", TEXT(kms_files), "encrypt", "files of an image that names a key (kmsKeyIdentifier), and of its microVMs: encrypt: the file system encrypts them, and where it cannot, the image is refused; plain: only its secret members are sealed, in the store" },

	{ "compat", "arm64_as_host", NUM(arm64_as_host, 0, 1), "1", "1: an image that asks for ARM_64 is built for this host; 0: refused" },
	{ "compat", "unknown_roles", TEXT(unknown_roles), "accept", "a role that no [role NAME] names: accept (it gives no credentials, and the log has a line), refuse (the call is)" },
};

#define REGISTRY_SHOWN REGISTRY "HOST"
#define REG(m)         CONF_STRING, offsetof(struct conf_registry, m), sizeof(((struct conf_registry *)0)->m), 0, 0

/* These keys may stand in any number of sections, one for each registry. */
const struct conf_key conf_registry_keys[] = {
	{ REGISTRY_SHOWN, "mirror", REG(mirror), "", "host:port, with a path if need be, that is asked before the registry HOST itself" },
	{ REGISTRY_SHOWN, "user", REG(user), "", "who logs in there, and at its mirror" },
	{ REGISTRY_SHOWN, "password", REG(password), "", "that user's password; doze.ini can be read by everyone, so rather give password_file" },
	{ REGISTRY_SHOWN, "password_file", REG(password_file), "", "file with the password alone, which the user doze-image can read" },
};

#define CERTIFICATE_SHOWN CERTIFICATE "DOMAIN"
#define CERT(m)           CONF_STRING, offsetof(struct conf_certificate, m), sizeof(((struct conf_certificate *)0)->m), 0, 0

/* These likewise, one for each domain. */
const struct conf_key conf_certificate_keys[] = {
	{ CERTIFICATE_SHOWN, "cert", CERT(cert), "", "PEM file with the certificate of endpoints at and below DOMAIN, and its chain; read again by 'doze reload'" },
	{ CERTIFICATE_SHOWN, "key", CERT(key), "", "PEM file with its key, which root can read" },
};

#define ROLE_SHOWN    ROLE "NAME"
#define OF_ROLE(m)    CONF_STRING, offsetof(struct conf_role, m), sizeof(((struct conf_role *)0)->m), 0, 0

/* These likewise, one for each role. */
const struct conf_key conf_role_keys[] = {
	{ ROLE_SHOWN, "arn", OF_ROLE(arn), "", "its ARN, which names its account; empty: arn:aws:iam::<account>:role/NAME" },
	{ ROLE_SHOWN, "policy", OF_ROLE(policy), "", "JSON file with what its sessions may do, which the user doze-control can read; empty: everything in its account" },
	{ ROLE_SHOWN, "trust", OF_ROLE(trust), "", "whose keys may assume it: names of keys of its account, ARNs, or * for any key of it, comma-separated; empty: key pairs of the credentials file alone" },
	{ ROLE_SHOWN, "max_session_s", CONF_INT, offsetof(struct conf_role, max_session_s), 0, 900, 43200, "3600", "longest session" },
	{ ROLE_SHOWN, "credentials", OF_ROLE(credentials), "none", "what microVMs with this execution role find at 169.254.169.254: none, static (those of credentials_file), process (what credentials_process prints), doze (a session of the role's own)" },
	{ ROLE_SHOWN, "credentials_file", OF_ROLE(credentials_file), "", "file that the user doze-control alone can read, in the JSON that a credential_process prints: AccessKeyId, SecretAccessKey, and SessionToken and Expiration if there are any; read again at each renewal" },
	{ ROLE_SHOWN, "credentials_process", OF_ROLE(credentials_process), "", "program, by its absolute path, and its words with blanks between them (no shell reads them); it prints such JSON within 30 s" },
	{ ROLE_SHOWN, "credentials_user", OF_ROLE(credentials_user), "", "as whom it runs: a user of the host, not root; without capabilities and further groups" },
};

#define KMS_KEY_SHOWN KMS_KEY "alias/NAME"

/* This one likewise, one for each key. */
const struct conf_key conf_kms_key_keys[] = {
	{ KMS_KEY_SHOWN, "file", CONF_STRING, offsetof(struct conf_kms_key, file), sizeof(((struct conf_kms_key *)0)->file), 0, 0, "", "file of 32 random bytes, of root and readable by nobody else, without which the key opens nothing; empty: the key is drawn at the first start, and master secret and store open it" },
};
/* clang-format on */

const size_t conf_n_keys = ARRAY_SIZE(conf_keys);

const struct conf_words conf_words[] = {
	{ "limits", "preset", "none aws", { { NULL, NULL }, { NULL, NULL } } },
	{ "compat", "unknown_roles", "accept refuse", { { NULL, NULL }, { NULL, NULL } } },
	{ ROLE_SHOWN,
	  "credentials",
	  "none static process doze",
	  { { NULL, NULL }, { NULL, NULL } } },
	{ "events", "calls", "all writes none", { { NULL, NULL }, { NULL, NULL } } },
	{ "kms", "files", "encrypt plain", { { NULL, NULL }, { NULL, NULL } } },
	{ "build", "pull", "always missing never", { { "0", "never" }, { "1", "missing" } } },
};

const size_t conf_n_words = ARRAY_SIZE(conf_words);
