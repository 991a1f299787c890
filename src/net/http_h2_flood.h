/* http_h2_flood.h - frames that cost us more than they cost a client, and how many it may send.
 * Pure: time is an argument.
 *
 * Each kind has a bucket: a client may send `burst` of them at once, and `rate` a second on and on.
 * What we do for the client earns it more of some, because an honest one answers that: it
 * acknowledges what it reads, and may measure its way with a PING for each piece. */
#ifndef NET_HTTP_H2_FLOOD_H
#define NET_HTTP_H2_FLOOD_H

#include "base/base.h"

enum h2_flood {
	H2_FLOOD_CANCEL,     /* streams that the client resets; a served request earns one */
	H2_FLOOD_BROKEN,     /* streams that we reset because of what the client did there */
	H2_FLOOD_REFUSED,    /* streams above the limit */
	H2_FLOOD_SETTINGS,   /* each is acknowledged, and may change all streams */
	H2_FLOOD_PING,       /* each is answered; DATA that we sent earns some */
	H2_FLOOD_PRIORITY,   /* each changes the tree of priorities */
	H2_FLOOD_WINDOW,     /* DATA that we sent earns some */
	H2_FLOOD_EMPTY_DATA, /* DATA without a byte that does not end its stream */
	H2_FLOOD_OTHER,      /* of a type that is unknown here */
	H2_NUM_FLOODS
};

struct h2_floods {
	int64_t left_milli[H2_NUM_FLOODS], at_ms[H2_NUM_FLOODS];
};

void h2_floods_init(struct h2_floods *f, int64_t now_ms);
/* One came.  False: it is one too many. */
bool h2_floods_take(struct h2_floods *f, enum h2_flood kind, int64_t now_ms) must_check;
void h2_floods_earn(struct h2_floods *f, enum h2_flood kind, unsigned n);
const char *h2_flood_name(enum h2_flood kind);

#endif
