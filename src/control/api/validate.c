/* validate.c - decoding and checking in one walk over the table. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/shape.h"
#include "control/api/validate.h"

#define VALUE_SHOWN 1024 /* bytes of a value that a message repeats */

struct walk {
	struct buf *why;
	size_t violations;
	bool unreadable;
	bool camel; /* paths begin their members with small letters, whatever the member has */
};

static json_t *walk_value(struct walk *w, const struct shape *shape, json_t *value,
			  const char *path);

static json_t *walk_unreadable(struct walk *w, const char *message)
{
	if (!w->unreadable) {
		buf_clear(w->why);
		buf_adds(w->why, message);
	}
	w->unreadable = true;
	return NULL;
}

static void walk_violation(struct walk *w, const struct shape *shape, const json_t *value,
			   const char *path, const char *words)
{
	autobuf struct buf shown = { 0 };

	if (w->unreadable)
		return;
	if (w->violations++)
		buf_adds(w->why, "; ");
	if (!value) {
		buf_addf(w->why, "Value null at '%s'", path);
	} else if (shape->sensitive) {
		buf_addf(w->why, "Value at '%s'", path);
	} else {
		shape_show(&shown, value);
		if (shown.size > VALUE_SHOWN) {
			shown.size = VALUE_SHOWN;
			while ((shown.data[shown.size] & 0xc0) == 0x80)
				shown.size--; /* a character is not cut in two */
			buf_adds(&shown, "...");
		}
		buf_addf(w->why, "Value '%s' at '%s'", buf_str(&shown), path);
	}
	buf_addf(w->why, " failed to satisfy constraint: %s", words);
}

struct violation {
	struct walk *w;
	const struct shape *shape;
	const json_t *value;
	const char *path;
};

static void violation_phrase(void *arg, const char *words)
{
	const struct violation *v = arg;

	walk_violation(v->w, v->shape, v->value, v->path, words);
}

static void join_phrase(void *arg, const char *words)
{
	struct buf *list = arg;

	buf_addf(list, "%s%s", list->size ? ", " : "", words);
}

/* Where a member is, as messages have it; @above is NULL for one of the request itself. */
static char *walk_path(const struct walk *w, const char *above, const char *member)
{
	char *path = above ? xasprintf("%s.%s", above, member) : xstrdup(member);
	char *first = path + strlen(path) - strlen(member);

	if (w->camel && *first >= 'A' && *first <= 'Z')
		*first |= 0x20;
	return path;
}

/* All wrong elements make one violation, which says what each must be. */
static void walk_elements(struct walk *w, const struct shape *shape, const json_t *value,
			  const char *path, const char *what, const struct shape *of)
{
	autobuf struct buf all = { 0 }, words = { 0 };

	shape_phrases(of, NULL, &all, join_phrase);
	buf_addf(&words, "%s must satisfy constraint: [%s]", what, buf_str(&all));
	walk_violation(w, shape, value, path, buf_str(&words));
}

static void walk_size(struct walk *w, const struct shape *shape, const json_t *value,
		      const char *path, size_t size)
{
	char words[96];

	if (shape->max != NO_MAX && (int64_t)size > shape->max) {
		snprintf(words, sizeof(words), "Member must have length less than or equal to %lld",
			 (long long)shape->max);
		walk_violation(w, shape, value, path, words);
	}
	if ((int64_t)size < shape->min) {
		snprintf(words, sizeof(words),
			 "Member must have length greater than or equal to %lld",
			 (long long)shape->min);
		walk_violation(w, shape, value, path, words);
	}
}

static json_t *walk_string(struct walk *w, const struct shape *shape, json_t *value,
			   const char *path)
{
	struct violation v = { w, shape, value, path };

	if (!json_is_string(value))
		return walk_unreadable(w, json_is_number(value)
						  ? "NUMBER_VALUE can not be converted to a String"
						  : "Expected a string");
	shape_phrases(shape, json_string_value(value), &v, violation_phrase);
	return json_incref(value);
}

