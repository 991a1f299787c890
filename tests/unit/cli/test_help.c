/* The help says what the table of commands says, and every command that it suggests reaches the
 * instance that was named. */

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/suggest.h"

static char text[65536];
static struct conf conf;

static void instance(const char *name)
{
	conf_defaults(&conf, name);
}

static void print_one(const struct command *cmd)
{
	FILE *to;

	memset(text, 0, sizeof(text));
	to = fmemopen(text, sizeof(text) - 1, "w");
	assert_non_null(to);
	if (cmd)
		help_one(to, cmd, &conf);
	else
		help_all(to, &conf);
	fclose(to);
}

static void test_the_help_lists_every_command_in_its_group_once(void **unused)
{
	(void)unused;
	instance("");
	print_one(NULL);
	for (size_t i = 0; i < n_commands; i++) {
		autofree char *line =
			xasprintf("\n  %-13s  %s\n", commands[i].name, commands[i].summary);
		const char *at = strstr(text, line);

		if (!at || strstr(at + 1, line))
			fail_msg("'%s' is not there once", commands[i].name);
	}
	for (int i = 0; i < GROUP_NUM; i++)
		assert_non_null(strstr(text, group_names[i]));
}

static void test_no_line_of_the_help_is_wider_than_a_terminal(void **unused)
{
	(void)unused;
	instance("");
	for (size_t i = 0; i <= n_commands; i++) {
		print_one(i < n_commands ? &commands[i] : NULL);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			if (strlen(line) > 79)
				fail_msg("too wide: %s", line);
	}
}

static void test_every_row_says_what_help_and_manual_need(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *cmd = &commands[i];

		assert_non_null(cmd->run);
		assert_non_null(cmd->help);
		assert_true(islower((unsigned char)*cmd->summary));
		assert_int_not_equal(cmd->summary[strlen(cmd->summary) - 1], '.');
		assert_non_null(cmd->examples[0].words);
		assert_true(cmd->least <= cmd->most);
		assert_int_equal(!*cmd->arguments, !cmd->most);
		for (size_t k = 0; k < OPTIONS_MAX && cmd->options[k].name; k++)
			assert_non_null(cmd->options[k].help);
	}
}

static void test_a_command_is_explained_with_its_options_and_examples(void **unused)
{
	(void)unused;
	instance("");
	for (size_t i = 0; i < n_commands; i++) {
		print_one(&commands[i]);
		for (size_t k = 0; k < OPTIONS_MAX && commands[i].options[k].name; k++)
			assert_non_null(strstr(text, commands[i].options[k].name));
		for (size_t k = 0; k < EXAMPLES_MAX && commands[i].examples[k].words; k++)
			assert_non_null(strstr(text, commands[i].examples[k].words));
	}
}

/* Each "doze" that is followed by a blank starts a command here, but for the usage of `doze`. */
static void test_every_command_that_is_suggested_names_its_instance(void **unused)
{
	(void)unused;
	instance("t1");
	for (size_t i = 0; i < n_commands; i++) {
		size_t n = 0;

		print_one(&commands[i]);
		for (char *at = text; (at = strstr(at, "doze ")); at++) {
			if (strncmp(at, "doze --instance t1 ", strlen("doze --instance t1 ")) != 0)
				fail_msg("%s: %.40s", commands[i].name, at);
			n++;
		}
		assert_true(n >= 2); /* the usage and an example */
	}
	print_one(NULL);
	assert_non_null(strstr(text, "'doze --instance t1 COMMAND --help'"));
}

static void test_the_help_of_up_names_the_configuration_of_its_instance(void **unused)
{
	(void)unused;
	assert_string_equal(commands[0].name, "up");
	instance("t1");
	print_one(&commands[0]);
	assert_non_null(strstr(text, "/etc/doze-t1/doze.ini"));
	assert_null(strstr(text, "/etc/doze/"));
	instance("");
	print_one(&commands[0]);
	assert_non_null(strstr(text, "/etc/doze/doze.ini"));
	for (size_t i = 0; i < n_commands; i++) {
		print_one(&commands[i]);
		assert_null(strstr(text, "{etc}"));
	}
}

static void test_sudo_stands_before_what_only_root_can_do(void **unused)
{
	static const struct {
		const char *words;
		bool root;
	} rows[] = {
		{ "up", true },  { "up --foreground", true }, { "down", true }, { "reload", true },
		{ "ls", false }, { "upside", false },
	};

	(void)unused;
	instance("t1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *said = command_text(&conf, rows[i].words);

		assert_int_equal(command_needs_root(rows[i].words), rows[i].root);
		assert_int_equal(!strncmp(said, "sudo ", 5), rows[i].root && geteuid() != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_help_lists_every_command_in_its_group_once),
		cmocka_unit_test(test_no_line_of_the_help_is_wider_than_a_terminal),
		cmocka_unit_test(test_every_row_says_what_help_and_manual_need),
		cmocka_unit_test(test_a_command_is_explained_with_its_options_and_examples),
		cmocka_unit_test(test_every_command_that_is_suggested_names_its_instance),
		cmocka_unit_test(test_the_help_of_up_names_the_configuration_of_its_instance),
		cmocka_unit_test(test_sudo_stands_before_what_only_root_can_do),
	};

	return cmocka_run_group_tests_name("cli/help", tests, NULL, NULL);
}
