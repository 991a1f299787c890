#include "vmm/arch/x86_64/cpuid.h"

#include <string.h>

#include "vmm/arch/x86_64/cpuid_names.h"

#define LEAF_MAX     0xdU /* of the basic leaves */
#define LEAF_EXT     0x80000000U
#define LEAF_EXT_MAX 0x80000021U
#define LEAF_KVM     0x40000000U
#define KEEP_ALL     UINT32_MAX

#define XSTATES 0x2e7U /* x87, SSE, AVX, AVX-512, PKRU */

/* The bits of each leaf that are kept.  A leaf that is not listed is left out.  ANY means all
 * subleaves. */
#define ANY UINT32_MAX
static const struct cpuid_rule {
	uint32_t leaf, subleaf;
	uint32_t eax, ebx, ecx, edx; /* bits that stay */
} cpuid_rules[] = {
	/* clang-format off */
	{ 0x0,        ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	/* not: DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT SDBG xTPR PDCM DCA OSXSAVE;
	 *      MCE MCA DS ACPI TM PBE */
	{ 0x1,        ANY, KEEP_ALL, KEEP_ALL, 0x76fa3203, 0x078bbb7f },
	{ 0x2,        ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x4,        ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x6,        ANY, 1 << 2,   0,        0,        0 }, /* ARAT */
	/* not: SGX HLE RTM PQM PQE PT; WAITPKG LA57 BUS_LOCK SGX_LC PKS KL ENQCMD;
	 *      UINTR VP2INTERSECT PCONFIG ARCH_LBR AMX */
	{ 0x7,        0,   2,        0xf1bf27eb, 0x18405f4e, 0xbc80441c },
	{ 0x7,        1,   0x00001c30, 0, 0, 0 }, /* AVX-VNNI BF16 FZRM FSRS */
	{ 0x7,        2,   0,        0,        0,        0x3f },
	{ 0xb,        ANY, 0,        0,        0,        0 },
	{ 0xd,        0,   XSTATES,  KEEP_ALL, KEEP_ALL, 0 },
	{ 0xd,        1,   0xf,      KEEP_ALL, 0,        0 },
	{ 0xd,        ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x40000000, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	/* clock, no I/O delay, steal time, end of interrupt, unhalt, TLB flush, IPIs, yield, stable
	 * clock; not: asynchronous page faults, whose end a clone would not see */
	{ 0x40000001, ANY, 0x01002aeb, 0,      0,        0 },
	{ 0x80000000, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	/* not: SVM EXTAPIC OSVW IBS SKINIT WDT LWP NODEID PERFCTR MWAITX */
	{ 0x80000001, ANY, KEEP_ALL, KEEP_ALL, 0x006109f1, 0x2fd3bb7f },
	{ 0x80000002, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x80000003, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x80000004, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x80000005, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x80000006, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x80000007, ANY, 0,        0,        0,        0 }, /* not: a counter of one rate for ever */
	{ 0x80000008, ANY, KEEP_ALL, 0x170fd205, KEEP_ALL, 0 },
	{ 0x8000001d, ANY, KEEP_ALL, KEEP_ALL, KEEP_ALL, KEEP_ALL },
	{ 0x8000001e, ANY, 0,        0,        0,        0 },
	{ 0x80000021, ANY, 0x00000145, 0, 0,       0 },
	/* clang-format on */
};

static const struct cpuid_rule *cpuid_rule(const struct kvm_cpuid_entry2 *x)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpuid_rules); i++)
		if (cpuid_rules[i].leaf == x->function &&
		    (cpuid_rules[i].subleaf == ANY || cpuid_rules[i].subleaf == x->index))
			return &cpuid_rules[i];
	return NULL;
}

static bool cpuid_keeps(const struct kvm_cpuid_entry2 *x)
{
	if (x->function == 0xd && x->index > 1)
		return x->index < 32 && (XSTATES >> x->index & 1) && x->eax;
	if (x->function == 0x7 && x->index > 2)
		return false;
	return x->function != 0xb;
}

/* Bits of a number of a machine with @n CPUs. */
static unsigned cpuid_width(unsigned n)
{
	unsigned bits = 0;

	while (1U << bits < n)
		bits++;
	return bits;
}

static struct kvm_cpuid_entry2 *cpuid_find(const struct cpuid *c, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->entries[i].function == leaf && c->entries[i].index == subleaf)
			return (struct kvm_cpuid_entry2 *)(uintptr_t)&c->entries[i];
	return NULL;
}

static void cpuid_add_topology(struct cpuid *c, unsigned n_vcpus)
{
	unsigned width = cpuid_width(n_vcpus);

	for (uint32_t level = 0; level < 3 && c->n < CPUID_MAX; level++)
		c->entries[c->n++] = (struct kvm_cpuid_entry2){
			.function = 0xb,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = level == 1 ? width : 0,
			.ebx = level == 0   ? 1
			       : level == 1 ? n_vcpus
					    : 0,
			.ecx = level | (level < 2 ? (level + 1) << 8 : 0),
		};
}

/* The topology is one package, with one core for each vCPU and one thread for each core.  All share
 * the last level of cache. */
