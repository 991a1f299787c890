/* Which network a registry is asked from, and where its password goes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/maintenance.h"
#include "image/registries.h"

static struct {
	struct image_role role;
	struct conf conf;
	struct buf args, input; /* of the job that was started */
	enum priv_net net;
	const char *step; /* that maintenance was asked for */
	char answer[IPC_TEXT_SIZE];
} world;

void __wrap_job_start(struct job *j, int stdin_fd);
void __wrap_maintenance_start(struct image_role *role, const struct maintenance_what *what,
			      maintenance_done *done, void *arg);
void __wrap_chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body,
			 size_t size, const int *fds, unsigned n_fds);

void __wrap_job_start(struct job *j, int stdin_fd)
{
	buf_add(&world.args, j->args.data, j->args.size);
	if (stdin_fd >= 0)
		assert_int_equal(io_read_all(stdin_fd, &world.input, MIB), 0);
	world.net = j->net;
	buf_free(&j->args);
}

void __wrap_maintenance_start(struct image_role *role, const struct maintenance_what *what,
			      maintenance_done *done, void *arg)
{
	(void)role, (void)done;
	world.step = what->step;
	world.net = what->net;
	free(arg);
}

void __wrap_chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body,
			 size_t size, const int *fds, unsigned n_fds)
{
	const struct build_result *r = body;

	(void)c, (void)tag, (void)size, (void)fds, (void)n_fds;
	assert_int_equal(type, BUILD_BASE_DONE);
	snprintf(world.answer, sizeof(world.answer), "%s", r->text);
}

static int set_up(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	conf_defaults(&world.conf, "t1");
	world.role.conf = &world.conf;
	world.role.control = (void *)&world.answer; /* never looked at */
	strcpy(world.conf.insecure_registries, "127.0.0.1:5000, plain.example:80");
	world.conf.n_registries = 1;
	world.conf.registries[0] = (struct conf_registry){
		.host = "registry.example",
		.mirror = "127.0.0.1:5000",
		.user = "me",
		.password = "s3cret",
	};
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	buf_free(&world.args);
	buf_free(&world.input);
	return 0;
}

static bool has_text(const struct buf *b, const char *text)
{
	return memmem(b->data, b->size, text, strlen(text));
}

static void start(enum priv_net net)
{
	struct job j = { .role = &world.role };

	buf_clear(&world.args);
	buf_clear(&world.input);
	registries_start(&j, net);
}

static void test_a_password_goes_to_the_hosts_network_and_to_no_command_line(void **unused)
{
	(void)unused;
	start(PRIV_NET_HOST);
	assert_int_equal(world.net, PRIV_NET_HOST);
	assert_true(has_text(&world.input, "s3cret"));
	assert_true(has_text(&world.args, "--registries"));
	assert_false(has_text(&world.args, "s3cret"));
	start(PRIV_NET_SLOT);
	assert_int_equal(world.net, PRIV_NET_SLOT);
	assert_false(has_text(&world.input, "s3cret"));
	assert_false(has_text(&world.args, "s3cret"));
	assert_true(has_text(&world.input, "registry.example")); /* so that it is not asked there */
}

static void test_a_password_file_is_read_without_its_line_end(void **unused)
{
	static const struct {
		const char *holds, *password;
	} rows[] = { { "a b\n", "\"a b\"" }, { "x\r\n", "\"x\"" }, { "y", "\"y\"" } };
	struct conf_registry *r = &world.conf.registries[0];

	(void)unused;
	snprintf(r->password_file, sizeof(r->password_file), "/tmp/doze-test-registries-%d",
		 (int)getpid());
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FILE *file = fopen(r->password_file, "w");

		assert_non_null(file);
		fputs(rows[i].holds, file);
		fclose(file);
		start(PRIV_NET_HOST);
		assert_true(has_text(&world.input, rows[i].password));
		assert_false(has_text(&world.input, "s3cret"));
	}
	assert_int_equal(unlink(r->password_file), 0);
	start(PRIV_NET_HOST); /* asked without a login */
	assert_false(has_text(&world.input, "\"user\""));
}

static void test_never_asks_no_registry(void **unused)
{
	(void)unused;
	strcpy(world.conf.pull, "never");
	start(PRIV_NET_HOST);
	assert_false(has_text(&world.args, "--pull"));
}

static void pull(const char *name)
{
	struct ipc_msg m = { .head = { .type = BUILD_BASE_PULL, .tag = 7 } };
	struct build_base base = { 0 };

	world.step = NULL;
	world.answer[0] = '\0';
	snprintf(base.name, sizeof(base.name), "%s", name);
	memcpy(m.body, &base, sizeof(base));
	bases_pull(&world.role, &m);
}

static void
test_only_registries_of_the_configuration_are_asked_from_the_hosts_network(void **unused)
{
	static const struct {
		const char *name;
		enum priv_net net;
	} rows[] = {
		{ "registry.example/a", PRIV_NET_HOST },
		{ "Registry.Example/a", PRIV_NET_HOST },
		{ "127.0.0.1:5000/a", PRIV_NET_HOST },
		{ "plain.example:80/a", PRIV_NET_HOST },
		{ "127.0.0.1:5001/a", PRIV_NET_SLOT },
		{ "localhost:5000/a", PRIV_NET_SLOT },
		{ "registry.example:443/a", PRIV_NET_SLOT },
		{ "xregistry.example/a", PRIV_NET_SLOT },
		{ "node:22", PRIV_NET_SLOT },
		{ "10.0.0.1/a", PRIV_NET_SLOT },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pull(rows[i].name);
		assert_string_equal(world.step, "pull-base");
		if (world.net != rows[i].net)
			fail_msg("%s: %d", rows[i].name, (int)world.net);
	}
}

static void test_a_name_that_is_none_is_refused_with_its_part(void **unused)
{
	(void)unused;
	pull("example.com/Team/a");
	assert_null(world.step);
	assert_string_equal(world.answer,
			    "'example.com/Team/a' is no name of an image: the name 'Team/a' has a "
			    "capital letter, which only a registry or a tag may have.");
	strcpy(world.conf.pull, "never");
	pull("node:22");
	assert_null(world.step);
	assert_non_null(strstr(world.answer, "[build] pull = never"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_password_goes_to_the_hosts_network_and_to_no_command_line, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_a_password_file_is_read_without_its_line_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never_asks_no_registry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_only_registries_of_the_configuration_are_asked_from_the_hosts_network,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_name_that_is_none_is_refused_with_its_part,
						set_up, tear_down),
	};

	return cmocka_run_group_tests_name("image/registries", tests, NULL, NULL);
}
