/* rights.h - what each operation needs, as a table beside that of the operations (ops.h): the
 * resource that it is about, and what else it does on the way. */
#ifndef CONTROL_API_RIGHTS_H
#define CONTROL_API_RIGHTS_H

#include "control/api/call.h"

struct subject {
	char *arn;          /* owned; "*": the operation is about no resource */
	const json_t *tags; /* borrowed; NULL: none */
	bool unknown;       /* of a form that authorisation knows no resource of */
};

enum right_of {
	RIGHT_ACCOUNT,  /* within the account of who asks */
	RIGHT_OPERATOR, /* what all accounts share: for the account of the configuration alone */
	RIGHT_ROOT,     /* accounts: for the pairs of the credentials file alone */
};

struct right {
	const char *op; /* its action is "lambda:<op>", or "doze:<op>" for those of ours, unless
			   right_action has another */
	void (*subject)(struct call *c, struct subject *s); /* NULL: "*" */
	/* Further actions, each asked by authorize_also; false: the call has failed.  NULL: none.
	 */
	bool (*also)(struct call *c, const struct subject *s);
	enum right_of of;
};

/* NULL: there is no row, and nobody with a policy may do it. */
const struct right *right_find(const char *op);

const char *right_action(const char *op); /* NULL: as its family has it */

/* authorize.c's, for `also`: another action on a resource that has these tags (NULL: none), for the
 * sake of the operation's own. */
bool authorize_also(struct call *c, const char *action, const char *resource, const json_t *tags,
		    const struct subject *of) must_check;

#endif
