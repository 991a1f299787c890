/* zip.h - the policy for a code artifact: what a zip may hold.  Pure; fuzzed.
 *
 * The unpacker hands over every entry of the central directory, in order, then asks zip_policy_end
 * before it writes a single byte.  Entries that passed can be written below an empty directory
 * without leaving it: names are relative and clean, no name passes through a link or a file,
 * nothing is a device, and links lead inside.  Decompressed sizes are the archive's claim; the
 * unpacker must enforce them. */
#ifndef WIRE_ZIP_H
#define WIRE_ZIP_H

#include "base/err.h"

#define ZIP_CODE_INVALID       "ARCHIVE_INVALID" /* service.md 10.1 */
#define ZIP_CODE_NO_DOCKERFILE "ARCHIVE_DOCKERFILE_NOT_FOUND"

enum zip_kind { ZIP_KIND_FILE, ZIP_KIND_DIR, ZIP_KIND_LINK };

/* An entry of the central directory. */
struct zip_entry {
	const char *name;
	uint64_t size, packed;
	uint32_t unix_mode; /* 0: the archive gives none */
};

/* What to make of an entry. */
struct zip_plan {
	const char *path; /* relative, without "." parts; "" for the root itself; owned by the
			     policy */
	enum zip_kind kind;
	uint32_t mode; /* permissions alone */
};

struct zip_policy;

struct zip_policy *zip_policy_new(void);
void zip_policy_free(struct zip_policy *p);
int zip_policy_add(struct zip_policy *p, const struct zip_entry *z, struct zip_plan *plan,
		   struct err *e) must_check;
/* The target of a link that was added as @path. */
int zip_policy_link(const char *path, const char *target, struct err *e) must_check;
int zip_policy_end(struct zip_policy *p, struct err *e) must_check;
const char *zip_policy_code(const struct zip_policy *p); /* of the last failure */

#endif
