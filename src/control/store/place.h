/* place.h - where a store is. */
#ifndef CONTROL_STORE_PLACE_H
#define CONTROL_STORE_PLACE_H

struct store_place {
	int dir;             /* of doze.db */
	const char *account; /* of rows that are older than accounts */
};

#endif
