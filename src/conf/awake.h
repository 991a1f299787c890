/* awake.h - what keeps a microVM awake besides bytes, in the words of an operator: "cpu=5%,lease".
 * Pure. */
#ifndef CONF_AWAKE_H
#define CONF_AWAKE_H

#include "base/err.h"

#define AWAKE_CPU_MAX 6400

struct awake {
	uint32_t cpu_percent; /* of a core, at least; 0: CPU time does not count */
	bool lease;           /* its application may ask for time */
};

int awake_parse(const char *text, struct awake *a, struct err *e) must_check;
/* What "image=cpu=5%,lease; other=lease" says of this image; nothing if it is not there. */
struct awake awake_of_image(const char *list, const char *image);
/* Is each part of such a list right? */
int awake_check_list(const char *list, struct err *e) must_check;

#endif
