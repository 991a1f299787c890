/* dump.h - all rows as lines of JSON, for a backup and out of one, whichever the database.
 *
 * The first line says the format, the last one how many rows there are; each between is one row
 * with its table. */
#ifndef CONTROL_STORE_DUMP_H
#define CONTROL_STORE_DUMP_H

#include "control/store/backend.h"

/* Into an open file, and durable there. */
int dump_write(struct backend *b, int fd, struct err *e) must_check;
/* ERR_CONFLICT: there are rows. */
int dump_check_empty(struct backend *b, struct err *e) must_check;
/* These rows in the place of all that are there. */
int dump_read(struct backend *b, int fd, struct err *e) must_check;

#endif
