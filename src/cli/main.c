/* main.c - doze: finds the command that was typed and runs it. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/profile.h"
#include "cli/suggest.h"

/* The options that every command has. */
struct globals {
	const char *instance, *profile;
	bool json, help, version;
};

/* How many words of @w are the command's name ("image build" has two); 0: it is another command. */
static size_t command_matches(const struct command *cmd, struct words w)
{
	const char *space = strchr(cmd->name, ' ');
	size_t size = space ? (size_t)(space - cmd->name) : strlen(cmd->name);

	if (!w.n || strlen(w.at[0]) != size || strncmp(w.at[0], cmd->name, size) != 0)
		return 0;
	if (!space)
		return 1;
	return w.n > 1 && !strcmp(w.at[1], space + 1) ? 2 : 0;
}

static bool word_is(const char *word, const char *name, const char *letter)
{
	return !strcmp(word, name) || (letter && !strcmp(word, letter));
}

/* Takes the options that every command has out of *w.  -i and --profile count only before the
 * command: behind it, they are the command's. */
static int globals_take(struct globals *g, struct words *w, const char **kept)
{
	static const char equals[] = "--instance=", profile[] = "--profile=";
	size_t n = 0, i = 0;

	for (; i < w->n && strcmp(w->at[i], "--") != 0; i++) {
		const char *word = w->at[i];

		if (word_is(word, "--json", NULL)) {
			g->json = true;
		} else if (word_is(word, "--help", "-h")) {
			g->help = true;
		} else if (!n && word_is(word, "--version", NULL)) {
			g->version = true;
		} else if (!strncmp(word, equals, sizeof(equals) - 1)) {
			g->instance = word + sizeof(equals) - 1;
		} else if (!n && !strncmp(word, profile, sizeof(profile) - 1)) {
			g->profile = word + sizeof(profile) - 1;
		} else if (word_is(word, "--instance", n ? NULL : "-i") ||
			   (!n && word_is(word, "--profile", NULL))) {
			if (i + 1 == w->n)
				return say_text("%s needs a name", word), USAGE;
			*(word_is(word, "--profile", NULL) ? &g->profile : &g->instance) =
				w->at[++i];
		} else {
			kept[n++] = word;
		}
	}
	for (; i < w->n; i++)
		kept[n++] = w->at[i];
	*w = (struct words){ kept, n };
	return 0;
}

/* Points *c at the server that was chosen. */
static int command_connect(struct client *c, const struct command *cmd, const struct globals *g,
			   struct err *e)
{
	if (cmd->reach == REACH_NOTHING)
		return 0;
	if (*g->profile && cmd->reach == REACH_HOST)
		return err_set(e, ERR_INVALID,
			       "'doze %s' works on the server itself, without --profile and "
			       "$DOZE_PROFILE",
			       cmd->name);
	if (*g->profile)
		return profile_connect(c, g->profile, e);
	return cmd->reach == REACH_API ? client_open(c, g->instance, e)
				       : client_locate(c, g->instance, e);
}

static int command_run(const struct command *cmd, const struct globals *g, struct words w)
{
	const char **rest = xcalloc(w.n + 1, sizeof(*rest));
	struct client c = { .json = g->json };
	struct typed typed;
	struct conf conf;
	struct err e;
	int rc;

	conf_defaults(&conf, g->instance);
	rc = typed_read(&typed, cmd, w, rest, &conf);
	if (!rc && command_needs_root(cmd->name) && geteuid() != 0) {
		autofree char *as_root = command_text(&conf, cmd->name);

		rc = say_text("only root can do this: type '%s'", as_root);
	}
	if (!rc && command_connect(&c, cmd, g, &e)) {
		rc = say(&e);
	} else if (!rc) {
		conf_find_libexec(&c.conf, "libexec/doze");
		rc = cmd->run(&c, &typed);
		client_close(&c);
	}
	free(rest);
	return rc;
}

/* Tells whether the command is one of those that begin with @word, as those of "image" do. */
static bool family_includes(const struct command *cmd, const char *word)
{
	const char *space = strchr(cmd->name, ' ');

	return space && strlen(word) == (size_t)(space - cmd->name) &&
	       !strncmp(word, cmd->name, strlen(word));
}

static bool family_has(const char *word)
{
	for (size_t i = 0; i < n_commands; i++)
		if (family_includes(&commands[i], word))
			return true;
	return false;
}

static int family_print(const char *word)
{
	say_text("'%s' is followed by one of these:", word);
	for (size_t i = 0; i < n_commands; i++)
		if (family_includes(&commands[i], word))
			fprintf(stderr, "  %-13s  %s\n", commands[i].name, commands[i].summary);
	return USAGE;
}

static int command_dispatch(const struct globals *g, struct words w)
{
	struct conf conf;

	conf_defaults(&conf, g->instance);
	for (size_t i = 0; i < n_commands; i++) {
		size_t n = command_matches(&commands[i], w);

		if (!n)
			continue;
		if (!g->help)
			return command_run(&commands[i], g, (struct words){ w.at + n, w.n - n });
		help_one(stdout, &commands[i], &conf);
		return 0;
	}
	if (!w.n || !strcmp(w.at[0], "help") || (g->help && family_has(w.at[0]))) {
		bool asked = g->help || w.n;

		help_all(asked ? stdout : stderr, &conf);
		return asked ? 0 : USAGE;
	}
	if (family_has(w.at[0]))
		return family_print(w.at[0]);
	autofree char *help = command_text(&conf, "--help");
	say_text("there is no command '%s'; '%s' lists all", w.at[0], help);
	return USAGE;
}

int main(int argc, char **argv)
{
	const char *named = getenv("DOZE_INSTANCE"), *profile = getenv("DOZE_PROFILE");
	struct globals g = { .instance = named ? named : "", .profile = profile ? profile : "" };
	const char **kept = xcalloc((size_t)argc + 1, sizeof(*kept));
	struct words w = { (const char *const *)argv + 1, argc ? (size_t)argc - 1 : 0 };
	int rc = globals_take(&g, &w, kept);

	if (!rc && !conf_instance_valid(g.instance)) {
		say_text("'%s' cannot be the name of an instance: give up to 16 of a-z and 0-9",
			 g.instance);
		rc = USAGE;
	}
	if (!rc && g.version)
		puts("doze " DOZE_VERSION);
	else if (!rc)
		rc = command_dispatch(&g, w);
	free(kept);
	return rc;
}
