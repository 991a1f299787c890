#include "vmm/arch/x86_64/msr.h"

#include <asm/kvm_para.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define MSRS_VERSION 1
#define MSR_TSC      0x10

static struct msrs fresh;   /* of a vCPU that never ran, in the order of KVM's list */
static struct msrs scratch; /* its pages are there since msrs_prepare */

int msrs_save(int fd, const struct vm *vm, struct msrs *m, struct err *e)
{
	struct {
		uint32_t n, index[MSRS_MAX];
	} list = { .n = MSRS_MAX }; /* laid out as struct kvm_msr_list */
	uint32_t kept = 0;

	if (vm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, &list, "list its registers", e) < 0)
		return -1;
	for (uint32_t i = 0; i < list.n; i++)
		m->entry[i] = (struct kvm_msr_entry){ .index = list.index[i] };
	for (uint32_t at = 0; at < list.n;) {
		int n;

		scratch.n = list.n - at;
		memcpy(scratch.entry, m->entry + at, scratch.n * sizeof(m->entry[0]));
		n = ioctl(fd, KVM_GET_MSRS, &scratch);
		if (n < 0)
			return err_sys(e, "read the model-specific registers");
		memcpy(m->entry + kept, scratch.entry, (size_t)n * sizeof(m->entry[0]));
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

/* Does a vCPU that never ran hold this value already?  The search starts at *next, after the last
 * hit. */
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

static int msrs_find(struct rows *rows, unsigned index, struct record *r, struct err *e)
{
	if (record_find(rows, "MSRS", index, MSRS_VERSION, r, e))
		return -1;
	if (r->size % sizeof(struct kvm_msr_entry) || r->size > sizeof(scratch.entry))
		return err_set(e, ERR_INVALID, "the snapshot's record MSRS has another size");
	return 0;
}

int msrs_check(struct rows *rows, unsigned index, struct err *e)
{
	struct record r;

	return msrs_find(rows, index, &r, e);
}

/* Collect in scratch what a vCPU that never ran does not hold already.  The counter of vCPU 0 is
 * set twice, because KVM takes a value near the running counter for an attempt to keep vCPUs in
 * step and ignores it. */
static int msrs_take(struct rows *rows, unsigned index, struct err *e)
{
	struct msrs *m = &scratch;
	struct kvm_msr_entry x;
	uint32_t next = 0;
	struct record r;

	if (msrs_find(rows, index, &r, e))
		return -1;
	m->n = 0;
	for (size_t at = 0; at < r.size; at += sizeof(x)) {
		memcpy(&x, r.data + at, sizeof(x));
		if (msr_is_fresh(&x, &next))
			continue;
		if (m->n > MSRS_MAX - 2)
			return err_set(e, ERR_INVALID, "the snapshot's record MSRS has too many");
		if (x.index == MSR_TSC && !index)
			m->entry[m->n++] = (struct kvm_msr_entry){ .index = MSR_TSC,
								   .data = x.data ^ 1ULL << 62 };
		m->entry[m->n++] = x;
	}
	return 0;
}

/* KVM reads and then writes these pages of the guest as soon as it learns of them or runs.  A write
 * from here costs one fault; KVM would take two, for the mapped file's page and for its copy. */
static void msr_own_page(const struct mem *mem, const struct kvm_msr_entry *x)
{
	static const uint32_t shared[] = { MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_STEAL_TIME,
					   MSR_KVM_PV_EOI_EN };
	uint8_t *at = x->data & 1 ? mem_slice(mem, x->data & ~3ULL, 4) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(shared) && at; i++)
		if (x->index == shared[i])
			__asm__ volatile("orb $0, %0" : "+m"(*at));
}

/* Some kernels list registers that they refuse to set to their own value.  Those are skipped, and
 * named if they hold another value now. */
static void msr_refused(int fd, const struct kvm_msr_entry *x)
{
	struct {
		uint32_t n, zero;
		struct kvm_msr_entry entry;
	} now = { .n = 1, .entry = { .index = x->index } };

	if (ioctl(fd, KVM_GET_MSRS, &now) == 1 && now.entry.data == x->data)
		return;
	log_warn("KVM does not take a register back register=0x%x value=0x%" PRIx64, x->index,
		 (uint64_t)x->data);
}

int msrs_load(const struct vcpu *c, struct rows *rows, struct err *e)
{
	struct msrs *m = &scratch;

	if (msrs_take(rows, c->index, e))
		return -1;
	for (uint32_t i = 0; i < m->n; i++)
		msr_own_page(c->vm->mem, &m->entry[i]);
	while (m->n) {
		int n = ioctl(c->fd, KVM_SET_MSRS, m);

		if (n < 0)
			return err_sys(e, "set the model-specific registers");
		if ((uint32_t)n >= m->n)
			break;
		msr_refused(c->fd, &m->entry[n]);
		m->n -= (uint32_t)n + 1;
		memmove(m->entry, m->entry + n + 1, m->n * sizeof(m->entry[0]));
	}
	return 0;
}
