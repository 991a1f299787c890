/* leftovers.h - files in data/control that an earlier control left and that belong to no row. */
#ifndef CONTROL_STORAGE_LEFTOVERS_H
#define CONTROL_STORAGE_LEFTOVERS_H

#include "control/control.h"

#define BACKUP_ROWS ".backup-" /* begins the names of rows that `doze backup` takes away */

/* Call it at start, once the rows are loaded and it is known which machines live.  The files are
 * removed later (gc.h). */
void leftovers_remove(struct control *ctl);

#endif
