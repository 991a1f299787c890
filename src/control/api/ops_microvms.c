/* ops_microvms.c - the service's own operations, and ours about microVMs, images and the host. */

#include "control/api/ops_shapes.h"

#include "conf/awake.h"
#include "control/api/handlers/handlers.h"

/* clang-format off */
static const struct pattern not_blank = { "[^\\s]+", "[^[:space:]]+" };
static const struct pattern image_name = { "[a-zA-Z0-9-_]+", "[a-zA-Z0-9_-]+" };
static const struct pattern role = {
	"arn:aws[a-z\\-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
	"arn:aws[a-z-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@/-]+"
};
static const struct pattern kms_key = {
	"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[a-zA-Z0-9:/_-]+|"
	"alias/[a-zA-Z0-9:/_-]+|[a-zA-Z0-9-]+)",
	"(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[a-zA-Z0-9:/_-]+|"
	"alias/[a-zA-Z0-9:/_-]+|[a-zA-Z0-9-]+)"
};
static const struct pattern log_group = { "[a-zA-Z0-9_\\-/.#]+", "[a-zA-Z0-9_/.#-]+" };
static const struct pattern log_stream = { "[^:*]*", "[^:*]*" };
static const struct pattern tag = {
	"([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)", "[a-zA-Z0-9 _.:/=+@\x80-\xff-]*"
};
static const struct pattern taggable = {
	"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:"
	"(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
	"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
	"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|"
	"(capacity-provider|network-connector|microvm-image):[a-zA-Z0-9-_]+)",
	"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-[0-9]:[0-9]{12}:"
	"(function:[a-zA-Z0-9_-]+(:([$]LATEST|[a-zA-Z0-9_-]+))?|layer:([a-zA-Z0-9_-]+)|"
	"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
	"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|"
	"(capacity-provider|network-connector|microvm-image):[a-zA-Z0-9_-]+)"
};
STRING(text, 0, NO_MAX, NULL);
STRING(word, 1, 2048, &not_blank);
STRING(identifier, 1, 256, NULL);
STRING(token_128, 1, 128, NULL);
STRING(role_arn, 20, 2048, &role);
const struct shape shape_kms_key = { .kind = KIND_STRING, .min = 1, .max = 2048, .pattern = &kms_key };
STRING(name_64, 1, 64, &image_name);
STRING(connector, 1, 2048, NULL);
STRING(group, 1, 512, &log_group);
STRING(stream, 1, 512, &log_stream);
STRING(tag_key, 1, 128, &tag);
STRING(tag_value, 0, 256, &tag);
STRING(resource_arn, 1, 10000, &taggable);
STRING(env_key, 1, 256, &not_blank);
INTEGER(integer, NO_MIN, NO_MAX);
INTEGER(positive, 1, NO_MAX);
INTEGER(port, 1, 65535);
INTEGER(page, 1, 50);
INTEGER(seconds_60, 1, 60);
INTEGER(seconds_3600, 1, 3600);
INTEGER(duration, 1, 28800);
INTEGER(idle_seconds, 60, NO_MAX);
INTEGER(not_negative, 0, NO_MAX);
static const struct shape boolean = { .kind = KIND_BOOLEAN, .max = NO_MAX };
static const struct shape env_value = { .kind = KIND_STRING, .max = 4096, .sensitive = true };
static const struct shape payload = { .kind = KIND_STRING, .max = 4096, .sensitive = true };
static const struct shape environment = {
	.kind = KIND_MAP, .max = 100, .key = &env_key, .of = &env_value, .sensitive = true
};
const struct shape shape_tags = { .kind = KIND_MAP, .max = NO_MAX, .key = &tag_key, .of = &tag_value };
ENUM(architecture, "ARM_64", "X86_64");
ENUM(chipset, "GRAVITON", "INTEL");
ENUM(capability, "ALL");
ENUM(hook_state, "DISABLED", "ENABLED");
ENUM(version_status, "ACTIVE", "INACTIVE");

static const struct member none[] = { { 0 } };
STRUCT(empty, none);

