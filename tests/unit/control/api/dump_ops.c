/* Prints the operations' tables as JSON, for tests/integration/test_model.py; with an argument
 * those of CloudWatch Logs, for test_logs.py. */

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "control/api/ops.h"

static json_t *dump_shape(const struct shape *shape);

static json_t *dump_members(const struct member *m)
{
	static const char *const places[] = { "body", "path", "query" };
	json_t *all = json_object();

	for (; m->name; m++)
		json_object_set_new(all, m->name,
				    json_pack("{s:b,s:s,s:o}", "required", m->required, "place",
					      places[m->place], "shape", dump_shape(m->shape)));
	return all;
}

static json_t *dump_shape(const struct shape *shape)
{
	static const char *const kinds[] = { "string",    "integer", "boolean",
					     "structure", "list",    "map" };
	json_t *o = json_pack("{s:s,s:b,s:b}", "kind", kinds[shape->kind], "sensitive",
			      shape->sensitive, "union", shape->one_of);

	if (shape->max != NO_MAX)
		json_object_set_new(o, "max", json_integer(shape->max));
	if (shape->min != NO_MIN)
		json_object_set_new(o, "min", json_integer(shape->min));
	if (shape->pattern)
		json_object_set_new(o, "pattern", json_string(shape->pattern->text));
	if (shape->values) {
		json_t *values = json_array();

		for (size_t i = 0; shape->values[i]; i++)
			json_array_append_new(values, json_string(shape->values[i]));
		json_object_set_new(o, "enum", values);
	}
	if (shape->members)
		json_object_set_new(o, "members", dump_members(shape->members));
	if (shape->of)
		json_object_set_new(o, "of", dump_shape(shape->of));
	if (shape->key)
		json_object_set_new(o, "key", dump_shape(shape->key));
	return o;
}

static void dump_table(json_t *all, const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_object_set_new(all, ops[i].name,
				    json_pack("{s:s,s:s,s:i,s:o}", "method", ops[i].method, "path",
					      ops[i].path, "status", (int)ops[i].status, "members",
					      dump_members(ops[i].members)));
}

int main(int argc, char **argv)
{
	json_t *all = json_object();

	(void)argv;
	if (argc > 1)
		dump_table(all, logs_ops, logs_ops_count);
	for (const struct op_table *t = op_tables; argc == 1 && t->n; t++)
		dump_table(all, t->ops, t->n);
	json_dumpf(all, stdout, JSON_INDENT(1));
	json_decref(all);
	return 0;
}
