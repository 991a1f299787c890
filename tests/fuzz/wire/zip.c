/* Names, modes and link targets of a hostile archive: what passes stays inside.  Each line of the
 * input is an entry: a byte of kind, a byte of size, the name. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "wire/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *path)
{
	if (*path == '/')
		abort();
	for (const char *s = path; *s; s += strcspn(s, "/"), s += *s == '/') {
		size_t n = strcspn(s, "/");

		if (!n || (n == 1 && *s == '.') || (n == 2 && !memcmp(s, "..", 2)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t kinds[] = { 0, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR };
	struct zip_policy *p = zip_policy_new();
	struct err e;

	while (size > 2) {
		const uint8_t *end = memchr(data + 2, '\n', size - 2);
		size_t n = end ? (size_t)(end - data) : size;
		autobuf struct buf name = { 0 };
		struct zip_entry z = { .size = data[1], .packed = data[1], .dos = data[0] & 0x80 };
		struct zip_plan plan;

		buf_add(&name, data + 2, n - 2);
		z.name = buf_str(&name);
		z.unix_mode = kinds[data[0] % ARRAY_SIZE(kinds)] | (data[0] & 0700u);
		if (!zip_policy_add(p, &z, &plan, &e)) {
			check(plan.path);
			if (plan.mode & ~0777u)
				abort();
			(void)!zip_policy_link(plan.path, z.name, &e);
		}
		data += n;
		size -= n;
		if (size) {
			data++;
			size--;
		}
	}
	if (zip_policy_end(p, &e) && !*e.text)
		abort();
	zip_policy_free(p);
	return 0;
}
