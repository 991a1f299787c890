/* places.h - the directories of an instance, their owners and modes (docs/data-layout.md). */
#ifndef DOZED_PLACES_H
#define DOZED_PLACES_H

#include "conf/conf.h"

/* Makes the directories that are missing and checks FORMAT. The caller owns *data_fd, the data
 * directory. */
int places_make(const struct conf *conf, int *data_fd, struct err *e) must_check;
/* Opens and locks the pid file of the supervisor. The caller owns the descriptor and keeps it open.
 * ERR_CONFLICT: another supervisor runs. */
int places_lock(const struct conf *conf, struct err *e) must_check;

#endif
