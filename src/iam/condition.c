/* condition.c - the operators of conditions as a table: how a value of the policy is read, and how
 * one of the request is held against it. */

#include "iam/condition.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CONDITION_MAX_OPERANDS 1000

enum order { ORDER_EQUAL, ORDER_LESS, ORDER_LESS_EQUAL, ORDER_GREATER, ORDER_GREATER_EQUAL };

struct condition_kind {
	bool globs; /* its operands are patterns */
	enum glob_kind glob;
	bool (*read)(const char *text, union operand *to);
	bool (*match)(const struct condition_operator *op, const union operand *operand,
		      const char *value, const struct iam_query *q);
	const char *what; /* it reads */
};

struct condition_operator {
	const char *name;
	const struct condition_kind *kind;
	bool negated;
	enum order order;
};

static bool order_holds(enum order order, int compared)
{
	switch (order) {
	case ORDER_EQUAL:
		return compared == 0;
	case ORDER_LESS:
		return compared < 0;
	case ORDER_LESS_EQUAL:
		return compared <= 0;
	case ORDER_GREATER:
		return compared > 0;
	case ORDER_GREATER_EQUAL:
		return compared >= 0;
	}
	return false;
}

static bool glob_operand_match(const struct condition_operator *op, const union operand *operand,
			       const char *value, const struct iam_query *q)
{
	(void)op;
	return glob_match(&operand->glob, value, q);
}

static bool number_of(const char *text, double *to)
{
	char *end;

	if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
		return false;
	*to = strtod(text, &end);
	return !*end && isfinite(*to);
}

static bool number_read(const char *text, union operand *to)
{
	return number_of(text, &to->number);
}

static bool number_match(const struct condition_operator *op, const union operand *operand,
			 const char *value, const struct iam_query *q)
{
	double given;

	(void)q;
	return number_of(value, &given) &&
	       order_holds(op->order, (given > operand->number) - (given < operand->number));
}

/* Behind the date: nothing, or "T08:00", ":00", ".5", and "Z" or "+01:00". */
static bool time_read_clock(const char *text, struct tm *tm, long *offset_s)
{
	int used = 0, hours = 0, minutes = 0;

	*offset_s = 0;
	if (!*text)
		return true;
	if (sscanf(text, "T%2d:%2d%n", &tm->tm_hour, &tm->tm_min, &used) != 2)
		return false;
	text += used;
	if (*text == ':') {
		if (sscanf(text, ":%2d%n", &tm->tm_sec, &used) != 1)
			return false;
		text += used;
	}
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (!strcmp(text, "Z"))
		return true;
	if ((*text != '+' && *text != '-') ||
	    sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || text[1 + used])
		return false;
	*offset_s = (hours * 60L + minutes) * 60 * (*text == '-' ? -1 : 1);
	return true;
}

bool condition_read_time(const char *text, int64_t *at_ms)
{
	struct tm tm = { 0 };
	double seconds;
	long offset_s;
	int used = 0;

	if (number_of(text, &seconds) && !strchr(text + 1, '-') && fabs(seconds) < 1e12) {
		*at_ms = (int64_t)(seconds * 1000);
		return true;
	}
	if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 ||
	    tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    !time_read_clock(text + used, &tm, &offset_s))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*at_ms = ((int64_t)timegm(&tm) - offset_s) * 1000;
	return true;
}

static bool time_read(const char *text, union operand *to)
{
	return condition_read_time(text, &to->at_ms);
}

static bool time_match(const struct condition_operator *op, const union operand *operand,
		       const char *value, const struct iam_query *q)
{
	int64_t at_ms;

	(void)q;
	return condition_read_time(value, &at_ms) &&
	       order_holds(op->order, (at_ms > operand->at_ms) - (at_ms < operand->at_ms));
}

static bool truth_of(const char *text, bool *to)
{
	*to = !strcasecmp(text, "true");
	return *to || !strcasecmp(text, "false");
}

static bool truth_read(const char *text, union operand *to)
{
	return truth_of(text, &to->truth);
}

static bool truth_match(const struct condition_operator *op, const union operand *operand,
			const char *value, const struct iam_query *q)
{
	bool given;

	(void)op, (void)q;
	return truth_of(value, &given) && given == operand->truth;
}

static bool range_read(const char *text, union operand *to)
{
	return cidr_read(text, &to->range);
}

static bool range_match(const struct condition_operator *op, const union operand *operand,
			const char *value, const struct iam_query *q)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	(void)op, (void)q;
	if (inet_pton(AF_INET, value, &v4->sin_addr) == 1)
		v4->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, value, &v6->sin6_addr) == 1)
		v6->sin6_family = AF_INET6;
	else
		return false;
	return cidr_has(&operand->range, &address);
}

/* clang-format off */
#define GLOBS(kind) { true, kind, NULL, glob_operand_match, "a text" }
static const struct condition_kind text = GLOBS(GLOB_TEXT), like = GLOBS(GLOB_LIKE), fold = GLOBS(GLOB_FOLD), arn = GLOBS(GLOB_ARN),
	number = { false, 0, number_read, number_match, "a number" },
	date = { false, 0, time_read, time_match, "a time, as 2026-12-01T08:00:00Z" },
	truth = { false, 0, truth_read, truth_match, "true or false" },
	range = { false, 0, range_read, range_match, "a range of addresses, as 10.0.0.0/8" },
	null = { false, 0, truth_read, NULL, "true or false" };

