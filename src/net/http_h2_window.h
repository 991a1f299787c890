/* http_h2_window.h - how large a client's windows must be for one upload to be as fast as its way
 * allows.  Pure.
 *
 * A PING measures a round trip while bytes are taken.  It goes out with the first of a burst, and
 * what was taken when its answer comes is what the window let through; if that is half of the
 * window, the window may have been the limit.  On a short way the answer waits behind the bytes,
 * and seems to need a larger window for ever, so it grows no further than four times what the
 * shortest round trip carries.  Bytes that nobody takes never make it grow. */
#ifndef NET_HTTP_H2_WINDOW_H
#define NET_HTTP_H2_WINDOW_H

#include "base/limits.h"

#define H2_WINDOW_FIRST 65535

struct h2_window {
	size_t size;
	size_t taken;              /* since the last answer to a PING */
	uint64_t since_us;         /* when the first of them was */
	uint64_t sent_us, trip_us; /* when the PING went out; the shortest trip of one, 0: none */
	bool measuring;            /* a PING is out */
};

/* True: send a PING now. */
static inline bool h2_window_took(struct h2_window *w, size_t size, uint64_t now_us)
{
	if (!w->taken)
		w->since_us = now_us;
	w->taken += size;
	if (w->measuring || w->size >= LIMIT_HTTP2_WINDOW || w->taken < w->size / 16)
		return false;
	w->measuring = true;
	w->sent_us = now_us;
	return true;
}

/* The PING was answered.  Returns by how much the window should grow. */
static inline size_t h2_window_measured(struct h2_window *w, uint64_t now_us)
{
	size_t more =
		w->size < LIMIT_HTTP2_WINDOW - w->size ? w->size : LIMIT_HTTP2_WINDOW - w->size;
	uint64_t trip = now_us - w->sent_us + 1, whole = now_us - w->since_us + 1;
	bool limits = w->measuring && w->taken >= w->size / 2;

	if (!w->trip_us || trip < w->trip_us)
		w->trip_us = trip;
	limits = limits && w->size < w->taken * 4 * w->trip_us / whole;
	w->measuring = false;
	w->taken = 0;
	return limits ? more : 0;
}

#endif
