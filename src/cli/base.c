/* base.c - the commands for base images, and stats. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/cli.h"

int cmd_base_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "BASE", "name", NULL },
		{ "MIB", "sizeInBytes", cell_mib },
		{ "AGE", "createdAt", cell_age },
		{ "DIGEST", "digest", NULL },
	};

	(void)t;
	return list_show(c, "/doze/v1/bases", columns, ARRAY_SIZE(columns));
}

int cmd_base_import(struct client *c, const struct typed *t)
{
	const char *name = t->words.at[0], *file = t->words.at[1];
	autofree char *escaped = client_escape(name);
	autofree char *path = xasprintf("/doze/v1/bases/%s", escaped);
	autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);
	autobuf struct buf answer = { 0 };
	struct err e;

	if (fd < 0)
		return say_text("cannot open '%s': %s", file, strerror(errno));
	if (client_post_file(c, path, fd, &answer, &e))
		return say(&e);
	printf("%s  imported\n", name);
	return 0;
}

/* Each is asked for by itself; the first that fails ends the command. */
static int base_each(struct client *c, const struct typed *t, const char *method, const char *tail,
		     const char *done)
{
	for (size_t i = 0; i < t->words.n; i++) {
		autofree char *escaped = client_escape(t->words.at[i]);
		autofree char *path = xasprintf("/doze/v1/bases/%s%s", escaped, tail);
		json_t *answer;
		struct err e;

		answer = client_json(c, method, path, NULL, &e);
		if (!answer)
			return say(&e);
		json_decref(answer);
		printf("%s  %s\n", t->words.at[i], done);
	}
	return 0;
}

int cmd_base_rm(struct client *c, const struct typed *t)
{
	return base_each(c, t, "DELETE", "", "removed");
}

int cmd_base_pull(struct client *c, const struct typed *t)
{
	return base_each(c, t, "POST", "/pull", "pulled");
}

int cmd_stats(struct client *c, const struct typed *t)
{
	struct err e;
	json_t *answer;

	(void)t;
	answer = client_json(c, "GET", "/doze/v1/stats", NULL, &e);
	if (!answer)
		return say(&e);
	json_print(answer);
	json_decref(answer);
	return 0;
}
