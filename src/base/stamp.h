/* stamp.h - a time as people and clients read it: "2026-01-31T23:59:59Z". */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdint.h>

#define STAMP_SIZE 24 /* with the NUL */

/* "" where the year has no four digits. */
void stamp_text(int64_t wall_ms, char text[STAMP_SIZE]);

#endif
