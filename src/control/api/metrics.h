/* metrics.h - GET /metrics for Prometheus, on a port of its own on loopback, without a signature:
 * what the workers of the proxy have counted, in all and for each microVM that has not ended. */
#ifndef CONTROL_API_METRICS_H
#define CONTROL_API_METRICS_H

#include "control/control.h"

int metrics_listen(struct control *ctl, int fd, struct err *e) must_check; /* takes it over */
void metrics_close(struct control *ctl);

/* Adds the whole text. */
void metrics_put(const struct control *ctl, struct buf *to);

#endif
