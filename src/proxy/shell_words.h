/* shell_words.h - what a client of a shell says in text: the query of its request, and the
 * messages that are for us and not for the terminal.  Pure. */
#ifndef PROXY_SHELL_WORDS_H
#define PROXY_SHELL_WORDS_H

#include "base/rand.h"

/* Of "/any/path?session=UUID&offset=N&status=1"; all of it is ours and may be absent. */
struct shell_request {
	char session[UUID_SIZE]; /* "": a new one */
	bool has_offset, wants_status;
	uint64_t offset; /* so many bytes of the session's output the client has */
};

/* False: one of our words has a value that cannot be.  Unknown words are skipped. */
bool shell_request_read(const char *target, struct shell_request *r) must_check;

/* True: the message is {"type":"resize","cols":C,"rows":R}, and not to be typed.  @sizes: C and R,
 * or 0 and 0 if they cannot be sizes. */
bool shell_resize_read(const uint8_t *text, size_t size, uint64_t sizes[2]) must_check;

#endif
