/* shell.c - `doze shell`: the user's terminal, joined to a shell of a microVM.
 *
 * The session outlives the connection.  When the microVM falls asleep nothing wakes it but a key,
 * or somebody else's request; then the shell goes on where it was. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "cli/cli.h"
#include "cli/shell_link.h"
#include "cli/suggest.h"
#include "cli/terminal.h"

#define MICROVMS    "/2025-09-09/microvms"
#define PIECE       (16 * KIB)
#define TYPED_MOST  (64 * KIB) /* read of standard input and not sent yet */
#define LOOK_MS     1000       /* between two looks at a microVM that sleeps */
#define RETRY_MS    200
#define RETRIES     25   /* while it runs and the connection breaks at once */
#define END_MS      1000 /* between two ends of input, until the shell ends */
#define CLOSE_MOVED 4001
#define END_OF_TEXT "\x04"
#define LEAVE       "\x03" /* Ctrl-C, while there is no shell to send it to */

struct shell {
	struct client *client;   /* borrowed */
	char *id, *endpoint;     /* owned */
	struct shell_link *link; /* owned; NULL: not connected */
	char session[UUID_SIZE];
	uint64_t offset;
	struct buf typed;
	bool terminal, input_ended, ends_with_line;
	bool opened; /* since the last connect */
	bool exited; /* the shell is over; status is its own */
	int status;
	unsigned close; /* why the connection ended; 0: it did not */
	char why[WEBSOCKET_REASON + 1];
	char fault[400];   /* of a session_error */
	int64_t end_at_ms; /* when the input's end is said again */
	int signals;       /* owned */
};

static void shell_text(struct shell *s, const uint8_t *data, size_t size)
{
	json_t *m = json_loadb((const char *)data, size, 0, NULL);
	const char *type = json_text(m, "type");
	const json_t *offset = json_object_get(m, "offset");

	if (!strcmp(type, "session_init")) {
		snprintf(s->session, sizeof(s->session), "%s", json_text(m, "session_id"));
		if (json_is_integer(offset))
			s->offset = (uint64_t)json_integer_value(offset);
		s->opened = true;
		if (s->terminal)
			terminal_raw();
	} else if (!strcmp(type, "session_error")) {
		snprintf(s->fault, sizeof(s->fault), "%s", json_text(m, "message"));
	} else if (!strcmp(type, "exit")) {
		s->exited = true;
		s->status = (int)json_integer_value(json_object_get(m, "status"));
	}
	json_decref(m);
}

static void shell_tell_size(struct shell *s)
{
	unsigned columns, rows;
	autofree char *text = NULL;

	if (!s->link || !terminal_size(&columns, &rows))
		return;
	text = xasprintf("{\"type\":\"resize\",\"cols\":%u,\"rows\":%u}", columns, rows);
	websocket_send(shell_link_websocket(s->link), WEBSOCKET_TEXT, text, strlen(text));
}

static void shell_on_signal(struct shell *s)
{
	int signal_ = terminal_signal(s->signals);

	if (signal_ == SIGWINCH)
		shell_tell_size(s);
	else if (signal_)
		terminal_die(signal_);
}

/* A signal ends the command also while nobody takes its output: what poll promises room for never
 * blocks a pipe.  False: nobody reads it any more. */
