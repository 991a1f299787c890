#include "vmm/state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/arch/x86_64/msr.h"
#include "vmm/arch/x86_64/tsc.h"
#include "vmm/snap/record.h"

#define STATE_VERSION 1
#define XSAVE_SIZE    4096 /* the template leaves out what does not fit (AMX) */

/* All state of one vCPU, in the order in which it is set.  CPUID decides what the rest may hold,
 * and the local APIC's mode decides what the deadline register means. */
struct vcpu_state {
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint8_t xsave[XSAVE_SIZE];
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_lapic_state lapic;
	struct msrs msrs;
	struct kvm_vcpu_events events;
};

struct vm_state {
	struct kvm_irqchip pic, pic_slave, ioapic;
	struct kvm_clock_data clock;
};

/* clang-format off */
static const struct part {
	const char tag[5];
	uint32_t offset, size;
	unsigned long get, set;
	const char *what;
} vcpu_parts[] = {
#define PART(tag, member, get, set, what) \
	{ tag, offsetof(struct vcpu_state, member), sizeof(((struct vcpu_state *)0)->member), get, set, what }
	PART("MPST", mp,     KVM_GET_MP_STATE,    KVM_SET_MP_STATE,    "run state"),
	PART("REGS", regs,   KVM_GET_REGS,        KVM_SET_REGS,        "registers"),
	PART("SREG", sregs,  KVM_GET_SREGS,       KVM_SET_SREGS,       "system registers"),
	PART("XSAV", xsave,  KVM_GET_XSAVE,       KVM_SET_XSAVE,       "extended registers"),
	PART("XCRS", xcrs,   KVM_GET_XCRS,        KVM_SET_XCRS,        "extended control registers"),
	PART("DBGR", debug,  KVM_GET_DEBUGREGS,   KVM_SET_DEBUGREGS,   "debug registers"),
	PART("LAPI", lapic,  KVM_GET_LAPIC,       KVM_SET_LAPIC,       "local APIC"),
	PART("EVNT", events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, "pending events"),
#undef PART
};

static const struct part vm_parts[] = {
#define PART(tag, member, get, set, what) \
	{ tag, offsetof(struct vm_state, member), sizeof(((struct vm_state *)0)->member), get, set, what }
	PART("PIC0", pic,       KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, "interrupt controller 0"),
	PART("PIC1", pic_slave, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, "interrupt controller 1"),
	PART("IOAP", ioapic,    KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, "I/O APIC"),
#undef PART
};
/* clang-format on */

static void state_put(struct buf *to, const char tag[5], uint32_t index, const void *data,
		      size_t size)
{
	size_t mark = record_begin(to, tag, index, STATE_VERSION);

	buf_add(to, data, size);
	record_end(to, mark);
}

/* Exactly @size bytes, borrowed: KVM reads them where they are. */
static const void *state_find(struct rows *rows, const char tag[5], uint32_t index, size_t size,
			      struct err *e)
{
	struct record r;

	if (record_find(rows, tag, index, STATE_VERSION, &r, e))
		return NULL;
	if (r.size == size)
		return r.data;
	err_set(e, ERR_INVALID, "the snapshot's record %s has another size", tag);
	return NULL;
}

/* Save. */

/* Read the registers before the local APIC.  Each call may find that the timer is due, and turn the
 * deadline register into an interrupt.  In this order at least one of the two is saved.  In the
 * other order neither may be, and the guest's CPU would wait for its timer for ever. */
static int vcpu_save(const struct vcpu *c, struct buf *to, struct err *e)
{
	static struct vcpu_state s;

	memset(&s, 0, sizeof(s));
	for (size_t i = 0; i < ARRAY_SIZE(vcpu_parts); i++) {
		const struct part *p = &vcpu_parts[i];

		if (p->get == KVM_GET_LAPIC && msrs_save(c->fd, c->vm, &s.msrs, e))
			return -1;
		if (ioctl(c->fd, p->get, (uint8_t *)&s + p->offset))
			return err_sys(e, "read the %s of vCPU %u", p->what, c->index);
		state_put(to, p->tag, c->index, (uint8_t *)&s + p->offset, p->size);
	}
	state_put(to, "MSRS", c->index, s.msrs.entry, s.msrs.n * sizeof(s.msrs.entry[0]));
	return 0;
}

int state_save(struct vm *vm, struct buf *to, struct err *e)
{
	const struct cpuid *cpuid = vm->arch.cpuid;
	static struct vm_state s;

	memset(&s, 0, sizeof(s));
	state_put(to, "CPUI", 0, cpuid->entries, cpuid->n * sizeof(cpuid->entries[0]));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_save(&vm->vcpus[i], to, e))
			return -1;
	tsc_save(vm, to);
	for (size_t i = 0; i < ARRAY_SIZE(vm_parts); i++) {
		const struct part *p = &vm_parts[i];
		struct kvm_irqchip *chip = (void *)((uint8_t *)&s + p->offset);

		chip->chip_id = (uint32_t)i;
		if (ioctl(vm->fd, p->get, chip))
			return err_sys(e, "read the %s", p->what);
		state_put(to, p->tag, 0, chip, p->size);
	}
	if (ioctl(vm->fd, KVM_GET_CLOCK, &s.clock))
		return err_sys(e, "read the guest's clock");
	state_put(to, "CLCK", 0, &s.clock, sizeof(s.clock));
	return 0;
}

