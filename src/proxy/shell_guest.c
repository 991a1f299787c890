/* shell_guest.c - the frames to and from a guest that may be hostile. */

#include <string.h>

#include "proxy/shell_parts.h"

static void shell_guest_send(struct shell *s, struct buf *frame)
{
	if (s->guest)
		conn_write(s->guest, frame->data, frame->size);
}

void shell_guest_open(struct shell *s)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, SHELL_OPEN);

	agent_put_text(&frame, SHELL_SESSION, s->id);
	if (*s->request.session)
		agent_put_u64(&frame, SHELL_ATTACH, 1);
	if (s->request.has_offset)
		agent_put_u64(&frame, SHELL_OFFSET, s->request.offset);
	agent_end(&frame, mark);
	shell_guest_send(s, &frame);
}

void shell_guest_input(struct shell *s, const uint8_t *data, size_t size)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, SHELL_INPUT);

	agent_put(&frame, SHELL_BYTES, data, size);
	agent_end(&frame, mark);
	shell_guest_send(s, &frame);
}

void shell_guest_resize(struct shell *s, const uint64_t sizes[2])
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, SHELL_RESIZE);

	agent_put_u64(&frame, SHELL_COLUMNS, sizes[0]);
	agent_put_u64(&frame, SHELL_ROWS, sizes[1]);
	agent_end(&frame, mark);
	shell_guest_send(s, &frame);
}

void shell_guest_received(struct shell *s)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, SHELL_TAKEN);

	agent_put_u64(&frame, SHELL_COUNT, s->awaited);
	agent_end(&frame, mark);
	s->awaited = 0;
	shell_guest_send(s, &frame);
}

void shell_guest_taken(struct shell *s)
{
	if (!s->untaken || s->awaited || !s->client)
		return;
	s->awaited = s->untaken;
	s->untaken = 0;
	if (!duplex_await_receipt(s->client))
		shell_guest_received(s);
}

static uint64_t guest_number(const struct agent_frame *f, enum shell_field field)
{
	uint64_t value;

	return agent_get_u64(f, (uint16_t)field, &value) ? value : 0;
}

static void guest_opened(struct shell *s, const struct agent_frame *f)
{
	if (!s->opened)
		shell_opened(s, guest_number(f, SHELL_OFFSET));
}

/* The text is the guest's, and goes into JSON and into a log. */
static void guest_refused(struct shell *s, const struct agent_frame *f)
{
	char why[WEBSOCKET_REASON * 4];

	if (!agent_get_text(f, SHELL_REASON, why, sizeof(why)))
		strcpy(why, "the microVM refuses the shell");
	for (char *p = why; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	shell_fail(s, why);
}

static void guest_output(struct shell *s, const struct agent_frame *f)
{
	struct agent_field_view v;
	size_t at = 0;

	while (s->opened && agent_field_next(f, &at, &v) == 1)
		if (v.tag == SHELL_BYTES)
			shell_print(s, v.data, v.size);
}

static void guest_room(struct shell *s, const struct agent_frame *f)
{
	uint64_t n = guest_number(f, SHELL_COUNT);

	s->room += n < SHELL_WINDOW - s->room ? (size_t)n : SHELL_WINDOW - s->room;
	shell_type(s);
}

static void guest_moved(struct shell *s, const struct agent_frame *f)
{
	(void)f;
	shell_end(s, SHELL_CLOSE_MOVED, "another client has the session now");
}

static void guest_exited(struct shell *s, const struct agent_frame *f)
{
	if (s->opened)
		shell_exited(s, guest_number(f, SHELL_CODE));
}

static void (*const guest_frames[SHELL_NUM_TYPES])(struct shell *s, const struct agent_frame *f) = {
	[SHELL_OPENED] = guest_opened, [SHELL_REFUSED] = guest_refused,
	[SHELL_OUTPUT] = guest_output, [SHELL_ROOM] = guest_room,
	[SHELL_MOVED] = guest_moved,   [SHELL_EXITED] = guest_exited,
};

static size_t guest_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct shell *s = conn_owner(c);
	struct agent_frame f;
	size_t done = 0, used;
	int rc = 0;

	buf_add(&s->from_guest, data, size);
	while (s->route &&
	       (rc = agent_frame_next(s->from_guest.data + done, s->from_guest.size - done,
				      SHELL_FRAME, &f, &used)) == 1) {
		done += used;
		if (f.type < SHELL_NUM_TYPES && guest_frames[f.type])
			guest_frames[f.type](s, &f);
	}
	buf_drop(&s->from_guest, s->route ? done : s->from_guest.size);
	if (s->route && rc < 0)
		shell_fail(s, "the microVM's agent does not keep to the protocol");
	s->guest_waits = s->route && shell_client_full(s);
	if (s->guest_waits)
		conn_pause(c);
	else if (s->route)
		shell_guest_taken(s);
	return size;
}

static void guest_end(struct conn *c)
{
	struct shell *s = conn_owner(c);

	if (s->route)
		shell_fail(s, "the microVM's agent ended the connection");
}

static void guest_closed(struct conn *c)
{
	struct shell *s = conn_owner(c);
	bool late = conn_timed_out(c);

	s->guest = NULL;
	if (s->route && late && s->opened)
		shell_end(s, SHELL_CLOSE_AWAY, "nothing passed for too long");
	else if (s->route)
		shell_fail(s, late ? "the microVM's agent does not answer"
				   : "the connection to the microVM broke");
	shell_closed(s);
}

const struct conn_ops shell_guest_ops = {
	.data = guest_data,
	.end = guest_end,
	.closed = guest_closed,
};
