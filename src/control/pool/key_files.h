/* key_files.h - how the keys of files leave the file system (kms/kms.h), once nothing needs them.
 */
#ifndef CONTROL_POOL_KEY_FILES_H
#define CONTROL_POOL_KEY_FILES_H

#include "control/control.h"

/* Takes out those of keys that are disabled or gone.  Files that are in use need another call. */
void key_files_settle(struct control *ctl);

#endif
