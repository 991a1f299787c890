/* base.c - base images, and what the daemon is doing. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

int cmd_base_ls(struct client *c, struct words w)
{
	static const char *const head[] = { "BASE", "MIB", "AGE", "DIGEST" };
	double now = (double)clock_wall_ms() / 1000;
	struct err e;
	json_t *answer, *items, *base;
	char **cells;
	size_t i, n = 0;

	if (w.n)
		return say_text("base ls takes no words");
	answer = client_json(c, "GET", "/doze/v1/bases", NULL, &e);
	if (!answer)
		return say(&e);
	items = json_object_get(answer, "items");
	if (c->json) {
		json_print(items);
		json_decref(answer);
		return 0;
	}
	cells = xcalloc(json_array_size(items) * ARRAY_SIZE(head), sizeof(*cells));
	json_array_foreach(items, i, base)
	{
		cells[n++] = xstrdup(json_text(base, "name"));
		cells[n++] = xasprintf("%lld", (long long)json_integer_value(
						       json_object_get(base, "sizeInBytes")) /
						       (1 << 20));
		cells[n++] = text_age(json_number_value(json_object_get(base, "createdAt")), now);
		cells[n++] = xstrdup(json_text(base, "digest"));
	}
	table_print(head, ARRAY_SIZE(head), (const char *const *)cells, n / ARRAY_SIZE(head));
	for (i = 0; i < n; i++)
		free(cells[i]);
	free(cells);
	json_decref(answer);
	return 0;
}

int cmd_base_import(struct client *c, struct words w)
{
	autobuf struct buf answer = { 0 };
	autoclose int fd = -1;
	struct err e;

	if (w.n != 2)
		return say_text("base import takes a name and a tar of a root file system: doze "
				"base import "
				"example.com/base:1 base.tar");
	fd = open(w.at[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say_text("'%s' cannot be opened", w.at[1]);
	autofree char *name = client_escape(w.at[0]);
	autofree char *path = xasprintf("/doze/v1/bases/%s", name);
	if (client_post_file(c, path, fd, &answer, &e))
		return say(&e);
	printf("%s  imported\n", w.at[0]);
	return 0;
}

int cmd_stats(struct client *c, struct words w)
{
	struct err e;
	json_t *answer;

	if (w.n)
		return say_text("stats takes no words");
	answer = client_json(c, "GET", "/doze/v1/stats", NULL, &e);
	if (!answer)
		return say(&e);
	json_print(answer);
	json_decref(answer);
	return 0;
}
