/* ops_shapes.h - how the tables of operations (ops_*.c) write their shapes, and what they share.
 * Limits, patterns and paths are the official model's (tests/integration/test_model.py compares
 * them); the order of required members is the order in which the service names the missing ones. */
#ifndef CONTROL_API_OPS_SHAPES_H
#define CONTROL_API_OPS_SHAPES_H

#include "control/api/ops.h"

/* clang-format off */
#define STRING(name, lo, hi, p) \
	static const struct shape name = { .kind = KIND_STRING, .min = (lo), .max = (hi), .pattern = (p) }
#define INTEGER(name, lo, hi) \
	static const struct shape name = { .kind = KIND_INTEGER, .min = (lo), .max = (hi) }
#define LIST(name, lo, hi, element) \
	static const struct shape name = { .kind = KIND_LIST, .min = (lo), .max = (hi), .of = &(element) }
#define STRUCT(name, table) \
	static const struct shape name = { .kind = KIND_STRUCT, .max = NO_MAX, .members = (table) }
#define UNION(name, table) \
	static const struct shape name = { .kind = KIND_STRUCT, .max = NO_MAX, .members = (table), .one_of = true }
#define ENUM(name, ...) \
	static const char *const name##_values[] = { __VA_ARGS__, NULL }; \
	static const struct shape name = { .kind = KIND_STRING, .max = NO_MAX, .values = name##_values }
/* clang-format on */

/* Of ops_microvms.c. */
extern const struct shape shape_tags, shape_kms_key;

#define MICROVM_OPS 45
#define CORE_OPS    6
#define ACCOUNT_OPS 18
extern const struct op microvm_ops[MICROVM_OPS], core_ops[CORE_OPS], account_ops[ACCOUNT_OPS];

#endif