static const struct member artifact_members[] = { { "uri", &word, false, IN_BODY }, { 0 } };
UNION(artifact, artifact_members);

static const struct member cloudwatch_members[] = {
	{ "logGroup", &group, false, IN_BODY },
	{ "logStream", &stream, false, IN_BODY },
	{ 0 },
};
STRUCT(cloudwatch, cloudwatch_members);
static const struct member logging_members[] = {
	{ "disabled", &empty, false, IN_BODY },
	{ "cloudWatch", &cloudwatch, false, IN_BODY },
	{ 0 },
};
UNION(logging, logging_members);

static const struct member cpu_members[] = { { "architecture", &architecture, true, IN_BODY }, { 0 } };
STRUCT(cpu, cpu_members);
LIST(cpus, 0, NO_MAX, cpu);
static const struct member resource_members[] = { { "minimumMemoryInMiB", &integer, true, IN_BODY }, { 0 } };
STRUCT(resource, resource_members);
LIST(resources, 0, 1, resource);
LIST(capabilities, 0, NO_MAX, capability);
LIST(image_connectors, 0, 1, connector);
LIST(run_connectors, 0, 10, connector);

static const struct member image_hook_members[] = {
	{ "ready", &hook_state, false, IN_BODY },
	{ "readyTimeoutInSeconds", &seconds_3600, false, IN_BODY },
	{ "validate", &hook_state, false, IN_BODY },
	{ "validateTimeoutInSeconds", &seconds_3600, false, IN_BODY },
	{ 0 },
};
STRUCT(image_hooks, image_hook_members);
static const struct member vm_hook_members[] = {
	{ "run", &hook_state, false, IN_BODY },
	{ "runTimeoutInSeconds", &seconds_60, false, IN_BODY },
	{ "resume", &hook_state, false, IN_BODY },
	{ "resumeTimeoutInSeconds", &seconds_60, false, IN_BODY },
	{ "suspend", &hook_state, false, IN_BODY },
	{ "suspendTimeoutInSeconds", &seconds_60, false, IN_BODY },
	{ "terminate", &hook_state, false, IN_BODY },
	{ "terminateTimeoutInSeconds", &seconds_60, false, IN_BODY },
	{ 0 },
};
STRUCT(vm_hooks, vm_hook_members);
static const struct member hooks_members[] = {
	{ "port", &port, false, IN_BODY },
	{ "microvmHooks", &vm_hooks, false, IN_BODY },
	{ "microvmImageHooks", &image_hooks, false, IN_BODY },
	{ 0 },
};
STRUCT(hooks, hooks_members);

static const struct member range_members[] = {
	{ "startPort", &port, true, IN_BODY },
	{ "endPort", &port, true, IN_BODY },
	{ 0 },
};
STRUCT(range, range_members);
static const struct member port_members[] = {
	{ "port", &port, false, IN_BODY },
	{ "range", &range, false, IN_BODY },
	{ "allPorts", &empty, false, IN_BODY },
	{ 0 },
};
UNION(port_specification, port_members);
LIST(ports, 1, NO_MAX, port_specification);

static const struct member idle_members[] = {
	{ "maxIdleDurationSeconds", &idle_seconds, true, IN_BODY },
	{ "suspendedDurationSeconds", &not_negative, true, IN_BODY },
	{ "autoResumeEnabled", &boolean, true, IN_BODY },
	{ 0 },
};
STRUCT(idle, idle_members);

#define IMAGE_IN_PATH   { "imageIdentifier", &identifier, true, IN_PATH }
#define VERSION_IN_PATH { "imageVersion", &word, true, IN_PATH }
#define VM_IN_PATH      { "microvmIdentifier", &identifier, true, IN_PATH }
#define PAGED           { "maxResults", &page, false, IN_QUERY }, { "nextToken", &text, false, IN_QUERY }
#define BUILD_INPUT                                                \
	{ "baseImageArn", &word, true, IN_BODY },                  \
	{ "baseImageVersion", &word, false, IN_BODY },             \
	{ "codeArtifact", &artifact, true, IN_BODY },              \
	{ "buildRoleArn", &role_arn, true, IN_BODY },              \
	{ "description", &text, false, IN_BODY },                  \
	{ "logging", &logging, false, IN_BODY },                   \
	{ "egressNetworkConnectors", &image_connectors, false, IN_BODY }, \
	{ "cpuConfigurations", &cpus, false, IN_BODY },            \
	{ "resources", &resources, false, IN_BODY },               \
	{ "additionalOsCapabilities", &capabilities, false, IN_BODY }, \
	{ "hooks", &hooks, false, IN_BODY },                       \
	{ "environmentVariables", &environment, false, IN_BODY },  \
	{ "kmsKeyIdentifier", &shape_kms_key, false, IN_BODY },              \
	{ "clientToken", &token_128, false, IN_BODY }

