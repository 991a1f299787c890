/* A request for metadata, whole and cut at every place, and what it finds in a tree made of the
 * same bytes. */

#include <string.h>

#include "guest/metadata_request.h"
#include "guest/metadata_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct metadata_tree tree;
	const struct agent_frame f = { .payload = data, .size = (uint32_t)size };
	autobuf struct buf found = { 0 };
	struct metadata_request r = { 0 };
	char text[METADATA_BYTES + 1];
	size_t n = size < METADATA_BYTES ? size : METADATA_BYTES;
	unsigned status = 0;

	for (size_t i = 0; i <= n && !status; i++) {
		if (i)
			memcpy(text, data, i);
		text[i] = '\0';
		status = metadata_judge(text, i, &r);
	}
	assert(!status || status == 200 || status == 204 || (status >= 400 && status < 432));
	assert(status != 200 || strlen(r.path) < sizeof(r.path));
	assert(status != 200 || r.wish != METADATA_TOKEN ||
	       (r.seconds && r.seconds <= METADATA_MOST_S));
	if (metadata_tree_put(&tree, &f))
		(void)!metadata_tree_get(&tree, r.path, &found);
	return 0;
}
