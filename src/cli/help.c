/* help.c - the help, printed from the table of commands. */

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/suggest.h"

#define HELP_COLUMNS 79
#define HELP_INDENT  30 /* where the meaning of an option starts */

/* Prints a text in lines of HELP_COLUMNS.  The cursor is at column @indent, where each line starts.
 */
static void help_fill(FILE *to, const char *text, int indent)
{
	int at = indent;

	while (*text) {
		int size = (int)strcspn(text, " ");

		if (at > indent && at + 1 + size > HELP_COLUMNS) {
			fprintf(to, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', to);
			at++;
		}
		fprintf(to, "%.*s", size, text);
		at += size;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void help_option(FILE *to, const struct option *o, const struct conf *conf)
{
	autofree char *text = help_text(conf, o->help);
	autofree char *name =
		xasprintf("  %s%s%s%s%s", o->letter ? o->letter : "    ", o->letter ? ", " : "",
			  o->name, o->argument ? " " : "", o->argument ? o->argument : "");

	if ((int)strlen(name) + 2 > HELP_INDENT)
		fprintf(to, "%s\n%*s", name, HELP_INDENT, "");
	else
		fprintf(to, "%-*s", HELP_INDENT, name);
	help_fill(to, text, HELP_INDENT);
}

void help_all(FILE *to, const struct conf *conf)
{
	autofree char *one = command_text(conf, "COMMAND --help");
	autofree char *more =
		xasprintf("'%s' explains a command, with examples. For a microVM or an image, the "
			  "first characters of its id or name are enough.",
			  one);

	fputs("Usage: doze [OPTION...] COMMAND [ARGUMENT...]\n\n"
	      "MicroVMs that sleep until you call.\n",
	      to);
	for (int group = 0; group < GROUP_NUM; group++) {
		fprintf(to, "\n%s:\n", group_names[group]);
		for (size_t i = 0; i < n_commands; i++)
			if ((int)commands[i].group == group)
				fprintf(to, "  %-13s  %s\n", commands[i].name, commands[i].summary);
	}
	fputs("\nOptions:\n", to);
	for (size_t i = 0; i < n_global_options; i++)
		help_option(to, &global_options[i], conf);
	fputc('\n', to);
	help_fill(to, more, 0);
}

char *help_usage(const struct command *cmd, const struct conf *conf)
{
	autobuf struct buf b = { 0 };
	bool optional = false;

	buf_adds(&b, cmd->name);
	for (const struct option *o = cmd->options; o < cmd->options + OPTIONS_MAX && o->name; o++)
		if (o->required)
			buf_addf(&b, " %s %s", o->name, o->argument);
		else
			optional = true;
	if (optional)
		buf_adds(&b, " [OPTION...]");
	if (*cmd->arguments)
		buf_addf(&b, " %s", cmd->arguments);
	return command_text(conf, buf_str(&b));
}

void help_one(FILE *to, const struct command *cmd, const struct conf *conf)
{
	autofree char *usage = help_usage(cmd, conf);

	fprintf(to, "Usage: %s\n\n%c%s.\n", usage, toupper((unsigned char)*cmd->summary),
		cmd->summary + 1);
	if (*cmd->help)
		help_fill(to, cmd->help, 0);
	if (cmd->options[0].name)
		fputs("\nOptions:\n", to);
	for (const struct option *o = cmd->options; o < cmd->options + OPTIONS_MAX && o->name; o++)
		help_option(to, o, conf);
	fputs("\nExamples:\n", to);
	for (const struct example *x = cmd->examples; x < cmd->examples + EXAMPLES_MAX && x->words;
	     x++) {
		autofree char *text = command_text(conf, x->words);

		fprintf(to, "  %s%s%s\n", x->before ? x->before : "", text,
			x->after ? x->after : "");
	}
}