static const struct member create_image[] = {
	{ "name", &name_64, true, IN_BODY }, BUILD_INPUT, { "tags", &shape_tags, false, IN_BODY }, { 0 },
};
static const struct member update_image[] = { IMAGE_IN_PATH, BUILD_INPUT, { 0 } };
static const struct member of_image[] = { IMAGE_IN_PATH, { 0 } };
static const struct member list_images[] = { PAGED, { "nameFilter", &word, false, IN_QUERY }, { 0 } };
static const struct member of_version[] = { IMAGE_IN_PATH, VERSION_IN_PATH, { 0 } };
static const struct member list_of_image[] = { IMAGE_IN_PATH, PAGED, { 0 } };
static const struct member update_version[] = {
	IMAGE_IN_PATH, VERSION_IN_PATH, { "status", &version_status, true, IN_BODY }, { 0 },
};
static const struct member of_build[] = {
	IMAGE_IN_PATH, VERSION_IN_PATH, { "buildId", &word, true, IN_PATH }, { 0 },
};
static const struct member list_builds[] = {
	IMAGE_IN_PATH, VERSION_IN_PATH, PAGED,
	{ "architecture", &architecture, false, IN_QUERY },
	{ "chipset", &chipset, false, IN_QUERY },
	{ "chipsetGeneration", &word, false, IN_QUERY },
	{ 0 },
};
static const struct member paged[] = { PAGED, { 0 } };
static const struct member run_vm[] = {
	{ "imageIdentifier", &identifier, true, IN_BODY },
	{ "imageVersion", &word, false, IN_BODY },
	{ "ingressNetworkConnectors", &run_connectors, false, IN_BODY },
	{ "egressNetworkConnectors", &run_connectors, false, IN_BODY },
	{ "executionRoleArn", &role_arn, false, IN_BODY },
	{ "idlePolicy", &idle, false, IN_BODY },
	{ "logging", &logging, false, IN_BODY },
	{ "runHookPayload", &payload, false, IN_BODY },
	{ "maximumDurationInSeconds", &duration, false, IN_BODY },
	{ "kmsKeyIdentifier", &shape_kms_key, false, IN_BODY },
	{ "clientToken", &token_128, false, IN_BODY },
	{ 0 },
};
static const struct member of_vm[] = { VM_IN_PATH, { 0 } };
static const struct member list_vms[] = {
	PAGED,
	{ "imageIdentifier", &identifier, false, IN_QUERY },
	{ "imageVersion", &text, false, IN_QUERY },
	{ 0 },
};
static const struct member auth_token[] = {
	VM_IN_PATH,
	{ "expirationInMinutes", &positive, true, IN_BODY },
	{ "allowedPorts", &ports, true, IN_BODY },
	{ 0 },
};
static const struct member shell_auth_token[] = {
	VM_IN_PATH,
	{ "expirationInMinutes", &positive, true, IN_BODY },
	{ 0 },
};
LIST(tag_keys, 0, NO_MAX, tag_key);
static const struct member of_resource[] = { { "Resource", &resource_arn, true, IN_PATH }, { 0 } };
static const struct member tag_resource[] = {
	{ "Resource", &resource_arn, true, IN_PATH }, { "Tags", &shape_tags, true, IN_BODY }, { 0 },
};
static const struct member untag_resource[] = {
	{ "Resource", &resource_arn, true, IN_PATH }, { "tagKeys", &tag_keys, true, IN_QUERY }, { 0 },
};

