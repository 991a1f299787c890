#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/log.h"
#include "proxy/relay.h"
#include "proxy/shell_parts.h"

/* Sent to the client's kernel and perhaps lost with the connection: with what was not acknowledged,
 * it stays below what the guest keeps (ipc/shell.h). */
#define SHELL_UNSENT (32 * KIB)

static void shell_flush(struct shell *s)
{
	struct buf *out = websocket_out(s->websocket);

	if (s->client && out->size)
		duplex_write(s->client, out->data, out->size);
	buf_clear(out);
}

void shell_closed(struct shell *s)
{
	if (s->client || s->guest)
		return;
	recording_end(s->proxy, &s->record);
	websocket_free(s->websocket);
	buf_free(&s->from_guest);
	buf_free(&s->typed);
	free(s);
}

/* Whatever comes is dropped from now on. */
static void shell_over(struct shell *s)
{
	s->route = NULL;
	list_del(&s->link.in_route);
	shell_flush(s);
	if (s->client)
		duplex_close_after_write(s->client);
	if (s->guest)
		conn_close(s->guest);
}

void shell_end(struct shell *s, unsigned code, const char *reason)
{
	websocket_close(s->websocket, code, reason);
	shell_over(s);
}

static void shell_say(struct shell *s, json_t *message)
{
	autofree char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	websocket_send(s->websocket, WEBSOCKET_TEXT, text, strlen(text));
	shell_flush(s);
}

void shell_fail(struct shell *s, const char *why)
{
	autofree char *note =
		xasprintf("a shell %s: %s", s->opened ? "was cut off" : "was refused", why);

	log_debug("a shell fails endpoint=%s why=\"%s\"", s->route->row.endpoint, why);
	control_note(s->proxy, s->route, note);
	if (!s->opened)
		shell_say(s, json_pack("{ssss}", "type", "session_error", "message", why));
	shell_end(s, SHELL_CLOSE_ERROR, why);
}

void shell_opened(struct shell *s, uint64_t offset)
{
	json_t *init = json_pack("{ssss}", "type", "session_init", "session_id", s->id);

	s->opened = true;
	conn_timeout(s->guest, s->proxy->conf->clients.tunnel_timeout_ms);
	if (*s->request.session)
		json_object_set_new(init, "offset", json_integer((json_int_t)(offset & INT64_MAX)));
	shell_say(s, init);
	shell_type(s);
}

void shell_exited(struct shell *s, uint64_t status)
{
	if (s->request.wants_status)
		shell_say(s, json_pack("{sssI}", "type", "exit", "status",
				       (json_int_t)(status & 0xff)));
	shell_end(s, SHELL_CLOSE_EXITED, "shell exited");
}

void shell_print(struct shell *s, const uint8_t *data, size_t size)
{
	s->untaken += size;
	s->record.out += size;
	control_touch(s->proxy, s->route);
	websocket_send(s->websocket, WEBSOCKET_BINARY, data, size);
	shell_flush(s);
}

bool shell_client_full(const struct shell *s)
{
	return s->client && duplex_full(s->client);
}

void shell_type(struct shell *s)
{
	size_t done = 0;

	while (s->opened && s->room && done < s->typed.size) {
		size_t n = s->typed.size - done;

		n = n < s->room ? n : s->room;
		n = n < SHELL_PIECE ? n : SHELL_PIECE;
		shell_guest_input(s, s->typed.data + done, n);
		s->room -= n;
		done += n;
	}
	buf_drop(&s->typed, done);
	if (!s->typed.size)
		buf_free(&s->typed); /* A pasted file is not kept room for. */
	if (s->client && s->waits != (s->typed.size >= SHELL_WINDOW)) {
		s->waits = !s->waits;
		(s->waits ? duplex_pause : duplex_resume)(s->client);
	}
}

static void shell_message(void *arg, enum websocket_type type, const uint8_t *data, size_t size)
{
	struct shell *s = arg;
	uint64_t sizes[2];

	if (!s->route)
		return;
	control_touch(s->proxy, s->route);
	if (type == WEBSOCKET_TEXT && shell_resize_read(data, size, sizes)) {
		if (*sizes)
			shell_guest_resize(s, sizes);
		return;
	}
	s->record.in += size;
	buf_add(&s->typed, data, size);
	shell_type(s);
}

/* The answer to the client's close is in the output. */
static void shell_left(void *arg, unsigned code, const char *reason)
{
	struct shell *s = arg;

	(void)code, (void)reason;
	if (s->route)
		shell_over(s);
}

static const struct websocket_ops shell_websocket_ops = {
	.message = shell_message,
	.closed = shell_left,
};

static size_t client_data(struct duplex *d, const uint8_t *data, size_t size)
{
	struct shell *s = d->owner;

	websocket_feed(s->websocket, data, size);
	shell_flush(s);
	return size;
}

