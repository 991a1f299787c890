/* condition.h - one line of a Condition: an operator, a key, and the values that it may have. */
#ifndef IAM_CONDITION_H
#define IAM_CONDITION_H

#include "base/cidr.h"
#include "iam/glob.h"

/* Of a key that has several values. */
enum condition_set {
	CONDITION_ONE,
	CONDITION_ANY, /* ForAnyValue: one of them is enough */
	CONDITION_ALL, /* ForAllValues: each must be; none is fine */
};

union operand {
	struct glob glob;
	double number;
	int64_t at_ms;
	bool truth;
	struct cidr range;
};

struct condition {
	const struct condition_operator *op;
	enum condition_set set;
	bool if_exists; /* a request without the key passes */
	char *key;      /* owned; in lower case */
	union operand *operands;
	size_t n, room;
};

/* "ForAnyValue:StringLikeIfExists" and its key. */
int condition_begin(struct condition *c, const char *op, const char *key, struct err *e) must_check;
int condition_add(struct condition *c, const char *value, bool variables, struct err *e) must_check;
void condition_free(struct condition *c);
bool condition_holds(const struct condition *c, const struct iam_query *q);

/* "2026-12-01T08:00:00Z", a date alone, or seconds since 1970. */
bool condition_read_time(const char *text, int64_t *at_ms) must_check;

#endif
