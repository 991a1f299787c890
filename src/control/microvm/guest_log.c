#include "control/microvm/guest_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/microvm/lifecycle_internal.h"

#define LOGS_NAME (IPC_ID_SIZE + 16)

static void logs_name(char to[LOGS_NAME], const struct microvm *vm, const char *tail)
{
	snprintf(to, LOGS_NAME, "microvms/%s.log%s", vm->id, tail);
}

static int logs_open(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);
	char name[LOGS_NAME];

	if (l->log_fd >= 0)
		return 0;
	logs_name(name, vm, "");
	l->log_fd = io_open_below(vm->ctl->log_fd, name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (l->log_fd >= 0)
		return 0;
	l->log_fd = -1;
	return -1;
}

static void logs_turn(struct microvm *vm)
{
	char name[LOGS_NAME], old[LOGS_NAME];
	struct stat st;

	if (fstat(lifecycle_of(vm)->log_fd, &st) || st.st_size < (off_t)LIMIT_LOG_FILE)
		return;
	logs_name(name, vm, "");
	logs_name(old, vm, ".1");
	if (!renameat(vm->ctl->log_fd, name, vm->ctl->log_fd, old))
		logs_close(vm);
}

void logs_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped)
{
	struct microvm *vm = m->owner;
	char note[64];
	int n;

	/* A log that cannot be written is no reason to stop anything: the disk may be full. */
	if (logs_open(vm))
		return;
	logs_turn(vm);
	if (logs_open(vm))
		return;
	if (dropped) {
		n = snprintf(note, sizeof(note), "[doze: %llu bytes of output were dropped]\n",
			     (unsigned long long)dropped);
		if (io_write_full(lifecycle_of(vm)->log_fd, note, (size_t)n))
			return;
	}
	if (io_write_full(lifecycle_of(vm)->log_fd, data, size))
		logs_close(vm);
}

void logs_close(struct microvm *vm)
{
	if (vm->lifecycle)
		fd_close(&vm->lifecycle->log_fd);
}

void logs_remove(struct microvm *vm)
{
	char name[LOGS_NAME];

	logs_close(vm);
	logs_name(name, vm, "");
	unlinkat(vm->ctl->log_fd, name, 0);
	logs_name(name, vm, ".1");
	unlinkat(vm->ctl->log_fd, name, 0);
}
