/* zip.h - the policy for a code artifact: what a zip may hold.  Pure; fuzzed.
 *
 * The unpacker hands over every entry of the central directory, in order, then asks zip_policy_end
 * before it writes a single byte.  Entries that passed can be written below an empty directory
 * without leaving it: names are relative and clean, no name passes through a link or a file, and
 * nothing is a device.  A link is content: it may lead anywhere, since nothing is written or read
 * through it.  Decompressed sizes are the archive's claim; the unpacker must enforce them. */
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
	bool dos;           /* a tool of Windows made it: a name may have backslashes for slashes */
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
/* Fails at once if the archive is over a limit.  What else is wrong is noted, and zip_policy_end
 * names all of it. */
int zip_policy_add(struct zip_policy *p, const struct zip_entry *z, struct zip_plan *plan,
		   struct err *e) must_check;
int zip_policy_end(struct zip_policy *p, struct err *e) must_check;
/* After the end: tells whether the entry that was added as number @i is the last of its name.  The
 * others are not unpacked. */
bool zip_policy_keeps(const struct zip_policy *p, size_t i);
/* The target of a link: it is too long, or none. */
int zip_policy_link(const char *path, const char *target, struct err *e) must_check;
const char *zip_policy_code(const struct zip_policy *p); /* of the last failure */

#endif
