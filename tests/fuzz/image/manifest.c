/* Whatever a registry sends, as a manifest, a configuration, an error and a challenge. */

#include <string.h>

#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct buf text = { (uint8_t *)(uintptr_t)data, size, 0, false };
	autobuf struct buf header = { 0 };
	struct manifest_challenge c;
	struct manifest m;
	char word[80];
	struct err e;

	if (!manifest_read(&m, &text, "amd64", &e)) {
		assert(strlen(m.config) == (m.kind == MANIFEST_IMAGE ? 71u : 0u));
		assert(strlen(m.image) == (m.kind == MANIFEST_FOUND ? 71u : 0u));
		assert(memchr(m.platforms, 0, sizeof(m.platforms)));
	}
	manifest_platform(&text, word, sizeof(word));
	manifest_error(&text, word, sizeof(word));
	buf_adds(&header, "Bearer ");
	buf_add(&header, data, size);
	manifest_read_challenge(&c, buf_str(&header));
	return 0;
}
