/* Every state of a network connector and of its version by every event. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/connectors/steps.h"
#include "control/control.h"

static struct conf conf;
static struct control ctl = { .conf = &conf };

#define NEW  CONNECTOR_NEW
#define PEND CONNECTOR_PENDING
#define ACT  CONNECTOR_ACTIVE
#define INAC CONNECTOR_INACTIVE
#define FAIL CONNECTOR_FAILED
#define DEL  CONNECTOR_DELETING

/* What becomes of a connector without a version in play; 0: the event is refused. */
static const enum connector_state want[CONNECTOR_NUM_STATES][CONNECTOR_NUM_EVENTS] = {
	/*  CREATE UPDATE TAG   USE  DELVER DELETE READY UNFIT LOST  FOUND REMOVED */
	{ PEND, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ 0, 0, PEND, 0, 0, 0, ACT, FAIL, 0, 0, 0 },
	{ 0, ACT, ACT, ACT, ACT, DEL, ACT, ACT, INAC, 0, 0 },
	{ 0, 0, INAC, 0, INAC, DEL, ACT, INAC, 0, ACT, 0 },
	{ 0, 0, FAIL, 0, 0, DEL, 0, 0, 0, 0, 0 },
	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, DEL },
};

static const enum connector_state want_version[CONNECTOR_NUM_STATES][CONNECTOR_NUM_EVENTS] = {
	{ PEND, PEND, 0, 0, 0, 0, 0, 0, 0, 0, 0 },  { 0, 0, 0, 0, 0, 0, ACT, FAIL, 0, 0, 0 },
	{ 0, 0, 0, ACT, DEL, 0, 0, 0, INAC, 0, 0 }, { 0, 0, 0, 0, DEL, 0, 0, 0, 0, ACT, 0 },
	{ 0, 0, 0, 0, DEL, 0, 0, 0, 0, 0, 0 },      { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
};

/* A version of this state, which is the one in effect unless a later one is. */
static struct connector *make(enum connector_state state, enum connector_state of_version,
			      bool in_effect)
{
	struct connector *connector = model_connector_new("000000000000", "n");
	struct connector_version *v = model_connector_version_new(1, json_object());

	connector->state = state;
	v->state = of_version;
	model_add_connector_version(connector, v);
	if (!in_effect) {
		v = model_connector_version_new(2, json_object());
		v->state = CONNECTOR_ACTIVE;
		model_add_connector_version(connector, v);
	}
	return connector;
}

static void test_a_connector_takes_the_steps_of_its_table_and_no_other(void **unused)
{
	(void)unused;
	for (int s = 0; s < CONNECTOR_NUM_STATES; s++) {
		struct connector *connector = make((enum connector_state)s, ACT, true);

		for (int ev = 0; ev < CONNECTOR_NUM_EVENTS; ev++) {
			struct connector_states to;
			struct err e;
			int rc = connector_next(&ctl, (enum connector_event)ev, connector, NULL,
						&to, &e);

			assert_int_equal(rc, want[s][ev] ? 0 : -1);
			if (!rc)
				assert_int_equal(to.connector, want[s][ev]);
			else
				assert_int_equal(e.kind, ERR_CONFLICT);
		}
		model_connector_free(&ctl, connector);
	}
}

static bool legal(int state, int of_version, int ev)
{
	return want[state][ev] && want_version[of_version][ev];
}

static void test_an_event_is_legal_if_both_tables_have_it(void **unused)
{
	(void)unused;
	for (int s = 0; s < CONNECTOR_NUM_STATES; s++) {
		for (int v = 0; v < CONNECTOR_NUM_STATES; v++) {
			struct connector *connector =
				make((enum connector_state)s, (enum connector_state)v, true);
			struct connector_version *version = model_connector_version(connector, 1);

			for (int ev = 0; ev < CONNECTOR_NUM_EVENTS; ev++) {
				struct connector_states to;
				struct err e;
				int rc = connector_next(&ctl, (enum connector_event)ev, connector,
							version, &to, &e);

				assert_int_equal(rc, legal(s, v, ev) ? 0 : -1);
				if (!rc)
					assert_int_equal(to.version, want_version[v][ev]);
				else
					assert_non_null(strstr(e.text, "current state: "));
			}
			model_connector_free(&ctl, connector);
		}
	}
}

static void test_an_old_version_does_not_take_the_connector_with_it(void **unused)
{
	struct connector *connector = make(ACT, ACT, false);
	struct connector_states to;
	struct err e;

	(void)unused;
	assert_int_equal(connector_next(&ctl, CONNECTOR_EV_LOST, connector,
					model_connector_version(connector, 1), &to, &e),
			 0);
	assert_int_equal(to.connector, ACT);
	assert_int_equal(to.version, INAC);
	assert_int_equal(connector_next(&ctl, CONNECTOR_EV_LOST, connector,
					model_connector_version(connector, 2), &to, &e),
			 0);
	assert_int_equal(to.connector, INAC);
	model_connector_free(&ctl, connector);
}

static void test_a_second_delete_is_done_already(void **unused)
{
	(void)unused;
	for (int s = 0; s < CONNECTOR_NUM_STATES; s++) {
		struct connector *connector = make((enum connector_state)s, ACT, true);

		for (int ev = 0; ev < CONNECTOR_NUM_EVENTS; ev++)
			assert_int_equal(
				connector_done_already((enum connector_event)ev, connector),
				s == DEL && ev == CONNECTOR_EV_DELETE);
		model_connector_free(&ctl, connector);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connector_takes_the_steps_of_its_table_and_no_other),
		cmocka_unit_test(test_an_event_is_legal_if_both_tables_have_it),
		cmocka_unit_test(test_an_old_version_does_not_take_the_connector_with_it),
		cmocka_unit_test(test_a_second_delete_is_done_already),
	};

	conf_defaults(&conf, "");
	return cmocka_run_group_tests_name("connectors/steps", tests, NULL, NULL);
}
