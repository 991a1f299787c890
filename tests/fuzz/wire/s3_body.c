/* The XML documents of S3's clients, and what is checked of their names. */

#include <assert.h>
#include <string.h>

#include "wire/s3_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct s3_complete c;
	struct s3_delete d;
	char location[65];
	struct err e;

	if (!s3_delete_parse(&d, text, size, &e)) {
		for (size_t i = 0; i < d.n; i++)
			assert(s3_key_valid(d.keys[i], strlen(d.keys[i])));
		s3_delete_free(&d);
	}
	if (!s3_complete_parse(&c, text, size, &e)) {
		for (size_t i = 1; i < c.n; i++)
			assert(c.parts[i].number > c.parts[i - 1].number);
		s3_complete_free(&c);
	}
	if (!s3_location_parse(location, text, size, &e))
		assert(strlen(location) < sizeof(location));
	return 0;
}
