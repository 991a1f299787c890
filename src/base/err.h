/* err.h - the one way to report a failure that a person will read.
 *
 * A function that can fail takes `struct err *e` last and returns 0 or -1; on
 * success *e is untouched.  Every setter returns -1, so a failure is reported
 * and left in one line.  The text is fixed size: reporting never allocates.
 * The kind decides which error of the service a client sees (control/api). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/base.h"

enum err_kind {
	ERR_INTERNAL, /* ours: a bug or a broken host */
	ERR_INVALID,  /* the caller's request makes no sense */
	ERR_NOT_FOUND,
	ERR_CONFLICT, /* makes sense, but not in this state */
	ERR_DENIED,
	ERR_QUOTA,
	ERR_THROTTLED,
	ERR_CAPACITY,    /* the host has no room now */
	ERR_UNAVAILABLE, /* what it needs does not answer now: the same may succeed later */
	ERR_NUM_KINDS,
};

struct err {
	enum err_kind kind;
	char text[1024];
};

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) printf_like(3, 4);
/* "fmt: errno's text": ERR_CAPACITY if a disk is full (ENOSPC, EDQUOT), else ERR_INTERNAL. */
int err_sys(struct err *e, const char *fmt, ...) printf_like(2, 3);
int err_wrap(struct err *e, const char *fmt, ...) printf_like(2, 3); /* puts "fmt: " in front */

#endif
