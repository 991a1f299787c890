/* ops.c - the tables.  Limits, patterns and paths are the official model's
 * (tests/integration/test_model.py compares them); the order of required members is the order
 * in which the service names the missing ones. */

#include "control/api/ops.h"

#include "conf/awake.h"
#include "control/api/handlers/handlers.h"
#include "iam/policy.h"

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
static const struct pattern kms_alias_pattern = { "[a-zA-Z0-9/_-]+", "[a-zA-Z0-9/_-]+" };
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
#define CONNECTOR_ARN(digit) \
	"arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-" digit "{1}:" digit \
	"{12}:network-connector:"
static const struct pattern connector_name_pattern = {
	"(" CONNECTOR_ARN("\\d") "[a-zA-Z0-9-_]+(:[1-9][0-9]*)?)|[a-zA-Z0-9_-]{1,64}",
	"(" CONNECTOR_ARN("[0-9]") "[a-zA-Z0-9_-]+(:[1-9][0-9]*)?)|[a-zA-Z0-9_-]{1,64}"
};
static const struct pattern operator_role = {
	"arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
	"arn:(aws[a-zA-Z-]*)?:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@/-]+"
};
static const struct pattern subnet_pattern = { "subnet-[0-9a-z]*", "subnet-[0-9a-z]*" };
static const struct pattern group_pattern = { "sg-[0-9a-zA-Z]*", "sg-[0-9a-zA-Z]*" };

#define STRING(name, lo, hi, p) \
	static const struct shape name = { .kind = KIND_STRING, .min = (lo), .max = (hi), .pattern = (p) }
#define INTEGER(name, lo, hi) \
	static const struct shape name = { .kind = KIND_INTEGER, .min = (lo), .max = (hi) }
#define LIST(name, lo, hi, element) \
	static const struct shape name = { .kind = KIND_LIST, .min = (lo), .max = (hi), .of = &(element) }
#define STRUCT(name, table) \
	static const struct shape name = { .kind = KIND_STRUCT, .max = NO_MAX, .members = (table) }
#define UNION(name, table) \
	static const struct shape name = { .kind = KIND_STRUCT, .max = NO_MAX, .members = (table), .one_of = true }
