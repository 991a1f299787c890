/* work.h - long work off the loop: a forked child that makes system calls alone and ends.
 *
 * The child is killed with us; what it leaves half-done must be found and
 * cleared at the next start. */
#ifndef CONTROL_STORAGE_WORK_H
#define CONTROL_STORAGE_WORK_H

#include "control/control.h"

struct work;

/* In the child: 0 or -errno.  No lock of another thread may be taken: no logging, no store. */
typedef int work_fn(void *arg);
/* On the loop; rc as `fn` said, -EIO if the child was killed. */
typedef void work_done(void *arg, int rc);

/* NULL (and *e) if no child can be made. */
struct work *work_start(struct control *ctl, work_fn *fn, void *fn_arg, work_done *done,
			void *done_arg, struct err *e) must_check;
void work_forget(struct work *w); /* it goes on, but nobody is told */

#endif
