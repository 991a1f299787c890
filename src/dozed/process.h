/* process.h - what dozed and all of its roles do when they start. */
#ifndef DOZED_PROCESS_H
#define DOZED_PROCESS_H

#include "conf/conf.h"

/* Sets the name of the process in the log, and the directory of the programs and the guest's files,
 * which is that of this program. */
void process_init(struct conf *conf, const char *name);

#endif