#define ENUM(name, ...) \
	static const char *const name##_values[] = { __VA_ARGS__, NULL }; \
	static const struct shape name = { .kind = KIND_STRING, .max = NO_MAX, .values = name##_values }

STRING(text, 0, NO_MAX, NULL);
STRING(word, 1, 2048, &not_blank);
STRING(identifier, 1, 256, NULL);
STRING(token_128, 1, 128, NULL);
STRING(role_arn, 20, 2048, &role);
STRING(key, 1, 2048, &kms_key);
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
static const struct shape tags = { .kind = KIND_MAP, .max = NO_MAX, .key = &tag_key, .of = &tag_value };
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
	{ "kmsKeyIdentifier", &key, false, IN_BODY },              \
	{ "clientToken", &token_128, false, IN_BODY }

static const struct member create_image[] = {
	{ "name", &name_64, true, IN_BODY }, BUILD_INPUT, { "tags", &tags, false, IN_BODY }, { 0 },
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
	{ "kmsKeyIdentifier", &key, false, IN_BODY },
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
	{ "Resource", &resource_arn, true, IN_PATH }, { "Tags", &tags, true, IN_BODY }, { 0 },
};
static const struct member untag_resource[] = {
	{ "Resource", &resource_arn, true, IN_PATH }, { "tagKeys", &tag_keys, true, IN_QUERY }, { 0 },
};

STRING(connector_name, 1, 140, &connector_name_pattern);
STRING(connector_identifier, 1, 140, NULL);
STRING(connector_role, 0, 10000, &operator_role);
STRING(connector_subnet, 0, 1024, &subnet_pattern);
STRING(connector_group, 0, 1024, &group_pattern);
STRING(token_64, 1, 64, NULL);
INTEGER(page_100, 1, 100);
ENUM(connector_protocol, "IPv4", "DualStack");
ENUM(connector_compute, "MicroVm", "WebFunction");
ENUM(connector_ip_type, "None", "ServiceManaged");
ENUM(connector_state, "PENDING", "ACTIVE", "INACTIVE", "FAILED", "DELETING", "DELETE_FAILED");
LIST(connector_subnets, 1, 16, connector_subnet);
LIST(connector_groups, 0, 16, connector_group);
LIST(connector_computes, 1, 1, connector_compute);
static const struct member connector_ip_members[] = { { "Type", &connector_ip_type, true, IN_BODY }, { 0 } };
STRUCT(connector_ip, connector_ip_members);
static const struct member connector_vpc_members[] = {
	{ "SubnetIds", &connector_subnets, false, IN_BODY },
	{ "SecurityGroupIds", &connector_groups, false, IN_BODY },
	{ "NetworkProtocol", &connector_protocol, false, IN_BODY },
	{ "AssociatedComputeResourceTypes", &connector_computes, false, IN_BODY },
	{ "ElasticIpConfiguration", &connector_ip, false, IN_BODY },
	{ 0 },
};
STRUCT(connector_vpc, connector_vpc_members);
static const struct member connector_configuration_members[] = { { "VpcEgressConfiguration", &connector_vpc, false, IN_BODY }, { 0 } };
UNION(connector_configuration, connector_configuration_members);

#define CONNECTOR_IN_PATH { "Identifier", &connector_identifier, true, IN_PATH }
#define CONNECTOR_PAGED                                         \
	{ "State", &connector_state, false, IN_QUERY },         \
	{ "Marker", &text, false, IN_QUERY },            \
	{ "MaxItems", &page_100, false, IN_QUERY }
static const struct member create_connector[] = {
	{ "Name", &connector_name, true, IN_BODY },
	{ "Configuration", &connector_configuration, true, IN_BODY },
	{ "OperatorRole", &connector_role, false, IN_BODY },
	{ "ClientToken", &token_64, false, IN_BODY },
	{ "Tags", &tags, false, IN_BODY },
	{ 0 },
};
static const struct member update_connector[] = {
	CONNECTOR_IN_PATH,
	{ "Configuration", &connector_configuration, false, IN_BODY },
	{ "OperatorRole", &connector_role, false, IN_BODY },
	{ "ClientToken", &token_64, false, IN_BODY },
	{ 0 },
};
static const struct member of_connector[] = { CONNECTOR_IN_PATH, { 0 } };
static const struct member list_connectors[] = { CONNECTOR_PAGED, { 0 } };
static const struct member list_connector_versions[] = { CONNECTOR_IN_PATH, CONNECTOR_PAGED, { 0 } };

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

static const struct pattern digits = { "[0-9]{12}", "[0-9]{12}" };
static const struct pattern user_name = { "[\\w+=,.@-]+", "[a-zA-Z0-9_+=,.@-]+" };
STRING(account_id, 12, 12, &digits);
STRING(account_title, 1, 128, NULL);
STRING(key_name, 1, 64, &user_name);
STRING(key_or_name, 1, 128, &user_name);
STRING(policy, 1, POLICY_MAX_SIZE, NULL);
STRING(context_key, 1, 255, NULL);
STRING(context_value, 0, 2048, NULL);
STRING(action, 1, 128, NULL);
STRING(resource_text, 1, 2048, NULL);
INTEGER(key_seconds, 60, 315360000);
INTEGER(overlap_seconds, 0, 31536000);
static const struct shape context = { .kind = KIND_MAP, .max = 64, .key = &context_key, .of = &context_value };
#define OF_ACCOUNT { "account", &account_id, false, IN_QUERY }
static const struct member create_account[] = {
	{ "name", &account_title, true, IN_BODY }, { "account", &account_id, false, IN_BODY }, { 0 },
};
static const struct member of_account[] = { { "account", &account_id, true, IN_PATH }, { 0 } };
static const struct member create_key[] = {
	{ "name", &key_name, true, IN_BODY },
	{ "policy", &policy, false, IN_BODY },
	{ "expiresInSeconds", &key_seconds, false, IN_BODY },
	OF_ACCOUNT,
	{ 0 },
};
static const struct member list_keys[] = { OF_ACCOUNT, { 0 } };
static const struct member of_key[] = { { "key", &key_or_name, true, IN_PATH }, OF_ACCOUNT, { 0 } };
static const struct member rotate_key[] = {
	{ "key", &key_or_name, true, IN_PATH }, { "overlapSeconds", &overlap_seconds, false, IN_BODY }, OF_ACCOUNT, { 0 },
};
static const struct member explain_key[] = {
	{ "key", &key_or_name, true, IN_PATH },
	{ "action", &action, true, IN_BODY },
	{ "resource", &resource_text, false, IN_BODY },
	{ "context", &context, false, IN_BODY },
	OF_ACCOUNT,
	{ 0 },
};

STRING(kms_alias, 1, 256, &kms_alias_pattern);
static const struct member create_kms_key[] = { { "alias", &kms_alias, true, IN_BODY }, { 0 } };
static const struct member of_kms_key[] = { { "key", &key, true, IN_PATH }, { 0 } };

#define V       "/2025-09-09"
#define IMAGE   V "/microvm-images/{imageIdentifier}"
#define VERSION IMAGE "/versions/{imageVersion}"
#define VM      V "/microvms/{microvmIdentifier}"
#define MANAGED V "/managed-microvm-images"
#define TAGS    "/2017-03-31/tags/{Resource}"
#define CORE    "/2026-04-04/network-connectors"
#define CONNECTOR      CORE "/{Identifier}"
#define DOZE    "/doze/v1"
#define M       FAMILY_MICROVMS
#define T       FAMILY_TAGS
#define C       FAMILY_CORE
#define D       FAMILY_DOZE

const struct op ops[] = {
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

	{ "CreateNetworkConnector", "POST", CORE, C, 202, create_connector, connector_create, false },
	{ "GetNetworkConnector", "GET", CONNECTOR, C, 200, of_connector, connector_get, false },
	{ "ListNetworkConnectors", "GET", CORE, C, 200, list_connectors, connector_list, false },
	{ "ListNetworkConnectorVersions", "GET", CONNECTOR "/versions", C, 200, list_connector_versions, connector_list_versions,
	  false },
	{ "UpdateNetworkConnector", "PUT", CONNECTOR, C, 202, update_connector, connector_update, false },
	{ "DeleteNetworkConnector", "DELETE", CONNECTOR, C, 202, of_connector, connector_delete, false },

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
	{ "CreateAccount", "POST", DOZE "/accounts", D, 201, create_account, doze_create_account, false },
	{ "ListAccounts", "GET", DOZE "/accounts", D, 200, none, doze_list_accounts, false },
	{ "DeleteAccount", "DELETE", DOZE "/accounts/{account}", D, 200, of_account, doze_delete_account, false },
	{ "CreateKey", "POST", DOZE "/keys", D, 201, create_key, key_create, false },
	{ "ListKeys", "GET", DOZE "/keys", D, 200, list_keys, key_list, false },
	{ "RotateKey", "POST", DOZE "/keys/{key}/rotate", D, 200, rotate_key, key_rotate, false },
	{ "DeleteKey", "DELETE", DOZE "/keys/{key}", D, 200, of_key, key_delete, false },
	{ "ExplainKey", "POST", DOZE "/keys/{key}/explain", D, 200, explain_key, key_explain, false },
	{ "CreateKmsKey", "POST", DOZE "/kms", D, 201, create_kms_key, kms_create, false },
	{ "ListKmsKeys", "GET", DOZE "/kms", D, 200, none, kms_list, false },
	{ "RotateKmsKey", "POST", DOZE "/kms/{key}/rotate", D, 200, of_kms_key, kms_new_version, false },
	{ "EnableKmsKey", "POST", DOZE "/kms/{key}/enable", D, 200, of_kms_key, kms_enable, false },
	{ "DisableKmsKey", "POST", DOZE "/kms/{key}/disable", D, 200, of_kms_key, kms_disable, false },
	{ "DeleteKmsKey", "DELETE", DOZE "/kms/{key}", D, 200, of_kms_key, kms_delete, false },
	{ "GetEnvironment", "GET", DOZE "/env", D, 200, none, doze_env, false },
};
/* clang-format on */

const size_t ops_count = ARRAY_SIZE(ops);
