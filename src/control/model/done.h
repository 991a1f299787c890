/* done.h - the answer to whoever asked for a change. */
#ifndef CONTROL_MODEL_DONE_H
#define CONTROL_MODEL_DONE_H

#include "base/err.h"

/* rc 0, or -1 with the error that the API shows. */
typedef void change_done(void *arg, int rc, const struct err *e);

#endif
