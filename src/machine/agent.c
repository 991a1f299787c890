#include "machine/agent.h"

#include <sys/types.h>

#include "base/limits.h"
#include "wire/agent.h"

#define AGENT_PIECE   LIMIT_IPC_BODY
#define AGENT_TO_HOLD (2 * LIMIT_AGENT_TO_GUEST + 64 * KIB)

/* Returns the length of the whole frames that fit into @most, or -1 if one is broken. */
static ssize_t agent_whole(const struct buf *b, size_t most_frame, size_t most)
{
	struct agent_frame f;
	size_t whole = 0, used;
	int rc;

	if (!b->size)
		return 0;
	while ((rc = agent_frame_next(b->data + whole, b->size - whole, most_frame, &f, &used)) ==
		       1 &&
	       whole + used <= most)
		whole += used;
	return rc < 0 && !whole ? -1 : (ssize_t)whole;
}

void agent_kick(struct agent *a)
{
	ssize_t whole;

	while ((whole = agent_whole(&a->from_guest, LIMIT_AGENT_TO_HOST, AGENT_PIECE)) > 0 &&
	       a->deliver(a, a->from_guest.data, (size_t)whole))
		buf_drop(&a->from_guest, (size_t)whole);
	if (whole < 0 && !a->broken) {
		a->broken = true;
		a->fault(a);
	}
	a->moved(a);
}

size_t agent_room(const struct agent *a)
{
	return a->broken || a->from_guest.size >= LIMIT_AGENT_HELD
		       ? 0
		       : LIMIT_AGENT_HELD - a->from_guest.size;
}

void agent_give(struct agent *a, const uint8_t *data, size_t size)
{
	assert(size <= agent_room(a));
	buf_add(&a->from_guest, data, size);
	agent_kick(a);
}

void agent_took(struct agent *a, size_t size)
{
	buf_drop(&a->to_guest, size);
}

void agent_preset(struct agent *a, const uint8_t *data, size_t size)
{
	assert(!a->open && size <= LIMIT_AGENT_HELD);
	buf_clear(&a->from_guest);
	buf_add(&a->from_guest, data, size);
}

void agent_free(struct agent *a)
{
	buf_free(&a->from_guest);
	buf_free(&a->from_owner);
	buf_free(&a->to_guest);
}

int agent_put_bytes(struct agent *a, const uint8_t *data, size_t size, struct err *e)
{
	ssize_t whole;

	if (!a->open)
		return err_set(e, ERR_CONFLICT, "there is no guest to speak with");
	buf_add(&a->from_owner, data, size);
	whole = agent_whole(&a->from_owner, LIMIT_AGENT_TO_GUEST, SIZE_MAX);
	if (whole < 0) {
		buf_clear(&a->from_owner);
		return err_set(e, ERR_INVALID, "these bytes are no frame of the agent's stream");
	}
	if (!whole)
		return 0;
	if (a->to_guest.size + (size_t)whole > AGENT_TO_HOLD) {
		buf_drop(&a->from_owner, (size_t)whole);
		return err_set(e, ERR_CAPACITY, "the guest's agent does not read");
	}
	buf_add(&a->to_guest, a->from_owner.data, (size_t)whole);
	buf_drop(&a->from_owner, (size_t)whole);
	a->moved(a);
	return 0;
}

void agent_owner_left(struct agent *a)
{
	buf_clear(&a->from_owner);
}
