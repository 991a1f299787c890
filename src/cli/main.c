/* main.c - doze: what a person types. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* clang-format off */
const struct command commands[] = {
	{ "up", "[--foreground] [--config FILE]", "start the daemon",
	  "Goes to the background once everything serves, or starts the systemd unit where systemd runs.\n"
	  "  sudo doze up\n  sudo doze up --foreground    # stay, log to the terminal\n", cmd_up, true },
	{ "down", "[--keep]", "suspend all microVMs and stop the daemon",
	  "  sudo doze down\n  sudo doze down --keep    # leave microVMs running; the next 'doze up' takes them over\n",
	  cmd_down, true },
	{ "env", "", "print variables that lead AWS clients here",
	  "  eval \"$(doze env)\"\n  aws lambda-microvms list-microvms\n", cmd_env, false },
	{ "image build", "DIR --name NAME [--memory MIB] [--env KEY=value] [--hooks LIST] [--hooks-port N]",
	  "make an image, or its next version, of a directory with a Dockerfile",
	  "Shows the build log while it happens. --memory is 512, 1024, 2048 (default), 4096 or 8192.\n"
	  "  doze image build examples/flask-hello --name hello --memory 512\n"
	  "  doze image build . --name counter --hooks ready,run,resume --hooks-port 9000\n", cmd_image_build, false },
	{ "image rebuild", "IMAGE [--version N]", "make an image's next version from the disk of an earlier one",
	  "Without its artifact, registry and container build, on the engine that new images get now: after a change of the host's\n"
	  "processor, KVM or QEMU. Takes the newest version that was made, or the named one.\n"
	  "  doze image rebuild hello\n  doze image rebuild hello --version 3.0\n", cmd_image_rebuild, false },
	{ "image ls", "", "list images", "  doze image ls\n  doze --json image ls\n", cmd_image_ls, false },
	{ "image log", "IMAGE [VERSION]", "show the build log of the newest, or of a version",
	  "  doze image log hello\n  doze image log hello 2.0\n", cmd_image_log, false },
	{ "image rm", "IMAGE", "delete an image with all its versions", "  doze image rm hello\n", cmd_image_rm, false },
	{ "run", "IMAGE [--idle S] [--suspended S] [--no-auto-resume] [--max-duration S] [--payload TEXT] [--version N]",
	  "start a microVM",
	  "Without --idle it never sleeps by itself. Prints its id, state and address.\n"
	  "  doze run hello\n  doze run hello --idle 60 --suspended 3600\n", cmd_run, false },
	{ "ls", "[--all]", "list microVMs", "  doze ls\n  doze ls --all    # also those that ended\n", cmd_ls, false },
	{ "get", "ID", "all that is known of a microVM", "  doze get a99\n", cmd_get, false },
	{ "curl", "ID /PATH [--port N] [-- CURL OPTIONS]", "send a request to a microVM, with a fresh token",
	  "The port is the image's only EXPOSEd one, else 8080. What follows -- goes to curl(1).\n"
	  "  doze curl a99 /\n  doze curl a99 /items --port 5000 -- -X POST -d '{\"n\":1}'\n", cmd_curl, false },
	{ "suspend", "ID...", "put microVMs to sleep: memory and disk kept, nothing used", "  doze suspend a99\n", cmd_suspend, false },
	{ "resume", "ID...", "wake microVMs", "  doze resume a99\n", cmd_resume, false },
	{ "rm", "ID...", "end microVMs", "  doze rm a99 b17\n", cmd_rm, false },
	{ "logs", "ID [-f]", "what a microVM wrote to stdout and stderr", "  doze logs a99 -f\n", cmd_logs, false },
	{ "base ls", "", "list base images", "  doze base ls\n", cmd_base_ls, false },
	{ "base import", "NAME FILE.tar", "make a base image of a root file system, for FROM NAME",
	  "  doze base import example.com/base:1 base.tar\n", cmd_base_import, false },
	{ "doctor", "", "look at the host: what doze finds there, and what would be better",
	  "One line for each check: ok, warn or bad. Exits with 1 if one is bad.\n  sudo doze doctor\n  doze --json doctor\n",
	  cmd_doctor, true },
	{ "stats", "", "machines, pool and memory, as JSON", "  doze stats\n", cmd_stats, false },
};
/* clang-format on */
const size_t n_commands = ARRAY_SIZE(commands);

