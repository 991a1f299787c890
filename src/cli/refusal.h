/* refusal.h - why an endpoint answered in the place of its application. Such an answer has no body
 * (docs/service.md), so the reason has to be found out. */
#ifndef CLI_REFUSAL_H
#define CLI_REFUSAL_H

#include <jansson.h>

#include "conf/conf.h"

/* The status of the last answer in @heads, as curl(1) dumps them, if it is a 502 or 504 that the
 * endpoint itself gave; else 0. */
int refusal_status(const char *heads);
/* What is wrong with the microVM @vm, as GetMicrovm describes it, so that a request to @port got
 * @status, and what to do. Owned by the caller. */
char *refusal_text(const struct conf *conf, const json_t *vm, long port, int status);

#endif
