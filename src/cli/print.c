/* print.c - prints tables, JSON and ages. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"

#define TABLE_COLUMNS 12

static void row_print(const char *const *cells, const size_t *widths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i + 1 == n)
			printf("%s\n", cells[i]); /* no blanks at the end of a line */
		else
			printf("%-*s  ", (int)widths[i], cells[i]);
	}
}

void table_print(const char *const *head, size_t n_columns, const char *const *cells, size_t n_rows)
{
	size_t widths[TABLE_COLUMNS];

	assert(n_columns <= TABLE_COLUMNS);
	for (size_t c = 0; c < n_columns; c++) {
		widths[c] = strlen(head[c]);
		for (size_t r = 0; r < n_rows; r++)
			if (strlen(cells[r * n_columns + c]) > widths[c])
				widths[c] = strlen(cells[r * n_columns + c]);
	}
	row_print(head, widths, n_columns);
	for (size_t r = 0; r < n_rows; r++)
		row_print(cells + r * n_columns, widths, n_columns);
}

#define JSON_TIME_DIGITS 13 /* seconds since 1970 with milliseconds, as the API prints them */

void json_print(const json_t *value)
{
	json_dumpf(value, stdout,
		   JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(JSON_TIME_DIGITS));
	putchar('\n');
}

char *text_age(double epoch_s, double now_s)
{
	double age = now_s - epoch_s;

	if (epoch_s <= 0)
		return xstrdup("-");
	if (age < 120)
		return xasprintf("%.0f s", age < 0 ? 0 : age);
	if (age < 7200)
		return xasprintf("%.0f min", age / 60);
	return age < 172800 ? xasprintf("%.0f h", age / 3600) : xasprintf("%.0f d", age / 86400);
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

char *cell_age(const json_t *value, double now_s)
{
	return text_age(json_number_value(value), now_s);
}

char *cell_mib(const json_t *value, double now_s)
{
	(void)now_s;
	return xasprintf("%lld", (long long)json_integer_value(value) / (1 << 20));
}

char *cell_arn_name(const json_t *value, double now_s)
{
	const char *arn = json_string_value(value);
	const char *colon = arn ? strrchr(arn, ':') : NULL;

	(void)now_s;
	return xstrdup(colon ? colon + 1 : arn ? arn : "-");
}

static char *cell_text(const json_t *value, double now_s)
{
	const char *text = json_string_value(value);

	(void)now_s;
	return xstrdup(text ? text : "-");
}

void list_print(const struct client *c, const json_t *items, const struct column *columns,
		size_t n_columns)
{
	double now = (double)clock_wall_ms() / 1000;
	const char *head[TABLE_COLUMNS];
	char **cells;
	json_t *item;
	size_t i, n = 0;

	if (c->json) {
		json_print(items);
		return;
	}
	assert(n_columns <= TABLE_COLUMNS);
	for (i = 0; i < n_columns; i++)
		head[i] = columns[i].head;
	cells = xcalloc(json_array_size(items) * n_columns + 1, sizeof(*cells));
	json_array_foreach(items, i, item)
	{
		for (size_t k = 0; k < n_columns; k++) {
			const json_t *value = json_object_get(item, columns[k].key);

			cells[n++] = (columns[k].cell ? columns[k].cell : cell_text)(value, now);
		}
	}
	table_print(head, n_columns, (const char *const *)cells, n / n_columns);
	for (i = 0; i < n; i++)
		free(cells[i]);
	free(cells);
}
