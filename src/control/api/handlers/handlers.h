/* handlers.h - what runs an operation (api/ops_*.c); the contract is call.h's. */
#ifndef CONTROL_API_HANDLERS_HANDLERS_H
#define CONTROL_API_HANDLERS_HANDLERS_H

struct call;
struct op;

typedef void handler(struct call *c);

handler vm_run, vm_get, vm_list, vm_suspend, vm_resume, vm_terminate, token_certify, token_create,
	token_create_shell;
handler image_create, image_get, image_list, image_update, image_delete, image_rebuild;
handler version_get, version_list, version_update, version_delete, build_get, build_list;
handler connector_create, connector_get, connector_list, connector_list_versions, connector_update,
	connector_delete;
handler managed_list, managed_list_versions, tags_list, tags_add, tags_remove;
handler doze_build_log, doze_cancel_build, doze_get_awake, doze_get_build, doze_set_awake,
	doze_vm_log, doze_ports, doze_list_bases, doze_import_base, doze_remove_base,
	doze_pull_base, doze_backup, doze_drain, doze_drain_progress, doze_stats, doze_env,
	doze_publish, doze_list_published, doze_unpublish;
handler kms_create, kms_list, kms_new_version, kms_enable, kms_disable, kms_delete;
handler doze_create_account, doze_list_accounts, doze_delete_account;
handler log_groups_describe, log_group_create, log_group_delete, log_group_retain,
	log_group_retain_for_ever, log_streams_describe, log_events_get, log_events_filter;
handler events_list;
handler quota_list, quota_set, quota_unset;
handler key_create, key_list, key_rotate, key_delete, key_explain;

/* GetCallerIdentity: POST /, its own protocol. */
extern const struct op sts_op;
void sts_fail(struct call *c, unsigned status, const char *code, const char *text);

#endif
