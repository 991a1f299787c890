/* places.h - the directories of an instance, their owners and modes (docs/data-layout.md). */
#ifndef DOZED_PLACES_H
#define DOZED_PLACES_H

#include "conf/conf.h"

/* Make what is missing, check FORMAT; *data_fd is the data directory, owned by the caller. */
int places_make(const struct conf *conf, int *data_fd, struct err *e) must_check;
/* The pid file of the running supervisor, locked; owned by the caller (keep it open). ERR_CONFLICT:
 * another runs. */
int places_lock(const struct conf *conf, struct err *e) must_check;

#endif
