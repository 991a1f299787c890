/* ops_accounts.c - the operations of ours about accounts, access keys and keys at rest. */

#include "control/api/handlers/handlers.h"
#include "control/api/ops_shapes.h"
#include "iam/policy.h"

/* clang-format off */
static const struct pattern kms_alias_pattern = { "[a-zA-Z0-9/_-]+", "[a-zA-Z0-9/_-]+" };
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
ENUM(yes_or_no, "true", "false");
static const struct member list_keys[] = { OF_ACCOUNT, { "sessions", &yes_or_no, false, IN_QUERY }, { 0 } };
static const struct member account_alone[] = { OF_ACCOUNT, { 0 } };
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
static const struct member of_kms_key[] = { { "key", &shape_kms_key, true, IN_PATH }, { 0 } };
static const struct pattern vm_id = { "microvm-[0-9a-f-]{36}", "microvm-[0-9a-f-]{36}" };
STRING(event_place, 1, 64, NULL);
STRING(event_microvm, 44, 44, &vm_id);
INTEGER(event_since, 0, 253402300799);
static const struct member list_events[] = {
	{ "after", &event_place, false, IN_QUERY }, { "since", &event_since, false, IN_QUERY }, { "microvm", &event_microvm, false, IN_QUERY }, { 0 },
};
STRING(quota_name, 1, 64, &user_name);
INTEGER(quota_value, 1, 1073741824);
static const struct member set_quota[] = {
	{ "quota", &quota_name, true, IN_PATH }, { "value", &quota_value, true, IN_BODY }, OF_ACCOUNT, { 0 },
};
static const struct member unset_quota[] = { { "quota", &quota_name, true, IN_PATH }, OF_ACCOUNT, { 0 } };
static const struct member none[] = { { 0 } };

#define DOZE "/doze/v1"
#define D    FAMILY_DOZE

const struct op account_ops[ACCOUNT_OPS] = {
	{ "CreateAccount", "POST", DOZE "/accounts", D, 201, create_account, doze_create_account, false },
	{ "ListAccounts", "GET", DOZE "/accounts", D, 200, none, doze_list_accounts, false },
	{ "DeleteAccount", "DELETE", DOZE "/accounts/{account}", D, 200, of_account, doze_delete_account, false },
	{ "CreateKey", "POST", DOZE "/keys", D, 201, create_key, key_create, false },
	{ "ListKeys", "GET", DOZE "/keys", D, 200, list_keys, key_list, false },
	{ "RotateKey", "POST", DOZE "/keys/{key}/rotate", D, 200, rotate_key, key_rotate, false },
	{ "DeleteKey", "DELETE", DOZE "/keys/{key}", D, 200, of_key, key_delete, false },
	{ "ExplainKey", "POST", DOZE "/keys/{key}/explain", D, 200, explain_key, key_explain, false },
	{ "ListEvents", "GET", DOZE "/events", D, 200, list_events, events_list, false },
	{ "ListQuotas", "GET", DOZE "/quotas", D, 200, account_alone, quota_list, false },
	{ "SetQuota", "PUT", DOZE "/quotas/{quota}", D, 200, set_quota, quota_set, false },
	{ "UnsetQuota", "DELETE", DOZE "/quotas/{quota}", D, 200, unset_quota, quota_unset, false },
	{ "CreateKmsKey", "POST", DOZE "/kms", D, 201, create_kms_key, kms_create, false },
	{ "ListKmsKeys", "GET", DOZE "/kms", D, 200, none, kms_list, false },
	{ "RotateKmsKey", "POST", DOZE "/kms/{key}/rotate", D, 200, of_kms_key, kms_new_version, false },
	{ "EnableKmsKey", "POST", DOZE "/kms/{key}/enable", D, 200, of_kms_key, kms_enable, false },
	{ "DisableKmsKey", "POST", DOZE "/kms/{key}/disable", D, 200, of_kms_key, kms_disable, false },
	{ "DeleteKmsKey", "DELETE", DOZE "/kms/{key}", D, 200, of_kms_key, kms_delete, false },
};
/* clang-format on */
