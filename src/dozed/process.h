/* process.h - what dozed and its roles do alike when they start. */
#ifndef DOZED_PROCESS_H
#define DOZED_PROCESS_H

#include "conf/conf.h"

/* Name the process in the log, and fill in where the programs and the guest's files lie: beside
 * this one. */
void process_init(struct conf *conf, const char *name);

#endif
