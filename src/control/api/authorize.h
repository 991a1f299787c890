/* authorize.h - may whoever asks do this?  All operations are judged here, after their members
 * were checked and before they run. */
#ifndef CONTROL_API_AUTHORIZE_H
#define CONTROL_API_AUTHORIZE_H

#include "control/api/call.h"
#include "iam/policy.h"

/* False: the call has failed, with the service's sentence. */
bool authorize(struct call *c) must_check;
/* What it would answer; *text is the caller's. */
struct policy_decision authorize_words(const struct principal *who, const struct iam_query *q,
				       char **text);

#endif
