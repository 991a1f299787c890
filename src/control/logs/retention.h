/* retention.h - how long the lines of microVMs and builds stay whose own rows are gone: as long as
 * their log group says, else as the configuration says, and in all no more than it allows. */
#ifndef CONTROL_LOGS_RETENTION_H
#define CONTROL_LOGS_RETENTION_H

#include "control/control.h"
#include "control/model/log_stream.h"

int retention_open(struct control *ctl, struct err *e) must_check;
void retention_close(struct control *ctl);
void retention_wake(struct control *ctl); /* a group was changed */
/* Lines that are older than this are not shown; 0: none is too old. */
int64_t retention_begin(const struct control *ctl, const struct log_group *g, int64_t now_ms);

#endif
