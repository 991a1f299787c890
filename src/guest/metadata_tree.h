/* metadata_tree.h - what is served as metadata (metadata.h): texts at paths, as the host gave them
 * in a frame.  What is a folder follows from the paths.
 *
 * It may hold the credentials of a role, so it stays in the agent's memory, and what is replaced is
 * wiped.  Pure. */
#ifndef GUEST_METADATA_TREE_H
#define GUEST_METADATA_TREE_H

#include "wire/agent.h"

#define METADATA_TREE (96 * KIB)

struct metadata_tree {
	uint32_t size;
	uint8_t fields[METADATA_TREE]; /* FIELD_NAME, the path; FIELD_BYTES, the text */
};

/* Takes the frame's in the place of what was there.  False, and nothing is there: it is broken or
 * too large. */
bool metadata_tree_put(struct metadata_tree *t, const struct agent_frame *f) must_check;

/* Appends the text at a path, or the names in a folder, one in a line, folders with a slash.
 * False: there is no such thing. */
bool metadata_tree_get(const struct metadata_tree *t, const char *path, struct buf *to) must_check;

#endif