static int help_all(FILE *to)
{
	fputs("doze - microVMs that sleep until you call\n\n"
	      "usage: doze [--instance NAME] [--json] COMMAND ...\n\n",
	      to);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(to, "  %-13s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'doze COMMAND --help' says more, with examples. A microVM or an image may be "
	      "named by the "
	      "begin of\nits name.\n",
	      to);
	return to == stderr;
}

static int help_one(const struct command *cmd)
{
	printf("usage: doze %s %s\n\n%s.\n%s", cmd->name, cmd->usage, cmd->summary, cmd->help);
	return 0;
}

/* "image build" is two words, "run" one: how many of @w the name takes, 0: it is not this command.
 */
static size_t command_matches(const struct command *cmd, struct words w)
{
	const char *space = strchr(cmd->name, ' ');

	if (!space)
		return w.n && !strcmp(w.at[0], cmd->name);
	return w.n >= 2 && strlen(w.at[0]) == (size_t)(space - cmd->name) &&
			       !strncmp(w.at[0], cmd->name, strlen(w.at[0])) &&
			       !strcmp(w.at[1], space + 1)
		       ? 2
		       : 0;
}

static bool asks_for_help(struct words w)
{
	for (size_t i = 0; i < w.n && strcmp(w.at[i], "--") != 0; i++)
		if (!strcmp(w.at[i], "--help") || !strcmp(w.at[i], "-h"))
			return true;
	return false;
}

static int command_run(const struct command *cmd, const char *instance, bool json, struct words w)
{
	struct client c = { .json = json };
	struct err e;
	int rc;

	if (cmd->local ? client_locate(&c, instance, &e) : client_open(&c, instance, &e))
		return say(&e);
	conf_find_libexec(&c.conf, "libexec/doze");
	rc = cmd->run(&c, w);
	client_close(&c);
	return rc;
}

/* Options before the command, and --json anywhere before "--". */
static int globals_take(struct words *w, const char **instance, bool *json, const char **kept)
{
	size_t n = 0;
	bool open = true;

	for (size_t i = 0; i < w->n; i++) {
		if (open && !strcmp(w->at[i], "--json")) {
			*json = true;
		} else if (open && !n &&
			   (!strcmp(w->at[i], "--instance") || !strcmp(w->at[i], "-i"))) {
			if (++i == w->n)
				return say_text("--instance needs a name");
			*instance = w->at[i];
		} else {
			open = open && strcmp(w->at[i], "--") != 0;
			kept[n++] = w->at[i];
		}
	}
	*w = (struct words){ kept, n };
	return 0;
}

int main(int argc, char **argv)
{
	const char *instance = getenv("DOZE_INSTANCE") ? getenv("DOZE_INSTANCE") : "";
	const char **kept = xcalloc((size_t)argc + 1, sizeof(*kept));
	struct words w = { (const char *const *)argv + 1, (size_t)argc - 1 };
	bool json = false;

	if (globals_take(&w, &instance, &json, kept))
		return 1;
	if (!w.n)
		return help_all(stderr);
	if (!strcmp(w.at[0], "--version")) {
		puts("doze " DOZE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < n_commands; i++) {
		size_t n = command_matches(&commands[i], w);
		struct words rest = { w.at + n, w.n - n };

		if (n)
			return asks_for_help(rest)
				       ? help_one(&commands[i])
				       : command_run(&commands[i], instance, json, rest);
	}
	if (!strcmp(w.at[0], "help") || asks_for_help(w))
		return help_all(stdout);
	return say_text("there is no command '%s'; 'doze --help' lists them", w.at[0]);
}