static void client_end(struct duplex *d)
{
	struct shell *s = d->owner;

	if (s->route)
		shell_over(s);
}

static void client_drained(struct duplex *d)
{
	struct shell *s = d->owner;

	if (!s->route || !s->guest)
		return;
	shell_guest_taken(s);
	if (s->guest_waits)
		conn_resume(s->guest);
	s->guest_waits = false;
}

static void client_received(struct duplex *d)
{
	struct shell *s = d->owner;

	if (!s->route || !s->guest || !s->awaited)
		return;
	shell_guest_received(s);
	if (!shell_client_full(s))
		shell_guest_taken(s);
}

static void client_closed(struct duplex *d)
{
	struct shell *s = d->owner;

	s->client = NULL;
	if (s->route)
		shell_over(s);
	shell_closed(s);
}

static const struct duplex_ops shell_client_ops = {
	.data = client_data,
	.end = client_end,
	.drained = client_drained,
	.received = client_received,
	.closed = client_closed,
};

static void shell_cut(struct link *l)
{
	shell_end(container_of(l, struct shell, link), SHELL_CLOSE_AWAY,
		  "the microVM was suspended or ended");
}

/* Returns false after the request was refused. */
static bool shell_upgrade(struct relay *r)
{
	const struct http_head *head = http_request(r->x);
	const char *key = http_header(head, "sec-websocket-key");
	const char *version = http_header(head, "sec-websocket-version");
	char accept[WEBSOCKET_ACCEPT];
	struct http_header headers[4] = { { "upgrade", "websocket" },
					  { "sec-websocket-accept", accept },
					  { "x-amzn-requestid", r->id } };
	size_t n = 3;

	if (!key || !websocket_key_valid(key) || !version || strcmp(version, "13") != 0) {
		relay_refuse(r, REFUSAL_BAD_SHELL,
			     "this is no handshake of a WebSocket of version 13");
		return false;
	}
	websocket_accept(key, accept);
	if (r->offer.marker)
		headers[n++] = (struct http_header){ "sec-websocket-protocol", "lambda-microvms" };
	http_send_head(r->x, 101, headers, n, 0);
	return true;
}

static void shell_connect(struct shell *s, int fd, const char *why)
{
	struct err e;

	if (fd >= 0)
		s->guest = conn_new(s->proxy->loop, fd, NULL, &shell_guest_ops, s, &e);
	if (fd >= 0 && !s->guest)
		log_err("cannot use a connection into a guest error=\"%s\"", e.text);
	if (!s->guest) {
		shell_fail(s, why ? why : "a connection into the microVM cannot be used");
		return;
	}
	conn_timeout(s->guest, LIMIT_NET_DIAL_MS);
	shell_guest_open(s);
}

static void shell_start(struct relay *r, int fd, const char *why)
{
	autoclose int owned = fd;
	struct shell_request request;
	struct shell *s;

	if (!shell_request_read(http_request(r->x)->target, &request)) {
		relay_refuse(r, REFUSAL_BAD_SHELL,
			     "session must be a UUID, offset a number, and status 0 or 1");
		return;
	}
	if (!shell_upgrade(r))
		return;
	s = xcalloc(1, sizeof(*s));
	s->proxy = r->caller.proxy;
	s->route = r->caller.route;
	s->request = request;
	s->room = SHELL_WINDOW;
	s->link.cut = shell_cut;
	list_add(&r->caller.route->relays, &s->link.in_route);
	if (*request.session)
		memcpy(s->id, request.session, sizeof(s->id));
	else
		rand_uuid(s->id);
	s->websocket = websocket_new(false, SHELL_MESSAGE, &shell_websocket_ops, s);
	control_touch(s->proxy, s->route);
	s->client = http_take_duplex(r->x, &shell_client_ops, s);
	recording_answered(&r->record, 101);
	s->record = record_take(&r->record);
	relay_free(r);
	duplex_unsent(s->client, SHELL_UNSENT);
	shell_connect(s, fd_steal(&owned), why);
}

static bool shell_dialed(struct caller *c, int fd)
{
	shell_start(container_of(c, struct relay, caller), fd, NULL);
	return true;
}

/* Before the guest was asked, the request is refused as any other. */
static void shell_refused(struct caller *c, enum refusal why, const char *reason)
{
	struct relay *r = container_of(c, struct relay, caller);

	if (c->dial_since_ms && route_gate(c->route) == GATE_GO)
		shell_start(r, -1, reason);
	else
		relay_refuse(r, why, "%s", reason);
}

const struct caller_ops shell_caller = {
	.held = relay_held,
	.opened = shell_dialed,
	.refuse = shell_refused,
};
