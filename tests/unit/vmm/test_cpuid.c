/* The CPU that guests see, and whether a host can be it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/arch/x86_64/cpuid.h"

static struct cpuid host(void)
{
	return (struct cpuid){
		.n = 4,
		.entries = { { .function = 0x0, .eax = 0xd },
			     { .function = 0x1, .ecx = 1U << 20 | 1U << 28, .edx = 1U << 25 },
			     { .function = 0x7, .flags = 1, .ebx = 1U << 5 },
			     { .function = 0xa, .eax = 0x07300404 } },
	};
}

static const struct kvm_cpuid_entry2 *find(const struct cpuid *c, uint32_t function)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->entries[i].function == function)
			return &c->entries[i];
	return NULL;
}

static void a_template_fits_the_host_that_made_it(void **state)
{
	struct cpuid a = host(), b = host();
	struct err e;

	(void)state;
	cpuid_template(&a, 2);
	cpuid_template(&b, 2);
	assert_int_equal(cpuid_check(&a, &b, &e), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void performance_counters_are_not_shown(void **state)
{
	struct cpuid c = host();
	const struct kvm_cpuid_entry2 *counters;

	(void)state;
	cpuid_template(&c, 1);
	counters = find(&c, 0xa);
	assert_true(!counters || !counters->eax);
}

static void what_a_host_lacks_is_refused_by_its_name(void **state)
{
	struct cpuid wanted = host(), here = host();
	struct err e;

	(void)state;
	here.entries[2].ebx = 0;
	cpuid_template(&wanted, 1);
	cpuid_template(&here, 1);
	assert_int_equal(cpuid_check(&wanted, &here, &e), -1);
	assert_non_null(strstr(e.text, "AVX2"));
	assert_int_equal(cpuid_check(&here, &wanted, &e), 0); /* more is fine */
}

static void each_vcpu_has_its_number(void **state)
{
	struct cpuid c = host();

	(void)state;
	cpuid_template(&c, 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct kvm_cpuid_entry2 *one;

		cpuid_number(&c, i);
		one = find(&c, 0x1);
		assert_non_null(one);
		assert_int_equal(one ? one->ebx >> 24 : ~0U, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_fits_the_host_that_made_it),
		cmocka_unit_test(performance_counters_are_not_shown),
		cmocka_unit_test(what_a_host_lacks_is_refused_by_its_name),
		cmocka_unit_test(each_vcpu_has_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
