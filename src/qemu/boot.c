/* boot.c - BOOT: a kernel, in memory that can become an image. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "qemu/start.h"

/* QEMU opens kernel and initrd by name.  /proc/self/fd works unless we may not open the file again;
 * then QEMU gets a copy. */
static int boot_openable(int *fd, const char *name, struct err *e)
{
	char path[32];
	int copy, rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	if (copy >= 0) {
		close(copy);
		return 0;
	}
	copy = memfd_create(name, MFD_CLOEXEC);
	if (copy < 0)
		return err_sys(e, "make a copy of the %s", name);
	rc = io_copy_sparse(*fd, copy);
	if (rc) {
		close(copy);
		return err_set(e, ERR_INTERNAL, "copy the %s: error %d", name, -rc);
	}
	fd_close(fd);
	*fd = copy;
	return 0;
}

static enum step boot_prepare(struct machine *m, struct err *e)
{
	if (start_check_shape(&m->shape, e) ||
	    boot_openable(&m->fds[BOOT_FD_KERNEL], "kernel", e) ||
	    boot_openable(&m->fds[BOOT_FD_INITRD], "initramfs", e))
		return STEP_FAULT;
	m->memory_fd = memfd_create("doze-ram", MFD_CLOEXEC);
	if (m->memory_fd < 0 || ftruncate(m->memory_fd, (off_t)(m->shape.memory_mib * MIB))) {
		err_sys(e, "make the guest's memory");
		return STEP_FAULT;
	}
	m->overlay_fd = fd_steal(&m->fds[BOOT_FD_OVERLAY]);
	return STEP_NEXT;
}

static void boot_measured(struct timer *t)
{
	machine_next(container_of(t, struct machine, timer));
}

/* The kernel never checks the rate that it is told. */
static enum step boot_measure(struct machine *m, struct err *e)
{
	int64_t left = TSC_BOOT_MS - tsc_ms_since(&m->started);

	(void)e;
	if (left <= 0)
		return STEP_NEXT;
	loop_timer(m->loop, &m->timer, left, boot_measured);
	return STEP_WAIT;
}

static enum step boot_start(struct machine *m, struct err *e)
{
	struct tsc_point now = tsc_now();
	struct qemu_args a = { .kernel = m->fds[BOOT_FD_KERNEL],
			       .initrd = m->fds[BOOT_FD_INITRD],
			       .root = m->fds[BOOT_FD_ROOT],
			       .disk = -1,
			       .save = -1,
			       .state = -1 };

	a.tsc_khz = m->host.tsc_khz = tsc_khz(&m->started, &now);
	return start_qemu(m, &a, e);
}

static enum step boot_cont(struct machine *m, struct err *e)
{
	m->booted = true;
	return machine_ask(m, "cont", NULL, -1, e);
}

static machine_step *const boot_steps[] = { boot_prepare, boot_measure, boot_start, start_negotiate,
					    start_cpu,    boot_cont,    NULL };

const struct machine_op op_boot = { "boot", boot_steps, machine_running, true };
