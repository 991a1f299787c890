/* boot.c - BOOT: loads a kernel into memory that no image backs. */

#include <string.h>

#include "vmm/machine.h"

/* The board has a kvm-clock and no PIT.  A reset or a panic ends the machine. */
#define BOOT_WORDS                                                              \
	"console=ttyS0 quiet reboot=k panic=-1 tsc=reliable cryptomgr.notests " \
	"lsm=landlock audit=0 psi=0 nowatchdog transparent_hugepage=never thash_entries=1024"

int machine_boot(struct machine *m, struct ipc_msg *msg, struct err *e)
{
	int overlay = msg->fds[BOOT_FD_OVERLAY];
	struct machine_boot b;
	struct arch_boot how = { .kernel_fd = msg->fds[BOOT_FD_KERNEL],
				 .initrd_fd = msg->fds[BOOT_FD_INITRD],
				 .command_line = BOOT_WORDS,
				 .n_virtio = BOARD_DEVICES };

	memcpy(&b, msg->body, sizeof(b));
	if (machine_check_shape(m, &b.shape, e) ||
	    board_disk(&m->board, msg->fds[BOOT_FD_ROOT], &overlay, 1, e))
		return -1;
	ipc_msg_take_fd(msg, BOOT_FD_ROOT);
	ipc_msg_take_fd(msg, BOOT_FD_OVERLAY);
	if (mem_attach_empty(&m->board.mem, e) || arch_boot(&m->board.vm, &how, e))
		return -1;
	machine_agent(m)->open = true;
	return genid_renew(&m->board.genid, &m->board.mem, false, e);
}
