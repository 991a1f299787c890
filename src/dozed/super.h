/* super.h - the supervisor: starts the roles, connects them, restarts those that die, and stops
 * them in order. */
#ifndef DOZED_SUPER_H
#define DOZED_SUPER_H

#include "dozed/setup.h"

extern const struct super_patience super_patience;

/* Run until SIGTERM (machines stay) or SIGINT (machines are suspended); SIGHUP reads the
 * configuration and certificates again (crew.h).  0: all roles ended
 * cleanly. */
int super_run(struct super_setup *setup, struct err *e) must_check;

#endif
