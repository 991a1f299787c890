/* sqlite.h - the tables in a file of SQLite's, doze.db (WAL, synchronous=FULL). */
#ifndef CONTROL_STORE_SQLITE_H
#define CONTROL_STORE_SQLITE_H

#include "control/store/backend.h"
#include "control/store/place.h"

/* With the tables of STORE_FORMAT in it. */
struct backend *sqlite_open(const struct store_place *where, struct err *e) must_check;

#endif
