/* shape.h - strings against their shape, in the service's phrases (service.md 2.6). */
#ifndef CONTROL_API_SHAPE_H
#define CONTROL_API_SHAPE_H

#include <jansson.h>

#include "base/buf.h"
#include "control/api/ops.h"

bool shape_allows(const struct shape *shape, const char *text) must_check;
/* What a string must be, each as a phrase; only the violated ones if @text is given. */
void shape_phrases(const struct shape *shape, const char *text, void *arg,
		   void (*phrase)(void *arg, const char *words));
/* A value as messages print it: "[a, b]" for lists of strings. */
void shape_show(struct buf *to, const json_t *value);

#endif
