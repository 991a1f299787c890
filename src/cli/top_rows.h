/* top_rows.h - the table of `doze top`, from two answers of GET /doze/v1/stats.  Pure. */
#ifndef CLI_TOP_ROWS_H
#define CLI_TOP_ROWS_H

#include <jansson.h>
#include <stdio.h>

/* What happened between the two answers, @seconds apart: an array of objects, the busiest microVM
 * first: microvmId, image, state, requests and errors (a second), bytesIn and bytesOut (a second),
 * held (in all), cpuPercent (of one processor), memoryBytes.  Owned by the caller. */
json_t *top_rows(const json_t *before, const json_t *now, double seconds);
/* At most @lines lines of at most @columns columns; 0: as many as there are. */
void top_print(FILE *to, const json_t *now, const json_t *rows, int columns, int lines);

#endif