static json_t *walk_integer(struct walk *w, const struct shape *shape, json_t *value,
			    const char *path)
{
	char words[96];
	json_int_t n;

	if (json_is_real(value) && json_real_value(value) >= -1e15 &&
	    json_real_value(value) <= 1e15 &&
	    (double)(json_int_t)json_real_value(value) == json_real_value(value))
		n = (json_int_t)json_real_value(value);
	else if (json_is_integer(value))
		n = json_integer_value(value);
	else
		return walk_unreadable(
			w, json_is_string(value) ? "STRING_VALUE can not be converted to an Integer"
						 : "Expected an integer");
	if (shape->max != NO_MAX && n > shape->max) {
		snprintf(words, sizeof(words), "Member must have value less than or equal to %lld",
			 (long long)shape->max);
		walk_violation(w, shape, value, path, words);
	}
	if (shape->min != NO_MIN && n < shape->min) {
		snprintf(words, sizeof(words),
			 "Member must have value greater than or equal to %lld",
			 (long long)shape->min);
		walk_violation(w, shape, value, path, words);
	}
	return json_integer(n);
}

static json_t *walk_boolean(struct walk *w, const struct shape *shape, json_t *value,
			    const char *path)
{
	(void)shape;
	(void)path;
	if (!json_is_boolean(value))
		return walk_unreadable(w, "Expected a boolean");
	return json_incref(value);
}

static json_t *walk_list(struct walk *w, const struct shape *shape, json_t *value, const char *path)
{
	bool scalar = shape->of->kind == KIND_STRING, wrong = false;
	json_t *out, *item;
	size_t i;

	if (!json_is_array(value))
		return walk_unreadable(w, "Expected list or null");
	out = json_array();
	walk_size(w, shape, value, path, json_array_size(value));
	json_array_foreach(value, i, item)
	{
		autofree char *at = xasprintf("%s.%zu.member", path, i + 1);
		json_t *element;

		if (scalar && json_is_string(item)) {
			wrong |= !shape_allows(shape->of, json_string_value(item));
			element = json_incref(item);
		} else {
			element = walk_value(w, shape->of, item, at);
		}
		if (!element || json_array_append_new(out, element)) {
			json_decref(out);
			return NULL;
		}
	}
	if (wrong)
		walk_elements(w, shape, value, path, "Member", shape->of);
	return out;
}

static json_t *walk_map(struct walk *w, const struct shape *shape, json_t *value, const char *path)
{
	bool keys = false, values = false;
	const char *key;
	json_t *item;

	if (!json_is_object(value))
		return walk_unreadable(w, "Expected null");
	walk_size(w, shape, value, path, json_object_size(value));
	json_object_foreach(value, key, item)
	{
		if (!json_is_string(item))
			return walk_unreadable(w, "Expected a string");
		keys |= !shape_allows(shape->key, key);
		values |= !shape_allows(shape->of, json_string_value(item));
	}
	if (keys)
		walk_elements(w, shape, value, path, "Map keys", shape->key);
	if (values)
		walk_elements(w, shape, value, path, "Map value", shape->of);
	return json_copy(value);
}

static json_t *walk_struct(struct walk *w, const struct shape *shape, json_t *value,
			   const char *path)
{
	json_t *out;
	size_t n = 0;

	if (!json_is_object(value))
		return walk_unreadable(w, "Expected null");
	out = json_object();
	for (const struct member *m = shape->members; m->name; m++) {
		autofree char *at = walk_path(w, path, m->name);
		json_t *item = json_object_get(value, m->name), *member;

		if (!item || json_is_null(item)) {
			if (m->required)
				walk_violation(w, m->shape, NULL, at, "Member must not be null");
			continue;
		}
		member = walk_value(w, m->shape, item, at);
		if (!member) {
			json_decref(out);
			return NULL;
		}
		json_object_set_new(out, m->name, member);
		n++;
	}
	if (shape->one_of && n != 1)
		walk_violation(w, shape, value, path, "Member must have exactly one member set");
	return out;
}

/* Returns a copy that holds only what the table knows, or NULL if a type is wrong. */
static json_t *walk_value(struct walk *w, const struct shape *shape, json_t *value,
			  const char *path)
{
	static json_t *(*const walks[])(struct walk *, const struct shape *, json_t *,
					const char *) = {
		[KIND_STRING] = walk_string,   [KIND_INTEGER] = walk_integer,
		[KIND_BOOLEAN] = walk_boolean, [KIND_STRUCT] = walk_struct,
		[KIND_LIST] = walk_list,       [KIND_MAP] = walk_map,
	};

	return walks[shape->kind](w, shape, value, path);
}

