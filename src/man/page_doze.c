/* page_doze.c - doze(1), from the table of commands. */

#include <string.h>

#include "cli/cli.h"
#include "cli/suggest.h"
#include "man/man.h"

static void option(FILE *to, const struct option *o)
{
	mdoc_option(to, o->letter ? o->letter[1] : '\0', o->name + 2, o->argument);
}

static void option_list(FILE *to, const struct option *options, size_t n)
{
	struct conf conf;

	conf_defaults(&conf, "");
	fputs(".Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < n; i++) {
		autofree char *text = help_text(&conf, options[i].help);

		fputs(".It", to);
		option(to, &options[i]);
		fputc('\n', to);
		mdoc_text(to, text);
	}
	fputs(".El\n", to);
}

static void command(FILE *to, const struct command *cmd)
{
	size_t n = 0;

	fputs(".It Ic", to);
	mdoc_word(to, cmd->name);
	for (; n < OPTIONS_MAX && cmd->options[n].name; n++) {
		fputs(cmd->options[n].required ? "" : " Oo", to);
		option(to, &cmd->options[n]);
		fputs(cmd->options[n].required ? "" : " Oc", to);
	}
	if (*cmd->arguments) {
		fputs(" Ar", to);
		mdoc_word(to, cmd->arguments);
	}
	fputc('\n', to);
	mdoc_text(to, cmd->summary);
	if (*cmd->help)
		mdoc_text(to, cmd->help);
	if (n)
		option_list(to, cmd->options, n);
}

static void command_list(FILE *to)
{
	fputs(".Sh COMMANDS\n", to);
	mdoc_text(to, "For an ID or an IMAGE, the first characters of a microVM's id or an image's "
		      "name are enough, as long as only one starts with them.");
	for (int group = 0; group < GROUP_NUM; group++) {
		fprintf(to, ".Ss %s\n.Bl -tag -width Ds\n", group_names[group]);
		for (size_t i = 0; i < n_commands; i++)
			if ((int)commands[i].group == group)
				command(to, &commands[i]);
		fputs(".El\n", to);
	}
}

static void example_list(FILE *to)
{
	fputs(".Sh EXAMPLES\n.Bd -literal\n", to);
	for (size_t i = 0; i < n_commands; i++)
		for (size_t k = 0; k < EXAMPLES_MAX && commands[i].examples[k].words; k++) {
			const struct example *x = &commands[i].examples[k];
			autofree char *text = xasprintf("%s%sdoze %s%s", x->before ? x->before : "",
							command_needs_root(x->words) ? "sudo " : "",
							x->words, x->after ? x->after : "");

			mdoc_line(to, text);
		}
	fputs(".Ed\n", to);
}

void page_doze(FILE *to)
{
	static const struct mdoc_term environment[] = {
		{ "Ev", "DOZE_INSTANCE",
		  "The instance to use where --instance does not name one." },
		{ "Ev", "XDG_CACHE_HOME",
		  "The command env keeps its bundle of certificates below it (default: "
		  "~/.cache)." },
	};
	static const struct mdoc_term files[] = {
		{ "Pa", "/etc/doze/doze.ini", "The configuration. See doze.ini(5)." },
		{ "Pa", "/var/lib/doze/client-credentials", "Root's key pair for the API." },
		{ "Pa", "~/.config/doze/credentials", "A user's copy of it." },
		{ "Pa", "/var/lib/doze/ca.crt",
		  "The certificate of the authority that signs what doze serves." },
	};
	static const struct mdoc_term status[] = {
		{ NULL, "0", "The command did what it says." },
		{ NULL, "1", "It failed, and the reason is on standard error." },
		{ NULL, "2", "It was typed wrongly." },
	};

	mdoc_begin(to, "DOZE", 1, "doze", "microVMs that sleep until you call");
	fputs(".Sh SYNOPSIS\n.Nm\n.Op Fl i Ar NAME\n.Op Fl -json\n.Ar command\n.Op Ar argument "
	      "...\n"
	      ".Sh DESCRIPTION\n.Nm\n",
	      to);
	mdoc_line(
		to,
		"starts and stops the daemon dozed(8), builds images, and runs microVMs of them.");
	mdoc_text(to,
		  "An instance is a separate doze with places, ports and microVMs of its own. The "
		  "files of the instance NAME are in directories that end in -NAME.");
	fputs(".Pp\n", to);
	mdoc_text(to, "These options stand before the command or after it:");
	option_list(to, global_options, n_global_options);
	command_list(to);
	fputs(".Sh ENVIRONMENT\n", to);
	mdoc_terms(to, environment, ARRAY_SIZE(environment));
	fputs(".Sh FILES\n", to);
	mdoc_terms(to, files, ARRAY_SIZE(files));
	fputs(".Sh EXIT STATUS\n", to);
	mdoc_terms(to, status, ARRAY_SIZE(status));
	example_list(to);
	fputs(".Sh SEE ALSO\n.Xr curl 1 ,\n.Xr doze.ini 5 ,\n.Xr dozed 8\n", to);
}
