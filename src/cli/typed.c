/* typed.c - sorts what was typed by the row of its command. */

#include <string.h>

#include "cli/cli.h"

const char *typed_option(const struct typed *t, const char *name)
{
	for (size_t i = 0; i < OPTIONS_MAX && t->command->options[i].name; i++)
		if (!strcmp(t->command->options[i].name, name))
			return t->values[i];
	assert(false); /* the command's row does not have this option */
	return NULL;
}

static int typed_usage(const struct command *cmd, const struct conf *conf)
{
	autofree char *usage = help_usage(cmd, conf);

	fprintf(stderr, "Usage: %s\n", usage);
	return USAGE;
}

/* Names the argument that is missing: in "IMAGE [VERSION]", IMAGE is number 0. */
static int typed_missing(const struct command *cmd, size_t i, const struct conf *conf)
{
	const char *word = cmd->arguments;

	for (; i; i--)
		word += strcspn(word, " ") + 1;
	say_text("%.*s is missing", (int)strcspn(word, " ."), word);
	return typed_usage(cmd, conf);
}

static int typed_check(const struct typed *t, const struct conf *conf)
{
	const struct command *cmd = t->command;

	if (t->words.n < cmd->least)
		return typed_missing(cmd, t->words.n, conf);
	if (t->words.n > cmd->most) {
		say_text("'%s' is one argument too many", t->words.at[cmd->most]);
		return typed_usage(cmd, conf);
	}
	for (size_t i = 0; i < OPTIONS_MAX && cmd->options[i].name; i++)
		if (cmd->options[i].required && !t->values[i]) {
			say_text("%s %s is missing", cmd->options[i].name,
				 cmd->options[i].argument);
			return typed_usage(cmd, conf);
		}
	return 0;
}

int typed_read(struct typed *t, const struct command *cmd, struct words w, const char **rest,
	       const struct conf *conf)
{
	struct option_def defs[2 * OPTIONS_MAX];
	bool flags[OPTIONS_MAX] = { false };
	size_t n = 0;

	*t = (struct typed){ .command = cmd, .words = w };
	for (size_t i = 0; i < OPTIONS_MAX && cmd->options[i].name; i++) {
		const struct option *o = &cmd->options[i];
		bool *flag = o->argument ? NULL : &flags[i];

		struct typed *many = o->many ? t : NULL;

		defs[n++] = (struct option_def){ o->name, &t->values[i], flag, many };
		if (o->letter)
			defs[n++] = (struct option_def){ o->letter, &t->values[i], flag, many };
	}
	if (words_options(&t->words, defs, n, rest))
		return typed_usage(cmd, conf);
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		if (flags[i])
			t->values[i] = "";
	return typed_check(t, conf);
}
