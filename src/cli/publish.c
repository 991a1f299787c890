/* publish.c - ports of the host that lead to a microVM's ports. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/port_words.h"

#define PUBLISHED "/doze/v1/published"

static json_t *publish_sources(const struct typed *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_many; i++)
		json_array_append_new(list, json_string(t->many[i]));
	return list;
}

int cmd_publish(struct client *c, const struct typed *t)
{
	const char *listen = typed_option(t, "--listen");
	struct port_words port;
	struct err e;
	autofree char *id = NULL, *path = NULL;
	json_t *in, *made;

	if (port_words_read(t->words.at[1], &port, &e))
		return say(&e);
	id = name_microvm(c, t->words.at[0], &e);
	if (!id)
		return say(&e);
	in = json_pack("{sI ss so}", "port", (json_int_t)port.port, "protocol",
		       port.datagrams ? "udp" : "tcp", "from", publish_sources(t));
	if (listen)
		json_object_set_new(in, "listen", json_string(listen));
	path = xasprintf("/doze/v1/microvms/%s/published", id);
	made = client_json(c, "POST", path, in, &e);
	json_decref(in);
	if (!made)
		return say(&e);
	if (c->json)
		json_print(made);
	else
		port_words_print(
			json_text(made, "listen"),
			(uint16_t)json_integer_value(json_object_get(made, "publishedPort")), id,
			&port);
	json_decref(made);
	return 0;
}

static char *publish_cell_port(const json_t *port, double now_s)
{
	(void)now_s;
	return xasprintf("%lld", (long long)json_integer_value(port));
}

static char *publish_cell_from(const json_t *list, double now_s)
{
	autobuf struct buf text = { 0 };
	const json_t *one;
	size_t i;

	(void)now_s;
	json_array_foreach(list, i, one)
	{
		buf_addf(&text, "%s%s", i ? "," : "", json_string_value(one));
	}
	return xstrdup(text.size ? buf_str(&text) : "everywhere");
}

int cmd_publish_ls(struct client *c, const struct typed *t)
{
	static const struct column columns[] = {
		{ "PUBLISHED", "publishedPort", publish_cell_port },
		{ "LISTENS", "listen", NULL },
		{ "MICROVM", "microvmId", NULL },
		{ "PORT", "port", publish_cell_port },
		{ "PROTOCOL", "protocol", NULL },
		{ "FROM", "from", publish_cell_from },
		{ "AGE", "publishedAt", cell_age },
		{ "PROBLEM", "problem", NULL },
	};

	(void)t;
	return list_show(c, PUBLISHED, columns, ARRAY_SIZE(columns));
}

int cmd_unpublish(struct client *c, const struct typed *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->words.n; i++) {
		autofree char *escaped = client_escape(t->words.at[i]);
		autofree char *path = xasprintf(PUBLISHED "/%s", escaped);
		struct err e;
		json_t *done = client_json(c, "DELETE", path, NULL, &e);

		if (!done)
			rc = say(&e);
		json_decref(done);
	}
	return rc;
}
