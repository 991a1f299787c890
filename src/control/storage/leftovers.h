/* leftovers.h - what a control before us left in data/control and belongs to no row. */
#ifndef CONTROL_STORAGE_LEFTOVERS_H
#define CONTROL_STORAGE_LEFTOVERS_H

#include "control/control.h"

/* At start, once the rows are there and it is known which machines live; the files go later. */
void leftovers_remove(struct control *ctl);

#endif