/* Ours. */
STRING(base_name, 1, 511, &not_blank);
INTEGER(wait_seconds, 0, 30);
static const struct member read_log[] = {
	{ "id", &identifier, true, IN_PATH },
	{ "from", &not_negative, false, IN_QUERY },
	{ "wait", &wait_seconds, false, IN_QUERY },
	{ 0 },
};
static const struct member by_id[] = { { "id", &identifier, true, IN_PATH }, { 0 } };
static const struct member get_build[] = {
	{ "id", &identifier, true, IN_PATH }, { "from", &not_negative, false, IN_QUERY }, { 0 },
};
static const struct member image_ports[] = {
	{ "id", &identifier, true, IN_PATH }, { "version", &word, false, IN_QUERY }, { 0 },
};
static const struct member rebuild_image[] = {
	IMAGE_IN_PATH, { "imageVersion", &word, false, IN_BODY }, { "clientToken", &token_128, false, IN_BODY }, { 0 },
};
ENUM(protocol, "tcp", "udp");
LIST(sources, 0, 16, word);
static const struct member publish_port[] = {
	VM_IN_PATH,
	{ "port", &port, true, IN_BODY },
	{ "protocol", &protocol, false, IN_BODY },
	{ "from", &sources, false, IN_BODY },
	{ "listen", &word, false, IN_BODY },
	{ 0 },
};
STRING(public_key, 1, 4096, NULL);
static const struct member certify[] = {
	VM_IN_PATH,
	{ "publicKey", &public_key, true, IN_BODY },
	{ "expirationInMinutes", &positive, true, IN_BODY },
	{ "allowedPorts", &ports, true, IN_BODY },
	{ 0 },
};
static const struct member published_port[] = { { "publishedPort", &word, true, IN_PATH }, { 0 } };
INTEGER(cpu_percent, 0, AWAKE_CPU_MAX);
static const struct member set_awake[] = {
	VM_IN_PATH, { "cpuPercent", &cpu_percent, false, IN_BODY }, { "lease", &boolean, false, IN_BODY }, { 0 },
};
static const struct member base_by_name[] = { { "name", &base_name, true, IN_PATH }, { 0 } };

#define V       "/2025-09-09"
#define IMAGE   V "/microvm-images/{imageIdentifier}"
#define VERSION IMAGE "/versions/{imageVersion}"
#define VM      V "/microvms/{microvmIdentifier}"
#define MANAGED V "/managed-microvm-images"
#define TAGS    "/2017-03-31/tags/{Resource}"
#define DOZE    "/doze/v1"
#define M       FAMILY_MICROVMS
#define T       FAMILY_TAGS
#define D       FAMILY_DOZE

