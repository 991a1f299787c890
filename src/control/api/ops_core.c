/* ops_core.c - the operations of Lambda Core that belong to microVMs: network connectors. */

#include "control/api/handlers/handlers.h"
#include "control/api/ops_shapes.h"

/* clang-format off */
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

STRING(text, 0, NO_MAX, NULL);
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
	{ "Tags", &shape_tags, false, IN_BODY },
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

#define CORE      "/2026-04-04/network-connectors"
#define CONNECTOR CORE "/{Identifier}"
#define C         FAMILY_CORE

const struct op core_ops[CORE_OPS] = {
	{ "CreateNetworkConnector", "POST", CORE, C, 202, create_connector, connector_create, false },
	{ "GetNetworkConnector", "GET", CONNECTOR, C, 200, of_connector, connector_get, false },
	{ "ListNetworkConnectors", "GET", CORE, C, 200, list_connectors, connector_list, false },
	{ "ListNetworkConnectorVersions", "GET", CONNECTOR "/versions", C, 200, list_connector_versions, connector_list_versions,
	  false },
	{ "UpdateNetworkConnector", "PUT", CONNECTOR, C, 202, update_connector, connector_update, false },
	{ "DeleteNetworkConnector", "DELETE", CONNECTOR, C, 202, of_connector, connector_delete, false },
};
/* clang-format on */
