/* Which pages a start touches: in the clone that was validated, after a connection to each of the
 * application's ports, its monitor says what it has mapped by then.  Written beside the snapshot,
 * for those that start while the image's memory is not in the host's (ipc/touched.h).  A hint: a
 * build does not fail for the want of it. */

#include <unistd.h>

#include "base/log.h"
#include "image/build.h"
#include "ipc/touched.h"

static void touched_said(struct vm *vm, struct ipc_msg *m, const struct err *e)
{
	struct build *b = container_of(vm, struct build, vm);

	fd_close(&b->clone.touched_fd);
	if (!m) {
		log_warn("which pages a start touches is not known cause='%s'", e->text);
		unlinkat(b->files.draft_fd, TOUCHED_FILE, 0);
	}
	build_next(b);
}

static void touched_ask(struct build *b)
{
	const struct machine_none none = { 0 };
	struct err e;

	b->clone.touched_fd = image_create(b->role, b->files.draft_fd, TOUCHED_FILE, &e);
	if (b->clone.touched_fd < 0) {
		build_fail(b, CODE_INTERNAL, "%s", e.text);
		return;
	}
	vm_request(&b->vm,
		   &(struct request_what){ MACHINE_GET_TOUCHED, &none, sizeof(none),
					   &b->clone.touched_fd, 1 },
		   touched_said);
}

void build_touched(struct build *b)
{
	build_knock(b, 1, touched_ask);
}
