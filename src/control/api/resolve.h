/* resolve.h - ARNs and versions (service.md 2.11). */
#ifndef CONTROL_API_RESOLVE_H
#define CONTROL_API_RESOLVE_H

#include "control/api/call.h"
#include "control/model/connector.h"
#include "control/model/log_stream.h"

struct arn_field {
	const char *at;
	size_t size;
};

/* It has a type and no name behind a colon: "...:microvm-image/name". */
bool arn_is_incomplete(const char *arn);
/* "arn:aws:lambda:<region>:aws:microvm-image:<name>"; any region, for samples name their own. */
bool arn_managed_image(const char *arn, const char **name);
/* Of an image or of a network connector? */
bool arn_is_connector(const char *arn);
/* A connector's ARN; *name is the managed one's, or NULL if it is an account's own. */
bool arn_managed_connector(const char *arn, const char **name);

/* Of this account alone; NULL: none. */
struct image *find_image(struct control *ctl, const char *account, const char *arn);
/* By id, name or ARN. */
struct image *find_image_any(struct control *ctl, const char *account, const char *text);
/* It is the ARN of an image of this account, and there is no such image (any more). */
bool image_is_gone(struct control *ctl, const char *account, const char *arn);
struct microvm *find_microvm(struct control *ctl, const char *account, const char *id);
struct build *find_build(struct control *ctl, const char *account, const char *id);
int64_t version_number(const char *text); /* "1" or "1.0"; 0: neither */

/* The account that `account` names, or the caller's; NULL: there is none, or it is not for this key
 * to say so, and the call has failed. */
struct account *call_account(struct call *c);
/* What a member of the request names; NULL: nothing, and the call has failed. */
struct image *call_image(struct call *c, const char *member);
struct image_version *call_version(struct call *c);
struct microvm *call_microvm(struct call *c);
struct connector *call_connector(struct call *c, const char *member, struct connector_version **v);

/* The log group that `logGroupName` or `logGroupIdentifier` names, which may be its ARN; the
 * caller's.  NULL: neither is there, or the ARN is another account's. */
char *call_log_group_name(const struct call *c);
struct log_group *call_log_group(struct call *c);

/* By ARN, id or name; NULL: there is none.  *v is the version that the ARN is qualified with, or
 * NULL. */
struct connector *find_connector(const struct control *ctl, const char *account, const char *text,
				 struct connector_version **v);

#endif
