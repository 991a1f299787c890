/* list_show.c - what the commands that list have in common. */

#include "cli/cli.h"

int list_show(struct client *c, const char *path, const struct column *columns, size_t n_columns)
{
	struct err e;
	json_t *answer = client_json(c, "GET", path, NULL, &e);

	if (!answer)
		return say(&e);
	list_print(c, json_object_get(answer, "items"), columns, n_columns);
	json_decref(answer);
	return 0;
}
