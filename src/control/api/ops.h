/* ops.h - the API as data: operations, their members, what each member may be.
 *
 * Routing (route.c), validation and decoding (validate.c) and the test against the
 * official model all read these tables; an operation is one row in ops_*.c. */
#ifndef CONTROL_API_OPS_H
#define CONTROL_API_OPS_H

#include "base/base.h"

enum kind {
	KIND_STRING,
	KIND_INTEGER,
	KIND_BOOLEAN,
	KIND_STRUCT,
	KIND_LIST,
	KIND_MAP,
};

/* A regular expression, as the service prints it and as POSIX extended one; both mean the whole
 * value. */
struct pattern {
	const char *text, *ere;
};

struct member;

/* What a value may be.  min and max: of a string's or list's length, an integer's value; NO_MAX and
 * a min of 0 (of an integer: NO_MIN) do not bound. */
struct shape {
	enum kind kind;
	bool sensitive; /* never printed */
	bool one_of;    /* a struct with exactly one of its members */
	int64_t min, max;
	const struct pattern *pattern;
	const char *const *values;    /* of an enumeration, NULL-terminated */
	const struct member *members; /* of a struct, ends with a nameless one */
	const struct shape *of;       /* of a list's or map's values */
	const struct shape *key;      /* of a map's keys */
};

#define NO_MAX INT64_MAX
#define NO_MIN INT64_MIN

enum place { IN_BODY, IN_PATH, IN_QUERY };

struct member {
	const char *name;
	const struct shape *shape;
	bool required;
	enum place place;
};

/* How errors and answers of an operation look (service.md 2.5). */
enum family {
	FAMILY_MICROVMS,
	FAMILY_TAGS,
	FAMILY_CORE, /* of Lambda Core: network connectors */
	FAMILY_DOZE, /* ours, /doze/v1/ */
	FAMILY_LOGS, /* of CloudWatch Logs: JSON 1.1, named by a header (ops_logs.c) */
	NUM_FAMILIES,
};

struct call;
typedef void op_run(struct call *c);

struct op {
	const char *name, *method, *path; /* "{member}" is one segment */
	enum family family;
	unsigned status; /* of success */
	const struct member *members;
	op_run *run;
	bool streams; /* run is called with the head, and the body goes to call->piece */
};

/* All that method and path name; the last one is empty. */
struct op_table {
	const struct op *ops;
	size_t n;
};
extern const struct op_table op_tables[];
extern const struct op logs_ops[];
extern const size_t logs_ops_count;

/* The operation of this method and path (without its query), and the decoded values of its
 * segments in the order of the braces.  NULL: there is none. */
#define OP_MAX_SEGMENTS 4
struct op_segments {
	char *value[OP_MAX_SEGMENTS]; /* owned: op_segments_free */
	const char *name[OP_MAX_SEGMENTS];
	size_t name_size[OP_MAX_SEGMENTS];
	size_t n;
};
const struct op *op_find(const char *method, const char *path, size_t path_size,
			 struct op_segments *s);
void op_segments_free(struct op_segments *s);

/* The operation that x-amz-target names, be it one that says that there is none. */
const struct op *op_find_logs(const char *target);

/* "%41" and, in a query, "+" decoded; an owned string, or NULL if it is broken or holds a NUL. */
char *op_unescape(const char *text, size_t size, bool query);

#endif
