#include <stdio.h>
#include <string.h>

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

void json_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
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
