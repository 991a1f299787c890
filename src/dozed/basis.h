/* basis.h - where the basis of base/steady.h is kept while the host is up. */
#ifndef DOZED_BASIS_H
#define DOZED_BASIS_H

#include "base/err.h"

/* Takes the basis that the file in the runtime directory has, if it is of this boot of the host;
 * else makes it. */
int basis_open(const char *run_dir, const char *boot_id, struct err *e) must_check;

#endif
