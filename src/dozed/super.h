/* super.h - the supervisor: starts the roles, connects them, restarts one that died, stops them in
 * order. */
#ifndef DOZED_SUPER_H
#define DOZED_SUPER_H

#include "conf/conf.h"
#include "dozed/listeners.h"
#include "dozed/secrets.h"

struct super_setup {
	struct conf *conf;
	const char *config_file;    /* "" when there is none */
	struct listeners listeners; /* owned by the supervisor from here on */
	struct secrets secrets;     /* likewise */
	int ready_fd;               /* gets one byte when every role serves; -1: nobody waits */
};

/* Until SIGTERM (machines stay) or SIGINT (machines are suspended). 0: all roles ended cleanly. */
int super_run(struct super_setup *setup, struct err *e) must_check;

#endif