/* Returns the values of one name of the query in the form that the shape asks for, or NULL if the
 * query does not have it. */
static json_t *query_value(struct walk *w, const struct member *m, const char *query)
{
	json_t *list = json_array(), *value = NULL;

	while (query && *query) {
		size_t size = strcspn(query, "&"), name = 0;
		autofree char *key = NULL, *text = NULL;

		while (name < size && query[name] != '=')
			name++;
		key = op_unescape(query, name, true);
		if (key && !strcmp(key, m->name)) {
			name += name < size;
			text = op_unescape(query + name, size - name, true);
			if (!text || json_array_append_new(list, json_string(text)))
				walk_unreadable(w, "The query string is not valid");
		}
		query += size + (query[size] == '&');
	}
	if (m->shape->kind == KIND_LIST && json_array_size(list))
		return list;
	value = json_incref(json_array_get(list, 0));
	json_decref(list);
	if (value && m->shape->kind == KIND_INTEGER) {
		const char *text = json_string_value(value);
		char *end;
		long long n;

		errno = 0;
		n = strtoll(text, &end, 10);
		if (errno || end == text || *end)
			walk_unreadable(w, "STRING_VALUE can not be converted to an Integer");
		json_decref(value);
		value = json_integer(n);
	}
	return value;
}

static json_t *path_value(struct walk *w, const struct member *m, const struct op_segments *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (strlen(m->name) == s->name_size[i] &&
		    !memcmp(m->name, s->name[i], s->name_size[i])) {
			json_t *value = json_string(s->value[i]);

			return value ? value : walk_unreadable(w, "The path is not valid UTF-8");
		}
	return NULL;
}

static json_t *body_parse(struct walk *w, const struct op *op, const void *body, size_t size)
{
	bool wanted = false;
	json_error_t error;
	json_t *value;

	for (const struct member *m = op->members; m->name; m++)
		wanted |= m->place == IN_BODY;
	if (!wanted || !size)
		return json_object();
	value = json_loadb(body, size, 0, &error);
	if (!value)
		return walk_unreadable(w, "Could not parse request body into json");
	if (!json_is_object(value)) {
		json_decref(value);
		return walk_unreadable(w, "Expected null");
	}
	return value;
}

static void walk_member(struct walk *w, const struct member *m, json_t *value, json_t *out)
{
	autofree char *path = walk_path(w, NULL, m->name);
	json_t *checked;

	if (!value || json_is_null(value)) {
		if (m->required)
			walk_violation(w, m->shape, NULL, path, "Member must not be null");
		return;
	}
	checked = walk_value(w, m->shape, value, path);
	if (checked)
		json_object_set_new(out, m->name, checked);
}

static void walk_finish(struct walk *w)
{
	autobuf struct buf all = { 0 };

	buf_addf(&all, "%zu validation error%s detected: ", w->violations,
		 w->violations == 1 ? "" : "s");
	buf_add(&all, w->why->data, w->why->size);
	buf_clear(w->why);
	buf_add(w->why, all.data, all.size);
}

enum decoded op_decode(const struct op_request *r, json_t **in, struct buf *why)
{
	struct walk w = { .why = why, .camel = r->op->family == FAMILY_CORE };
	json_t *from = body_parse(&w, r->op, r->body, r->size), *out = json_object();

	for (const struct member *m = r->op->members; from && !w.unreadable && m->name; m++) {
		json_t *value = m->place == IN_PATH ? path_value(&w, m, r->segments)
				: m->place == IN_QUERY
					? query_value(&w, m, r->query)
					: json_incref(json_object_get(from, m->name));

		if (!w.unreadable)
			walk_member(&w, m, value, out);
		json_decref(value);
	}
	json_decref(from);
	if (!w.unreadable && !w.violations) {
		*in = out;
		return DECODED;
	}
	json_decref(out);
	if (w.unreadable)
		return DECODED_UNREADABLE;
	walk_finish(&w);
	return DECODED_INVALID;
}
