/* meters.h - what this worker has counted since it last told control (ipc/meter.h). */
#ifndef PROXY_METERS_H
#define PROXY_METERS_H

#include "ipc/meter.h"
#include "proxy/record.h"

/* Counts what a record tells, at its end. */
void meters_count(struct meter *m, const struct request_record *r, int64_t mono_ms);

#endif
