/* ops_logs.c - the operations of CloudWatch Logs that are here, with the limits of its official
 * model.  All are POST /; a header names them. */

#include <string.h>

#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/ops.h"
#include "control/logs/pattern.h"
#include "control/logs/search.h"

#define TARGET "Logs_20140328."

/* clang-format off */
static const struct pattern group_name = { "[\\.\\-_/#A-Za-z0-9]+", "[a-zA-Z0-9_/.#-]+" };
static const struct pattern group_part = { "[\\.\\-_/#A-Za-z0-9]*", "[a-zA-Z0-9_/.#-]*" };
static const struct pattern group_identifier = { "[\\w#+=/:,.@-]*", "[a-zA-Z0-9_#+=/:,.@*-]*" };
static const struct pattern stream_name = { "[^:*]*", "[^:*]*" };

static const struct shape group = { .kind = KIND_STRING, .min = 1, .max = 512, .pattern = &group_name };
static const struct shape group_text = { .kind = KIND_STRING, .max = 512, .pattern = &group_part };
static const struct shape identifier = { .kind = KIND_STRING, .min = 1, .max = 2048, .pattern = &group_identifier };
static const struct shape stream = { .kind = KIND_STRING, .min = 1, .max = 512, .pattern = &stream_name };
static const struct shape streams = { .kind = KIND_LIST, .min = 1, .max = 100, .of = &stream };
static const struct shape cursor = { .kind = KIND_STRING, .min = 1, .max = NO_MAX };
static const struct shape pattern = { .kind = KIND_STRING, .max = PATTERN_SIZE };
static const struct shape boolean = { .kind = KIND_BOOLEAN, .max = NO_MAX };
static const struct shape days = { .kind = KIND_INTEGER, .min = NO_MIN, .max = NO_MAX };
static const struct shape time_ms = { .kind = KIND_INTEGER, .min = 0, .max = NO_MAX };
static const struct shape page = { .kind = KIND_INTEGER, .min = 1, .max = 50 };
static const struct shape events = { .kind = KIND_INTEGER, .min = 1, .max = SEARCH_EVENTS };
static const char *const orders[] = { "LogStreamName", "LastEventTime", NULL };
static const struct shape order_by = { .kind = KIND_STRING, .max = NO_MAX, .values = orders };
static const struct shape any = { .kind = KIND_STRING, .max = NO_MAX };

#define BODY(name, shape)     { name, &(shape), false, IN_BODY }
#define REQUIRED(name, shape) { name, &(shape), true, IN_BODY }
#define A_GROUP BODY("logGroupName", group), BODY("logGroupIdentifier", identifier)

static const struct member describe_groups[] = {
	BODY("logGroupNamePrefix", group), BODY("logGroupNamePattern", group_text), BODY("limit", page),
	BODY("nextToken", cursor), { 0 },
};
static const struct member create_group[] = {
	REQUIRED("logGroupName", group), BODY("kmsKeyId", any), BODY("logGroupClass", any), { 0 },
};
static const struct member of_group[] = { REQUIRED("logGroupName", group), { 0 } };
static const struct member put_retention[] = {
	REQUIRED("logGroupName", group), REQUIRED("retentionInDays", days), { 0 },
};
static const struct member describe_streams[] = {
	A_GROUP, BODY("logStreamNamePrefix", stream), BODY("orderBy", order_by), BODY("descending", boolean),
	BODY("limit", page), BODY("nextToken", cursor), { 0 },
};
static const struct member get_events[] = {
	A_GROUP, REQUIRED("logStreamName", stream), BODY("startTime", time_ms), BODY("endTime", time_ms),
	BODY("startFromHead", boolean), BODY("limit", events), BODY("nextToken", cursor), { 0 },
};
static const struct member filter_events[] = {
	A_GROUP, BODY("logStreamNames", streams), BODY("logStreamNamePrefix", stream), BODY("startTime", time_ms),
	BODY("endTime", time_ms), BODY("filterPattern", pattern), BODY("limit", events), BODY("nextToken", cursor), { 0 },
};

#define OP(name, members, run) { name, "POST", "/", FAMILY_LOGS, 200, members, run, false }

const struct op logs_ops[] = {
	OP("DescribeLogGroups", describe_groups, log_groups_describe),
	OP("CreateLogGroup", create_group, log_group_create),
	OP("DeleteLogGroup", of_group, log_group_delete),
	OP("PutRetentionPolicy", put_retention, log_group_retain),
	OP("DeleteRetentionPolicy", of_group, log_group_retain_for_ever),
	OP("DescribeLogStreams", describe_streams, log_streams_describe),
	OP("GetLogEvents", get_events, log_events_get),
	OP("FilterLogEvents", filter_events, log_events_filter),
};
/* clang-format on */

const size_t logs_ops_count = ARRAY_SIZE(logs_ops);

static const struct member none[] = { { 0 } };

static void logs_unknown(struct call *c)
{
	call_fail_as(c, 400, "UnknownOperationException",
		     "This server has no such operation of CloudWatch Logs.");
}

static const struct op logs_unknown_op = { .name = "Unknown",
					   .method = "POST",
					   .path = "/",
					   .family = FAMILY_LOGS,
					   .status = 200,
					   .members = none,
					   .run = logs_unknown };

const struct op *op_find_logs(const char *target)
{
	bool ours = !strncmp(target, TARGET, strlen(TARGET));

	for (size_t i = 0; ours && i < logs_ops_count; i++)
		if (!strcmp(logs_ops[i].name, target + strlen(TARGET)))
			return &logs_ops[i];
	return &logs_unknown_op;
}
