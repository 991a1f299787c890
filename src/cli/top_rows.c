#include "cli/top_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static double top_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static const json_t *top_find(const json_t *answer, const char *list, const char *id)
{
	const json_t *each;
	size_t i;

	json_array_foreach(json_object_get(answer, list), i, each)
	{
		const char *name = json_string_value(json_object_get(each, "microvmId"));

		if (name && !strcmp(name, id))
			return each;
	}
	return NULL;
}

/* A number that went back began anew, with a machine or a daemon that is another one. */
static double top_rate(const json_t *before, const json_t *now, const char *name, double seconds)
{
	double was = before ? top_number(before, name) : 0, is = top_number(now, name);

	return seconds > 0 ? (is >= was ? is - was : is) / seconds : 0;
}

/* It is unknown how long a machine that was not there before has taken for what it used. */
static double top_cpu(const json_t *before, const json_t *now, double seconds)
{
	return before && now && top_number(now, "cpuNs") >= top_number(before, "cpuNs")
		       ? top_rate(before, now, "cpuNs", seconds) / 1e7
		       : 0;
}

static int top_compare(const void *a, const void *b)
{
	static const char *const by[] = { "requests", "cpuPercent", "memoryBytes" };
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;

	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		double x = top_number(one, by[i]), y = top_number(other, by[i]);

		if (x > y || x < y)
			return x < y ? 1 : -1;
	}
	return strcmp(json_string_value(json_object_get(one, "microvmId")),
		      json_string_value(json_object_get(other, "microvmId")));
}

static json_t *top_sorted(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **each = xcalloc(n + 1, sizeof(json_t *)), *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		each[i] = json_array_get(rows, i);
	qsort(each, n, sizeof(json_t *), top_compare);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, each[i]);
	free(each);
	json_decref(rows);
	return sorted;
}

json_t *top_rows(const json_t *before, const json_t *now, double seconds)
{
	json_t *rows = json_array(), *vm;
	size_t i;

	json_array_foreach(json_object_get(now, "endpoints"), i, vm)
	{
		const char *id = json_string_value(json_object_get(vm, "microvmId"));
		const json_t *was = id ? top_find(before, "endpoints", id) : NULL;
		const json_t *machine = id ? top_find(now, "machines", id) : NULL;

		if (!id)
			continue;
		json_array_append_new(
			rows, json_pack("{s:s,s:O?,s:O?,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "microvmId",
					id, "image", json_object_get(vm, "image"), "state",
					json_object_get(vm, "state"), "requests",
					top_rate(was, vm, "requests", seconds), "errors",
					top_rate(was, vm, "errors", seconds), "bytesIn",
					top_rate(was, vm, "bytesIn", seconds), "bytesOut",
					top_rate(was, vm, "bytesOut", seconds), "held",
					top_number(vm, "held"), "cpuPercent",
					top_cpu(top_find(before, "machines", id), machine, seconds),
					"memoryBytes",
					machine ? top_number(machine, "proportionalBytes") : 0));
	}
	return top_sorted(rows);
}

static void top_bytes(double bytes, char to[16])
{
	static const char units[] = " KMGT";
	size_t i = 0;

	for (; bytes >= 1000 && i < sizeof(units) - 2; i++)
		bytes /= 1024;
	if (i)
		snprintf(to, 16, "%.1f%c", bytes, units[i]);
	else
		snprintf(to, 16, "%.0f", bytes);
}

static void top_line(FILE *to, int columns, const char *text)
{
	fprintf(to, "%.*s\n", columns > 0 ? columns : (int)strlen(text), text);
}

static const char *top_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void top_row(FILE *to, const json_t *row, int columns)
{
	autofree char *text = NULL;
	char in[16], out[16], memory[16];

	top_bytes(top_number(row, "bytesIn"), in);
	top_bytes(top_number(row, "bytesOut"), out);
	top_bytes(top_number(row, "memoryBytes"), memory);
	text = xasprintf("%-44s %-16.16s %-11s %8.1f %7.1f %8s %8s %6.1f %8s",
			 top_text(row, "microvmId"), top_text(row, "image"), top_text(row, "state"),
			 top_number(row, "requests"), top_number(row, "errors"), in, out,
			 top_number(row, "cpuPercent"), memory);
	top_line(to, columns, text);
}

static void top_summary(FILE *to, const json_t *now, int columns)
{
	const json_t *host = json_object_get(now, "host"),
		     *states = json_object_get(now, "microvms");
	autobuf struct buf text = { 0 };
	const char *name;
	char free_text[16], all[16];
	json_t *n;

	top_bytes(top_number(host, "availableBytes"), free_text);
	top_bytes(top_number(host, "memoryBytes"), all);
	buf_addf(&text, "memory %s of %s available;", free_text, all);
	json_object_foreach((json_t *)(uintptr_t)states, name, n)
	{
		if (json_integer_value(n))
			buf_addf(&text, " %lld %s", (long long)json_integer_value(n), name);
	}
	top_line(to, columns, buf_str(&text));
}

void top_print(FILE *to, const json_t *now, const json_t *rows, int columns, int lines)
{
	autofree char *head =
		xasprintf("%-44s %-16s %-11s %8s %7s %8s %8s %6s %8s", "MICROVM", "IMAGE", "STATE",
			  "REQ/S", "ERR/S", "IN/S", "OUT/S", "CPU%", "MEMORY");
	const json_t *row;
	size_t i;

	top_summary(to, now, columns);
	top_line(to, columns, head);
	json_array_foreach(rows, i, row)
	{
		if (lines > 0 && (int)i + 2 >= lines)
			break;
		top_row(to, row, columns);
	}
}