static bool shell_print(struct shell *s, const uint8_t *data, size_t size)
{
	while (size) {
		struct pollfd ready[] = { { .fd = STDOUT_FILENO, .events = POLLOUT },
					  { .fd = s->signals, .events = POLLIN } };
		ssize_t n;

		if (poll(ready, ARRAY_SIZE(ready), -1) < 0)
			continue;
		if (ready[1].revents)
			shell_on_signal(s);
		if (!ready[0].revents)
			continue;
		n = write(STDOUT_FILENO, data, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Nothing is read of the connection while the output is stuck. */
static void shell_message(void *arg, enum websocket_type type, const uint8_t *data, size_t size)
{
	struct shell *s = arg;

	if (type == WEBSOCKET_TEXT) {
		shell_text(s, data, size);
	} else {
		s->offset += size;
		if (!shell_print(s, data, size)) {
			s->exited = true;
			s->status = 1;
		}
	}
}

static void shell_closed(void *arg, unsigned code, const char *reason)
{
	struct shell *s = arg;

	s->close = code;
	snprintf(s->why, sizeof(s->why), "%s", reason);
	s->exited |= code == 1000;
}

static const struct websocket_ops shell_ops = { .message = shell_message, .closed = shell_closed };

static char *shell_token(struct shell *s, struct err *e)
{
	autofree char *path = xasprintf(MICROVMS "/%s/shell-auth-token", s->id);
	json_t *in = json_pack("{sI}", "expirationInMinutes", (json_int_t)15);
	json_t *answer = client_json(s->client, "POST", path, in, e);
	const char *token = json_text(json_object_get(answer, "authToken"), "X-aws-proxy-auth");
	char *copy = *token ? xstrdup(token) : NULL;

	json_decref(in);
	json_decref(answer);
	return copy;
}

/* 0: connected; else *e says why not. */
static int shell_connect(struct shell *s, unsigned *status, struct err *e)
{
	autofree char *token = shell_token(s, e);
	const struct shell_ask ask = { s->endpoint, token, s->session, s->offset };

	*status = 0;
	if (!token)
		return -1;
	s->opened = false;
	s->close = 0;
	*s->fault = '\0';
	while (!(s->link =
			 shell_link_open(s->client, &ask, &shell_ops, s, s->signals, status, e)) &&
	       *status == SHELL_LINK_STOPPED)
		shell_on_signal(s);
	shell_tell_size(s);
	return s->link ? 0 : -1;
}

static void shell_disconnect(struct shell *s)
{
	shell_link_close(s->link);
	s->link = NULL;
}

static void shell_read_input(struct shell *s)
{
	ssize_t n;

	buf_reserve(&s->typed, PIECE);
	n = read(STDIN_FILENO, s->typed.data + s->typed.size, PIECE);
	if (n > 0) {
		s->ends_with_line = s->typed.data[s->typed.size + (size_t)n - 1] == '\n';
		s->typed.size += (size_t)n;
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		s->input_ended = true;
		if (!s->ends_with_line)
			buf_adds(&s->typed, "\n");
		s->end_at_ms = clock_mono_ms();
	}
}

/* A program that was started reads an end of input that was meant for the shell, and a terminal
 * forgets one when its mode changes: the end is said until the shell has understood. */
static void shell_say_end(struct shell *s)
{
	int64_t now = clock_mono_ms();

	if (!s->input_ended || s->typed.size || now < s->end_at_ms)
		return;
	s->end_at_ms = now + END_MS;
	websocket_send(shell_link_websocket(s->link), WEBSOCKET_BINARY, END_OF_TEXT, 1);
}

static void shell_send_typed(struct shell *s)
{
	if (!s->opened || shell_link_unsent(s->link) > TYPED_MOST)
		return;
	if (s->typed.size)
		websocket_send(shell_link_websocket(s->link), WEBSOCKET_BINARY, s->typed.data,
			       s->typed.size);
	buf_clear(&s->typed);
	shell_say_end(s);
}

/* Wait for something to do: the connection, the user or a signal. */
static short shell_wait(struct shell *s, int timeout_ms)
{
	bool reads = !s->input_ended && s->typed.size < TYPED_MOST;
	bool writes = s->link && shell_link_unsent(s->link);
	struct pollfd ready[] = {
		{ .fd = s->link ? shell_link_fd(s->link) : -1,
		  .events = (short)(POLLIN | (writes ? POLLOUT : 0)) },
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = reads ? STDIN_FILENO : -1, .events = POLLIN },
	};

	if (poll(ready, ARRAY_SIZE(ready), timeout_ms) <= 0)
		return 0;
	if (ready[1].revents)
		shell_on_signal(s);
	if (ready[2].revents)
		shell_read_input(s);
	return ready[0].revents;
}

/* Until the connection ends. */
static void shell_serve(struct shell *s)
{
	if (shell_link_read(s->link) && !s->close)
		s->close = WEBSOCKET_GONE;
	while (!s->close && !s->exited) {
		shell_send_typed(s);
		if (shell_link_write(s->link))
			s->close = WEBSOCKET_GONE;
		if (s->close)
			break;
		shell_wait(s, s->input_ended ? END_MS / 4 : -1);
		if (shell_link_read(s->link) && !s->close)
			s->close = WEBSOCKET_GONE;
	}
	if (s->close != WEBSOCKET_GONE)
		(void)!shell_link_write(s->link); /* our answer to the close */
}

/* The state of the microVM; "" and *e: it cannot be asked. */
static char *shell_state(struct shell *s, struct err *e)
{
	autofree char *path = xasprintf(MICROVMS "/%s", s->id);
	json_t *vm = client_json(s->client, "GET", path, NULL, e);
	char *state = xstrdup(json_text(vm, "state"));

	if (!strcmp(state, "TERMINATED") || !strcmp(state, "TERMINATING")) {
		err_set(e, ERR_CONFLICT, "the microVM ended: %s", json_text(vm, "stateReason"));
		*state = '\0';
	}
	json_decref(vm);
	return state;
}

/* Does the user want to go on, who cannot send Ctrl-C to a shell now?  */
static bool shell_is_left(const struct shell *s)
{
	return s->terminal && s->typed.size && memchr(s->typed.data, *LEAVE, s->typed.size);
}

/* Wait until the microVM runs, or a key is to wake it.  -1: *e says why there is nothing to wait
 * for. */
static int shell_await(struct shell *s, struct err *e)
{
	for (;;) {
		autofree char *state = shell_state(s, e);

		if (!*state)
			return -1;
		if (!strcmp(state, "RUNNING") || s->typed.size || !s->terminal)
			return 0;
		for (int64_t until = clock_mono_ms() + LOOK_MS;
		     clock_mono_ms() < until && !s->typed.size;)
			shell_wait(s, LOOK_MS / 4);
		if (shell_is_left(s))
			return err_set(e, ERR_CONFLICT,
				       "the microVM sleeps, and its shell waits for no longer");
	}
}

static int shell_reconnect(struct shell *s, struct err *e)
{
	if (s->terminal && s->close == 1001)
		fputs("\r\n[the microVM sleeps; a key wakes it, Ctrl-C leaves]\r\n", stderr);
	for (unsigned tries = 0;; tries++) {
		unsigned status;

		if (shell_await(s, e))
			return -1;
		if (!shell_connect(s, &status, e))
			return 0;
		if (shell_is_left(s) || tries >= RETRIES)
			return -1;
		shell_wait(s, RETRY_MS);
	}
}

static int shell_run(struct shell *s, struct err *e)
{
	unsigned status;

	if (shell_connect(s, &status, e))
		return -1;
	for (;;) {
		shell_serve(s);
		shell_disconnect(s);
		if (s->exited)
			return 0;
		if (*s->fault)
			return err_set(e, ERR_CONFLICT, "%s", s->fault);
		if (s->close == CLOSE_MOVED)
			return err_set(e, ERR_CONFLICT, "%s", s->why);
		if (!*s->session)
			return err_set(e, ERR_CONFLICT, "the shell ended before it began: %s",
				       s->why);
		if (shell_reconnect(s, e))
			return -1;
	}
}

static bool shell_is_allowed(const json_t *vm)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(vm, "ingressNetworkConnectors"), i, item)
	{
		const char *name = strrchr(json_string_value(item), ':');

		if (name && !strcmp(name + 1, "SHELL_INGRESS"))
			return true;
	}
	return false;
}

