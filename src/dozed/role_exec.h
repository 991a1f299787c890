/* role_exec.h - how a child of the supervisor becomes a role. */
#ifndef DOZED_ROLE_EXEC_H
#define DOZED_ROLE_EXEC_H

#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/super.h"

/* Become the program of this role, with its user and rights, @sock as its channel to the
 * supervisor, and the configuration file open ("" when there is none).  @parent is the supervisor:
 * the role dies with it. */
_Noreturn void role_exec(const struct conf *conf, const char *config_file, enum role role, int sock,
			 pid_t parent);

#endif
