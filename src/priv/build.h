/* build.h - the builds: started in their namespaces, limited, ended with priv or their asker.
 *
 * A build that started is told as GONE once, when all of it is cleared, also after an END; an
 * END of one that is gone is DONE. */
#ifndef PRIV_BUILD_H
#define PRIV_BUILD_H

#include "priv/priv.h"

struct ipc_msg;

void build_start(struct priv *p, const struct request *a, struct ipc_msg *m);
void build_end(struct priv *p, const struct request *a, struct ipc_msg *m);
void builds_end_all(struct priv *p);

/* @n strings in @size bytes, each with its NUL and nothing left over: NULL-terminated pointers
 * into @bytes, owned by the caller; NULL if it is not so.  Pure. */
char **build_argv(char *bytes, size_t size, uint32_t n);

#endif
