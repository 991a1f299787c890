/* build.h - builds run in namespaces and cgroups of their own and end with priv or with the role
 * that asked for them.
 *
 * For each build that started, GONE is sent once, when all of it is cleared, even if an END asked
 * for that. An END of a build that is gone already is answered with DONE. */
#ifndef PRIV_BUILD_H
#define PRIV_BUILD_H

#include "priv/priv.h"

struct ipc_msg;

void build_start(struct priv *p, const struct request *a, struct ipc_msg *m);
void build_end(struct priv *p, const struct request *a, struct ipc_msg *m);
void builds_end_all(struct priv *p);

/* Splits @size bytes into exactly @n strings, each with its NUL, and returns NULL-terminated
 * pointers into @bytes. The caller owns the array. NULL if there are fewer or more strings. Pure.
 */
char **build_argv(char *bytes, size_t size, uint32_t n);

#endif
