/* rows.c - what is legal between our processes: type, fixed size, bytes behind, descriptors. */

#include "ipc/access.h"
#include "ipc/build.h"
#include "ipc/machine.h"
#include "ipc/object.h"
#include "ipc/priv.h"
#include "ipc/route.h"
#include "ipc/super.h"

/* clang-format off */
#define ROW(type)               { #type, sizeof(struct type), 0, 0, 0 }
#define ROW_FDS(type, min, max) { #type, sizeof(struct type), 0, min, max }
#define ROW_MORE(type, more, n) { #type, sizeof(struct type), more, n, n }

const struct ipc_row machine_rows[MACHINE_NUM_TYPES] = {
	[MACHINE_HELLO]     = ROW(machine_hello),
	[MACHINE_BOOT]      = ROW_FDS(machine_boot, BOOT_NUM_FDS, BOOT_NUM_FDS),
	[MACHINE_SNAPSHOT]  = ROW_FDS(machine_none, SAVE_NUM_FDS, SAVE_NUM_FDS),
	[MACHINE_SAVE]      = ROW_FDS(machine_none, SAVE_NUM_FDS, SAVE_NUM_FDS),
	[MACHINE_RESTORE]   = ROW_FDS(machine_restore, RESTORE_NUM_FDS, RESTORE_NUM_SAVE_FDS),
	[MACHINE_PAUSE]     = ROW(machine_none),
	[MACHINE_CONTINUE]  = ROW(machine_none),
	[MACHINE_STOP]      = ROW(machine_none),
	[MACHINE_GET_STATS] = ROW(machine_none),
	[MACHINE_AGENT]     = { "machine_agent", 0, LIMIT_IPC_BODY, 0, 0 },
	[MACHINE_READY]     = ROW(machine_none),
	[MACHINE_SAVED]     = ROW(machine_saved),
	[MACHINE_STATS]     = ROW(machine_stats),
	[MACHINE_FAULT]     = ROW(machine_fault),
	[MACHINE_EXITED]    = ROW(machine_exited),
	[MACHINE_GET_TOUCHED] = ROW_FDS(machine_none, 1, 1),
	[MACHINE_GET_PROGRESS] = ROW(machine_none),
	[MACHINE_EXPLAIN]   = ROW_FDS(machine_none, 1, 1),
	[MACHINE_PROGRESS]  = ROW(machine_progress),
};

const struct ipc_row priv_rows[PRIV_NUM_TYPES] = {
	[PRIV_MACHINE_START]   = ROW(priv_machine_start),
	[PRIV_MACHINE_END]     = ROW(priv_machine),
	[PRIV_MACHINE_LIST]    = ROW(priv_owner),
	[PRIV_BUILD_START]     = ROW_MORE(priv_build, 16 * KIB, BUILD_NUM_FDS),
	[PRIV_BUILD_END]       = ROW(priv_build_id),
	[PRIV_MACHINE_API]     = ROW(priv_machine),
	[PRIV_CREDENTIALS]     = ROW_FDS(priv_role, 1, 1),
	[PRIV_MACHINE_STARTED] = ROW(priv_machine_item),
	[PRIV_MACHINE_ITEM]    = ROW(priv_machine_item),
	[PRIV_MACHINE_GONE]    = ROW(priv_machine),
	[PRIV_BUILD_GONE]      = ROW(priv_build_gone),
	[PRIV_DONE]            = ROW(priv_done),
	[PRIV_FAULT]           = ROW(priv_fault),
};

const struct ipc_row route_rows[ROUTE_NUM_TYPES] = {
	[ROUTE_SET]     = ROW(route_set),
	[ROUTE_GONE]    = ROW(route_endpoint),
	[ROUTE_SYNCED]  = ROW(route_none),
	[ROUTE_HOLD]    = ROW(route_endpoint),
	[ROUTE_RELEASE] = ROW(route_endpoint),
	[ROUTE_ACTIVE]  = ROW(route_bytes),
	[ROUTE_HELD]    = ROW(route_bytes),
	[ROUTE_WAKE]    = ROW(route_endpoint),
	[ROUTE_NOTE]    = ROW(route_note),
	[ROUTE_PUBLISH]   = ROW_FDS(route_publish, 1, 1),
	[ROUTE_UNPUBLISH] = ROW(route_port),
	[ROUTE_LISTENS]   = ROW_FDS(route_port, 1, 1),
	[ROUTE_LISTENED]  = ROW(route_none),
	[ROUTE_FLOW]    = ROW_FDS(route_flow, 1, 1),
	[ROUTE_LEAVES]  = ROW(route_port),
	[ROUTE_METER]   = ROW(route_meter),
	[ROUTE_NOW]     = ROW(route_now),
};

const struct ipc_row build_rows[BUILD_NUM_TYPES] = {
	[BUILD_START]       = ROW_FDS(build_start, 1, 1),
	[BUILD_CANCEL]      = ROW(build_name),
	[BUILD_REMOVE]      = ROW(build_version),
	[BUILD_BASE_IMPORT] = ROW_FDS(build_base, 1, 1),
	[BUILD_BASE_REMOVE] = ROW(build_base),
	[BUILD_BASE_PULL]   = ROW(build_base),
	[BUILD_BASE_LIST]   = ROW(build_none),
	[BUILD_STEP]        = ROW(build_step),
	[BUILD_DONE]        = ROW(build_done),
	[BUILD_REMOVED]     = ROW(build_version),
	[BUILD_BASE_ITEM]   = ROW(build_base),
	[BUILD_BASE_DONE]   = ROW(build_result),
};

const struct ipc_row access_rows[ACCESS_NUM_TYPES] = {
	[ACCESS_PUT]    = ROW_MORE(access_put, ACCESS_POLICY_MAX, 0),
	[ACCESS_GONE]   = ROW(access_gone),
	[ACCESS_BATCH]  = ROW(access_none),
	[ACCESS_SYNCED] = ROW(access_none),
	[ACCESS_NEXT]   = ROW(access_none),
	[ACCESS_COUNT]  = ROW(access_count),
	[ACCESS_COUNTED] = ROW(access_count),
};

const struct ipc_row object_rows[OBJECT_NUM_TYPES] = {
	[OBJECT_GET]   = ROW(object_get),
	[OBJECT_FOUND] = ROW_FDS(object_found, 1, 1),
	[OBJECT_FAULT] = ROW(object_fault),
};

const struct ipc_row super_rows[SUPER_NUM_TYPES] = {
	[SUPER_SECRET]   = ROW_FDS(super_which, 1, 1),
	[SUPER_LISTENER] = ROW_FDS(super_listener, 1, 1),
	[SUPER_PEER]     = ROW_FDS(super_which, 1, 1),
	[SUPER_START]    = ROW(super_which),
	[SUPER_STOP]     = ROW(super_which),
	[SUPER_READY]    = ROW(super_which),
	[SUPER_PROGRESS] = ROW(super_which),
	[SUPER_DRAIN]    = ROW(super_which),
	[SUPER_SHARES]   = ROW_FDS(super_which, 1, 1),
	[SUPER_LOG]      = ROW_FDS(super_which, 1, 1),
};

const char *const role_name[ROLE_NUM] = {
	[ROLE_PRIV]    = "priv",
	[ROLE_OBJECTS] = "objects",
	[ROLE_IMAGE]   = "image",
	[ROLE_CONTROL] = "control",
	[ROLE_PROXY]   = "proxy",
};
/* clang-format on */