static void cpuid_set_topology(struct kvm_cpuid_entry2 *x, unsigned n_vcpus)
{
	unsigned level = x->eax >> 5 & 7;

	switch (x->function) {
	case 0x1:
		x->ebx = (x->ebx & 0xff00) | n_vcpus << 16;
		x->ecx |= 1U << 31 | 1U << 24; /* in a virtual machine; timer by the counter */
		x->edx = (x->edx & ~(1U << 28)) | (n_vcpus > 1 ? 1U << 28 : 0);
		break;
	case 0x4:
	case 0x8000001d:
		x->eax &= 0x3fff;
		if (x->function == 0x4)
			x->eax |= (n_vcpus - 1) << 26;
		if (level >= 3)
			x->eax |= (n_vcpus - 1) << 14;
		break;
	case 0x80000001:
		if (n_vcpus > 1 && (x->ecx & 1U << 22)) /* AMD's */
			x->ecx |= 1U << 1;
		break;
	case 0x80000008:
		x->ecx = (n_vcpus - 1) | cpuid_width(n_vcpus) << 12;
		break;
	default:
		break;
	}
}

/* The size of the XSAVE area that the kept states need. */
static void cpuid_set_xsave(struct cpuid *c)
{
	struct kvm_cpuid_entry2 *all = cpuid_find(c, 0xd, 0);
	uint32_t most = 576;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct kvm_cpuid_entry2 *x = &c->entries[i];

		if (x->function == 0xd && x->index > 1 && x->eax + x->ebx > most)
			most = x->eax + x->ebx;
	}
	if (all)
		all->ebx = all->ecx = most;
}

void cpuid_template(struct cpuid *c, unsigned n_vcpus)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		struct kvm_cpuid_entry2 x = c->entries[i];
		const struct cpuid_rule *r = cpuid_rule(&x);

		if (!r || !cpuid_keeps(&x))
			continue;
		x.eax &= r->eax;
		x.ebx &= r->ebx;
		x.ecx &= r->ecx;
		x.edx &= r->edx;
		if (x.function == 0 && x.eax > LEAF_MAX)
			x.eax = LEAF_MAX;
		if (x.function == LEAF_EXT && x.eax > LEAF_EXT_MAX)
			x.eax = LEAF_EXT_MAX;
		if (x.function == LEAF_KVM)
			x.eax = LEAF_KVM + 1;
		if (x.function == 0x7 && x.index == 0 && x.eax > 2)
			x.eax = 2;
		cpuid_set_topology(&x, n_vcpus);
		c->entries[n++] = x;
	}
	c->n = n;
	cpuid_add_topology(c, n_vcpus);
	cpuid_set_xsave(c);
}

void cpuid_number(struct cpuid *c, unsigned index)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct kvm_cpuid_entry2 *x = &c->entries[i];

		if (x->function == 0x1)
			x->ebx = (x->ebx & 0xffffff) | index << 24;
		else if (x->function == 0xb)
			x->edx = index;
		else if (x->function == 0x8000001e) {
			x->eax = index;
			x->ebx = index;
		}
	}
}

static const uint32_t *cpuid_reg(const struct kvm_cpuid_entry2 *x, enum cpuid_reg reg)
{
	const uint32_t *const regs[] = { &x->eax, &x->ebx, &x->ecx, &x->edx };

	return regs[reg];
}

static int cpuid_check_reg(const struct cpuid_feature_reg *f, uint32_t wanted, uint32_t host,
			   struct err *e)
{
	const char reg = "ABCD"[f->reg];
	uint32_t lacks = wanted & ~host;
	int bit;

	if (!lacks)
		return 0;
	bit = __builtin_ctz(lacks);
	for (size_t i = 0; i < cpuid_n_names; i++)
		if (cpuid_names[i].leaf == f->leaf && cpuid_names[i].subleaf == f->subleaf &&
		    cpuid_names[i].reg == f->reg && cpuid_names[i].bit == bit)
			return err_set(e, ERR_CONFLICT,
				       "the snapshot's CPU has %s, which this host's has not: "
				       "restore it on a host of its class",
				       cpuid_names[i].name);
	return err_set(e, ERR_CONFLICT,
		       "the snapshot's CPU has bit %d of E%cX in CPUID leaf 0x%x.%u, which this "
		       "host's has not: restore it on a host of its class",
		       bit, reg, f->leaf, f->subleaf);
}

int cpuid_check(const struct cpuid *wanted, const struct cpuid *host, struct err *e)
{
	const struct kvm_cpuid_entry2 *a = cpuid_find(wanted, 0, 0), *b = cpuid_find(host, 0, 0);

	if (!a || !b || a->ebx != b->ebx || a->ecx != b->ecx || a->edx != b->edx)
		return err_set(e, ERR_CONFLICT,
			       "the snapshot is of a CPU of another maker than this host's");
	for (size_t i = 0; i < cpuid_n_feature_regs; i++) {
		const struct cpuid_feature_reg *f = &cpuid_feature_regs[i];

		a = cpuid_find(wanted, f->leaf, f->subleaf);
		b = cpuid_find(host, f->leaf, f->subleaf);
		if (a &&
		    cpuid_check_reg(f, *cpuid_reg(a, f->reg), b ? *cpuid_reg(b, f->reg) : 0, e) < 0)
			return -1;
	}
	return 0;
}
