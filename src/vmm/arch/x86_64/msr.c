#include "vmm/arch/x86_64/msr.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define MSRS_VERSION 1
#define MSR_TSC      0x10

static struct msrs fresh; /* of a vCPU that never ran, in the order of KVM's list */

int msrs_save(int fd, const struct vm *vm, struct msrs *m, struct err *e)
{
	struct {
		uint32_t n, index[MSRS_MOST];
	} list = { .n = MSRS_MOST }; /* laid out as struct kvm_msr_list */
	uint32_t kept = 0;

	if (vm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, &list, "list its registers", e) < 0)
		return -1;
	for (uint32_t i = 0; i < list.n; i++)
		m->entry[i] = (struct kvm_msr_entry){ .index = list.index[i] };
	for (uint32_t at = 0; at < list.n;) {
		struct msrs piece = { .n = list.n - at };
		int n;

		memcpy(piece.entry, m->entry + at, piece.n * sizeof(piece.entry[0]));
		n = ioctl(fd, KVM_GET_MSRS, &piece);
		if (n < 0)
			return err_sys(e, "read the model-specific registers");
		memcpy(m->entry + kept, piece.entry, (size_t)n * sizeof(piece.entry[0]));
		kept += (uint32_t)n;
		at += (uint32_t)n + 1; /* that one cannot be read */
	}
	m->n = kept;
	return 0;
}

int msrs_prepare(const struct vm *vm, struct err *e)
{
	return msrs_save(vm->vcpus[0].fd, vm, &fresh, e);
}

/* Whether a vCPU that never ran holds it already; looked for from *next on, behind the last one. */
static bool msr_is_fresh(const struct kvm_msr_entry *x, uint32_t *next)
{
	for (uint32_t i = 0; i < fresh.n; i++) {
		const struct kvm_msr_entry *f = &fresh.entry[(*next + i) % fresh.n];

		if (f->index != x->index)
			continue;
		*next = (*next + i + 1) % fresh.n;
		return f->data == x->data;
	}
	return false;
}

/* What a vCPU that never ran does not hold already.  The counter of vCPU 0 is set twice: KVM takes
 * a value near that of the running counter for an attempt to keep vCPUs in step, and ignores it. */
int msrs_take(struct rows *rows, unsigned index, struct msrs *m, struct err *e)
{
	struct kvm_msr_entry x;
	uint32_t next = 0;
	struct record r;

	if (record_find(rows, "MSRS", index, MSRS_VERSION, &r, e))
		return -1;
	if (r.size % sizeof(x))
		return err_set(e, ERR_INVALID, "the snapshot's record MSRS has another size");
	m->n = 0;
	for (size_t at = 0; at < r.size; at += sizeof(x)) {
		memcpy(&x, r.data + at, sizeof(x));
		if (msr_is_fresh(&x, &next))
			continue;
		if (m->n > MSRS_MOST - 2)
			return err_set(e, ERR_INVALID, "the snapshot's record MSRS has too many");
		if (x.index == MSR_TSC && !index)
			m->entry[m->n++] = (struct kvm_msr_entry){ .index = MSR_TSC,
								   .data = x.data ^ 1ULL << 62 };
		m->entry[m->n++] = x;
	}
	return 0;
}

/* Some kernels list registers that they do not let be set to what they were.  Those are passed
 * over, and named if they hold something else now. */
static void msr_refused(int fd, const struct kvm_msr_entry *x)
{
	struct msrs now = { .n = 1, .entry = { { .index = x->index } } };

	if (ioctl(fd, KVM_GET_MSRS, &now) == 1 && now.entry[0].data == x->data)
		return;
	log_warn("KVM does not take a register back register=0x%x value=0x%" PRIx64, x->index,
		 (uint64_t)x->data);
}

int msrs_set(int fd, const struct msrs *m, struct err *e)
{
	uint32_t at = 0;

	while (at < m->n) {
		struct msrs piece = { .n = m->n - at };
		int n;

		memcpy(piece.entry, m->entry + at, piece.n * sizeof(piece.entry[0]));
		n = ioctl(fd, KVM_SET_MSRS, &piece);
		if (n < 0)
			return err_sys(e, "set the model-specific registers");
		at += (uint32_t)n;
		if (at < m->n)
			msr_refused(fd, &m->entry[at++]);
	}
	return 0;
}
