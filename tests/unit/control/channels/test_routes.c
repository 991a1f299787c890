/* What the proxy is told of a microVM. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/channels/routes.h"

static void test_a_route_follows_the_state(void **unused)
{
	static const struct {
		enum vm_state state;
		bool auto_resume, starting;
		enum route_state route;
	} rows[] = {
		{ VM_PENDING, true, true, ROUTE_WAITING },
		{ VM_RUNNING, false, false, ROUTE_OPEN },
		{ VM_SUSPENDING, true, false, ROUTE_WAITING },
		{ VM_SUSPENDED, true, false, ROUTE_SLEEPING },
		{ VM_SUSPENDED, false, false, ROUTE_DEAD },
		{ VM_SUSPENDED, false, true, ROUTE_WAITING },
		{ VM_TERMINATING, true, false, ROUTE_DEAD },
		{ VM_TERMINATED, true, false, ROUTE_DEAD },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct microvm vm = { .state = rows[i].state,
					    .starting = rows[i].starting,
					    .idle = { true, 1, 1, rows[i].auto_resume } };

		assert_int_equal(routes_state(&vm), rows[i].route);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_route_follows_the_state),
	};

	return cmocka_run_group_tests_name("control/channels/routes", tests, NULL, NULL);
}
