/* Prints what the messages between our processes are made of, for tests/integration/ipc_structs.py:
 * a line of JSON for each constant, struct, member and table of rows.  list_ipc.py makes the list
 * from the headers; the numbers are the compiler's. */

#include <stddef.h>
#include <stdio.h>

#include "ipc/access.h"
#include "ipc/agent.h"
#include "ipc/build.h"
#include "ipc/machine.h"
#include "ipc/object.h"
#include "ipc/priv.h"
#include "ipc/route.h"
#include "ipc/super.h"
#include "lies.h"

/* clang-format off */
#define KIND(at) _Generic((at), \
	char: "char", char *: "char", uint8_t: "uint8", uint8_t *: "uint8", uint16_t: "uint16", uint16_t *: "uint16", \
	uint32_t: "uint32", uint32_t *: "uint32", int32_t: "int32", uint64_t: "uint64", \
	uint64_t *: "uint64", int64_t: "int64")

#define CONSTANT(c)     dump_constant("", #c, c);
#define VALUE(e, v)     dump_constant(#e, #v, v);
#define STRUCT(s)       printf("{\"struct\": \"%s\", \"size\": %zu}\n", #s, sizeof(struct s));
#define MEMBER(s, m)    dump_member(#s, #m, KIND(((struct s *)NULL)->m), offsetof(struct s, m), \
				    sizeof(((struct s *)NULL)->m));
#define NESTED(s, m, t) dump_member(#s, #m, "struct " #t, offsetof(struct s, m), \
				    sizeof(((struct s *)NULL)->m));
#define ROWS(r)         dump_rows(#r, r##_rows, ARRAY_SIZE(r##_rows));
/* clang-format on */

static void dump_constant(const char *of, const char *name, long long value)
{
	printf("{\"constant\": \"%s\", \"enum\": \"%s\", \"value\": %lld}\n", name, of, value);
}

static void dump_member(const char *of, const char *name, const char *kind, size_t offset,
			size_t size)
{
	printf("{\"member\": \"%s\", \"of\": \"%s\", \"kind\": \"%s\", \"offset\": %zu, \"size\": "
	       "%zu}\n",
	       name, of, kind, offset, size);
}

static void dump_rows(const char *name, const struct ipc_row *rows, size_t n)
{
	printf("{\"rows\": \"%s\", \"structs\": [", name);
	for (size_t i = 0; i < n; i++)
		printf("%s\"%s\"", i ? ", " : "", rows[i].name ? rows[i].name : "");
	printf("]}\n");
}

int main(void)
{
#include "ipc_list.h"
	return 0;
}
