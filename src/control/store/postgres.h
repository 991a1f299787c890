/* postgres.h - the tables in a database of PostgreSQL. */
#ifndef CONTROL_STORE_POSTGRES_H
#define CONTROL_STORE_POSTGRES_H

#include "control/store/backend.h"
#include "control/store/place.h"

/* With the tables of STORE_FORMAT in it, and nobody else's while it is open. */
struct backend *postgres_open(const struct store_place *where, struct err *e) must_check;

#endif
