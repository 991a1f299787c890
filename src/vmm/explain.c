/* explain.c - writes for a person where the guest stands: registers, and the last of its console.
 */

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "vmm/machine.h"

static void explain_vcpu(const struct vcpu *v, struct buf *to)
{
	struct kvm_mp_state mp = { 0 };
	struct kvm_regs r = { 0 };
	struct kvm_sregs s = { 0 };

	if (ioctl(v->fd, KVM_GET_MP_STATE, &mp) || ioctl(v->fd, KVM_GET_REGS, &r) ||
	    ioctl(v->fd, KVM_GET_SREGS, &s)) {
		buf_addf(to, "vCPU %u: KVM does not give its registers\n", v->index);
		return;
	}
	buf_addf(to,
		 "vCPU %u: state %u (0 runs, 3 halted)\n rip %016" PRIx64 " rsp %016" PRIx64
		 " rflags %08" PRIx64 "\n rax %016" PRIx64 " rbx %016" PRIx64 " rcx %016" PRIx64
		 " rdx %016" PRIx64 "\n cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64
		 " cr4 %08" PRIx64 " efer %" PRIx64 "\n",
		 v->index, mp.mp_state, (uint64_t)r.rip, (uint64_t)r.rsp, (uint64_t)r.rflags,
		 (uint64_t)r.rax, (uint64_t)r.rbx, (uint64_t)r.rcx, (uint64_t)r.rdx,
		 (uint64_t)s.cr0, (uint64_t)s.cr2, (uint64_t)s.cr3, (uint64_t)s.cr4,
		 (uint64_t)s.efer);
}

/* The row of a snapshot's state has room for all of this, and no save is under way. */
void machine_explain(struct machine *m, int fd)
{
	bool runs = m->owner.run == MACHINE_RUNNING;
	struct buf *to = &m->state;

	buf_clear(to);
	if (runs)
		board_pause(&m->board);
	for (unsigned i = 0; i < m->board.vm.n_vcpus && to->size + KIB < VMM_STATE - CONSOLE_KEPT;
	     i++)
		explain_vcpu(&m->board.vm.vcpus[i], to);
	buf_addf(to, "\n# the last of %" PRIu64 " bytes of its console\n", m->board.console.bytes);
	console_put(&m->board.console, to);
	if (runs)
		board_resume(&m->board);
	(void)!io_write_full(fd, to->data, to->size); /* who reads it sees that it ends */
	buf_clear(to);
}
