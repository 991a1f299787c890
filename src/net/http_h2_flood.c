#include "net/http_h2_flood.h"

/* clang-format off */
static const struct {
	const char *name;
	int64_t burst, rate;
} h2_floods_most[] = {
	[H2_FLOOD_CANCEL]     = { "resets of streams",           500, 50 },
	[H2_FLOOD_BROKEN]     = { "broken streams",              100, 20 },
	[H2_FLOOD_REFUSED]    = { "streams above the limit",    1000, 50 },
	[H2_FLOOD_SETTINGS]   = { "SETTINGS",                     50,  5 },
	[H2_FLOOD_PING]       = { "PING",                        200, 20 },
	[H2_FLOOD_PRIORITY]   = { "PRIORITY",                    500, 50 },
	[H2_FLOOD_WINDOW]     = { "WINDOW_UPDATE",              2000, 200 },
	[H2_FLOOD_EMPTY_DATA] = { "empty DATA",                  200, 50 },
	[H2_FLOOD_OTHER]      = { "frames of unknown types",     200, 20 },
};
/* clang-format on */

static_assert(ARRAY_SIZE(h2_floods_most) == H2_NUM_FLOODS, "a kind has no limit");

void h2_floods_init(struct h2_floods *f, int64_t now_ms)
{
	for (size_t i = 0; i < H2_NUM_FLOODS; i++) {
		f->left_milli[i] = h2_floods_most[i].burst * 1000;
		f->at_ms[i] = now_ms;
	}
}

static void h2_floods_add(struct h2_floods *f, enum h2_flood kind, int64_t milli)
{
	int64_t most = h2_floods_most[kind].burst * 1000, left = f->left_milli[kind];

	f->left_milli[kind] = milli < most - left ? left + milli : most;
}

bool h2_floods_take(struct h2_floods *f, enum h2_flood kind, int64_t now_ms)
{
	h2_floods_add(f, kind, (now_ms - f->at_ms[kind]) * h2_floods_most[kind].rate);
	f->at_ms[kind] = now_ms;
	if (f->left_milli[kind] < 1000)
		return false;
	f->left_milli[kind] -= 1000;
	return true;
}

void h2_floods_earn(struct h2_floods *f, enum h2_flood kind, unsigned n)
{
	h2_floods_add(f, kind, (int64_t)n * 1000);
}

const char *h2_flood_name(enum h2_flood kind)
{
	return h2_floods_most[kind].name;
}
