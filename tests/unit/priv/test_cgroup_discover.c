/* Where cgroups go, on the three layouts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "priv/cgroup_discover.h"

#define MOUNT(root, point, rest) "30 20 0:25 " root " " point " rw,relatime shared:9 - " rest "\n"

static const struct {
	const char *mounts, *self;
	const char *dir[CG_NUM_TREES];
} cases[] = {
	{ /* the hybrid, started in a group of its own of one controller */
	  MOUNT("/", "/proc", "proc proc rw") MOUNT("/", "/sys/fs/cgroup/cpu",
						    "cgroup cgroup rw,cpu,cpuacct")
		  MOUNT("/", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory")
			  MOUNT("/", "/sys/fs/cgroup/pids", "cgroup cgroup rw,pids") MOUNT(
				  "/", "/sys/fs/cgroup/freezer", "cgroup cgroup rw,freezer")
				  MOUNT("/", "/sys/fs/cgroup/unified", "cgroup2 cgroup2 rw"),
	  "9:name=systemd:/\n8:pids:/\n6:freezer:/\n4:memory:/box/9f\n2:cpu,cpuacct:/\n0::/\n",
	  { [CG_MEMORY] = "/sys/fs/cgroup/memory/box/9f",
	    [CG_CPU] = "/sys/fs/cgroup/cpu",
	    [CG_PIDS] = "/sys/fs/cgroup/pids",
	    [CG_FREEZER] = "/sys/fs/cgroup/freezer",
	    [CG_UNIFIED] = "/sys/fs/cgroup/unified" } },
	{ /* version 2 alone, as a service of systemd */
	  MOUNT("/", "/sys/fs/cgroup", "cgroup2 cgroup2 rw,nsdelegate"),
	  "0::/system.slice/doze.service\n",
	  { [CG_UNIFIED] = "/sys/fs/cgroup" } },
	{ /* version 2, from somebody's shell */
	  MOUNT("/", "/sys/fs/cgroup", "cgroup2 cgroup2 rw"),
	  "0::/user.slice/user-0.slice/session-3.scope\n",
	  { [CG_UNIFIED] = "/sys/fs/cgroup" } },
	{ /* a container of version 1 that sees only its own part */
	  MOUNT("/docker/ab12", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory"),
	  "4:memory:/docker/ab12\n",
	  { [CG_MEMORY] = "/sys/fs/cgroup/memory" } },
	{ /* the same, in a group below */
	  MOUNT("/docker/ab12", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory"),
	  "4:memory:/docker/ab12/init\n",
	  { [CG_MEMORY] = "/sys/fs/cgroup/memory/init" } },
	{ /* nothing that can be read */
	  "x\n30 20 0:25 / /sys/fs/cgroup rw - cgroup2\n\n",
	  "\n0:\n0::\n::::\n",
	  { 0 } },
};

static void test_groups_are_below_ours_where_nothing_ends_them(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cg_places places;

		cg_places_find(&places, cases[i].mounts, cases[i].self);
		for (enum cg_tree t = 0; t < CG_NUM_TREES; t++) {
			assert_true(!places.dir[t] == !cases[i].dir[t]);
			if (places.dir[t])
				assert_string_equal(places.dir[t], cases[i].dir[t]);
		}
		cg_places_free(&places);
	}
}

static void test_a_word_is_found_whole(void **unused)
{
	(void)unused;
	assert_true(cg_has_word("cpu,cpuacct", "cpu", ","));
	assert_false(cg_has_word("cpuset,cpuacct", "cpu", ","));
	assert_true(cg_has_word("cpuset cpu io memory\n", "memory", " \n"));
	assert_false(cg_has_word("", "memory", " "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups_are_below_ours_where_nothing_ends_them),
		cmocka_unit_test(test_a_word_is_found_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