static const struct condition_operator operators[] = {
	{ "StringEquals", &text, false, ORDER_EQUAL },
	{ "StringNotEquals", &text, true, ORDER_EQUAL },
	{ "StringEqualsIgnoreCase", &fold, false, ORDER_EQUAL },
	{ "StringNotEqualsIgnoreCase", &fold, true, ORDER_EQUAL },
	{ "StringLike", &like, false, ORDER_EQUAL },
	{ "StringNotLike", &like, true, ORDER_EQUAL },
	{ "BinaryEquals", &text, false, ORDER_EQUAL },
	{ "ArnEquals", &arn, false, ORDER_EQUAL },
	{ "ArnLike", &arn, false, ORDER_EQUAL },
	{ "ArnNotEquals", &arn, true, ORDER_EQUAL },
	{ "ArnNotLike", &arn, true, ORDER_EQUAL },
	{ "NumericEquals", &number, false, ORDER_EQUAL },
	{ "NumericNotEquals", &number, true, ORDER_EQUAL },
	{ "NumericLessThan", &number, false, ORDER_LESS },
	{ "NumericLessThanEquals", &number, false, ORDER_LESS_EQUAL },
	{ "NumericGreaterThan", &number, false, ORDER_GREATER },
	{ "NumericGreaterThanEquals", &number, false, ORDER_GREATER_EQUAL },
	{ "DateEquals", &date, false, ORDER_EQUAL },
	{ "DateNotEquals", &date, true, ORDER_EQUAL },
	{ "DateLessThan", &date, false, ORDER_LESS },
	{ "DateLessThanEquals", &date, false, ORDER_LESS_EQUAL },
	{ "DateGreaterThan", &date, false, ORDER_GREATER },
	{ "DateGreaterThanEquals", &date, false, ORDER_GREATER_EQUAL },
	{ "Bool", &truth, false, ORDER_EQUAL },
	{ "IpAddress", &range, false, ORDER_EQUAL },
	{ "NotIpAddress", &range, true, ORDER_EQUAL },
	{ "Null", &null, false, ORDER_EQUAL },
};
/* clang-format on */

static const char *condition_prefix(struct condition *c, const char *op)
{
	static const char *const prefixes[] = {
		[CONDITION_ANY] = "ForAnyValue:",
		[CONDITION_ALL] = "ForAllValues:",
	};

	for (size_t i = CONDITION_ANY; i < ARRAY_SIZE(prefixes); i++)
		if (!strncasecmp(op, prefixes[i], strlen(prefixes[i]))) {
			c->set = (enum condition_set)i;
			return op + strlen(prefixes[i]);
		}
	return op;
}

int condition_begin(struct condition *c, const char *op, const char *key, struct err *e)
{
	static const char suffix[] = "IfExists";
	const char *name;
	size_t size;

	*c = (struct condition){ .op = NULL };
	name = condition_prefix(c, op);
	size = strlen(name);
	if (size > strlen(suffix) && !strcasecmp(name + size - strlen(suffix), suffix)) {
		c->if_exists = true;
		size -= strlen(suffix);
	}
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (strlen(operators[i].name) == size &&
		    !strncasecmp(operators[i].name, name, size))
			c->op = &operators[i];
	if (!c->op || (c->op->kind == &null && (c->if_exists || c->set != CONDITION_ONE)))
		return err_set(e, ERR_INVALID, "\"%.80s\" is no operator of conditions", op);
	if (!strchr(key, ':') || strlen(key) > 255)
		return err_set(e, ERR_INVALID, "\"%.80s\" is no condition key: as aws:SourceIp",
			       key);
	c->key = xstrdup(key);
	for (char *k = c->key; *k; k++)
		if (*k >= 'A' && *k <= 'Z')
			*k = (char)(*k + ('a' - 'A'));
	return 0;
}

int condition_add(struct condition *c, const char *value, bool variables, struct err *e)
{
	const struct condition_kind *kind = c->op->kind;
	union operand operand = { .number = 0 };

	if (c->n == CONDITION_MAX_OPERANDS)
		return err_set(e, ERR_INVALID, "a condition has more than %d values",
			       CONDITION_MAX_OPERANDS);
	if (kind->globs ? glob_compile(&operand.glob, value, kind->glob, variables, e)
			: !kind->read(value, &operand))
		return kind->globs ? -1
				   : err_set(e, ERR_INVALID, "%s needs %s, not \"%.80s\"",
					     c->op->name, kind->what, value);
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 2;
		c->operands = xrealloc(c->operands, c->room * sizeof(*c->operands));
	}
	c->operands[c->n++] = operand;
	return 0;
}

void condition_free(struct condition *c)
{
	for (size_t i = 0; i < c->n && c->op->kind->globs; i++)
		glob_free(&c->operands[i].glob);
	free(c->operands);
	free(c->key);
}

/* One value of the request against all of the policy. */
static bool condition_value(const struct condition *c, const char *value, const struct iam_query *q)
{
	bool found = false;

	for (size_t i = 0; i < c->n && !found; i++)
		found = c->op->kind->match(c->op, &c->operands[i], value, q);
	return found != c->op->negated;
}

/* Without a set, several values are as ForAnyValue; a negated operator must hold for each. */
static bool condition_values(const struct condition *c, const struct iam_values *v,
			     const struct iam_query *q)
{
	bool all = c->set == CONDITION_ALL || (c->set == CONDITION_ONE && c->op->negated);

	for (size_t i = 0; i < v->n; i++)
		if (condition_value(c, v->at[i], q) != all)
			return !all;
	return all;
}

bool condition_holds(const struct condition *c, const struct iam_query *q)
{
	struct iam_values v = { .n = 0 };

	if (q->lookup)
		q->lookup(q->arg, c->key, &v);
	if (c->op->kind == &null) {
		for (size_t i = 0; i < c->n; i++)
			if (c->operands[i].truth == !v.n)
				return true;
		return false;
	}
	if (!v.n)
		return c->if_exists || c->set == CONDITION_ALL ||
		       (c->op->negated && c->set == CONDITION_ONE);
	return condition_values(c, &v, q);
}
