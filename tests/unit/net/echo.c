#include "echo.h"

#include <stdlib.h>
#include <string.h>

struct echo {
	struct http_exchange *x;
	uint64_t left; /* of /big */
	uv_timer_t timer;
	bool slow, waiting;
};

struct echo_stats echo_stats;

static void echo_closed(struct duplex *d)
{
	(void)d;
}

static size_t echo_raw(struct duplex *d, const uint8_t *data, size_t size)
{
	duplex_write(d, data, size);
	return size;
}

static void echo_raw_end(struct duplex *d)
{
	duplex_close_after_write(d);
}

static const struct duplex_ops echo_duplex = {
	.data = echo_raw,
	.end = echo_raw_end,
	.closed = echo_closed,
};

static void echo_stream(struct http_exchange *x)
{
	struct echo *s = http_user(x);
	static char block[16 * KIB];

	memset(block, 'x', sizeof(block));
	while (s->left) {
		size_t n = s->left < sizeof(block) ? (size_t)s->left : sizeof(block);

		s->left -= n;
		echo_stats.sent += n;
		if (!http_send_body(x, block, n))
			return; /* goes on in writable */
	}
	http_send_end(x);
}

static void echo_writable(struct http_exchange *x)
{
	struct echo *s = http_user(x);

	if (!strncmp(http_request(x)->target, "/big", 4))
		echo_stream(x);
	else if (s->waiting)
		http_read_more(x);
	s->waiting = false;
}

static void echo_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void echo_fired(uv_timer_t *timer)
{
	struct echo *s = timer->data;

	if (!strcmp(http_request(s->x)->target, "/later"))
		http_answer(s->x, 200, NULL, 0, "hello\n", 6);
	else
		http_read_more(s->x);
}

static void echo_upgrade(struct http_exchange *x)
{
	static const struct http_header h[] = { { "upgrade", "echo" } };
	struct echo *s = http_user(x);

	http_send_head(x, 101, h, 1, -1);
	uv_close((uv_handle_t *)&s->timer, echo_timer_closed);
	echo_stats.taken++;
	http_take_duplex(x, &echo_duplex, NULL);
}

static void echo_head(struct http_exchange *x)
{
	const char *target = http_request(x)->target;
	struct echo *s = calloc(1, sizeof(*s));

	echo_stats.heads++;
	s->x = x;
	s->timer.data = s;
	uv_timer_init(http_loop(x), &s->timer);
	http_set_user(x, s);
	s->slow = !strcmp(target, "/slow");
	if (!strcmp(target, "/upgrade")) {
		echo_upgrade(x);
	} else if (!strcmp(target, "/early")) {
		http_answer(x, 403, NULL, 0, "no\n", 3);
	} else if (!strcmp(target, "/echo") || s->slow) {
		http_send_continue(x);
		http_send_head(x, 200, NULL, 0, -1);
	} else if (!strcmp(target, "/hold")) {
		http_read_stop(x);
		uv_timer_start(&s->timer, echo_fired, 10, 0);
	} else if (!strncmp(target, "/big?", 5)) {
		s->left = strtoull(target + 5, NULL, 10);
		http_send_head(x, 200, NULL, 0, (int64_t)s->left);
		echo_stream(x);
	} else if (!strcmp(target, "/cut")) {
		http_send_head(x, 200, NULL, 0, 100);
		http_send_body(x, "half", 4);
		http_abort(x);
	}
}

static size_t echo_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct echo *s = http_user(x);
	size_t n = s->slow && size > 3 ? 3 : size;

	if (strcmp(http_request(x)->target, "/echo") && !s->slow)
		return size;
	if (!http_send_body(x, data, n)) {
		s->waiting = true;
		if (n == size)
			http_read_stop(x);
	} else if (n < size) {
		http_read_more(x); /* too early: it counts only once we took less */
		uv_timer_start(&s->timer, echo_fired, 0, 0);
	}
	return n;
}

static void echo_end(struct http_exchange *x)
{
	const char *target = http_request(x)->target;
	struct echo *s = http_user(x);

	echo_stats.ends++;
	if (!strcmp(target, "/echo") || s->slow)
		http_send_end(x);
	else if (!strcmp(target, "/hello") || !strcmp(target, "/hold"))
		http_answer(x, 200, NULL, 0, "hello\n", 6);
	else if (!strcmp(target, "/later"))
		uv_timer_start(&s->timer, echo_fired, 50, 0);
	else if (strncmp(target, "/big?", 5))
		http_answer(x, 404, NULL, 0, "", 0);
}

static void echo_done(struct http_exchange *x)
{
	struct echo *s = http_user(x);

	echo_stats.dones++;
	echo_stats.gone += http_gone(x);
	uv_close((uv_handle_t *)&s->timer, echo_timer_closed);
}

const struct http_handler echo_handler = {
	.head = echo_head,
	.body = echo_body,
	.end = echo_end,
	.writable = echo_writable,
	.done = echo_done,
};