/* Load. */

/* A C library may compare byte by byte, and this is on the way to the first instruction. */
static bool cpuid_equal(const struct cpuid *c, const uint8_t *other)
{
	const uint8_t *own = (const uint8_t *)c->entries;
	uint64_t a, b, differ = 0;

	static_assert(sizeof(c->entries[0]) % sizeof(a) == 0, "whole words");
	for (size_t at = 0; at < c->n * sizeof(c->entries[0]); at += sizeof(a)) {
		memcpy(&a, own + at, sizeof(a));
		memcpy(&b, other + at, sizeof(b));
		differ |= a ^ b;
	}
	return !differ;
}

/* *c: NULL when it is what the vCPUs have already. */
static int cpuid_take(const struct vm *vm, struct rows *rows, struct cpuid **c, struct err *e)
{
	const struct cpuid *has = vm->arch.cpuid;
	static struct cpuid other;
	struct record r;

	*c = NULL;
	if (record_find(rows, "CPUI", 0, STATE_VERSION, &r, e))
		return -1;
	if (r.size == has->n * sizeof(has->entries[0]) && cpuid_equal(has, r.data))
		return 0;
	if (r.size % sizeof(other.entries[0]) || r.size > sizeof(other.entries))
		return err_set(e, ERR_INVALID, "the snapshot's record CPUI has another size");
	other.n = (uint32_t)(r.size / sizeof(other.entries[0]));
	memcpy(other.entries, r.data, r.size);
	*c = &other;
	return cpuid_check(&other, has, e);
}

/* Check that every record of a vCPU exists and has its size. */
static int vcpu_check(struct rows *rows, unsigned index, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(vcpu_parts); i++)
		if (!state_find(rows, vcpu_parts[i].tag, index, vcpu_parts[i].size, e))
			return -1;
	return msrs_check(rows, index, e);
}

static int part_set(int fd, const struct part *p, struct rows *rows, uint32_t index, struct err *e)
{
	const void *from = state_find(rows, p->tag, index, p->size, e);

	if (!from)
		return -1;
	return ioctl(fd, p->set, from) ? err_sys(e, "set the %s (%u)", p->what, index) : 0;
}

static int vcpu_load(const struct vcpu *c, struct cpuid *cpuid, struct rows *rows, struct err *e)
{
	if (cpuid)
		cpuid_number(cpuid, c->index);
	if (cpuid && ioctl(c->fd, KVM_SET_CPUID2, cpuid))
		return err_sys(e, "set the CPUID of vCPU %u", c->index);
	for (size_t i = 0; i < ARRAY_SIZE(vcpu_parts); i++) {
		const struct part *p = &vcpu_parts[i];

		if (p->set == KVM_SET_VCPU_EVENTS && msrs_load(c, rows, e))
			return -1;
		if (part_set(c->fd, p, rows, c->index, e))
			return -1;
	}
	return 0;
}

static int vm_check(struct rows *rows, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm_parts); i++) {
		const struct part *p = &vm_parts[i];
		const struct kvm_irqchip *chip = state_find(rows, p->tag, 0, p->size, e);

		if (!chip)
			return -1;
		if (chip->chip_id != i)
			return err_set(e, ERR_INVALID, "the snapshot's record %s makes no sense",
				       p->tag);
	}
	return state_find(rows, "CLCK", 0, sizeof(struct kvm_clock_data), e) ? 0 : -1;
}

/* The clock continues where it was. */
static int vm_load(const struct vm *vm, struct rows *rows, struct err *e)
{
	struct kvm_clock_data clock = { 0 };
	const struct kvm_clock_data *saved = state_find(rows, "CLCK", 0, sizeof(*saved), e);

	if (!saved)
		return -1;
	clock.clock = saved->clock;
	for (size_t i = 0; i < ARRAY_SIZE(vm_parts); i++)
		if (part_set(vm->fd, &vm_parts[i], rows, 0, e))
			return -1;
	return ioctl(vm->fd, KVM_SET_CLOCK, &clock) ? err_sys(e, "set the guest's clock") : 0;
}

int state_load(struct vm *vm, struct rows *rows, struct err *e)
{
	struct cpuid *cpuid;

	if (cpuid_take(vm, rows, &cpuid, e) || vm_check(rows, e))
		return -1;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_check(rows, i, e))
			return -1;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_load(&vm->vcpus[i], cpuid, rows, e))
			return -1;
	return tsc_load(vm, rows, e) || vm_load(vm, rows, e) ? -1 : 0;
}

bool state_knows(const char tag[5])
{
	static const char others[][5] = { "CPUI", "MSRS", "TSCO", "CLCK" };

	for (size_t i = 0; i < ARRAY_SIZE(vcpu_parts); i++)
		if (!memcmp(vcpu_parts[i].tag, tag, 4))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(vm_parts); i++)
		if (!memcmp(vm_parts[i].tag, tag, 4))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!memcmp(others[i], tag, 4))
			return true;
	return false;
}

uint64_t state_tsc_khz(struct vm *vm)
{
	int khz = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint64_t)khz : 0;
}
