/* Notes which pages a start touches. The validated clone gets a connection to each of the
 * application's ports, and its monitor then reports what it has mapped. The list is written beside
 * the snapshot, for starts that find the image's memory not in the host's page cache
 * (ipc/touched.h). It is a hint: a build does not fail if it cannot be made. */

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
	build_port_probe(b, 1, touched_ask);
}
