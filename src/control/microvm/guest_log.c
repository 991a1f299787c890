#include "control/microvm/guest_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/microvm/lifecycle_internal.h"

#define GUEST_LOG_NAME (IPC_ID_SIZE + 16)

static void guest_log_name(char to[GUEST_LOG_NAME], const struct microvm *vm, const char *tail)
{
	snprintf(to, GUEST_LOG_NAME, "microvms/%s.log%s", vm->id, tail);
}

static int guest_log_open(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);
	char name[GUEST_LOG_NAME];

	if (l->log_fd >= 0)
		return 0;
	guest_log_name(name, vm, "");
	l->log_fd = io_open_below(vm->ctl->log_fd, name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (l->log_fd >= 0)
		return 0;
	l->log_fd = -1;
	return -1;
}

static void guest_log_turn(struct microvm *vm)
{
	char name[GUEST_LOG_NAME], old[GUEST_LOG_NAME];
	struct stat st;

	if (fstat(lifecycle_of(vm)->log_fd, &st) || st.st_size < (off_t)LIMIT_LOG_FILE)
		return;
	guest_log_name(name, vm, "");
	guest_log_name(old, vm, ".1");
	if (!renameat(vm->ctl->log_fd, name, vm->ctl->log_fd, old))
		guest_log_close(vm);
}

void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped)
{
	struct microvm *vm = m->owner;
	char note[64];
	int n;

	/* A log that cannot be written is no reason to stop anything: the disk may be full. */
	if (guest_log_open(vm))
		return;
	guest_log_turn(vm);
	if (guest_log_open(vm))
		return;
	if (dropped) {
		n = snprintf(note, sizeof(note), "[doze: %llu bytes of output were dropped]\n",
			     (unsigned long long)dropped);
		if (io_write_full(lifecycle_of(vm)->log_fd, note, (size_t)n))
			return;
	}
	if (io_write_full(lifecycle_of(vm)->log_fd, data, size))
		guest_log_close(vm);
}

void guest_log_close(struct microvm *vm)
{
	if (vm->lifecycle)
		fd_close(&vm->lifecycle->log_fd);
}

void guest_log_remove(struct microvm *vm)
{
	char name[GUEST_LOG_NAME];

	guest_log_close(vm);
	guest_log_name(name, vm, "");
	unlinkat(vm->ctl->log_fd, name, 0);
	guest_log_name(name, vm, ".1");
	unlinkat(vm->ctl->log_fd, name, 0);
}
