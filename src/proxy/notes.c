#include "proxy/notes.h"

bool notes_take(struct notes *n, int64_t now_ms, uint64_t *missed)
{
	int64_t full_ms = (n->full_ms > now_ms ? n->full_ms : now_ms) + NOTES_EVERY_MS;

	if (full_ms > now_ms + (int64_t)NOTES_BURST * NOTES_EVERY_MS) {
		n->missed++;
		return false;
	}
	n->full_ms = full_ms;
	*missed = n->missed;
	n->missed = 0;
	return true;
}
