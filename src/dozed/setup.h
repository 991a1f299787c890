/* setup.h - what the supervisor runs with. */
#ifndef DOZED_SETUP_H
#define DOZED_SETUP_H

#include "conf/conf.h"
#include "dozed/listeners.h"
#include "dozed/secrets.h"

/* How long a stop may take. */
struct super_patience {
	int64_t keep_ms; /* for all roles together, where machines stay */
	int64_t role_ms; /* for a role that says nothing, where machines are suspended */
	int64_t save_ms; /* for control likewise: it saves, and says so whenever it gets on */
};

struct super_setup {
	struct conf *conf;
	const struct super_patience *patience;
	const char *config_file;    /* "" when there is none */
	struct listeners listeners; /* owned by the supervisor from here on */
	struct secrets secrets;     /* likewise */
	int pid_file;               /* borrowed; gets SUPER_FILE_STOPPING when a stop begins */
	int ready_fd;               /* gets one byte when every role serves; -1: nobody waits */
	bool stopped;               /* out: the end was asked for by a signal */
};

#endif
