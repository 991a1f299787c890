#include "ipc/refusal.h"

/* clang-format off */
static const struct {
	const char *name;
	unsigned status;
} refusals[] = {
	[REFUSAL_OTHER]                 = { "other", 502 },
	[REFUSAL_MALFORMED]             = { "malformed", 400 },
	[REFUSAL_HEAD_TOO_LARGE]        = { "head-too-large", 431 },
	[REFUSAL_HEAD_TOO_SLOW]         = { "head-too-slow", 408 },
	[REFUSAL_UPGRADE_WITH_BODY]     = { "upgrade-with-body", 400 },
	[REFUSAL_BAD_PORT]              = { "bad-port", 400 },
	[REFUSAL_BAD_PROTOCOL]          = { "bad-protocol", 400 },
	[REFUSAL_BAD_SHELL]             = { "bad-shell", 400 },
	[REFUSAL_UNKNOWN_HOST]          = { "unknown-host", 403 },
	[REFUSAL_NO_TOKEN]              = { "no-token", 403 },
	[REFUSAL_BAD_TOKEN]             = { "bad-token", 403 },
	[REFUSAL_FOREIGN_TOKEN]         = { "foreign-token", 403 },
	[REFUSAL_EXPIRED_TOKEN]         = { "expired-token", 403 },
	[REFUSAL_PORT_DENIED]           = { "port-denied", 403 },
	[REFUSAL_NO_WEBSOCKET]          = { "no-websocket", 502 },
	[REFUSAL_MICROVM_REQUESTS]      = { "microvm-requests", 429 },
	[REFUSAL_MICROVM_RATE]          = { "microvm-rate", 429 },
	[REFUSAL_TOKEN_REQUESTS]        = { "token-requests", 429 },
	[REFUSAL_HELD_REQUESTS]         = { "held-requests", 502 },
	[REFUSAL_HELD_BYTES]            = { "held-bytes", 502 },
	[REFUSAL_ASLEEP]                = { "asleep", 502 },
	[REFUSAL_GONE]                  = { "gone", 502 },
	[REFUSAL_NOT_READY]             = { "not-ready", 502 },
	[REFUSAL_MUTE]                  = { "mute", 502 },
	[REFUSAL_OLD_IMAGE]             = { "old-image", 502 },
	[REFUSAL_NO_LISTENER]           = { "no-listener", 502 },
	[REFUSAL_NEVER_LISTENED]        = { "never-listened", 502 },
	[REFUSAL_BACKLOG]               = { "backlog", 504 },
	[REFUSAL_CLOSES_EARLY]          = { "closes-early", 502 },
	[REFUSAL_BROKEN]                = { "broken", 502 },
	[REFUSAL_RESET]                 = { "reset", 502 },
	[REFUSAL_SILENT]                = { "silent", 504 },
	[REFUSAL_BAD_HEADER]            = { "bad-header", 502 },
	[REFUSAL_BAD_UPGRADE]           = { "bad-upgrade", 502 },
	[REFUSAL_LATE_TLS]              = { "late-tls", 502 },
	[REFUSAL_INTERNAL]              = { "internal", 502 },
	[REFUSAL_SOURCE]                = { "source", 0 },
	[REFUSAL_PUBLISHED_CONNECTIONS] = { "published-connections", 0 },
	[REFUSAL_PUBLISHED_RATE]        = { "published-rate", 0 },
	[REFUSAL_ADDRESS_CONNECTIONS]   = { "address-connections", 0 },
	[REFUSAL_ADDRESS_RATE]          = { "address-rate", 0 },
};
/* clang-format on */

static_assert(ARRAY_SIZE(refusals) == REFUSAL_NUM, "a refusal has no name");

const char *refusal_name(enum refusal why)
{
	assert(why < REFUSAL_NUM);
	return refusals[why].name;
}

unsigned refusal_status(enum refusal why)
{
	assert(why < REFUSAL_NUM);
	return refusals[why].status;
}

enum refusal refusal_of_head(unsigned status)
{
	static const enum refusal rows[] = { REFUSAL_HEAD_TOO_LARGE, REFUSAL_HEAD_TOO_SLOW };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (refusals[rows[i]].status == status)
			return rows[i];
	return REFUSAL_MALFORMED;
}
