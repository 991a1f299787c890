/* sealed_answer.h - an answer as the row of its client token has it (idempotency.h): what is secret
 * in it is sealed with the key of what was made. */
#ifndef CONTROL_API_SEALED_ANSWER_H
#define CONTROL_API_SEALED_ANSWER_H

#include "control/api/call.h"

/* c->made for the row. */
json_t *sealed_answer_make(const struct call *c, const char *token);
/* The answer that such a row has. */
json_t *sealed_answer_open(const struct call *c, const char *token, const json_t *answer);

#endif
