/* http_h2_window.h - how large a client's windows must be for one upload to be as fast as its way
 * allows.  Pure.
 *
 * A PING measures a round trip while bytes are taken.  It goes out with the first of a burst, and
 * what was taken when its answer comes is what the window let through; if that is half of the
 * window, the window and not the way was the limit, and it is doubled.  Bytes that nobody takes
 * never make it grow. */
#ifndef NET_HTTP_H2_WINDOW_H
#define NET_HTTP_H2_WINDOW_H

#include "base/limits.h"

#define H2_WINDOW_FIRST 65535

struct h2_window {
	size_t size;
	size_t taken;   /* since the last answer to a PING */
	bool measuring; /* a PING is out */
};

/* True: send a PING now. */
static inline bool h2_window_took(struct h2_window *w, size_t size)
{
	w->taken += size;
	if (w->measuring || w->size >= LIMIT_HTTP2_WINDOW || w->taken < w->size / 16)
		return false;
	w->measuring = true;
	return true;
}

/* The PING was answered.  Returns by how much the window should grow. */
static inline size_t h2_window_measured(struct h2_window *w)
{
	size_t more =
		w->size < LIMIT_HTTP2_WINDOW - w->size ? w->size : LIMIT_HTTP2_WINDOW - w->size;
	bool limits = w->measuring && w->taken >= w->size / 2;

	w->measuring = false;
	w->taken = 0;
	return limits ? more : 0;
}

#endif
