/* flatten.c - flattens the disk of a resumed machine.  The blocks of its save are copied into its
 * overlay while it runs.  So its next save is again one layer over the image, and the old save can
 * be deleted. */

#include "base/log.h"
#include "qemu/start.h"

enum step flatten_begin(struct machine *m, struct err *e)
{
	json_t *args;
	enum step step;

	if (m->disk != DISK_LAYERED)
		return STEP_NEXT;
	/* The layers of a disk are configured from outside, so the overlay must name none. */
	args = json_pack("{s:s, s:s, s:s, s:s}", "job-id", "flatten", "device", NODE_OVERLAY,
			 "base-node", NODE_DISK, "backing-file", "");
	step = machine_ask(m, "block-stream", args, -1, e);
	if (step == STEP_WAIT)
		m->disk = DISK_FLATTENING;
	return step;
}

static void flatten_freed(struct qmp *q, const json_t *result, const struct err *why)
{
	(void)q;
	(void)result;
	if (why)
		log_warn("The disk of the old save stays open cause='%s'", why->text);
}

void flatten_ended(struct machine *m, const char *error)
{
	struct err e;

	if (error) {
		m->disk = DISK_LAYERED;
		log_warn("The disk of the old save could not be taken over cause='%s'", error);
		return;
	}
	m->disk = DISK_FLAT;
	if (qmp_send(&m->qmp, "blockdev-del", json_pack("{s:s}", "node-name", NODE_SAVE), -1,
		     flatten_freed, &e) ||
	    qmp_send(&m->qmp, "remove-fd", json_pack("{s:i}", "fdset-id", m->save_disk_set), -1,
		     flatten_freed, &e))
		log_warn("The disk of the old save stays open cause='%s'", e.text);
}