const struct op microvm_ops[MICROVM_OPS] = {
	{ "RunMicrovm", "POST", V "/microvms", M, 200, run_vm, vm_run, false },
	{ "GetMicrovm", "GET", VM, M, 200, of_vm, vm_get, false },
	{ "ListMicrovms", "GET", V "/microvms", M, 200, list_vms, vm_list, false },
	{ "SuspendMicrovm", "POST", VM "/suspend", M, 200, of_vm, vm_suspend, false },
	{ "ResumeMicrovm", "POST", VM "/resume", M, 200, of_vm, vm_resume, false },
	{ "TerminateMicrovm", "DELETE", VM, M, 200, of_vm, vm_terminate, false },
	{ "CreateMicrovmAuthToken", "POST", VM "/auth-token", M, 200, auth_token, token_create, false },
	{ "CreateMicrovmShellAuthToken", "POST", VM "/shell-auth-token", M, 200, shell_auth_token, token_create_shell, false },
	{ "CreateMicrovmImage", "POST", V "/microvm-images", M, 201, create_image, image_create, false },
	{ "GetMicrovmImage", "GET", IMAGE, M, 200, of_image, image_get, false },
	{ "ListMicrovmImages", "GET", V "/microvm-images", M, 200, list_images, image_list, false },
	{ "UpdateMicrovmImage", "PUT", IMAGE, M, 200, update_image, image_update, false },
	{ "DeleteMicrovmImage", "DELETE", IMAGE, M, 200, of_image, image_delete, false },
	{ "GetMicrovmImageVersion", "GET", VERSION, M, 200, of_version, version_get, false },
	{ "ListMicrovmImageVersions", "GET", IMAGE "/versions", M, 200, list_of_image, version_list, false },
	{ "UpdateMicrovmImageVersion", "PATCH", VERSION, M, 200, update_version, version_update, false },
	{ "DeleteMicrovmImageVersion", "DELETE", VERSION, M, 200, of_version, version_delete, false },
	{ "GetMicrovmImageBuild", "GET", VERSION "/builds/{buildId}", M, 200, of_build, build_get, false },
	{ "ListMicrovmImageBuilds", "GET", VERSION "/builds", M, 200, list_builds, build_list, false },
	{ "ListManagedMicrovmImages", "GET", MANAGED, M, 200, paged, managed_list, false },
	{ "ListManagedMicrovmImageVersions", "GET", MANAGED "/{imageIdentifier}/versions", M, 200,
	  list_of_image, managed_list_versions, false },
	{ "ListTags", "GET", TAGS, T, 200, of_resource, tags_list, false },
	{ "TagResource", "POST", TAGS, T, 204, tag_resource, tags_add, false },
	{ "UntagResource", "DELETE", TAGS, T, 204, untag_resource, tags_remove, false },

	{ "ReadBuildLog", "GET", DOZE "/builds/{id}/log", D, 200, read_log, doze_build_log, false },
	{ "GetBuild", "GET", DOZE "/builds/{id}", D, 200, get_build, doze_get_build, false },
	{ "CancelBuild", "POST", DOZE "/builds/{id}/cancel", D, 200, by_id, doze_cancel_build, false },
	{ "ReadMicrovmLog", "GET", DOZE "/microvms/{id}/log", D, 200, read_log, doze_vm_log, false },
	{ "GetAwake", "GET", DOZE "/microvms/{microvmIdentifier}/awake", D, 200, of_vm, doze_get_awake, false },
	{ "SetAwake", "PUT", DOZE "/microvms/{microvmIdentifier}/awake", D, 200, set_awake, doze_set_awake, false },
	{ "GetImagePorts", "GET", DOZE "/images/{id}/ports", D, 200, image_ports, doze_ports, false },
	{ "RebuildMicrovmImage", "POST", DOZE "/images/{imageIdentifier}/rebuild", D, 200, rebuild_image, image_rebuild,
	  false },
	{ "ListBases", "GET", DOZE "/bases", D, 200, none, doze_list_bases, false },
	{ "ImportBase", "POST", DOZE "/bases/{name}", D, 201, base_by_name, doze_import_base, true },
	{ "PullBase", "POST", DOZE "/bases/{name}/pull", D, 200, base_by_name, doze_pull_base, false },
	{ "RemoveBase", "DELETE", DOZE "/bases/{name}", D, 200, base_by_name, doze_remove_base, false },
	{ "CreateMicrovmCertificate", "POST", DOZE "/microvms/{microvmIdentifier}/certificate", D, 200, certify, token_certify, false },
	{ "PublishPort", "POST", DOZE "/microvms/{microvmIdentifier}/published", D, 201, publish_port, doze_publish, false },
	{ "ListPublishedPorts", "GET", DOZE "/published", D, 200, none, doze_list_published, false },
	{ "UnpublishPort", "DELETE", DOZE "/published/{publishedPort}", D, 200, published_port, doze_unpublish, false },
	{ "Backup", "POST", DOZE "/backup", D, 200, none, doze_backup, false },
	{ "Drain", "POST", DOZE "/drain", D, 200, none, doze_drain, false },
	{ "GetDrain", "GET", DOZE "/drain", D, 200, none, doze_drain_progress, false },
	{ "GetStats", "GET", DOZE "/stats", D, 200, none, doze_stats, false },
	{ "GetEnvironment", "GET", DOZE "/env", D, 200, none, doze_env, false },
};
/* clang-format on */