static int shell_find(struct shell *s, const char *given, struct err *e)
{
	autofree char *run = command_text(&s->client->conf, "run --shell IMAGE");
	autofree char *path = NULL;
	bool allowed;
	json_t *vm;

	s->id = name_microvm(s->client, given, e);
	if (!s->id)
		return -1;
	path = xasprintf(MICROVMS "/%s", s->id);
	vm = client_json(s->client, "GET", path, NULL, e);
	if (!vm)
		return -1;
	s->endpoint = xstrdup(json_text(vm, "endpoint"));
	allowed = shell_is_allowed(vm);
	json_decref(vm);
	if (!allowed)
		return err_set(e, ERR_DENIED,
			       "the microVM allows no shells: '%s' starts one that does", run);
	s->signals = terminal_signals(e);
	return s->signals < 0 ? -1 : 0;
}

int cmd_shell(struct client *c, const struct typed *t)
{
	struct shell s = { .client = c, .signals = -1, .ends_with_line = true };
	struct err e;
	int rc = shell_find(&s, t->words.at[0], &e);

	if (!rc) {
		s.terminal = isatty(STDIN_FILENO);
		rc = shell_run(&s, &e);
		terminal_restore();
	}
	free(s.id);
	free(s.endpoint);
	buf_free(&s.typed);
	fd_close(&s.signals);
	return rc ? say(&e) : s.status;
}
