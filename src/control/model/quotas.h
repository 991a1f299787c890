/* quotas.h - how much of this server one account may have, and how often it may call (service.md
 * 18).
 *
 * What the account was given by `doze quota set` counts; else the configuration; else, for what the
 * service alone limits, `[limits] preset`. */
#ifndef CONTROL_MODEL_QUOTAS_H
#define CONTROL_MODEL_QUOTAS_H

#include "conf/conf.h"
#include "control/model/account.h"

enum quota_kind {
	QUOTA_MEMORY,
	QUOTA_MICROVMS,
	QUOTA_IMAGES,
	QUOTA_VERSIONS,
	QUOTA_BUILDS,
	QUOTA_CONNECTORS,
	QUOTA_CONNECTOR_VERSIONS,
	QUOTA_RUN_RATE,
	QUOTA_RESUME_RATE,
	QUOTA_SUSPEND_RATE,
	QUOTA_TERMINATE_RATE,
	QUOTA_GET_RATE,
	QUOTA_AUTH_TOKEN_RATE,
	QUOTA_SHELL_TOKEN_RATE,
	QUOTA_NUM,
};

struct quota_row {
	const char *name, *title;
	const char *op; /* of a rate: the operation, which it lets run so many times a second */
	size_t setting; /* of struct conf, where it is an int64_t */
	int64_t aws;    /* the preset's, if the setting is 0; 0: no limit then */
	int64_t max;    /* of what an account can be given */
};
extern const struct quota_row quota_rows[QUOTA_NUM];

/* QUOTA_NUM: there is none of this name. */
enum quota_kind quota_named(const char *name);
/* What the account has at most; INT64_MAX: no limit.  @a may be NULL: an account of no settings. */
int64_t quota_of(const struct conf *conf, const struct account *a, enum quota_kind kind);
/* The same of the account with this id. */
int64_t quota_in(const struct control *ctl, const char *account, enum quota_kind kind);
/* Whether the account was given one of its own. */
bool quota_is_own(const struct account *a, enum quota_kind kind);
/* The account's params with one changed; @value 0: the configuration counts again.  The caller owns
 * them; they are what account->params becomes once they are durable. */
json_t *quota_changed(const struct account *a, enum quota_kind kind, int64_t value);

/* When the next call would be due if they came evenly, at the rate allowed. */
typedef int64_t quota_due;
/* May one more call be made, at @per_second with a burst of as many?  0: yes, and it counts; else
 * the microseconds after which it may.  Pure. */
int64_t quota_pass(quota_due *due_us, int64_t per_second, int64_t now_us);

/* The quota of an operation's rate; QUOTA_NUM: it has none. */
enum quota_kind quota_of_op(const char *op);

#endif
